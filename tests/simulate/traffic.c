// Requests through the gateway's choice, and the sleep of trial instances that depends on them.

#include "tests/simulate/world.h"

#include <string.h>

#define RETRIES_MAX 2
#define SUSPECT_MS  1000

enum answer { ANSWER_SERVED, ANSWER_REFUSED, ANSWER_LOST, ANSWER_GONE };

static unsigned active(const struct world *world)
{
    unsigned count = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        count += world->requests[i].state != REQUEST_FREE;
    }
    return count;
}

unsigned world_in_flight(const struct world *world, unsigned id)
{
    unsigned count = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request *request = &world->requests[i];
        count += request->state == REQUEST_SENT && request->process == id;
    }
    return count;
}

static void answer(struct world *world, struct request *request, enum answer how)
{
    static const char *const names[] = {"served", "refused", "lost", "gone"};
    unsigned id = request->state == REQUEST_SENT ? request->process : 0;
    WORLD_LOG(world, "    request %d: %s\n", (int)(request - world->requests), names[how]);
    world->answered++;
    world->served += how == ANSWER_SERVED;
    world->refused += how == ANSWER_REFUSED;
    world->lost += how == ANSWER_LOST;
    world->gone += how == ANSWER_GONE;
    request->state = REQUEST_FREE;
    struct process *process = id ? world_process(world, id) : NULL;
    if (process && world_in_flight(world, id) == 0) {
        if (process->draining) {
            world_tell(world, FLEET_DRAINED, id);
        }
        if (process->told_end) {
            world_die(world, process); // what it waited for after SIGTERM
        }
    }
    if (active(world) == 0) {
        world_doze(world, DOZE_QUIET);
    }
}

// ---- to whom ----

static bool can_serve(const struct world *world, const struct process *process)
{
    return process && process->alive && process->works &&
           process->refuses_until_ms <= world->now_ms;
}

// 502 is right when nobody could have answered, or the tries are used up.
static void check_lost(struct world *world, unsigned tries)
{
    for (size_t i = 0; i < world->choice.count && tries <= RETRIES_MAX; i++) {
        if (can_serve(world, world_process(world, world->routed[i]))) {
            world_fail(world, "502 after %u tries, though %u could answer", tries,
                       world->routed[i]);
        }
    }
}

// P-156: in turn.
static void check_turn(struct world *world, size_t taken, size_t tried)
{
    bool good = world->choice.count > 1;
    for (size_t i = 0; i < world->choice.count; i++) {
        good = good && world->suspect_until_ms[i] <= world->now_ms;
    }
    if (good && tried == CHOICE_NONE && taken == world->last_taken) {
        world_fail(world, "%u is asked twice, and others are not", world->routed[taken]);
    }
    world->last_taken = good ? taken : CHOICE_NONE;
}

static void check_choice(struct world *world, size_t taken, size_t tried)
{
    if (taken == CHOICE_NONE ? world->choice.count > 0 : taken >= world->choice.count) {
        world_fail(world, "chose %d of %d", (int)taken, (int)world->choice.count);
        return;
    }
    if (taken == CHOICE_NONE) {
        return;
    }
    if (world->suspect_until_ms[taken] <= world->now_ms) {
        check_turn(world, taken, tried);
        return;
    }
    for (size_t i = 0; i < world->choice.count; i++) {
        if (i != tried && world->suspect_until_ms[i] <= world->now_ms) {
            world_fail(world, "a request goes to %u, which refuses, and not to %u",
                       world->routed[taken], world->routed[i]);
        }
    }
}

static void hold_or_refuse(struct world *world, struct request *request)
{
    if (choice_holds(&world->choice)) {
        request->state = REQUEST_HELD;
        if (world->choice.asleep) {
            world_doze(world, DOZE_REQUEST);
        }
        return;
    }
    if (!world->choice.had && !world->choice.refused) {
        world_fail(world, "refused before the first version could serve");
    }
    if ((world->doze.state == DOZE_ASLEEP || world->doze.state == DOZE_WAKING) && !world->forced) {
        world_fail(world, "refused, though it only sleeps");
    }
    answer(world, request, ANSWER_REFUSED);
}

