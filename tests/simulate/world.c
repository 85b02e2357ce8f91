// Time and the script's steps. Whatever has a deadline gets its turn in the order of time, as the
// loop would give it; a slow host only makes it late.

#include "tests/simulate/world.h"

#include <stdlib.h>
#include <string.h>

#define TURNS_MAX   100000 // of one step
#define FILES       6
#define SAVE_MS     32000 // a VCS may hold it back, and then it may not be quiet
#define BUILD_MS    20000
#define REFUSE_MS   2000
#define STOP_MS     2000
#define KIND_ROUNDS 3000

void world_init(struct world *world, const struct world_options *options, FILE *log)
{
    *world = (struct world){.options = *options, .log = log, .now_ms = 1000, .build_ms = 2000};
    world->dirty_ms = -1;
    settle_init(&world->settle);
    world->fleet = fleet_new(&options->fleet);
    world->choice.patient = options->fleet.alone;
    doze_init(&world->doze, &options->doze);
}

void world_release(struct world *world)
{
    fleet_actions_clear(&world->actions);
    fleet_free(world->fleet);
}

// ---- saves ----

static void save(struct world *world, uint32_t a, uint32_t b)
{
    enum settle_kind kind = (enum settle_kind)(b % 5);
    world->content++;
    world->saved = b / 5;
    if (world->dirty_ms < 0) {
        world->dirty_ms = world->now_ms;
    }
    settle_event(&world->settle, world->now_ms, a % FILES + 1, kind);
}

static void tell_save(struct world *world)
{
    settle_told(&world->settle, world->now_ms);
    world->told_content = world->content;
    world->dirty_ms = -1;
    world->choice.refused = false;
    world_tell(world, FLEET_CANCEL, 0);
    uint32_t dice = world->saved / 16;
    world->build_fails = !world->kind && dice % 8 == 7;
    world->build_ms = world->now_ms + (dice % 3 == 0 ? 0 : (int64_t)(dice / 8 % BUILD_MS));
    WORLD_LOG(world, "  %lld ms: saved, content %d\n", (long long)world->now_ms,
              (int)world->content);
}

// Half of all versions are what somebody wanted.
static enum nature nature_of(uint32_t dice)
{
    static const enum nature natures[] = {NATURE_GOOD,  NATURE_SILENT, NATURE_BROKEN, NATURE_FLAKY,
                                          NATURE_FLAKY, NATURE_GOOD,   NATURE_GOOD,   NATURE_GOOD};
    return natures[dice % (sizeof natures / sizeof natures[0])];
}

static void finish_build(struct world *world)
{
    world->build_ms = -1;
    if (world->build_fails) {
        WORLD_LOG(world, "  %lld ms: the build fails\n", (long long)world->now_ms);
        world->choice.refused = true;
        world_release_held(world);
        return;
    }
    world_tell(world, FLEET_DEPLOY, 0);
    world->queue[world->queued - 1].version = ++world->versions;
    world->natures[world->versions % VERSIONS] = (uint8_t)nature_of(world->saved);
}

// ---- time ----

static void earlier(int64_t *at_ms, int64_t other_ms)
{
    if (other_ms >= 0 && other_ms < *at_ms) {
        *at_ms = other_ms;
    }
}

static int64_t next_ms(const struct world *world)
{
    int64_t at_ms = INT64_MAX;
    earlier(&at_ms, fleet_deadline_ms(world->fleet));
    earlier(&at_ms, world->build_ms);
    int64_t wait_ms = settle_wait(&world->settle, world->now_ms);
    earlier(&at_ms, wait_ms < 0 ? -1 : world->now_ms + wait_ms);
    if (world_may_doze(world)) {
        earlier(&at_ms, doze_deadline(&world->doze));
    }
    for (size_t i = 0; i < world->process_count; i++) {
        const struct process *process = &world->processes[i];
        if (process->alive) {
            earlier(&at_ms, process->kill_ms);
            earlier(&at_ms, process->proved || process->told_end ? -1 : process->limit_ms);
            earlier(&at_ms, process->ready_ms);
        }
    }
    return at_ms;
}

