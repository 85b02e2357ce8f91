// What: the way out when a command cannot be run because the upload lost its executable bit.
// Why: the zip of an upload carries no modes (P-71); the shell's exit status 126 is all one sees.
#ifndef EMULATOR_VERSION_MODES_H
#define EMULATOR_VERSION_MODES_H

#include <stdbool.h>

#include "sandbox/base/error.h"

// command: as leanengine.yaml has it. true: the exit status is the shell's "found, but cannot be
// executed", and rule and hint of error say so now.
bool modes_explain(int exit_status, const char *command, struct error *error);

#endif
