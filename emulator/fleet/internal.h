// What: the fleet's one state, shared by its files: fleet.c (events, where requests go),
//       fleet_rollout.c (renewing and filling slots), fleet_member.c (members and actions).
// Not: for anybody else.
#ifndef EMULATOR_FLEET_INTERNAL_H
#define EMULATOR_FLEET_INTERNAL_H

#include "emulator/fleet/fleet.h"

#define FLEET_NEVER (-1)

enum rollout_kind {
    ROLLOUT_NONE,
    ROLLOUT_DEPLOY,
    ROLLOUT_RESTART, // of some or all slots
    ROLLOUT_LEVEL,   // the slots that serve another version than the group's
};

struct slot {
    struct backoff backoff;
    int64_t retry_ms; // when it is filled again; FLEET_NEVER: not planned
};

struct rollout {
    enum rollout_kind kind;
    uint64_t version;
    unsigned pending; // a bit for each slot
};

struct fleet {
    struct fleet_options options;
    struct fleet_member *members; // oldest first
    size_t count, capacity;
    struct slot slots[FLEET_SLOTS + 1]; // from 1
    struct rollout rollout;
    uint64_t version; // that the group serves; what dies is started again of it
    unsigned last_id;
    bool stopping, asleep;
    bool uneven; // levelling has failed; the next rollout tries again
    unsigned routed[FLEET_SLOTS];
    size_t routed_count;
    int64_t now_ms;
    struct fleet_actions later; // what follows where requests go
};

// ---- fleet_member.c ----
struct fleet_action *fleet_add_action(struct fleet_actions *actions, enum fleet_action_kind kind);
struct fleet_action *fleet_say(struct fleet *fleet, enum fleet_tell what,
                               const struct fleet_member *member);
struct fleet_member *fleet_find(const struct fleet *fleet, unsigned id);
// The newest of them. NULL: none.
struct fleet_member *fleet_find_in(const struct fleet *fleet, unsigned slot,
                                   enum fleet_state state);
// What is on its way into a slot, besides a rollout's.
struct fleet_member *fleet_find_replacement(const struct fleet *fleet, unsigned slot);
// Pointers to members do not outlive it.
void fleet_start_member(struct fleet *fleet, unsigned slot, uint64_t version, bool fresh);
void fleet_end_member(struct fleet *fleet, struct fleet_member *member, int64_t grace_ms);
void fleet_drain_member(struct fleet *fleet, struct fleet_member *member);
void fleet_forget_member(struct fleet *fleet, struct fleet_member *member);

// ---- fleet_rollout.c ----
// The rollout that is under way will come to that slot.
bool fleet_is_pending(const struct fleet *fleet, unsigned slot);
void fleet_roll_out(struct fleet *fleet, enum rollout_kind kind, uint64_t version, unsigned slots);
void fleet_roll_on(struct fleet *fleet); // the next slot, or its end
// What it was starting ends; what it has renewed stays, and is what the group serves now.
void fleet_supersede(struct fleet *fleet);
void fleet_break_rollout(struct fleet *fleet, const struct fleet_member *member);
// A slot has lost its member, or what should have replaced it.
void fleet_plan_retry(struct fleet *fleet, enum fleet_tell what, const struct fleet_member *gone);
// What is to be done when nothing else happens: fill empty slots, level uneven ones.
void fleet_settle(struct fleet *fleet);
unsigned fleet_slot_bit(unsigned slot);

#endif
