// What has to be true after each event, whatever the order of events was.

#include "tests/simulate/world.h"

#include <stdarg.h>
#include <string.h>

#include "emulator/limits/limits.h"

void world_fail(struct world *world, const char *format, ...)
{
    if (!world_failed(world)) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(world->failure, sizeof world->failure, format, arguments);
        va_end(arguments);
        WORLD_LOG(world, "!!! %s\n", world->failure);
    }
}

// Sleep, stop and --debug end what works: that is what they are for.
static bool means_it(const struct world *world)
{
    return world->stopping || world->options.fleet.alone || world->event == FLEET_SLEEP ||
           world->event == FLEET_STOP;
}

// ---- nobody waits, nobody is refused while somebody could answer ----

void check_before(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        struct process *process = &world->processes[i];
        process->able = process->proved && !process->told_end && !process->draining;
    }
}

static void check_routes(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        if (world->processes[i].able && world->choice.count == 0 && !means_it(world)) {
            world_fail(world, "nobody gets requests, though %u could answer them",
                       world->processes[i].id);
        }
    }
    for (size_t i = 0; i < world->choice.count; i++) {
        const struct process *process = world_process(world, world->routed[i]);
        if (!process || !process->proved || process->told_end || process->draining) {
            world_fail(world, "%u gets requests, and must not", world->routed[i]);
        }
    }
}

// P-156: what fails is passed over.
static void check_failing(struct world *world)
{
    size_t count;
    const struct fleet_member *members = fleet_members(world->fleet, &count);
    bool good = false;
    for (size_t i = 0; i < count; i++) {
        good = good || (members[i].state == FLEET_SERVING && !members[i].failing);
    }
    for (size_t i = 0; good && i < world->choice.count; i++) {
        const struct fleet_member *member = fleet_member(world->fleet, world->routed[i]);
        if (member && member->failing) {
            world_fail(world, "%u fails and gets requests, others do not fail", member->id);
        }
    }
}

static void check_held(struct world *world)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request *request = &world->requests[i];
        if (request->state != REQUEST_HELD) {
            continue;
        }
        if (world->choice.count || !choice_holds(&world->choice)) {
            world_fail(world, "request %d is held, and need not be", (int)i);
        } else if (world->choice.asleep && world->doze.state == DOZE_ASLEEP) {
            world_fail(world, "request %d waits, and nobody is woken", (int)i);
        }
    }
}

// ---- a version that fails changes nothing ----

static bool was_asked(const struct world *world, unsigned id)
{
    for (size_t i = 0; i < world->before_count; i++) {
        if (world->before[i] == id) {
            return true;
        }
    }
    return false;
}

void check_event(struct world *world, const struct fleet_event *event)
{
    const struct process *process = world_process(world, event->id);
    bool of_it = event->kind == FLEET_HEALTHY && process && process->version == world->open;
    bool harmless = of_it || event->kind == FLEET_TICK || event->kind == FLEET_FAILED ||
                    event->kind == FLEET_DRAINED ||
                    (event->kind == FLEET_EXITED && !was_asked(world, event->id));
    world->hurt = world->hurt || !harmless;
    world->owes_word = false;
    for (size_t i = 0; event->kind == FLEET_EXITED && i < world->choice.count; i++) {
        world->owes_word = world->owes_word || (process && world->routed[i] == event->id);
    }
}

static void check_broken(struct world *world)
{
    bool same = world->choice.count == world->before_count &&
                memcmp(world->routed, world->before, world->choice.count * sizeof(unsigned)) == 0;
    for (size_t i = 0; i < world->actions.count && world->before_count && !same && !world->hurt;
         i++) {
        if (world->actions.items[i].kind == FLEET_BROKE) {
            world_fail(world, "v%d has failed, and others serve than before",
                       (int)world->actions.items[i].version);
        }
    }
}

// ---- containers ----

static void check_members(struct world *world)
{
    size_t count;
    const struct fleet_member *members = fleet_members(world->fleet, &count);
    bool rolling = fleet_is_rolling(world->fleet);
    unsigned serving[FLEET_SLOTS + 1] = {0}, coming[FLEET_SLOTS + 1] = {0}, fresh = 0;
    bool content[FLEET_SLOTS + 1] = {0}; // that slot wants nobody else
    if (count != world->process_count) {
        world_fail(world, "%d members, %d containers", (int)count, (int)world->process_count);
    }
    for (size_t i = 0; i < count; i++) {
        const struct fleet_member *at = &members[i];
        const struct process *process = world_process(world, at->id);
        if (!process) {
            world_fail(world, "member %u has no container", at->id);
            continue;
        }
        serving[at->slot] += at->state == FLEET_SERVING;
        coming[at->slot] += at->state == FLEET_STARTING && !at->fresh;
        fresh += at->state == FLEET_STARTING && at->fresh;
        content[at->slot] = content[at->slot] || (at->state == FLEET_SERVING && !at->condemned);
        if (at->state == FLEET_RESTING && !rolling) {
            world_fail(world, "%u rests, and nothing is rolled out", at->id);
        }
        if ((at->state == FLEET_ENDING) != process->told_end) {
            world_fail(world, "%u should end, and has not been told", at->id);
        }
    }
    for (unsigned slot = 1; slot <= world->options.fleet.instances; slot++) {
        if (serving[slot] > 1 || coming[slot] > 1) {
            world_fail(world, "slot %u: %u serve, %u come", slot, serving[slot], coming[slot]);
        } else if (content[slot] && coming[slot]) {
            world_fail(world, "slot %u: one is started for it, and it serves well", slot);
        }
    }
    if (fresh > 1) {
        world_fail(world, "%u rollouts at once", fresh);
    }
    if (world->open && !rolling && !world->queued) {
        world_fail(world, "v%d is neither done nor broken", (int)world->open);
    }
}

