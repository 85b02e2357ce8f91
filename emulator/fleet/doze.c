#include "emulator/fleet/doze.h"

#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"

void doze_limits_read(const char *text, struct doze_limits *ret_limits)
{
    struct doze_limits limits = {
        .idle_ms = LIMIT_TRIAL_IDLE_MS,
        .budget_ms = LIMIT_TRIAL_RUN_MS,
        .window_ms = LIMIT_TRIAL_WINDOW_MS,
        .room_ms = LIMIT_TRIAL_ROOM_MS,
    };
    const struct limit_word words[] = {
        {"idle-ms=", &limits.idle_ms, 1},
        {"budget-ms=", &limits.budget_ms, 1},
        {"window-ms=", &limits.window_ms, 1},
        {"room-ms=", &limits.room_ms, 1},
    };
    limits_read_words(text, words, ARRAY_LEN(words));
    *ret_limits = limits;
}

void doze_init(struct doze *doze, const struct doze_limits *limits)
{
    *doze = (struct doze){.limits = *limits, .now_ms = INT64_MIN};
    if (doze->limits.room_ms > doze->limits.budget_ms) {
        doze->limits.room_ms = doze->limits.budget_ms; // an empty window always has room
    }
}

// ---- run time ----

// Index count: the stretch under way, which has no end yet.
static bool spell_at(const struct doze *doze, size_t index, struct doze_spell *ret_spell)
{
    if (index < doze->count) {
        *ret_spell = doze->spells[index];
        return true;
    }
    *ret_spell = (struct doze_spell){doze->spell_ms, INT64_MAX};
    return index == doze->count && doze->running;
}

int64_t doze_run_ms(const struct doze *doze, int64_t now_ms)
{
    int64_t from_ms = now_ms - doze->limits.window_ms;
    int64_t sum_ms = 0;
    struct doze_spell spell;
    for (size_t i = 0; spell_at(doze, i, &spell); i++) {
        int64_t begin_ms = spell.begin_ms > from_ms ? spell.begin_ms : from_ms;
        int64_t end_ms = spell.end_ms < now_ms ? spell.end_ms : now_ms;
        sum_ms += end_ms > begin_ms ? end_ms - begin_ms : 0;
    }
    return sum_ms;
}

// When it will have run too long, if it goes on; -1: never. From now on the sum grows while the
// window's far end passes a gap, and stands still while it passes a stretch.
static int64_t overrun_at(const struct doze *doze)
{
    int64_t at_ms = doze->now_ms;
    int64_t left_ms = doze->limits.budget_ms + 1 - doze_run_ms(doze, at_ms);
    if (left_ms <= 0) {
        return at_ms;
    }
    struct doze_spell spell;
    for (size_t i = 0; spell_at(doze, i, &spell); i++) {
        int64_t leaves_ms = spell.begin_ms + doze->limits.window_ms;
        if (leaves_ms - at_ms >= left_ms) {
            return at_ms + left_ms;
        }
        if (leaves_ms > at_ms) {
            left_ms -= leaves_ms - at_ms;
            at_ms = leaves_ms;
        }
        if (i < doze->count && spell.end_ms + doze->limits.window_ms > at_ms) {
            at_ms = spell.end_ms + doze->limits.window_ms;
        }
    }
    return -1;
}

// When the window will have room again, if nothing runs.
static int64_t room_at(const struct doze *doze)
{
    int64_t at_ms = doze->now_ms;
    int64_t over_ms = doze_run_ms(doze, at_ms) + doze->limits.room_ms - doze->limits.budget_ms;
    for (size_t i = 0; i < doze->count && over_ms > 0; i++) {
        int64_t begin_ms = doze->spells[i].begin_ms + doze->limits.window_ms;
        int64_t end_ms = doze->spells[i].end_ms + doze->limits.window_ms;
        begin_ms = begin_ms > at_ms ? begin_ms : at_ms;
        if (end_ms <= begin_ms) {
            continue; // has left already
        }
        at_ms = end_ms - begin_ms < over_ms ? end_ms : begin_ms + over_ms;
        over_ms -= at_ms - begin_ms;
    }
    return at_ms;
}

