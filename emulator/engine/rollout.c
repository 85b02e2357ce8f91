// The fleet's hands: what fleet.h decides is done here, what happens is told to it.
//
// Events go through a queue, because doing one action can cause the next event (a start that fails
// at once, a deployment that is given up): the fleet never hears of one while the actions of
// another are half done. What an event says of its reason (an app's last words) travels with it,
// and is told by the action that it causes.

#include "emulator/engine/rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "emulator/engine/staging.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "sandbox/usage.h"

// ---- finding ----

struct running *rollout_find(const struct engine *engine, unsigned id)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->id == id) {
            return at;
        }
    }
    return NULL;
}

static struct running *find_name(const struct engine *engine, const char *name)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (strcmp(instance_name(at->instance), name) == 0) {
            return at;
        }
    }
    return NULL;
}

struct running *rollout_serving(const struct engine *engine)
{
    size_t count = 0;
    const struct fleet_member *members =
        engine->rollout ? fleet_members(engine->rollout->fleet, &count) : NULL;
    while (count-- > 0) {
        if (members[count].state == FLEET_SERVING) {
            return rollout_find(engine, members[count].id);
        }
    }
    return NULL;
}

static bool is_in(const struct running *running, enum fleet_state state)
{
    const struct rollout *rollout = running->engine->rollout;
    const struct fleet_member *member =
        rollout && running->id ? fleet_member(rollout->fleet, running->id) : NULL;
    return member && member->state == state;
}

bool rollout_is_serving(const struct running *running)
{
    return is_in(running, FLEET_SERVING);
}

bool rollout_is_resting(const struct running *running)
{
    return is_in(running, FLEET_RESTING);
}

struct running *rollout_with_terminal(const struct engine *engine)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (instance_has_terminal(at->instance) && at->role != ROLE_OLD && !at->judged) {
            return at;
        }
    }
    return NULL;
}

const struct fleet *rollout_fleet(const struct engine *engine)
{
    return engine->rollout->fleet;
}

bool rollout_is_group(const struct engine *engine)
{
    return engine->options.instances > 1;
}

bool rollout_is_deploying(const struct engine *engine, uint64_t number)
{
    return engine->deployment.active && engine->deployment.release == number;
}

// ---- doing ----

static void do_upstreams(struct engine *engine, const struct fleet_action *action)
{
    struct gateway_upstream upstreams[FLEET_SLOTS] = {0};
    size_t count = 0;
    for (size_t i = 0; i < action->count; i++) {
        const struct running *running = rollout_find(engine, action->ids[i]);
        if (running) {
            struct gateway_upstream *upstream = &upstreams[count++];
            upstream->address = instance_address(running->instance);
            upstream->port = instance_port(running->instance);
            snprintf(upstream->name, sizeof upstream->name, "%s", instance_name(running->instance));
        }
    }
    if (engine->gateway) {
        gateway_set_upstreams(engine->gateway, upstreams, count);
    }
}

static void feed(struct engine *engine, struct fleet_event event, const struct reason *reason);

static void do_drain(struct engine *engine, const struct fleet_action *action)
{
    struct running *running = rollout_find(engine, action->id);
    if (running && engine->gateway) {
        instance_mark_draining(running->instance);
        gateway_drain(engine->gateway, instance_name(running->instance), action->close_streams);
    } else {
        feed(engine, (struct fleet_event){.kind = FLEET_DRAINED, .id = action->id}, NULL);
    }
}

static void do_end(struct engine *engine, const struct fleet_action *action)
{
    struct running *running = rollout_find(engine, action->id);
    if (running && instance_state(running->instance) != INSTANCE_GONE) {
        instance_terminate(running->instance, action->ms); // P-174
    }
}

static void do_start(struct engine *engine, const struct fleet_action *action)
{
    struct rollout *rollout = engine->rollout;
    const struct release *release = release_find(engine, action->version);
    if (rollout_is_deploying(engine, action->version) &&
        strcmp(engine->stages[STAGE_START].state, "running") != 0) {
        rollout->begun_ms = clock_now_ms();
        announce_stage(engine, STAGE_START, "running", -1, NULL);
    }
    const struct running_order order = {
        .id = action->id,
        .slot = action->slot,
        .role = action->fresh ? ROLE_CANDIDATE : ROLE_REPLACEMENT,
        .version = &release->version,
        .built_lowers = &release->built_lowers,
    };
    struct reason reason = {.stage = STAGE_START};
    if (running_start(engine, &order, &reason.error)) {
        rollout_tell_start(engine, action);
        return;
    }
    if (rollout->wants_error) {
        *rollout->wants_error = reason.error;
    }
    bool unborn = !rollout_find(engine, action->id); // else it goes, and says so when it has
    feed(engine, (struct fleet_event){.kind = FLEET_FAILED, .id = action->id}, &reason);
    if (unborn) {
        feed(engine, (struct fleet_event){.kind = FLEET_EXITED, .id = action->id}, NULL);
    }
}

