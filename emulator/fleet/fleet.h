// What: which containers of the app there are, which of them get requests, and what comes next: a
//       pure machine, fed with what happens and the time.
// Why: N instances are renewed one by one while requests go on, and any of them may die at any
//      moment of it; what must hold then is driven through millions of sequences by simulation.
// Order: fleet_new(); fleet_handle() with each event: carry its actions out in their order, at
//        once; fleet_deadline_ms() says when FLEET_TICK is due; fleet_free().
// Owns: its members. A container is a member from FLEET_START until FLEET_EXITED.
// Rules:
//   - A group has slots 1..N. Each has at most one member that serves and one that is to replace
//   it.
//   - A rollout renews slot by slot: the next one is started when the one before works (P-173). A
//     renewed slot's old member takes no more requests but rests, until the rollout is over: if a
//     later one fails, the old ones take over again. So a version that fails changes nothing.
//   - There is one rollout at a time. A newer version supersedes it: what it was starting is ended,
//     what it has renewed stays; if the newer one fails, the rest follows to what works.
//   - The old ones of a rollout that is over drain: no new requests, 30 s at most, then SIGTERM and
//     10 s (P-173, P-174). Of more than two that drain in one slot, the oldest loses its endless
//     streams; requests never.
//   - Who dies is started again in its slot, later each time (backoff.h, P-172). Who does not come
//     up again while others serve is deployed again after some minutes (P-179).
//   - A failing member is passed over while another one answers (P-156).
// Not: what a version is, whether it is healthy, any process, any clock.
// Sources: P-131, P-156, P-170 to P-179.
#ifndef EMULATOR_FLEET_FLEET_H
#define EMULATOR_FLEET_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/health/backoff.h"

#define FLEET_SLOTS 12 // LIMIT_INSTANCES_MAX as a constant; a test compares them

struct fleet_options {
    unsigned instances; // 1..FLEET_SLOTS
    bool drain_cloud;   // P-173 to the letter: an old one stays for the whole 30 s
    bool alone;         // --debug: one slot, and what runs has to be gone before the next starts
    struct backoff_policy backoff;
    int64_t redeploy_ms; // P-179
};

enum fleet_state {
    FLEET_STARTING, // nobody has said yet that it works
    FLEET_SERVING,
    FLEET_RESTING,  // works, but a rollout has renewed its slot
    FLEET_DRAINING, // finishes its requests
    FLEET_ENDING,   // has been told to end
    FLEET_STATE__COUNT,
};

struct fleet_member {
    unsigned id;   // counts on, is never given twice
    unsigned slot; // 1..instances
    uint64_t version;
    enum fleet_state state;
    bool fresh;        // of the rollout that is under way
    bool failing;      // its later checks fail
    bool condemned;    // ... so often that it is being replaced
    int64_t since_ms;  // its start
    int64_t leaves_ms; // draining: when it has to end at the latest
    bool told;         // draining: FLEET_DRAIN has been said
};

enum fleet_event_kind {
    FLEET_DEPLOY,     // version: a new one is to serve
    FLEET_CANCEL,     // a deployment is not wanted any more: a save came while it started
    FLEET_RESTART,    // all of them, the same version
    FLEET_RESCHEDULE, // the platform moves one (P-131): the oldest
    FLEET_HEALTHY,    // id: its start has succeeded
    FLEET_FAILED,     // id: its start has failed
    FLEET_EXITED,     // id: nothing is left of it
    FLEET_FAILING,    // id: a later check has failed
    FLEET_RECOVERED,  // id: one has succeeded again
    FLEET_UNHEALTHY,  // id: too many of them have failed (P-107)
    FLEET_DRAINED,    // id: its last request has ended
    FLEET_SLEEP,      // P-171: nothing shall run
    FLEET_WAKE,
    FLEET_TICK,
    FLEET_STOP, // for good; ms: how long the app may take
    FLEET_EVENT__COUNT,
};

struct fleet_event {
    enum fleet_event_kind kind;
    unsigned id;
    uint64_t version; // any number but 0
    int64_t ms;
};

enum fleet_action_kind {
    FLEET_UPSTREAMS, // ids, count: they get the requests from now on
    FLEET_DRAIN,     // id; close_streams: its endless ones too
    FLEET_START,     // id, slot, version; fresh: of a rollout
    FLEET_END,       // id; ms: TERM, then KILL so long after; 0: KILL
    FLEET_DONE,      // version: all slots of its deployment serve
    FLEET_BROKE,     // version, id: its deployment failed with that member
    FLEET_TELL,      // say it: tell, id, slot, version, step
};

enum fleet_tell {
    FLEET_TELL_SERVES,    // id, slot: it takes requests now
    FLEET_TELL_DIED,      // id, slot, step: it served; it is started again after the step's pause
    FLEET_TELL_NOT_AGAIN, // id, slot, step: what should replace it failed too; the same
    FLEET_TELL_RENEWED,   // version: a restart is through
    FLEET_TELL_KEPT,      // id, version: a restart failed with that member; the old ones go on
    FLEET_TELL_MIXED,     // id, slot: that slot cannot be brought to what the others serve
};

struct fleet_action {
    enum fleet_action_kind kind;
    enum fleet_tell tell;
    unsigned id, slot;
    uint64_t version;
    bool fresh, close_streams;
    int64_t ms;
    struct backoff_step step;
    unsigned ids[FLEET_SLOTS];
    size_t count;
};

// Zeroed is empty; fleet_handle() begins it anew. Where requests go comes first. As many as there
// are members and slots at most.
struct fleet_actions {
    struct fleet_action *items;
    size_t count, capacity;
};
void fleet_actions_clear(struct fleet_actions *actions);

struct fleet;

struct fleet *fleet_new(const struct fleet_options *options);
void fleet_handle(struct fleet *fleet, const struct fleet_event *event, int64_t now_ms,
                  struct fleet_actions *actions);
int64_t fleet_deadline_ms(const struct fleet *fleet); // -1: none
// Oldest first; valid until the next event.
const struct fleet_member *fleet_members(const struct fleet *fleet, size_t *ret_count);
const struct fleet_member *fleet_member(const struct fleet *fleet, unsigned id); // NULL: gone
// What the group serves, or served; 0: nothing yet.
uint64_t fleet_version(const struct fleet *fleet);
// Something may still be started of it.
bool fleet_needs(const struct fleet *fleet, uint64_t version);
bool fleet_is_rolling(const struct fleet *fleet);
unsigned fleet_serving_count(const struct fleet *fleet);
// A slot's row of deaths.
const struct backoff *fleet_backoff(const struct fleet *fleet, unsigned slot);
void fleet_free(struct fleet *fleet);

// "start 3 in 1 of v2": for tests, simulations and our own log.
const char *fleet_action_text(const struct fleet_action *action, char *buffer, size_t size);

#endif
