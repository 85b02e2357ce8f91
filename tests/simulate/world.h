// What: a world without processes, sockets and clocks: saves, containers, requests and the time,
// played
//       against the pure machines that decide for them: watch/settle, fleet, doze, back-off, the
//       gateway's choice, the judge of health.
// Why: an order of events that nobody thought of is where a request is lost. Here a million of them
//      take seconds, and each can be had again by its seed.
// Order: world_init(); world_step() with each step of a script; after each of them it has been
//        looked at (check.c); world_end() plays it out kindly and says what should be true then.
//        `failure` is the first thing that was not.
// Owns: its machines; world_release().
// Not: real I/O: how descriptors, signals and buffers behave is shown by other tests.
#ifndef TESTS_SIMULATE_WORLD_H
#define TESTS_SIMULATE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "emulator/fleet/doze.h"
#include "emulator/fleet/fleet.h"
#include "emulator/gateway/choice.h"
#include "emulator/watch/settle.h"

enum step_kind {
    STEP_ADVANCE, // a: how far; b: to where in it
    STEP_SAVE,    // a: which file; b: what happens to it, and how good the app is then
    STEP_HOLD,    // a VCS takes its lock, or gives it back
    STEP_START,   // a: which container; b: how far its start gets
    STEP_CRASH,   // a: which one; b: seen by the engine at once or later
    STEP_REPORT,  // what has ended is seen
    STEP_CHECK,   // a: of which one; b: what the probes say
    STEP_REFUSE,  // a: which one takes no connections for a while; b: for how long
    STEP_REQUEST, // a: idempotent or not
    STEP_STREAM,  // an endless one
    STEP_FINISH,  // a: which request
    STEP_LEAVE,   // a: whose client goes away
    STEP_RESTART,
    STEP_RESCHEDULE,
    STEP_LATE, // a: the host is slow: by so much is the next deadline missed
    STEP_BACK, // a: the clock of the next event is behind
    STEP__COUNT,
};

struct step {
    uint8_t kind;
    uint32_t a, b;
};

struct world_options {
    struct fleet_options fleet;
    bool trial;
    struct doze_limits doze;
};

enum nature { // of a version
    NATURE_GOOD,
    NATURE_FLAKY,  // its start succeeds every other time
    NATURE_SILENT, // never listens
    NATURE_BROKEN, // ends while it starts
    NATURE__COUNT,
};

struct process {
    unsigned id; // the fleet's
    uint64_t version;
    bool alive, works;        // works: its start has succeeded
    int64_t refuses_until_ms; // connections
    bool proved;              // the engine knows that it works
    bool able;                // before this event it could have answered, for all that is known
    bool told_end;            // FLEET_END
    bool reported;            // that it has ended
    bool draining, streams_closed;
    int64_t limit_ms;                // of its start
    int64_t ready_ms;                // it comes up, or does not, by itself; -1: when a step says so
    int64_t drain_ms, drain_late_ms; // since, by the clock of the fleet and by ours
    int64_t kill_ms;                 // -1: nobody has asked it to end
    unsigned bad_rounds;
};

enum request_state { REQUEST_FREE, REQUEST_HELD, REQUEST_SENT };

struct request {
    enum request_state state;
    bool endless, idempotent;
    unsigned process; // id
    int64_t since_ms;
};

// More would be a leak: what is alive at once is bounded by what a drain takes.
#define PROCESSES 512
#define REQUESTS  48

#define VERSIONS     4096
#define LATE_MAX_MS  3000 // a slow host
#define FAILURE_SIZE 256

struct world {
    struct world_options options;
    FILE *log; // NULL: none
    int64_t now_ms;
    int64_t late_ms, behind_ms;
    int64_t seen_ms; // by the fleet

    struct settle settle;
    uint64_t content, told_content; // of the files; of the last version
    int64_t dirty_ms;               // since when something is to be told; -1
    int64_t build_ms;               // when the build is done; -1: none
    bool build_fails;
    uint64_t versions;
    uint32_t saved; // the dice of the last save: what is in the files
    uint8_t natures[VERSIONS];
    uint64_t open;                // the deployment that has no outcome yet; 0
    unsigned before[FLEET_SLOTS]; // who got requests when it began
    size_t before_count;
    bool hurt;          // one of those has failed or ended since
    uint64_t last_done; // 0: the last deployment failed, or none
    bool mixed, kept;   // a slot could not be brought to the others'; a restart failed

    struct fleet *fleet;
    struct fleet_actions actions;
    struct fleet_event queue[PROCESSES];
    size_t queued;
    enum fleet_event_kind event; // that is being handled
    bool stopping, kind;         // kind: nothing bad happens any more

    struct process processes[PROCESSES];
    size_t process_count;
    int64_t pause_until_ms[FLEET_SLOTS + 1]; // nothing is started again in that slot before
    bool owes_word;                          // one that served has ended: somebody has to say so

    struct choice choice;
    unsigned routed[FLEET_SLOTS];
    size_t last_taken; // by the request before; CHOICE_NONE: others were asked then
    int64_t suspect_until_ms[FLEET_SLOTS];
    struct request requests[REQUESTS];
    uint64_t asked, answered; // each request is answered once
    uint64_t served, refused, lost, gone;

    struct doze doze;
    bool forced;
    uint64_t sleeps;

    uint64_t starts, exits;
    char failure[FAILURE_SIZE];
};

void world_init(struct world *world, const struct world_options *options, FILE *log);
void world_step(struct world *world, const struct step *step);
void world_end(struct world *world);
void world_release(struct world *world);

// ---- process.c: containers, and what becomes of the fleet's actions ----
struct process *world_process(struct world *world, unsigned id);
void world_tell(struct world *world, enum fleet_event_kind kind, unsigned id);
// Handles what has been told, and what follows from it.
void world_settle(struct world *world);
void world_die(struct world *world, struct process *process);
void world_report(struct world *world, struct process *process);
void world_start_step(struct world *world, struct process *process, uint32_t dice);
void world_check_health(struct world *world, struct process *process, uint32_t dice);
enum nature world_nature(const struct world *world, uint64_t version);

// ---- traffic.c: requests and sleep ----
void world_request(struct world *world, bool endless, bool idempotent);
void world_dispatch(struct world *world, struct request *request);
void world_release_held(struct world *world);
void world_finish(struct world *world, struct request *request);
void world_leave(struct world *world, struct request *request);
void world_set_upstreams(struct world *world, const unsigned *ids, size_t count);
void world_lose_requests(struct world *world, const struct process *process);
void world_close_streams(struct world *world, const struct process *process);
unsigned world_in_flight(const struct world *world, unsigned id);
void world_doze(struct world *world, enum doze_event event);
// May be put to sleep now: nothing is being deployed.
bool world_may_doze(const struct world *world);

// ---- check.c ----
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Before the fleet handles an event: who could answer. Afterwards: is somebody still asked?
void check_before(struct world *world);
// on_time: the event's clock was not behind.
void check_after(struct world *world, bool on_time);
void check_actions(struct world *world);
void check_event(struct world *world, const struct fleet_event *event);
void check_action(struct world *world, const struct fleet_action *action);
void check_end(struct world *world);

static inline bool world_failed(const struct world *world)
{
    return world->failure[0] != '\0';
}

#define WORLD_LOG(world, ...)                                                                      \
    do {                                                                                           \
        if ((world)->log) {                                                                        \
            fprintf((world)->log, __VA_ARGS__);                                                    \
        }                                                                                          \
    } while (0)

#endif