// ---- events ----

static enum role role_of(const struct fleet_member *member)
{
    switch (member->state) {
    case FLEET_STARTING:
        return member->fresh ? ROLE_CANDIDATE : ROLE_REPLACEMENT;
    case FLEET_SERVING:
    case FLEET_RESTING:
        return ROLE_SERVING;
    default:
        return ROLE_OLD;
    }
}

static void take_roles(struct engine *engine)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        const struct fleet_member *member =
            at->id ? fleet_member(engine->rollout->fleet, at->id) : NULL;
        if (!member) {
            continue;
        }
        at->role = role_of(member);
        if (at->role == ROLE_OLD) { // nobody asks it any more
            health_free(at->health);
            at->health = NULL;
            loop_source_free(at->timer);
            at->timer = NULL;
        }
    }
}

static void act(struct engine *engine, const struct fleet_action *action,
                const struct reason *reason)
{
    char text[200];
    log_debug("fleet: %s", fleet_action_text(action, text, sizeof text));
    switch (action->kind) {
    case FLEET_UPSTREAMS:
        do_upstreams(engine, action);
        break;
    case FLEET_DRAIN:
        do_drain(engine, action);
        break;
    case FLEET_START:
        do_start(engine, action);
        break;
    case FLEET_END:
        do_end(engine, action);
        break;
    case FLEET_DONE:
        rollout_tell_done(engine, action);
        break;
    case FLEET_BROKE:
        rollout_tell_broke(engine, action, reason);
        break;
    case FLEET_TELL:
        rollout_tell(engine, action, reason);
        break;
    }
}

static void on_deadline(void *context)
{
    feed(context, (struct fleet_event){.kind = FLEET_TICK}, NULL);
}

static void set_timer(struct engine *engine)
{
    struct rollout *rollout = engine->rollout;
    int64_t due_ms = fleet_deadline_ms(rollout->fleet);
    int64_t after_ms = due_ms - clock_now_ms();
    if (due_ms < 0) {
        if (rollout->timer) {
            loop_timer_stop(rollout->timer);
        }
    } else if (rollout->timer) {
        loop_timer_restart(rollout->timer, after_ms > 0 ? after_ms : 0);
    } else {
        rollout->timer =
            loop_add_timer(engine->loop, after_ms > 0 ? after_ms : 0, on_deadline, engine);
    }
}

static void handle(struct engine *engine, const struct queued *queued)
{
    struct rollout *rollout = engine->rollout;
    fleet_handle(rollout->fleet, &queued->event, clock_now_ms(), &rollout->actions);
    take_roles(engine);
    for (size_t i = 0; i < rollout->actions.count; i++) {
        act(engine, &rollout->actions.items[i], &queued->reason);
    }
}

static void feed(struct engine *engine, struct fleet_event event, const struct reason *reason)
{
    struct rollout *rollout = engine->rollout;
    struct queued *queued = mem_alloc(sizeof *queued);
    queued->event = event;
    queued->reason = reason ? *reason : (struct reason){.stage = STAGE_START};
    *rollout->queue_end = queued;
    rollout->queue_end = &queued->next;
    if (rollout->busy) {
        return;
    }
    rollout->busy = true;
    while ((queued = rollout->queue)) {
        rollout->queue = queued->next;
        if (!rollout->queue) {
            rollout->queue_end = &rollout->queue;
        }
        handle(engine, queued);
        free(queued);
    }
    rollout->busy = false;
    releases_drop_unused(engine);
    set_timer(engine);
    touch(engine);
}

static void feed_member(struct running *running, enum fleet_event_kind kind)
{
    if (staging_has(running->id)) {
        return;
    }
    feed(running->engine, (struct fleet_event){.kind = kind, .id = running->id}, NULL);
}

void rollout_take_over(struct running *running)
{
    if (staging_has(running->id)) {
        staging_healthy(running);
        return;
    }
    feed_member(running, FLEET_HEALTHY);
}

void rollout_failing(struct running *running)
{
    feed_member(running, FLEET_FAILING);
}

void rollout_recovered(struct running *running)
{
    feed_member(running, FLEET_RECOVERED);
}

void rollout_unhealthy(struct running *running)
{
    if (staging_has(running->id)) {
        staging_unhealthy(running);
        return;
    }
    feed_member(running, FLEET_UNHEALTHY);
}

void rollout_failed(struct running *running, enum stage stage, const struct error *error)
{
    if (staging_has(running->id)) {
        staging_failed(running, error);
        return;
    }
    const struct reason reason = {.error = *error, .stage = stage};
    feed(running->engine, (struct fleet_event){.kind = FLEET_FAILED, .id = running->id}, &reason);
}

