// Containers: what their starts come to, how they end, and the fleet's actions carried out.

#include "tests/simulate/world.h"

#include <string.h>

#include "emulator/health/health.h"
#include "emulator/limits/limits.h"

#define START_LIMIT_MS 30000
#define READY_MS       5000 // most starts take less
#define FAILURES       3

struct process *world_process(struct world *world, unsigned id)
{
    for (size_t i = 0; i < world->process_count; i++) {
        if (world->processes[i].id == id) {
            return &world->processes[i];
        }
    }
    return NULL;
}

enum nature world_nature(const struct world *world, uint64_t version)
{
    enum nature nature = (enum nature)world->natures[version % VERSIONS];
    return world->kind && nature == NATURE_FLAKY ? NATURE_GOOD : nature;
}

void world_tell(struct world *world, enum fleet_event_kind kind, unsigned id)
{
    if (world->queued == PROCESSES) {
        world_fail(world, "more than %d events at once", PROCESSES);
        return;
    }
    world->queue[world->queued++] = (struct fleet_event){.kind = kind, .id = id};
}

// ---- its life ----

void world_die(struct world *world, struct process *process)
{
    if (process->alive) {
        process->alive = process->works = false;
        WORLD_LOG(world, "    %u is dead\n", process->id);
        world_lose_requests(world, process);
    }
}

// The engine sees it: nothing is left.
void world_report(struct world *world, struct process *process)
{
    if (!process->reported) {
        process->reported = true;
        world_tell(world, FLEET_EXITED, process->id);
    }
}

void world_start_step(struct world *world, struct process *process, uint32_t dice)
{
    if (!process->alive || process->works || process->told_end) {
        return;
    }
    enum nature nature = world_nature(world, process->version);
    bool lucky = nature == NATURE_GOOD || (nature == NATURE_FLAKY && dice % 2);
    if (lucky) {
        process->works = true;
        world_tell(world, FLEET_HEALTHY, process->id);
    } else if (nature != NATURE_SILENT) {
        world_die(world, process);
        world_report(world, process);
    }
}

// P-104 and what follows from it: an answer of each kind, judged by the judge.
void world_check_health(struct world *world, struct process *process, uint32_t dice)
{
    static const int statuses[] = {200, 204, 302, 404, 500, 0};
    bool refuses = process->refuses_until_ms > world->now_ms;
    if (!process->works || process->told_end || process->draining) {
        return;
    }
    struct health_probe_result home = {.status = refuses ? 0 : statuses[dice % 6]};
    struct health_probe_result ping = {.status = refuses ? 0 : statuses[dice / 6 % 6]};
    ping.is_sdk_ping = ping.status == 200 && dice / 36 % 2;
    bool good = health_judge(&home, &ping, dice / 72 % 2) == HEALTH_HEALTHY;
    bool told_good = home.status == 200 || home.status == 204 || ping.is_sdk_ping;
    if (good && !told_good) {
        world_fail(world, "healthy by %d and %d", home.status, ping.status);
    }
    if (good && process->bad_rounds) {
        process->bad_rounds = 0;
        world_tell(world, FLEET_RECOVERED, process->id);
    } else if (!good && ++process->bad_rounds == 1) {
        world_tell(world, FLEET_FAILING, process->id);
    } else if (!good && process->bad_rounds >= FAILURES) {
        process->bad_rounds = 0;
        world_tell(world, FLEET_UNHEALTHY, process->id);
    }
}

// ---- actions ----

static void start(struct world *world, const struct fleet_action *action)
{
    world->starts++;
    if (world->process_count == PROCESSES) {
        world_fail(world, "more than %d containers", PROCESSES);
        return;
    }
    uint32_t dice = action->id * 2654435761u >> 8;
    world->processes[world->process_count++] = (struct process){
        .id = action->id,
        .version = action->version,
        .alive = true,
        .limit_ms = world->now_ms + START_LIMIT_MS,
        .ready_ms = dice % 4 ? world->now_ms + 100 + dice / 4 % READY_MS : -1,
        .kill_ms = -1,
    };
}

static void end(struct world *world, struct process *process, int64_t grace_ms)
{
    process->told_end = true;
    if (!process->alive) {
        return;
    }
    if (process->kill_ms < 0 || process->kill_ms > world->now_ms + grace_ms) {
        process->kill_ms = world->now_ms + grace_ms;
    }
    if (grace_ms == 0 || world_in_flight(world, process->id) == 0) {
        world_die(world, process); // it has nothing to finish
    }
}

static void drain(struct world *world, struct process *process, bool close_streams)
{
    if (!process->draining) {
        process->draining = true;
        process->drain_ms = world->seen_ms;
        process->drain_late_ms = world->now_ms;
    }
    if (close_streams) {
        process->streams_closed = true;
        world_close_streams(world, process);
    }
    if (world_in_flight(world, process->id) == 0) {
        world_tell(world, FLEET_DRAINED, process->id);
    }
}

static void take_outcome(struct world *world, uint64_t version, bool done)
{
    if (version != world->open) {
        world_fail(world, "an outcome of v%d, while v%d is deployed", (int)version,
                   (int)world->open);
    }
    world->open = 0;
    world->last_done = done ? version : 0;
    world->mixed = world->kept = false;
    if (!done) {
        world->choice.refused = true; // what the deployment says: nothing will come
        world_release_held(world);
    }
}

