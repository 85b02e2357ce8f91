// What: libinotifytools, fenced in: its events, its limits and its error text; never its tree.
// Why (all tried on 3.22.6): its recursive watch scans before it watches; its names go stale after
//      renames, and a name that was watched before answers with the old descriptor; next_event(0)
//      blocks for ever. So every watch gets a name that it never had, and the table descriptor ->
//      directory is the caller's.
// Order: one at a time in a process. After IN_Q_OVERFLOW: free, new, watch all again.
#ifndef EMULATOR_WATCH_WATCHER_H
#define EMULATOR_WATCH_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/base/error.h"

struct watcher;

struct watch_event {
    int wd;           // -1 with IN_Q_OVERFLOW
    uint32_t mask;    // IN_*
    const char *name; // "" for the directory itself; valid until the next call
};

struct watcher *watcher_new(struct error *error);
// For poll(); readable when watcher_next() has something.
int watcher_fd(const struct watcher *watcher);
// The descriptor of a directory: the same one for the same directory by any path. -1 with errno:
// ENOSPC means the limit.
int watcher_add(struct watcher *watcher, const char *path);
void watcher_remove(struct watcher *watcher, int wd);
// false: nothing more for now.
bool watcher_next(struct watcher *watcher, struct watch_event *ret_event);
// "CLOSE_WRITE,CLOSE"; static.
const char *watcher_mask_text(uint32_t mask);
// What to do about a limit: the sysctl line. Owned by the caller.
char *watcher_limit_text(int errnum);
void watcher_free(struct watcher *watcher);

#endif