static void fire_processes(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        struct process *process = &world->processes[i];
        if (process->alive && process->kill_ms >= 0 && process->kill_ms <= world->now_ms) {
            world_die(world, process);
        } else if (process->alive && process->ready_ms >= 0 && process->ready_ms <= world->now_ms) {
            process->ready_ms = -1;
            world_start_step(world, process, process->id);
        } else if (process->alive && !process->proved && !process->told_end &&
                   process->limit_ms <= world->now_ms) {
            process->limit_ms = INT64_MAX;
            process->works = false;
            world_tell(world, FLEET_FAILED, process->id);
        }
    }
}

static void fire(struct world *world)
{
    int64_t fleet_ms = fleet_deadline_ms(world->fleet);
    if (settle_wait(&world->settle, world->now_ms) == 0) {
        tell_save(world);
    }
    if (world->build_ms >= 0 && world->build_ms <= world->now_ms) {
        finish_build(world);
    }
    fire_processes(world);
    world_settle(world);
    if (fleet_ms >= 0 && fleet_ms <= world->now_ms) {
        world_tell(world, FLEET_TICK, 0);
        world_settle(world);
    }
    int64_t doze_ms = doze_deadline(&world->doze);
    if (world_may_doze(world) && doze_ms >= 0 && doze_ms <= world->now_ms) {
        world_doze(world, DOZE_TICK);
        int64_t again_ms = doze_deadline(&world->doze);
        if (again_ms >= 0 && again_ms <= world->now_ms) {
            world_fail(world, "a sleep that is due at once again");
        }
        int64_t run_ms = doze_run_ms(&world->doze, world->now_ms);
        if (world->doze.state == DOZE_AWAKE && run_ms > world->options.doze.budget_ms) {
            world_fail(world, "it has run for %lld ms, and goes on", (long long)run_ms);
        }
        world_settle(world);
    }
}

static void report_all(struct world *world)
{
    for (size_t i = 0; i < world->process_count && !world_failed(world);) {
        if (!world->processes[i].alive) {
            world_report(world, &world->processes[i]);
            world_settle(world);
            i = 0;
        } else {
            i++;
        }
    }
}

static void advance(struct world *world, int64_t for_ms)
{
    int64_t until_ms = world->now_ms + for_ms;
    for (int turns = 0; !world_failed(world); turns++) {
        int64_t at_ms = next_ms(world);
        if (at_ms > until_ms) {
            break;
        }
        int64_t then_ms = (at_ms > world->now_ms ? at_ms : world->now_ms) + world->late_ms;
        world->late_ms = 0;
        if (then_ms - world->now_ms > 100) {
            report_all(world); // before that somebody has looked
        }
        world->now_ms = then_ms > world->now_ms ? then_ms : world->now_ms;
        fire(world);
        if (turns == TURNS_MAX) {
            world_fail(world, "%d deadlines within %lld ms", turns, (long long)for_ms);
        }
    }
    world->now_ms = until_ms > world->now_ms ? until_ms : world->now_ms;
    if (world->dirty_ms >= 0 && world->now_ms - world->dirty_ms > SAVE_MS + LATE_MAX_MS) {
        world_fail(world, "a save is not told for %lld ms",
                   (long long)(world->now_ms - world->dirty_ms));
    }
    if (for_ms > 100) {
        report_all(world);
    }
}

// ---- steps ----

static struct process *pick(struct world *world, uint32_t dice, bool works)
{
    size_t count = 0;
    for (size_t i = 0; i < world->process_count; i++) {
        const struct process *at = &world->processes[i];
        count += at->alive && at->works == works;
    }
    size_t wanted = count ? dice % count : 0;
    for (size_t i = 0; i < world->process_count; i++) {
        struct process *at = &world->processes[i];
        if (at->alive && at->works == works && wanted-- == 0) {
            return at;
        }
    }
    return NULL;
}

