// What: when is a save finished? Pure: fed with events and the time, it says how long to wait.
// Why: a file that was closed after writing, or that arrived by rename, is complete: no waiting.
//      But an editor's dance (rename away, create, write, remove) and a checkout must be one
//      report.
// Rules: a save of known files is told at once. New files may be temporaries (sed -i), missing ones
//      may come back (vim, PyCharm), files being written will be closed: wait for quiet. A second
//      *other* file within 50 ms is a burst. While a VCS holds its lock nothing is told.
#ifndef EMULATOR_WATCH_SETTLE_H
#define EMULATOR_WATCH_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

enum settle_kind {
    SETTLE_META,    // times or permissions: says nothing about whether the content is complete
    SETTLE_SAVED,   // a known file is complete
    SETTLE_NEW,     // a file or directory that was not there when we last told
    SETTLE_GONE,    // removed, or renamed away
    SETTLE_WRITING, // modified, not closed yet
};

#define SETTLE_ITEMS 32

struct settle {
    struct {
        uint64_t id;
        enum settle_kind kind;
    } items[SETTLE_ITEMS];
    unsigned count;
    bool many; // more than fit
    int64_t first_ms, last_ms;
    int64_t told_ms;  // when settle_told() was called last
    uint64_t told_id; // the file it was about, 0 if several
    bool held;
    int64_t held_ms;
};

void settle_init(struct settle *settle);
// id: not 0, one per path.
void settle_event(struct settle *settle, int64_t now_ms, uint64_t id, enum settle_kind kind);
// A VCS's lock appeared or went.
void settle_hold(struct settle *settle, int64_t now_ms, bool held);
bool settle_pending(const struct settle *settle);
// 0: tell now; > 0: ask again after so many ms or at the next event; -1: nothing is pending.
int64_t settle_wait(const struct settle *settle, int64_t now_ms);
void settle_told(struct settle *settle, int64_t now_ms);

#endif