// As engine/dozing.c: what cannot be woken is not waited for.
static void stop_waiting(struct world *world)
{
    if (fleet_serving_count(world->fleet) > 0) {
        return;
    }
    bool waking = world->doze.state == DOZE_WAKING;
    world_doze(world, DOZE_STOPPED);
    if (waking) {
        world->choice.asleep = false;
        world_release_held(world);
    }
}

static void take_word(struct world *world, const struct fleet_action *action)
{
    switch (action->tell) {
    case FLEET_TELL_SERVES:
        world_doze(world, DOZE_STARTED);
        break;
    case FLEET_TELL_DIED:
    case FLEET_TELL_NOT_AGAIN:
        stop_waiting(world);
        break;
    case FLEET_TELL_MIXED:
        world->mixed = true;
        break;
    case FLEET_TELL_KEPT:
        world->kept = true;
        break;
    case FLEET_TELL_RENEWED:
        world->mixed = world->kept = false;
        break;
    }
}

static void carry_out(struct world *world, const struct fleet_action *action)
{
    char text[160];
    WORLD_LOG(world, "    %s\n", fleet_action_text(action, text, sizeof text));
    check_action(world, action);
    struct process *process = world_process(world, action->id);
    switch (action->kind) {
    case FLEET_UPSTREAMS:
        world_set_upstreams(world, action->ids, action->count);
        break;
    case FLEET_DRAIN:
        if (process) {
            drain(world, process, action->close_streams);
        }
        break;
    case FLEET_START:
        start(world, action);
        break;
    case FLEET_END:
        if (process) {
            end(world, process, action->ms);
        }
        break;
    case FLEET_DONE:
    case FLEET_BROKE:
        take_outcome(world, action->version, action->kind == FLEET_DONE);
        break;
    case FLEET_TELL:
        take_word(world, action);
        break;
    }
}

static const char *const event_names[FLEET_EVENT__COUNT] = {
    [FLEET_DEPLOY] = "deploy",       [FLEET_CANCEL] = "cancel",       [FLEET_RESTART] = "restart",
    [FLEET_RESCHEDULE] = "move",     [FLEET_HEALTHY] = "healthy",     [FLEET_FAILED] = "failed",
    [FLEET_EXITED] = "exited",       [FLEET_FAILING] = "failing",     [FLEET_TICK] = "tick",
    [FLEET_RECOVERED] = "recovered", [FLEET_UNHEALTHY] = "unhealthy", [FLEET_WAKE] = "wake",
    [FLEET_DRAINED] = "drained",     [FLEET_SLEEP] = "sleep",         [FLEET_STOP] = "stop",
};

static bool fails_already(const struct world *world)
{
    size_t count;
    const struct fleet_member *members = fleet_members(world->fleet, &count);
    bool fails = false;
    for (size_t i = 0; i < count; i++) {
        fails = fails || members[i].failing || members[i].condemned;
    }
    return fails;
}

// What the engine knows by now, and what it has given up.
static void note_event(struct world *world, const struct fleet_event *event)
{
    struct process *process = world_process(world, event->id);
    check_event(world, event);
    world->event = event->kind;
    if (event->kind == FLEET_HEALTHY && process) {
        process->proved = true;
    }
    if (event->kind == FLEET_EXITED && process) {
        world->exits++;
        *process = world->processes[--world->process_count];
    }
    if (event->kind == FLEET_DEPLOY) {
        world->open = event->version;
        world->hurt = fails_already(world);
        world->before_count = world->choice.count;
        memcpy(world->before, world->routed, sizeof world->before);
    }
    bool gives_up =
        event->kind == FLEET_CANCEL || event->kind == FLEET_SLEEP || event->kind == FLEET_STOP;
    if (gives_up && !fleet_needs(world->fleet, world->open)) {
        world->open = 0;
    }
}

void world_settle(struct world *world)
{
    for (int turns = 0; world->queued && !world_failed(world); turns++) {
        struct fleet_event event = world->queue[0];
        memmove(world->queue, world->queue + 1, --world->queued * sizeof event);
        WORLD_LOG(world, "  %lld ms: %s", (long long)world->now_ms, event_names[event.kind]);
        WORLD_LOG(world,
                  event.id        ? " %u\n"
                  : event.version ? " v%u\n"
                                  : "\n",
                  event.id ? event.id : (unsigned)event.version);
        check_before(world);
        int64_t seen_ms = world->now_ms - world->behind_ms;
        world->behind_ms = 0;
        world->seen_ms = seen_ms > world->seen_ms ? seen_ms : world->seen_ms;
        fleet_handle(world->fleet, &event, seen_ms, &world->actions);
        note_event(world, &event);
        check_actions(world);
        for (size_t i = 0; i < world->actions.count && !world_failed(world); i++) {
            carry_out(world, &world->actions.items[i]);
        }
        check_after(world, seen_ms == world->now_ms);
        if (turns > 10 * PROCESSES) {
            world_fail(world, "it goes round in circles");
        }
    }
}