void rollout_exited(struct engine *engine, unsigned id, const struct error *error)
{
    if (staging_has(id)) {
        staging_exited(engine, id, error);
        return;
    }
    const struct reason reason = {.error = *error, .stage = STAGE_START};
    feed(engine, (struct fleet_event){.kind = FLEET_EXITED, .id = id}, &reason);
}

// Who gets a request may take memory now.
void rollout_on_begin(void *context, const char *upstream_name)
{
    const struct running *running = find_name(context, upstream_name);
    if (running) {
        instance_stir(running->instance);
    }
}

void rollout_on_drained(void *context, const char *upstream_name)
{
    struct running *running = find_name(context, upstream_name);
    if (running && staging_has(running->id)) {
        staging_drained(running);
    } else if (running) {
        feed_member(running, FLEET_DRAINED);
    }
}

// ---- what others ask for ----

void rollout_begin(struct engine *engine)
{
    const struct fleet_options options = {
        .instances = engine->options.instances,
        .drain_cloud = engine->options.drain_cloud,
        .alone = engine->options.debug,
        .backoff = engine->times.backoff,
        .redeploy_ms = engine->times.redeploy_ms,
    };
    engine->rollout = mem_alloc(sizeof *engine->rollout);
    engine->rollout->fleet = fleet_new(&options);
    engine->rollout->queue_end = &engine->rollout->queue;
}

void rollout_deploy(struct engine *engine)
{
    const struct release *release = release_add(engine);
    engine->deployment.release = release->number;
    feed(engine, (struct fleet_event){.kind = FLEET_DEPLOY, .version = release->number}, NULL);
}

void rollout_cancel(struct engine *engine)
{
    if (engine->rollout) {
        feed(engine, (struct fleet_event){.kind = FLEET_CANCEL}, NULL);
    }
}

static void ask(struct engine *engine, enum fleet_event_kind kind, struct error *error)
{
    if (fleet_version(engine->rollout->fleet) == 0) {
        error_set(error, ERROR_APP, _("nothing has served yet; save a file or use reload"));
        return;
    }
    engine->rollout->wants_error = error;
    feed(engine, (struct fleet_event){.kind = kind}, NULL);
    engine->rollout->wants_error = NULL;
}

void rollout_restart(struct engine *engine, struct error *error)
{
    ask(engine, FLEET_RESTART, error);
}

static const struct running *oldest_serving(const struct engine *engine)
{
    size_t count;
    const struct fleet_member *members = fleet_members(engine->rollout->fleet, &count);
    for (size_t i = 0; i < count; i++) {
        if (members[i].state == FLEET_SERVING) {
            return rollout_find(engine, members[i].id);
        }
    }
    return NULL;
}

void rollout_reschedule(struct engine *engine, struct error *error)
{
    const struct running *moved = oldest_serving(engine);
    int64_t used_bytes = -1;
    int64_t free_bytes;
    struct error failed = {0};
    if (moved) {
        usage_read_disk(instance_pid(moved->instance), &used_bytes, &free_bytes);
    }
    ask(engine, FLEET_RESCHEDULE, &failed);
    if (failed.kind != ERROR_NONE) {
        *error = failed;
    } else if (moved && used_bytes >= 0) {
        announce_notice(engine, "note", "P-131", NULL, NULL,
                        _("rescheduled: version %s in a new container; what %s has written is lost "
                          "(%lld KB)"),
                        moved->version.tag, instance_name(moved->instance),
                        (long long)((used_bytes + 1023) >> 10));
    }
}

void rollout_sleep(struct engine *engine)
{
    feed(engine, (struct fleet_event){.kind = FLEET_SLEEP}, NULL);
}

void rollout_wake(struct engine *engine)
{
    feed(engine, (struct fleet_event){.kind = FLEET_WAKE}, NULL);
}

// ---- all of them ----

void rollout_stop(struct engine *engine, int64_t grace_ms)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (!at->id) { // a command of exec
            at->judged = true;
            instance_terminate(at->instance, grace_ms);
        }
    }
    if (engine->rollout) {
        feed(engine, (struct fleet_event){.kind = FLEET_STOP, .ms = grace_ms}, NULL);
    }
}

void rollout_release(struct engine *engine)
{
    while (engine->runnings) {
        running_free(engine->runnings);
    }
    struct rollout *rollout = engine->rollout;
    if (!rollout) {
        return;
    }
    releases_clear(engine);
    for (struct queued *at = rollout->queue; at;) {
        struct queued *next = at->next;
        free(at);
        at = next;
    }
    loop_source_free(rollout->timer);
    fleet_actions_clear(&rollout->actions);
    fleet_free(rollout->fleet);
    free(rollout);
    engine->rollout = NULL;
}
