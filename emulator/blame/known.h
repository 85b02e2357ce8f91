// What: the tables of known breaks, asked with a symptom. Pure.
// Owns: nothing; rows are constants.
// Sources: bounds.def (P-300), standard.def, modules.def.
#ifndef EMULATOR_BLAME_KNOWN_H
#define EMULATOR_BLAME_KNOWN_H

#include "emulator/blame/packages.h"
#include "emulator/blame/symptom.h"

struct known_break {
    const char *package; // who dropped it: "Jinja2"; NULL: Python's own library
    const char *module;
    const char *name;    // "" the whole module
    const char *since;   // gone since; with `added`: there since
    const char *instead; // of Python's library; a backport with `added`; "" none
    bool added;          // too old here, not too new
};

// A package of the layer that no longer has what the symptom misses. Only rows whose package is
// installed in a version that dropped it.
bool known_bound(const struct packages *packages, const struct symptom *symptom,
                 struct slice message, struct known_break *ret_break);
// What this Python's own library no longer has, or not yet. python: "3.12.1".
bool known_standard(const char *python, const struct symptom *symptom,
                    struct known_break *ret_break);
// What to write into requirements.txt for an import: "PyYAML" for "yaml". "": nothing can help
// (another operating system's). NULL: not in the table, so its first part itself.
const char *known_package_of(const char *module);
// The same for a command that /bin/sh does not find.
const char *known_command(const char *word);
// The package that a message asks for; NULL: none.
const char *known_wanted(struct slice message);
// A package that does not survive the presence of another.
struct known_crash {
    const char *user, *package, *since;
};
bool known_crash(const struct packages *packages, struct known_crash *ret_crash);

#endif
