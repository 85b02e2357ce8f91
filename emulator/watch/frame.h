// What: the messages between the engine and the tree helper, over one socket pair. length
//      (uint32_t, of what follows), type (uint8_t), then fields: numbers as uint64_t, texts as
//      uint32_t length and bytes.
// Why not JSON: paths are bytes, and both ends are the same executable.
#ifndef EMULATOR_WATCH_FRAME_H
#define EMULATOR_WATCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define FRAME_MAX (1u << 20)

enum frame_type {
    // to the helper
    FRAME_START = 1, // root, store, ignore file, env file, flags, uid, gid, file count, lowers of
                     // the last version,
                     // dirs to keep
    FRAME_CUT,       // tag
    FRAME_REMOVE,    // a directory's name in the store
    // from the helper
    FRAME_READY,      // file count, polling, note
    FRAME_CHANGED,    // total, rescan, paths
    FRAME_VERSION,    // tag, lowers, file count, bytes, changed, written
    FRAME_FAILED,     // tag, the error object
    FRAME_NOTICE,     // text
    FRAME_DIAGNOSTIC, // severity, file, line, rule, text, hint
    FRAME_FATAL,      // the error object
};

enum { START_WATCH = 1, START_OWN = 2, START_KEEP_MODES = 4, START_GIT = 8 };

// Begins a frame at the end of out; frame_end() fills in its length.
size_t frame_begin(struct buf *out, enum frame_type type);
void frame_end(struct buf *out, size_t begin);
void frame_add_number(struct buf *out, uint64_t number);
void frame_add_text(struct buf *out, const char *text); // NULL is ""
void frame_add_list(struct buf *out, const struct strlist *list);
void frame_add_bytes(struct buf *out, const void *bytes, size_t len);

struct frame {
    enum frame_type type;
    const char *at, *end;
    bool bad; // a field was missing
};
// true: the first whole frame of in; frame_drop() it afterwards. *ret_bad when it can never become
// one.
bool frame_next(const struct buf *in, struct frame *ret_frame, bool *ret_bad);
void frame_drop(struct buf *in);
uint64_t frame_number(struct frame *frame);
char *frame_text(struct frame *frame); // owned by the caller, never NULL
void frame_list(struct frame *frame, struct strlist *list);
void frame_error(struct frame *frame, struct error *error);

#endif