static struct request *pick_request(struct world *world, uint32_t dice)
{
    return &world->requests[dice % REQUESTS];
}

static void step_process(struct world *world, const struct step *step)
{
    struct process *process = pick(world, step->a, step->kind != STEP_START);
    if (!process) {
        return;
    }
    if (step->kind == STEP_START) {
        world_start_step(world, process, step->b);
    } else if (step->kind == STEP_CRASH) {
        world_die(world, process);
        if (step->b % 2) {
            world_report(world, process);
        }
    } else if (step->kind == STEP_CHECK) {
        world_check_health(world, process, step->b);
    } else {
        process->refuses_until_ms = world->now_ms + step->b % REFUSE_MS;
    }
}

static void step_advance(struct world *world, const struct step *step)
{
    static const uint32_t scales[] = {5, 100, 100, 2000, 2000, 20000, 120000, 7200000};
    advance(world, 1 + step->b % scales[step->a % 8]);
}

void world_step(struct world *world, const struct step *step)
{
    switch ((enum step_kind)step->kind) {
    case STEP_ADVANCE:
        step_advance(world, step);
        break;
    case STEP_SAVE:
        save(world, step->a, step->b);
        break;
    case STEP_HOLD:
        settle_hold(&world->settle, world->now_ms, !world->settle.held);
        world->dirty_ms = world->dirty_ms < 0 ? -1 : world->now_ms;
        break;
    case STEP_START:
    case STEP_CRASH:
    case STEP_CHECK:
    case STEP_REFUSE:
        step_process(world, step);
        break;
    case STEP_REPORT:
        report_all(world);
        break;
    case STEP_REQUEST:
    case STEP_STREAM:
        world_request(world, step->kind == STEP_STREAM, step->a % 2);
        break;
    case STEP_FINISH:
        world_finish(world, pick_request(world, step->a));
        break;
    case STEP_LEAVE:
        world_leave(world, pick_request(world, step->a));
        break;
    case STEP_RESTART:
        world_tell(world, FLEET_RESTART, 0);
        break;
    case STEP_RESCHEDULE:
        world_tell(world, FLEET_RESCHEDULE, 0);
        break;
    case STEP_LATE:
        world->late_ms = step->a % LATE_MAX_MS;
        break;
    case STEP_BACK:
        world->behind_ms = step->a % 100000;
        break;
    case STEP__COUNT:
        break;
    }
    world_settle(world);
}

// ---- the end ----

// Starts succeed if they can, requests end, nothing crashes.
static void be_kind(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        struct process *process = &world->processes[i];
        process->refuses_until_ms = 0;
        process->bad_rounds ? world_check_health(world, process, 0) : (void)0;
        if (process->alive && !process->works && !process->told_end &&
            world_nature(world, process->version) == NATURE_GOOD) {
            process->works = true;
            world_tell(world, FLEET_HEALTHY, process->id);
        }
    }
    world_settle(world);
    for (size_t i = 0; i < REQUESTS; i++) {
        world_finish(world, &world->requests[i]);
    }
    world_settle(world);
}

void world_end(struct world *world)
{
    WORLD_LOG(world, "from here on nothing bad happens\n");
    world->kind = true;
    world->late_ms = world->behind_ms = 0;
    settle_hold(&world->settle, world->now_ms, false);
    for (int i = 0; i < KIND_ROUNDS && !world_failed(world); i++) {
        be_kind(world);
        report_all(world);
        be_kind(world);
        int64_t at_ms = next_ms(world);
        int64_t wait_ms = at_ms - world->now_ms;
        if (at_ms == INT64_MAX || (i > 20 && world->options.trial && wait_ms > 15000)) {
            break;
        }
        advance(world, wait_ms > 0 ? wait_ms : 0);
    }
    check_end(world);
    if (!world_failed(world)) {
        world->stopping = true;
        world_tell(world, FLEET_STOP, 0);
        world->queue[world->queued - 1].ms = STOP_MS;
        world_settle(world);
        advance(world, STOP_MS + 200);
        check_end(world);
    }
}
