// Each event changes members and slots; where requests go is worked out from them afterwards, in
// one place (route()), and told first: so nothing is ended before somebody else has its requests,
// whatever the order in which the rules have fired.

#include "emulator/fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/fleet/internal.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

#define DRAINING_STREAMS 2 // in a slot; more than these: the oldest one's endless streams end

// ---- where requests go ----

static bool is_oldest_streamer(const struct fleet *fleet, size_t index)
{
    unsigned newer = 0;
    for (size_t i = index + 1; i < fleet->count; i++) {
        newer += fleet->members[i].slot == fleet->members[index].slot &&
                 fleet->members[i].state == FLEET_DRAINING;
    }
    return newer >= DRAINING_STREAMS;
}

// Slot by slot. What fails is passed over (P-156), unless there is nothing else.
static size_t choose(const struct fleet *fleet, bool failing, unsigned ids[static FLEET_SLOTS])
{
    size_t count = 0;
    for (unsigned slot = 1; slot <= fleet->options.instances; slot++) {
        const struct fleet_member *member = fleet_find_in(fleet, slot, FLEET_SERVING);
        if (member && (failing || !member->failing)) {
            ids[count++] = member->id;
        }
    }
    return count;
}

static void route(struct fleet *fleet, struct fleet_actions *actions)
{
    unsigned ids[FLEET_SLOTS];
    size_t count = choose(fleet, false, ids);
    if (count == 0) {
        count = choose(fleet, true, ids);
    }
    if (count != fleet->routed_count || memcmp(ids, fleet->routed, count * sizeof ids[0]) != 0) {
        struct fleet_action *action = fleet_add_action(actions, FLEET_UPSTREAMS);
        memcpy(action->ids, ids, count * sizeof ids[0]);
        memcpy(fleet->routed, ids, count * sizeof ids[0]);
        action->count = fleet->routed_count = count;
    }
    bool more = false;
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_DRAINING && !member->told) {
            struct fleet_action *action = fleet_add_action(actions, FLEET_DRAIN);
            action->id = member->id;
            member->told = more = true;
        }
    }
    for (size_t i = 0; more && i < fleet->count; i++) {
        if (fleet->members[i].state == FLEET_DRAINING && is_oldest_streamer(fleet, i)) {
            struct fleet_action *action = fleet_add_action(actions, FLEET_DRAIN);
            action->id = fleet->members[i].id;
            action->close_streams = true;
        }
    }
}

// ---- events ----

static void on_healthy(struct fleet *fleet, struct fleet_member *member)
{
    if (member->state != FLEET_STARTING) {
        return;
    }
    bool fresh = member->fresh;
    struct fleet_member *old = fleet_find_in(fleet, member->slot, FLEET_SERVING);
    if (old && fresh && !old->condemned) {
        old->state = FLEET_RESTING;
    } else if (old) {
        fleet_drain_member(fleet, old);
    }
    struct fleet_member *rival = fresh ? fleet_find_replacement(fleet, member->slot) : NULL;
    if (rival) {
        fleet_end_member(fleet, rival, 0);
    }
    member->state = FLEET_SERVING;
    fleet->slots[member->slot].retry_ms = FLEET_NEVER;
    fleet_say(fleet, FLEET_TELL_SERVES, member);
    if (fresh) {
        fleet->rollout.pending &= ~fleet_slot_bit(member->slot);
        fleet_roll_on(fleet);
    }
}

// Its start failed, or it ended before that; it is still in the list.
static void on_start_failed(struct fleet *fleet, const struct fleet_member *member)
{
    if (member->fresh) {
        fleet_break_rollout(fleet, member);
    } else {
        fleet_plan_retry(fleet, FLEET_TELL_NOT_AGAIN, member);
    }
}

static void on_served_died(struct fleet *fleet, const struct fleet_member *member)
{
    if (member->fresh && fleet->rollout.kind != ROLLOUT_NONE) {
        fleet_break_rollout(fleet, member); // it does not work after all
        return;
    }
    // It had replaced a renewed one that failed; the old one of that slot still rests.
    struct fleet_member *old = fleet_find_in(fleet, member->slot, FLEET_RESTING);
    if (old) {
        old->state = FLEET_SERVING;
    }
    fleet_plan_retry(fleet, FLEET_TELL_DIED, member);
}

