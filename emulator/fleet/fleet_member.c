// Members, and what is to be done with them.

#include "emulator/fleet/internal.h"

#include <stdlib.h>
#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/mem.h"

// ---- actions ----

struct fleet_action *fleet_add_action(struct fleet_actions *actions, enum fleet_action_kind kind)
{
    if (actions->count == actions->capacity) {
        actions->capacity = actions->capacity ? actions->capacity * 2 : 16;
        actions->items = mem_resize(actions->items, actions->capacity * sizeof actions->items[0]);
    }
    struct fleet_action *action = &actions->items[actions->count++];
    *action = (struct fleet_action){.kind = kind};
    return action;
}

void fleet_actions_clear(struct fleet_actions *actions)
{
    free(actions->items);
    *actions = (struct fleet_actions){0};
}

struct fleet_action *fleet_say(struct fleet *fleet, enum fleet_tell what,
                               const struct fleet_member *member)
{
    struct fleet_action *action = fleet_add_action(&fleet->later, FLEET_TELL);
    action->tell = what;
    action->id = member->id;
    action->slot = member->slot;
    action->version = member->version;
    return action;
}

// ---- members ----

struct fleet_member *fleet_find(const struct fleet *fleet, unsigned id)
{
    for (size_t i = 0; i < fleet->count; i++) {
        if (fleet->members[i].id == id) {
            return &fleet->members[i];
        }
    }
    return NULL;
}

struct fleet_member *fleet_find_in(const struct fleet *fleet, unsigned slot, enum fleet_state state)
{
    for (size_t i = fleet->count; i-- > 0;) { // the newest
        if (fleet->members[i].slot == slot && fleet->members[i].state == state) {
            return &fleet->members[i];
        }
    }
    return NULL;
}

// Of a slot: what is on its way in besides a rollout's.
struct fleet_member *fleet_find_replacement(const struct fleet *fleet, unsigned slot)
{
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_member *at = &fleet->members[i];
        if (at->slot == slot && at->state == FLEET_STARTING && !at->fresh) {
            return at;
        }
    }
    return NULL;
}

void fleet_start_member(struct fleet *fleet, unsigned slot, uint64_t version, bool fresh)
{
    if (fleet->count == fleet->capacity) {
        fleet->capacity = fleet->capacity ? fleet->capacity * 2 : 16;
        fleet->members = mem_resize(fleet->members, fleet->capacity * sizeof fleet->members[0]);
    }
    fleet->slots[slot].retry_ms = FLEET_NEVER;
    struct fleet_member *member = &fleet->members[fleet->count++];
    *member = (struct fleet_member){.id = ++fleet->last_id,
                                    .slot = slot,
                                    .version = version,
                                    .state = FLEET_STARTING,
                                    .fresh = fresh,
                                    .since_ms = fleet->now_ms};
    struct fleet_action *action = fleet_add_action(&fleet->later, FLEET_START);
    action->id = member->id;
    action->slot = slot;
    action->version = version;
    action->fresh = fresh;
}

void fleet_end_member(struct fleet *fleet, struct fleet_member *member, int64_t grace_ms)
{
    member->state = FLEET_ENDING;
    member->fresh = false;
    struct fleet_action *action = fleet_add_action(&fleet->later, FLEET_END);
    action->id = member->id;
    action->ms = grace_ms;
}

void fleet_drain_member(struct fleet *fleet, struct fleet_member *member)
{
    member->state = FLEET_DRAINING;
    member->fresh = false;
    member->leaves_ms = fleet->now_ms + LIMIT_DRAIN_CLOUD_MS; // P-173
}

void fleet_forget_member(struct fleet *fleet, struct fleet_member *member)
{
    size_t index = (size_t)(member - fleet->members);
    fleet->count--;
    memmove(member, member + 1, (fleet->count - index) * sizeof *member);
}
