// What: from what a start left on stderr to its cause: which package, which file, which line of
//       requirements.txt, and what would mend it. Pure: text in, cause out.
// Why: pip is content, the failure comes at import, and the traceback names neither the package
//       that moved nor the one that did not move along (P-300).
// Order: blame_text() for a traceback or a message, blame_signal() for an app that died of one.
// Owns: the cause's strings: blame_cause_release().
// Not: a guess where nothing is known: false then, and the traceback speaks for itself.
// Sources: P-21, P-53, P-220, P-300, P-303 to P-305.
#ifndef EMULATOR_BLAME_BLAME_H
#define EMULATOR_BLAME_BLAME_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/blame/packages.h"

struct blame_facts {
    const struct packages *packages;
    const char *python;          // "3.12.1"
    const char *app_root;        // "/home/leanengine/app"
    const struct strlist *names; // in the project's root: "wsgi.py", "static"; NULL: not known
};

struct blame_cause {
    const char *rule; // "P-300"; NULL: none of the platform's
    char *text;       // what it is, one sentence or two
    char *mend;       // what to do
};

bool blame_text(const struct blame_facts *facts, const char *text, size_t len,
                struct blame_cause *ret_cause);
bool blame_signal(const struct blame_facts *facts, int number, struct blame_cause *ret_cause);
void blame_cause_release(struct blame_cause *cause);

#endif
