// Renewing slots one by one, going back when one of them fails, and filling what is empty.

#include "emulator/fleet/internal.h"

#define DEBUG_GRACE_MS 500 // nobody who debugs waits for an app that stands at a breakpoint

unsigned fleet_slot_bit(unsigned slot)
{
    return 1u << slot;
}

bool fleet_is_pending(const struct fleet *fleet, unsigned slot)
{
    return fleet->rollout.kind != ROLLOUT_NONE && (fleet->rollout.pending & fleet_slot_bit(slot));
}

// ---- forward ----

static void finish(struct fleet *fleet)
{
    enum rollout_kind kind = fleet->rollout.kind;
    fleet->rollout.kind = ROLLOUT_NONE;
    fleet->version = fleet->rollout.version;
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_member *member = &fleet->members[i];
        member->fresh = false;
        if (member->state == FLEET_RESTING) {
            fleet_drain_member(fleet, member);
        }
    }
    if (kind == ROLLOUT_DEPLOY) {
        fleet_add_action(&fleet->later, FLEET_DONE)->version = fleet->version;
        for (unsigned slot = 1; slot <= fleet->options.instances; slot++) {
            backoff_forget(&fleet->slots[slot].backoff);
        }
        return;
    }
    struct fleet_action *action = fleet_add_action(&fleet->later, FLEET_TELL);
    action->tell = FLEET_TELL_RENEWED;
    action->version = fleet->version;
}

// --debug: true: what runs has to go first.
static bool waits_for_room(struct fleet *fleet)
{
    if (!fleet->options.alone || fleet->count == 0) {
        return false;
    }
    for (size_t i = 0; i < fleet->count; i++) {
        if (fleet->members[i].state != FLEET_ENDING) {
            fleet_end_member(fleet, &fleet->members[i], DEBUG_GRACE_MS);
        }
    }
    return true;
}

void fleet_roll_on(struct fleet *fleet)
{
    if (fleet->rollout.pending == 0) {
        finish(fleet);
        return;
    }
    if (waits_for_room(fleet)) {
        return;
    }
    unsigned slot = (unsigned)__builtin_ctz(fleet->rollout.pending);
    struct fleet_member *coming = fleet_find_replacement(fleet, slot);
    if (coming && coming->version == fleet->rollout.version) {
        coming->fresh = true; // it is on its way already
    } else {
        fleet_start_member(fleet, slot, fleet->rollout.version, true);
    }
}

void fleet_supersede(struct fleet *fleet)
{
    if (fleet->rollout.kind == ROLLOUT_NONE) {
        return;
    }
    fleet->rollout.kind = ROLLOUT_NONE;
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_STARTING && member->fresh) {
            fleet_end_member(fleet, member, 0);
        } else if (member->state == FLEET_RESTING) {
            fleet_drain_member(fleet, member);
        } else if (member->state == FLEET_SERVING && member->fresh) {
            member->fresh = false;
            fleet->version = fleet->rollout.version;
        }
    }
}

void fleet_roll_out(struct fleet *fleet, enum rollout_kind kind, uint64_t version, unsigned slots)
{
    fleet_supersede(fleet);
    fleet->rollout = (struct rollout){.kind = kind, .version = version, .pending = slots};
    fleet->asleep = fleet->uneven = false;
    if (kind == ROLLOUT_DEPLOY && fleet->options.alone) {
        fleet->version = 0; // there will be nothing to go back to
    }
    fleet_roll_on(fleet);
}

// ---- back ----

static bool has_old(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_RESTING || (member->state == FLEET_SERVING && !member->fresh)) {
            return true;
        }
    }
    return false;
}

// The old ones take over again and what was renewed goes. Where nothing old is left, what works
// is what serves now.
static void fall_back(struct fleet *fleet)
{
    bool old = has_old(fleet);
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_RESTING) {
            // Usually the renewed one; or what had to replace that one already.
            struct fleet_member *rival = fleet_find_in(fleet, member->slot, FLEET_SERVING);
            if (rival) {
                fleet_drain_member(fleet, rival);
            }
            struct fleet_member *coming = fleet_find_replacement(fleet, member->slot);
            if (coming) {
                fleet_end_member(fleet, coming, 0);
            }
            member->state = FLEET_SERVING;
        } else if (member->state == FLEET_STARTING && member->fresh) {
            fleet_end_member(fleet, member, 0);
        } else if (member->state == FLEET_SERVING && member->fresh && old) {
            fleet_drain_member(fleet, member);
        } else if (member->state == FLEET_SERVING && member->fresh) {
            member->fresh = false;
            fleet->version = member->version;
        }
    }
}

