// What: what the lines of a build mean: which step runs, its last lines, why it failed. Pure.
// Sources: P-67 (the last step's output is shown), P-68 (the cloud's sentence), P-72, P-301.
// Order: build_log_line() for each line; then build_log_conflicts(), build_log_failure().
// Owns: build_log_release().
#ifndef EMULATOR_BUILD_LOG_H
#define EMULATOR_BUILD_LOG_H

#include <stdbool.h>

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define BUILD_LOG_KEPT 12 // last lines of the running step

enum build_line {
    BUILD_LINE_OUTPUT, // a line of the step: show it
    BUILD_LINE_STEP,   // a step begins; the text to show is build_log.step
    BUILD_LINE_HIDDEN, // for us only
};

struct build_log {
    char *step; // "pip install -r requirements.txt"; NULL before the first
    char *kept[BUILD_LOG_KEPT];
    size_t kept_count;
    bool failed;
    int exit_code;
    int trouble; // row of the table of known failures, -1: none
    char *trouble_line;
    struct strlist conflicts;
};

void build_log_init(struct build_log *log);
// text: one line without its newline, valid UTF-8.
enum build_line build_log_line(struct build_log *log, const char *text);
// What pip does, by its last line, as far as that is known: a msgid, or NULL.
const char *build_log_doing(const struct build_log *log);
// ERROR_PROJECT, or ERROR_HOST where the host or its network is the cause. python: "3.12.1".
int build_log_failure(const struct build_log *log, const char *python, bool uses_sdk,
                      struct error *error);
// One warning a conflict (P-301).
void build_log_conflicts(const struct strlist *conflicts, struct diagnostics *diagnostics);
void build_log_release(struct build_log *log);

#endif
