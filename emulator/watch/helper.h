// What: the tree helper's state, shared by its files: helper.c (turns, cuts), helper_send.c (what
//       the engine is told), helper_news.c (what is news), helper_git.h (git instead of the files).
// Not: for anybody else; tree.h is the room's door.
#ifndef EMULATOR_WATCH_HELPER_H
#define EMULATOR_WATCH_HELPER_H

#include "emulator/version/cut.h"
#include "emulator/watch/frame.h"
#include "emulator/watch/helper_git.h"
#include "emulator/watch/scan.h"
#include "emulator/watch/tree.h"

#define ENGINE_FD   3
#define PATHS_MAX   256 // named in one report
#define PATHS_BYTES (FRAME_MAX / 2)

struct helper {
    struct buf in, out;
    bool watch, polling, rescanned, ended;
    int64_t next_poll_ms;
    int64_t scanned_ms; // when the first scan was done
    struct scan scan;
    struct cut cut;
    struct helper_git *git; // instead of the files; NULL: the files
    size_t last_file_count; // of the version that an older helper cut last
    struct strlist tags;    // cuts that were asked for
    int64_t cut_asked_ms;
};

// ---- helper_send.c ----

void helper_flush(struct helper *helper);
void helper_send_notice(void *context, const char *text);
void helper_send_diagnostic(void *context, const struct diagnostic *item);
void helper_send_fatal(struct helper *helper, const struct error *error);
void helper_send_version(struct helper *helper, const struct tree_version *version);
void helper_send_failed(struct helper *helper, const char *tag, const struct error *error);
void helper_send_changed(struct helper *helper, size_t total, const struct strlist *paths);

// ---- helper_news.c ----

// Reports all that is other than what was told last, by content; `more` changes have no name.
void helper_tell(struct helper *helper, size_t more);
// Compares the tree with the last version of the helper that died; one report if anything differs.
void helper_adopt(struct helper *helper);

#endif