// tried: index of who has just failed with it, or CHOICE_NONE.
static void send(struct world *world, struct request *request, size_t tried, unsigned tries)
{
    for (;;) {
        size_t taken = choice_take(&world->choice, world->suspect_until_ms, tried, world->now_ms);
        check_choice(world, taken, tried);
        if (taken == CHOICE_NONE || world_failed(world)) {
            hold_or_refuse(world, request);
            return;
        }
        struct process *process = world_process(world, world->routed[taken]);
        if (can_serve(world, process)) {
            request->state = REQUEST_SENT;
            request->process = process->id;
            WORLD_LOG(world, "    request %d goes to %u\n", (int)(request - world->requests),
                      process->id);
            world_doze(world, DOZE_REQUEST);
            return;
        }
        world->suspect_until_ms[taken] = world->now_ms + SUSPECT_MS;
        tried = taken;
        if (tries++ == RETRIES_MAX) {
            check_lost(world, tries);
            answer(world, request, ANSWER_LOST);
            return;
        }
    }
}

void world_dispatch(struct world *world, struct request *request)
{
    send(world, request, CHOICE_NONE, 0);
}

void world_request(struct world *world, bool endless, bool idempotent)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request *request = &world->requests[i];
        if (request->state == REQUEST_FREE) {
            *request = (struct request){
                .endless = endless, .idempotent = idempotent, .since_ms = world->now_ms};
            world->asked++;
            world_dispatch(world, request);
            return;
        }
    }
}

void world_release_held(struct world *world)
{
    if (world->choice.count == 0 && choice_holds(&world->choice)) {
        return;
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        if (world->requests[i].state == REQUEST_HELD) {
            world_dispatch(world, &world->requests[i]);
        }
    }
}

void world_set_upstreams(struct world *world, const unsigned *ids, size_t count)
{
    memcpy(world->routed, ids, count * sizeof ids[0]);
    memset(world->suspect_until_ms, 0, sizeof world->suspect_until_ms);
    choice_set(&world->choice, count);
    world->last_taken = CHOICE_NONE;
    if (count) {
        world->choice.asleep = world->forced = false;
    }
    world_release_held(world);
}

// ---- their end ----

void world_finish(struct world *world, struct request *request)
{
    if (request->state == REQUEST_SENT) {
        answer(world, request, ANSWER_SERVED);
    }
}

void world_leave(struct world *world, struct request *request)
{
    if (request->state != REQUEST_FREE) {
        answer(world, request, ANSWER_GONE);
    }
}

void world_close_streams(struct world *world, const struct process *process)
{
    unsigned id = process->id;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request *request = &world->requests[i];
        if (request->state == REQUEST_SENT && request->process == id && request->endless) {
            answer(world, request, ANSWER_SERVED); // cut, and meant to be
        }
    }
}

// P-155: what may be tried again goes to another one.
void world_lose_requests(struct world *world, const struct process *process)
{
    unsigned id = process->id;
    size_t index = CHOICE_NONE;
    for (size_t i = 0; i < world->choice.count; i++) {
        index = world->routed[i] == id ? i : index;
    }
    for (size_t i = 0; i < REQUESTS && !world_failed(world); i++) {
        struct request *request = &world->requests[i];
        if (request->state != REQUEST_SENT || request->process != id) {
            continue;
        }
        if (request->endless || !request->idempotent) {
            answer(world, request, request->endless ? ANSWER_SERVED : ANSWER_LOST);
        } else {
            send(world, request, index, 1);
        }
    }
}

// ---- sleep ----

bool world_may_doze(const struct world *world)
{
    return world->options.trial && !world->stopping && world->build_ms < 0 &&
           !fleet_is_rolling(world->fleet);
}

void world_doze(struct world *world, enum doze_event event)
{
    static const char *const names[] = {"", "sleeps", "is woken", "is forced to sleep",
                                        "may be woken again"};
    if (!world->options.trial || world->stopping) {
        return;
    }
    enum doze_action action = doze_tell(&world->doze, event, world->now_ms);
    if (action == DOZE_NOTHING) {
        return;
    }
    WORLD_LOG(world, "    it %s\n", names[action]);
    if (action == DOZE_SLEEP || action == DOZE_FORCE) {
        if (action == DOZE_SLEEP && active(world)) {
            world_fail(world, "it sleeps, with %u requests", active(world));
        }
        world->sleeps++;
        world->choice.asleep = action == DOZE_SLEEP;
        world->forced = action == DOZE_FORCE;
        world_tell(world, FLEET_SLEEP, 0);
    } else if (action == DOZE_ALLOW) {
        world->forced = false;
        world->choice.asleep = true;
    } else {
        world_tell(world, FLEET_WAKE, 0);
    }
}
