// What: which names count: part of a version, reason to reload, or nothing. Built-in noise
//      (noise.def) and the upload's ignore rules in one answer.
// Order: rules_load() at the start and whenever the file changed; rules_judge() from the top down,
//      never below a name that is skipped. A failed load keeps the defaults for watching: no
//      version may be cut by them, since the deploy is aborted.
// Sources: P-220 to P-225; without a file the CLI's defaults hold (P-221).
#ifndef EMULATOR_WATCH_RULES_H
#define EMULATOR_WATCH_RULES_H

#include <stdbool.h>

#include "emulator/formats/diagnostics.h"
#include "emulator/formats/leanignore.h"

struct rules {
    struct leanignore *ignore; // NULL: nothing is left out
    char *name;                // of the file, relative to the project; NULL: it lies elsewhere
    char *shown;               // of the file, for people
    bool is_default;           // there is no file
    unsigned root_line;        // the rule that leaves out everything, 0: none
};

struct verdict {
    bool uploaded; // part of a version
    bool reports;  // a change is told
    unsigned line; // of the rule that left it out; 0: none did
    unsigned back; // of the rule that took it back; 0: none did
    int noise;     // row of noise.def that left it out, or keeps it quiet; -1: none
};

// Reads <root>/.leanignore, or file (--leanignore; NULL: none). -1 and error when it would abort
// the deploy. diagnostics may be NULL.
int rules_load(struct rules *rules, const char *root, const char *file,
               struct diagnostics *diagnostics, struct error *error);
void rules_release(struct rules *rules);
// name: the last part of path; path: relative. Neither uploaded nor reporting: skip it, and what is
// below.
struct verdict rules_judge(const struct rules *rules, const char *path, const char *name,
                           bool is_dir);
// The same from the top down: of the first directory on the way that is left out, else of path
// itself. *ret_decided (may be NULL): whose verdict it is; owned by the caller.
struct verdict rules_judge_path(const struct rules *rules, const char *path, bool is_dir,
                                char **ret_decided);
// Would the upload take what we leave out as noise?
bool rules_would_upload(const struct rules *rules, const char *path, bool is_dir);
// Editor temporaries, VCS and the like: by the name alone. The row, or -1.
int rules_noise(const char *name);
// Left out of versions and never watched: all but what is quiet.
bool rules_is_skipped(int row);
// Of a row: its pattern and, translated, what such files are; NULL: nobody keeps them, no word.
const char *rules_noise_pattern(int row);
const char *rules_noise_reason(int row);

#endif