static void on_failed(struct fleet *fleet, struct fleet_member *member)
{
    if (member->state == FLEET_STARTING) {
        struct fleet_member copy = *member;
        fleet_end_member(fleet, member, 0);
        on_start_failed(fleet, &copy);
    }
}

static void on_exited(struct fleet *fleet, struct fleet_member *member)
{
    struct fleet_member gone = *member;
    fleet_forget_member(fleet, member);
    if (gone.state == FLEET_STARTING) {
        on_start_failed(fleet, &gone);
    } else if (gone.state == FLEET_SERVING) {
        on_served_died(fleet, &gone);
    }
    if (fleet->options.alone && fleet->count == 0 && fleet->rollout.kind != ROLLOUT_NONE) {
        fleet_roll_on(fleet); // now there is room
    }
}

static void on_unhealthy(struct fleet *fleet, struct fleet_member *member)
{
    member->failing = true;
    if (member->state == FLEET_SERVING && !fleet_is_pending(fleet, member->slot)) {
        member->condemned = true; // stays until its replacement works
    }
}

static void on_recovered(struct fleet *fleet, struct fleet_member *member)
{
    member->failing = false;
    if (!fleet_find_replacement(fleet, member->slot)) {
        member->condemned = false; // nobody is on the way yet
    }
}

// An old version that nobody has seen work yet is not waited for.
static void on_cancel(struct fleet *fleet)
{
    bool proven = false;
    for (size_t i = 0; i < fleet->count; i++) {
        proven = proven || (fleet->members[i].fresh && fleet->members[i].state == FLEET_SERVING);
    }
    if (fleet->rollout.kind == ROLLOUT_DEPLOY && !proven) {
        fleet_supersede(fleet);
    }
}

static unsigned all_slots(const struct fleet *fleet)
{
    return fleet_slot_bit(fleet->options.instances + 1) - fleet_slot_bit(1);
}

static void on_restart(struct fleet *fleet)
{
    if (fleet->version == 0 || fleet->rollout.kind != ROLLOUT_NONE) {
        return; // one is on its way
    }
    for (unsigned slot = 1; slot <= fleet->options.instances; slot++) {
        backoff_forget(&fleet->slots[slot].backoff);
    }
    fleet_roll_out(fleet, ROLLOUT_RESTART, fleet->version, all_slots(fleet));
}

static void on_reschedule(struct fleet *fleet)
{
    if (fleet->version == 0 || fleet->rollout.kind != ROLLOUT_NONE) {
        return;
    }
    unsigned slot = 1;
    for (size_t i = 0; i < fleet->count; i++) {
        if (fleet->members[i].state == FLEET_SERVING) {
            slot = fleet->members[i].slot;
            break;
        }
    }
    fleet_roll_out(fleet, ROLLOUT_RESTART, fleet->version, fleet_slot_bit(slot));
}

static void end_all(struct fleet *fleet, int64_t grace_ms)
{
    fleet_supersede(fleet);
    for (size_t i = 0; i < fleet->count; i++) {
        // Once told is enough, unless it was told to take its time and now there is none.
        if (fleet->members[i].state != FLEET_ENDING || fleet->stopping) {
            fleet_end_member(fleet, &fleet->members[i], grace_ms);
        }
    }
    for (unsigned slot = 1; slot <= fleet->options.instances; slot++) {
        fleet->slots[slot].retry_ms = FLEET_NEVER;
    }
}

static void on_tick(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_member *member = &fleet->members[i];
        if (member->state == FLEET_DRAINING && member->leaves_ms <= fleet->now_ms) {
            fleet_end_member(fleet, member, LIMIT_TERMINATE_GRACE_MS); // P-174
        }
    }
}