static void forget_spell(struct doze *doze, size_t index)
{
    doze->count--;
    memmove(&doze->spells[index], &doze->spells[index + 1],
            (doze->count - index) * sizeof doze->spells[0]);
}

static void join_nearest(struct doze *doze)
{
    size_t best = 0;
    for (size_t i = 1; i + 1 < doze->count; i++) {
        int64_t gap_ms = doze->spells[i + 1].begin_ms - doze->spells[i].end_ms;
        if (gap_ms < doze->spells[best + 1].begin_ms - doze->spells[best].end_ms) {
            best = i;
        }
    }
    struct doze_spell *earlier = &doze->spells[best];
    earlier[1].begin_ms -= earlier->end_ms - earlier->begin_ms;
    forget_spell(doze, best);
}

static void end_spell(struct doze *doze)
{
    if (!doze->running) {
        return;
    }
    doze->running = false;
    while (doze->count && doze->spells[0].end_ms + doze->limits.window_ms <= doze->now_ms) {
        forget_spell(doze, 0);
    }
    if (doze->now_ms > doze->spell_ms) {
        if (doze->count == DOZE_SPELLS) {
            join_nearest(doze);
        }
        doze->spells[doze->count++] = (struct doze_spell){doze->spell_ms, doze->now_ms};
    }
}

// ---- events ----

static enum doze_action rest(struct doze *doze, enum doze_state state, enum doze_action action)
{
    end_spell(doze);
    doze->state = state;
    return action;
}

static enum doze_action tick(struct doze *doze)
{
    if (doze->state == DOZE_FORCED && room_at(doze) <= doze->now_ms) {
        doze->state = DOZE_ASLEEP;
        return DOZE_ALLOW;
    }
    if (doze->state != DOZE_AWAKE) {
        return DOZE_NOTHING;
    }
    if (doze_run_ms(doze, doze->now_ms) > doze->limits.budget_ms) {
        return rest(doze, DOZE_FORCED, DOZE_FORCE);
    }
    if (!doze->busy && doze->now_ms >= doze->quiet_ms + doze->limits.idle_ms) {
        return rest(doze, DOZE_ASLEEP, DOZE_SLEEP);
    }
    return DOZE_NOTHING;
}

static enum doze_action started(struct doze *doze)
{
    if (!doze->running) {
        doze->running = true;
        doze->spell_ms = doze->now_ms;
    }
    doze->state = DOZE_AWAKE;
    doze->quiet_ms = doze->now_ms;
    return tick(doze); // a new version, while the sleep is forced
}

static enum doze_action request(struct doze *doze)
{
    if (doze->state == DOZE_FORCED) {
        return DOZE_NOTHING;
    }
    doze->busy = true; // also what is held: it is under way until it has its answer
    if (doze->state == DOZE_ASLEEP) {
        doze->state = DOZE_WAKING;
        return DOZE_WAKE;
    }
    return DOZE_NOTHING;
}

enum doze_action doze_tell(struct doze *doze, enum doze_event event, int64_t now_ms)
{
    doze->now_ms = now_ms > doze->now_ms ? now_ms : doze->now_ms;
    switch (event) {
    case DOZE_STARTED:
        return started(doze);
    case DOZE_STOPPED:
        // It was sent to sleep: then it is no news.
        return doze->state == DOZE_AWAKE || doze->state == DOZE_WAKING
                   ? rest(doze, DOZE_DOWN, DOZE_NOTHING)
                   : DOZE_NOTHING;
    case DOZE_REQUEST:
        return request(doze);
    case DOZE_QUIET:
        doze->quiet_ms = doze->busy ? doze->now_ms : doze->quiet_ms;
        doze->busy = false;
        return DOZE_NOTHING;
    case DOZE_TICK:
        break;
    }
    return tick(doze);
}

int64_t doze_deadline(const struct doze *doze)
{
    if (doze->state == DOZE_FORCED) {
        return room_at(doze);
    }
    if (doze->state != DOZE_AWAKE) {
        return -1;
    }
    int64_t overrun_ms = overrun_at(doze);
    int64_t idle_ms = doze->quiet_ms + doze->limits.idle_ms;
    if (doze->busy) {
        return overrun_ms;
    }
    return overrun_ms >= 0 && overrun_ms < idle_ms ? overrun_ms : idle_ms;
}