static void check_drains(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        const struct process *at = &world->processes[i];
        int64_t late_ms = world->now_ms - LATE_MAX_MS;
        if (at->alive && at->draining && !at->told_end &&
            late_ms > at->drain_late_ms + LIMIT_DRAIN_CLOUD_MS) {
            world_fail(world, "%u has drained for %lld ms", at->id,
                       (long long)(world->now_ms - at->drain_late_ms));
        }
        if (at->alive && at->kill_ms >= 0 && late_ms > at->kill_ms) {
            world_fail(world, "%u outlives its end", at->id);
        }
    }
    if (world->event != FLEET_SLEEP) {
        return;
    }
    for (size_t i = 0; i < world->process_count; i++) {
        if (!world->processes[i].told_end) {
            world_fail(world, "%u stays awake", world->processes[i].id);
        }
    }
}

// ---- deadlines ----

// P-172, P-179: an empty slot is filled, soon.
static void check_empty_slots(struct world *world, int64_t due_ms)
{
    const struct fleet_options *options = &world->options.fleet;
    int64_t longest_ms = options->backoff.max_ms > options->redeploy_ms ? options->backoff.max_ms
                                                                        : options->redeploy_ms;
    bool waits = fleet_is_rolling(world->fleet) || options->alone || world->stopping ||
                 fleet_version(world->fleet) == 0 || world->doze.state == DOZE_ASLEEP ||
                 world->doze.state == DOZE_FORCED || world->queued;
    size_t count;
    const struct fleet_member *members = fleet_members(world->fleet, &count);
    for (unsigned slot = 1; slot <= options->instances && !waits; slot++) {
        bool filled = false;
        for (size_t i = 0; i < count; i++) {
            filled = filled || (members[i].slot == slot && (members[i].state == FLEET_SERVING ||
                                                            members[i].state == FLEET_STARTING));
        }
        if (!filled && (due_ms < 0 || due_ms > world->now_ms + longest_ms)) {
            world_fail(world, "slot %u is empty, and will be for %lld ms", slot,
                       (long long)(due_ms < 0 ? -1 : due_ms - world->now_ms));
        }
    }
}

static void check_deadline(struct world *world, bool on_time)
{
    int64_t due_ms = fleet_deadline_ms(world->fleet);
    if (on_time && world->event == FLEET_TICK && due_ms >= 0 && due_ms <= world->now_ms) {
        world_fail(world, "a tick is due at once again");
    }
    check_empty_slots(world, due_ms);
    size_t count;
    const struct fleet_member *members = fleet_members(world->fleet, &count);
    bool idle = count == world->options.fleet.instances;
    for (size_t i = 0; i < count; i++) {
        idle = idle && members[i].state == FLEET_SERVING && !members[i].condemned;
    }
    if (idle && due_ms >= 0) {
        world_fail(world, "everything serves, and it wakes up in %lld ms",
                   (long long)(due_ms - world->now_ms));
    }
}

void check_after(struct world *world, bool on_time)
{
    check_routes(world);
    check_broken(world);
    check_failing(world);
    if (world->owes_word && !world->stopping) {
        world_fail(world, "one that served has ended, and nobody says so");
    }
    check_held(world);
    check_members(world);
    check_drains(world);
    check_deadline(world, on_time);
}

// ---- actions ----

void check_actions(struct world *world)
{
    if (world->actions.count > 3 * (world->process_count + FLEET_SLOTS)) {
        world_fail(world, "%d actions for %d containers", (int)world->actions.count,
                   (int)world->process_count);
    }
}

// P-173, P-174: a request is not cut off before its time.
static void check_end_of(struct world *world, const struct process *process)
{
    bool over = process->draining && world->now_ms >= process->drain_ms + LIMIT_DRAIN_CLOUD_MS;
    if (process->told_end && !world->stopping) {
        world_fail(world, "%u is told to end twice", process->id);
    } else if (process->proved && !over && !means_it(world) && process->alive &&
               (!process->draining || world_in_flight(world, process->id) ||
                world->options.fleet.drain_cloud)) {
        world_fail(world, "%u has to end, with %u requests, after %lld ms", process->id,
                   world_in_flight(world, process->id),
                   process->draining ? (long long)(world->now_ms - process->drain_ms) : -1);
    }
}