void fleet_break_rollout(struct fleet *fleet, const struct fleet_member *member)
{
    if (fleet->rollout.kind == ROLLOUT_LEVEL) {
        fleet_supersede(fleet); // what has been brought to it works
        fleet->uneven = true;
        fleet_say(fleet, FLEET_TELL_MIXED, member);
        return;
    }
    if (fleet->rollout.kind == ROLLOUT_DEPLOY) {
        struct fleet_action *action = fleet_add_action(&fleet->later, FLEET_BROKE);
        action->id = member->id;
        action->slot = member->slot;
        action->version = member->version;
    } else {
        fleet_say(fleet, FLEET_TELL_KEPT, member);
    }
    fleet->rollout.kind = ROLLOUT_NONE;
    fall_back(fleet);
}

// ---- empty and uneven slots ----

static bool others_answer(const struct fleet *fleet, unsigned slot)
{
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *member = &fleet->members[i];
        if (member->slot != slot && member->state == FLEET_SERVING && !member->failing) {
            return true;
        }
    }
    return false;
}

void fleet_plan_retry(struct fleet *fleet, enum fleet_tell what, const struct fleet_member *gone)
{
    struct slot *slot = &fleet->slots[gone->slot];
    struct backoff_step step = backoff_died(&slot->backoff, &fleet->options.backoff,
                                            fleet->now_ms - gone->since_ms, fleet->now_ms);
    bool patient = what == FLEET_TELL_NOT_AGAIN && others_answer(fleet, gone->slot);
    if (patient && step.pause_ms < fleet->options.redeploy_ms) {
        step.pause_ms = fleet->options.redeploy_ms; // P-179
    }
    slot->retry_ms = fleet->now_ms + step.pause_ms;
    fleet_say(fleet, what, gone)->step = step;
}

// Nothing is started of itself now.
static bool holds_still(const struct fleet *fleet)
{
    bool crowded = fleet->options.alone && fleet->count > 0;
    return fleet->stopping || fleet->asleep || fleet->version == 0 || crowded;
}

static bool wants_member(const struct fleet *fleet, unsigned slot)
{
    const struct fleet_member *serving = fleet_find_in(fleet, slot, FLEET_SERVING);
    return (!serving || serving->condemned) && !fleet_find_replacement(fleet, slot) &&
           !fleet_is_pending(fleet, slot);
}

static void fill_slots(struct fleet *fleet)
{
    for (unsigned slot = 1; slot <= fleet->options.instances; slot++) {
        if (wants_member(fleet, slot) && fleet->slots[slot].retry_ms <= fleet->now_ms) {
            fleet_start_member(fleet, slot, fleet->version, false);
        }
    }
}

static void level_slots(struct fleet *fleet)
{
    unsigned odd = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_SERVING && member->version != fleet->version) {
            odd |= fleet_slot_bit(member->slot);
        }
    }
    if (odd) {
        fleet_roll_out(fleet, ROLLOUT_LEVEL, fleet->version, odd);
    }
}

void fleet_settle(struct fleet *fleet)
{
    if (holds_still(fleet)) {
        return;
    }
    fill_slots(fleet);
    if (fleet->rollout.kind == ROLLOUT_NONE && !fleet->uneven) {
        level_slots(fleet);
    }
}

int64_t fleet_deadline_ms(const struct fleet *fleet)
{
    int64_t earliest_ms = INT64_MAX;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_DRAINING && member->leaves_ms < earliest_ms) {
            earliest_ms = member->leaves_ms;
        }
    }
    for (unsigned slot = 1; slot <= fleet->options.instances && !holds_still(fleet); slot++) {
        if (wants_member(fleet, slot) && fleet->slots[slot].retry_ms < earliest_ms) {
            earliest_ms = fleet->slots[slot].retry_ms;
        }
    }
    return earliest_ms == INT64_MAX ? -1 : earliest_ms;
}