static void on_member(struct fleet *fleet, enum fleet_event_kind kind, struct fleet_member *member)
{
    switch (kind) {
    case FLEET_HEALTHY:
        on_healthy(fleet, member);
        break;
    case FLEET_FAILED:
        on_failed(fleet, member);
        break;
    case FLEET_EXITED:
        on_exited(fleet, member);
        break;
    case FLEET_FAILING:
        member->failing = true;
        break;
    case FLEET_RECOVERED:
        on_recovered(fleet, member);
        break;
    case FLEET_UNHEALTHY:
        on_unhealthy(fleet, member);
        break;
    case FLEET_DRAINED:
        if (member->state == FLEET_DRAINING && !fleet->options.drain_cloud) {
            fleet_end_member(fleet, member, LIMIT_TERMINATE_GRACE_MS);
        }
        break;
    default:
        break;
    }
}

static void on_group(struct fleet *fleet, const struct fleet_event *event)
{
    switch (event->kind) {
    case FLEET_DEPLOY:
        fleet_roll_out(fleet, ROLLOUT_DEPLOY, event->version, all_slots(fleet));
        break;
    case FLEET_CANCEL:
        on_cancel(fleet);
        break;
    case FLEET_RESTART:
        on_restart(fleet);
        break;
    case FLEET_RESCHEDULE:
        on_reschedule(fleet);
        break;
    case FLEET_SLEEP:
        fleet->asleep = true;
        end_all(fleet, LIMIT_TERMINATE_GRACE_MS);
        break;
    case FLEET_WAKE:
        fleet->asleep = false;
        break;
    case FLEET_STOP:
        fleet->stopping = true;
        end_all(fleet, event->ms);
        break;
    default:
        on_tick(fleet);
        break;
    }
}

void fleet_handle(struct fleet *fleet, const struct fleet_event *event, int64_t now_ms,
                  struct fleet_actions *actions)
{
    actions->count = fleet->later.count = 0;
    fleet->now_ms = now_ms > fleet->now_ms ? now_ms : fleet->now_ms;
    struct fleet_member *member = event->id ? fleet_find(fleet, event->id) : NULL;
    if (member) {
        on_member(fleet, event->kind, member);
    } else if (!event->id && (!fleet->stopping || event->kind == FLEET_STOP)) {
        on_group(fleet, event);
    }
    fleet_settle(fleet);
    route(fleet, actions);
    for (size_t i = 0; i < fleet->later.count; i++) {
        *fleet_add_action(actions, FLEET_TELL) = fleet->later.items[i];
    }
}

// ---- what others may know ----

struct fleet *fleet_new(const struct fleet_options *options)
{
    struct fleet *fleet = mem_alloc(sizeof *fleet);
    fleet->options = *options;
    for (unsigned slot = 0; slot <= FLEET_SLOTS; slot++) {
        fleet->slots[slot].retry_ms = FLEET_NEVER;
    }
    return fleet;
}

const struct fleet_member *fleet_members(const struct fleet *fleet, size_t *ret_count)
{
    *ret_count = fleet->count;
    return fleet->members;
}

const struct fleet_member *fleet_member(const struct fleet *fleet, unsigned id)
{
    return fleet_find(fleet, id);
}

uint64_t fleet_version(const struct fleet *fleet)
{
    return fleet->version;
}

bool fleet_needs(const struct fleet *fleet, uint64_t version)
{
    return version == fleet->version ||
           (fleet->rollout.kind != ROLLOUT_NONE && version == fleet->rollout.version);
}

bool fleet_is_rolling(const struct fleet *fleet)
{
    return fleet->rollout.kind != ROLLOUT_NONE;
}

unsigned fleet_serving_count(const struct fleet *fleet)
{
    unsigned count = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        count += fleet->members[i].state == FLEET_SERVING;
    }
    return count;
}

const struct backoff *fleet_backoff(const struct fleet *fleet, unsigned slot)
{
    return &fleet->slots[slot].backoff;
}

void fleet_free(struct fleet *fleet)
{
    if (fleet) {
        fleet_actions_clear(&fleet->later);
        free(fleet->members);
        free(fleet);
    }
}
