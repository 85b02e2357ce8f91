#include "emulator/watch/settle.h"

#include <string.h>

#define BURST_MS      50 // another file within this time after a report is part of a burst
#define AT_ONCE_FILES 3  // saved together, still told at once
#define MANY_QUIET_MS 100
#define LONGEST_MS    2000  // of waiting for quiet
#define LONGEST_HOLD  30000 // of waiting for a VCS

// How long nothing more may have happened.
static const int64_t quiet_ms[] = {
    [SETTLE_META] = 20,  [SETTLE_SAVED] = 20,    [SETTLE_NEW] = 50,
    [SETTLE_GONE] = 100, [SETTLE_WRITING] = 200,
};

void settle_init(struct settle *settle)
{
    memset(settle, 0, sizeof *settle);
    settle->told_ms = INT64_MIN / 2;
}

bool settle_pending(const struct settle *settle)
{
    return settle->count > 0 || settle->many;
}

void settle_event(struct settle *settle, int64_t now_ms, uint64_t id, enum settle_kind kind)
{
    if (!settle_pending(settle)) {
        settle->first_ms = settle->last_ms = now_ms;
    }
    for (unsigned i = 0; i < settle->count; i++) {
        if (settle->items[i].id == id) {
            // Editors set permissions after the last write: that must not delay it.
            if (kind != SETTLE_META) {
                settle->items[i].kind = kind;
                settle->last_ms = now_ms;
            }
            return;
        }
    }
    settle->last_ms = now_ms;
    if (settle->count == SETTLE_ITEMS) {
        settle->many = true;
        return;
    }
    settle->items[settle->count].id = id;
    settle->items[settle->count++].kind = kind;
}

void settle_hold(struct settle *settle, int64_t now_ms, bool held)
{
    if (held && !settle->held) {
        settle->held_ms = now_ms;
    }
    if (!held && settle->held && settle_pending(settle)) {
        settle->first_ms = settle->last_ms = now_ms;
    }
    settle->held = held;
}

static bool told_at_once(const struct settle *settle, int64_t now_ms)
{
    if (settle->many || settle->count > AT_ONCE_FILES) {
        return false;
    }
    for (unsigned i = 0; i < settle->count; i++) {
        if (settle->items[i].kind != SETTLE_SAVED) {
            return false;
        }
    }
    // The same file again is a second save, not a burst.
    bool same = settle->count == 1 && settle->items[0].id == settle->told_id;
    return same || now_ms - settle->told_ms >= BURST_MS;
}

int64_t settle_wait(const struct settle *settle, int64_t now_ms)
{
    if (!settle_pending(settle)) {
        return -1;
    }
    if (settle->held && now_ms - settle->held_ms < LONGEST_HOLD) {
        return LONGEST_HOLD - (now_ms - settle->held_ms);
    }
    if (told_at_once(settle, now_ms)) {
        return 0;
    }
    int64_t quiet = settle->many ? MANY_QUIET_MS : 0;
    for (unsigned i = 0; i < settle->count; i++) {
        int64_t wanted = quiet_ms[settle->items[i].kind];
        quiet = wanted > quiet ? wanted : quiet;
    }
    int64_t due = settle->last_ms + quiet;
    int64_t latest = settle->first_ms + LONGEST_MS;
    due = due < latest ? due : latest;
    return due > now_ms ? due - now_ms : 0;
}

void settle_told(struct settle *settle, int64_t now_ms)
{
    if (!settle_pending(settle)) {
        return; // asked for without need: the next save is not part of a burst
    }
    settle->told_id = settle->count == 1 && !settle->many ? settle->items[0].id : 0;
    settle->told_ms = now_ms;
    settle->count = 0;
    settle->many = false;
}
