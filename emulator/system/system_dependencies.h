// What: the system packages that leanengine.yaml asks for, compared with what this machine has.
// Why: the cloud installs them (P-26); we never install anything, we say what is missing and the
//      one command that mends it. What is installed is what the app sees, at its usual path.
// Sources: system_dependencies.def, one row a name. A row is proved by access(2) alone: nothing is
//      run, so that the engine may ask at any time.
// Not: refusing unknown names. The parser of leanengine.yaml does that, with line and column, by
//      the same rows.
#ifndef EMULATOR_SYSTEM_SYSTEM_DEPENDENCIES_H
#define EMULATOR_SYSTEM_SYSTEM_DEPENDENCIES_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/mem.h"

// For tests: the directory that is taken for "/" when looking.
#define SYSTEM_ROOT_VARIABLE "LEANLOCAL_SYSTEM_ROOT"

// Missing names are one deviation with the command to install them; names that do nothing for
// Python are warned of. line: of the key in leanengine.yaml. root: "" or the directory taken for
// "/".
void system_dependencies_check(const struct strlist *names, int line, const char *root,
                               struct diagnostics *diagnostics);
// Whether the name's row is proved below root. false for names that no row has.
bool system_dependency_present(const char *name, const char *root);
// The directories outside /usr that the names need, owned by the caller.
void system_dependencies_directories(const struct strlist *names, struct strlist *ret_paths);

#endif
