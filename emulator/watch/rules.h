// What: which names count: part of a version, reason to reload, or nothing. Built-in noise
//      (noise.def) and the upload's ignore rules in one answer.
// Order: rules_load() at the start and whenever .leanignore changed; rules_judge() from the top
//      down, never below a name that is skipped.
// Sources: P-220 to P-225; without a file the CLI's defaults hold (P-221).
#ifndef EMULATOR_WATCH_RULES_H
#define EMULATOR_WATCH_RULES_H

#include <stdbool.h>

#include "emulator/formats/leanignore.h"

struct rules {
    struct leanignore *ignore; // NULL: .leanignore cannot be read, everything is uploaded
};

struct verdict {
    bool uploaded; // part of a version
    bool reports;  // a change is told
};

// Reads <root>/.leanignore. -1 and error when it would abort the deploy; the defaults hold then.
int rules_load(struct rules *rules, const char *root, struct error *error);
void rules_release(struct rules *rules);
// name: the last part of path; path: relative. Neither uploaded nor reporting: skip it, and what is
// below.
struct verdict rules_judge(const struct rules *rules, const char *path, const char *name,
                           bool is_dir);
// Editor temporaries, VCS and the like: by the name alone.
bool rules_is_noise(const char *name);

#endif