void check_action(struct world *world, const struct fleet_action *action)
{
    const struct process *process = world_process(world, action->id);
    const struct fleet_options *options = &world->options.fleet;
    if (action->kind == FLEET_START && (process || world->stopping || action->version == 0)) {
        world_fail(world, "%u is started of v%d", action->id, (int)action->version);
    }
    if (action->kind == FLEET_END && process) {
        check_end_of(world, process);
    }
    if (action->kind == FLEET_END && action->ms == 0 && process && process->proved &&
        !means_it(world)) {
        world_fail(world, "%u is killed without a word", action->id);
    }
    if ((action->kind == FLEET_END || action->kind == FLEET_DRAIN) && !process) {
        world_fail(world, "%u is none of ours", action->id);
    }
    bool died = action->kind == FLEET_TELL && action->tell == FLEET_TELL_DIED;
    bool not_again = action->kind == FLEET_TELL && action->tell == FLEET_TELL_NOT_AGAIN;
    int64_t longest_ms = not_again && options->redeploy_ms > options->backoff.max_ms
                             ? options->redeploy_ms
                             : options->backoff.max_ms;
    bool broke = action->kind == FLEET_BROKE ||
                 (action->kind == FLEET_TELL &&
                  (action->tell == FLEET_TELL_KEPT || action->tell == FLEET_TELL_MIXED));
    world->owes_word = world->owes_word && !died && !broke;
    if (died || not_again) {
        world->pause_until_ms[action->slot] = world->seen_ms + action->step.pause_ms;
    }
    if (action->kind == FLEET_TELL && action->tell == FLEET_TELL_SERVES) {
        world->pause_until_ms[action->slot] = 0;
    }
    if (action->kind == FLEET_START) { // what somebody has asked for does not wait
        if (!action->fresh && world->seen_ms < world->pause_until_ms[action->slot]) {
            world_fail(world, "slot %u: started again %lld ms too early", action->slot,
                       (long long)(world->pause_until_ms[action->slot] - world->seen_ms));
        }
        world->pause_until_ms[action->slot] = 0;
    }
    if ((died || not_again) && (action->step.pause_ms < 0 || action->step.pause_ms > longest_ms)) {
        world_fail(world, "a pause of %lld ms", (long long)action->step.pause_ms);
    }
}

// ---- the end ----

static void check_stopped(struct world *world)
{
    size_t count;
    fleet_members(world->fleet, &count);
    if (world->process_count || count || world->starts != world->exits) {
        world_fail(world, "%d containers are left, of %d", (int)world->process_count,
                   (int)world->starts);
    }
    if (fleet_deadline_ms(world->fleet) >= 0) {
        world_fail(world, "it has ended, and still waits for something");
    }
}

static void check_serving(struct world *world)
{
    unsigned serving = fleet_serving_count(world->fleet);
    uint64_t version = fleet_version(world->fleet);
    bool rests = world->doze.state == DOZE_ASLEEP || world->doze.state == DOZE_FORCED;
    if (version && !rests &&
        (serving != world->options.fleet.instances || world->process_count != serving)) {
        world_fail(world, "%u serve and %d run of %u, after all", serving,
                   (int)world->process_count, world->options.fleet.instances);
    }
    if ((!version || rests) && world->process_count) {
        world_fail(world, "%d run, and nothing should", (int)world->process_count);
    }
    size_t count;
    const struct fleet_member *members = fleet_members(world->fleet, &count);
    for (size_t i = 0; i < count && !world->mixed; i++) {
        if (members[i].version != version) {
            world_fail(world, "%u serves v%d, the others v%d", members[i].id,
                       (int)members[i].version, (int)version);
        }
    }
    if (world->last_done && world->last_done > version && !world->options.fleet.alone) {
        world_fail(world, "v%d was done, and v%d serves", (int)world->last_done, (int)version);
    }
}

void check_end(struct world *world)
{
    if (world_failed(world)) {
        return;
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        if (world->requests[i].state != REQUEST_FREE) {
            world_fail(world, "request %d is never answered", (int)i);
        }
    }
    if (world->asked != world->answered ||
        world->answered != world->served + world->refused + world->lost + world->gone) {
        world_fail(world, "%d requests, %d answers", (int)world->asked, (int)world->answered);
    }
    if (world->told_content != world->content || settle_pending(&world->settle)) {
        world_fail(world, "a save has been forgotten");
    }
    if (world->open || fleet_is_rolling(world->fleet)) {
        world_fail(world, "a rollout without an end");
    }
    if (world->stopping) {
        check_stopped(world);
    } else {
        check_serving(world);
    }
}
