// Who serves, and what follows when that changes.
//
// Who serves is one pointer in the gateway. A candidate takes it when it is healthy; the old one
// finishes its requests and is then ended with TERM, 10 s, KILL (P-173, P-174). An instance that
// dies while it serves is replaced by the same version, with a growing pause when it dies again and
// again. Nothing here decides what a version is; that is deployment.c.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/usage.h"

#define DRAIN_LIMIT_MS                                                                             \
    30000 // DESIGN 4: in `up` the old one ends when its requests do, 30 s at most
#define DEBUG_GRACE_MS   500 // nobody who debugs waits for an app that stands at a breakpoint
#define DRAINING_STREAMS 2   // more than these drain: the oldest one's endless streams are closed

// ---- finding ----

struct running *rollout_serving(const struct engine *engine)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->role == ROLE_SERVING) {
            return at;
        }
    }
    return NULL;
}

static struct running *find_role(const struct engine *engine, enum role role)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->role == role && !at->judged) {
            return at;
        }
    }
    return NULL;
}

bool rollout_version_in_use(const struct engine *engine, const char *tag)
{
    for (const struct running *at = engine->runnings; at; at = at->next) {
        if (str_equal(at->version.tag, tag)) {
            return true;
        }
    }
    return str_equal(engine->last_version.tag, tag) ||
           (engine->deployment.has_version && str_equal(engine->deployment.version.tag, tag));
}

static void forget_last_version(struct engine *engine)
{
    auto_free char *tag = str_dup(engine->last_version.tag);
    tree_version_release(&engine->last_version);
    strlist_clear(&engine->last_built_lowers);
    if (tag && engine->tree && !rollout_version_in_use(engine, tag)) {
        tree_release_version(engine->tree, tag);
    }
}

// The version goes with the record; it is kept for the next instance.
static void remember_version(struct engine *engine, const struct running *running)
{
    forget_last_version(engine);
    tree_version_copy(&engine->last_version, &running->version);
    strlist_copy(&engine->last_built_lowers, &running->built_lowers);
}

// ---- switch ----

static void set_upstream(struct engine *engine, const struct running *running)
{
    if (!engine->gateway) {
        return;
    }
    struct gateway_upstream upstream = {.address =
                                            running ? instance_address(running->instance) : 0,
                                        .port = running ? instance_port(running->instance) : 0};
    if (running) {
        snprintf(upstream.name, sizeof upstream.name, "%s", instance_name(running->instance));
    }
    gateway_set_upstreams(engine->gateway, &upstream, running ? 1 : 0);
}

static void end_drain(void *context)
{
    struct running *running = context;
    instance_terminate(running->instance, LIMIT_TERMINATE_GRACE_MS); // P-174
}

// Who gets a request may take memory now.
void rollout_on_begin(void *context, const char *upstream_name)
{
    struct engine *engine = context;
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (strcmp(instance_name(at->instance), upstream_name) == 0) {
            instance_stir(at->instance);
            return;
        }
    }
}

void rollout_on_drained(void *context, const char *upstream_name)
{
    struct engine *engine = context;
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->role == ROLE_OLD && strcmp(instance_name(at->instance), upstream_name) == 0) {
            end_drain(at);
            return;
        }
    }
}

// Runnings are listed newest first, so the third that drains is the oldest.
static void close_oldest_streams(struct engine *engine)
{
    int draining = 0;
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->role == ROLE_OLD && ++draining > DRAINING_STREAMS) {
            gateway_drain(engine->gateway, instance_name(at->instance), true);
        }
    }
}

static void drain(struct running *running)
{
    struct engine *engine = running->engine;
    running->role = ROLE_OLD;
    health_free(running->health);
    running->health = NULL;
    loop_source_free(running->timer);
    running->timer = NULL;
    if (!engine->gateway) {
        instance_terminate(running->instance, LIMIT_TERMINATE_GRACE_MS);
        return;
    }
    instance_mark_draining(running->instance);
    running->timer = loop_add_timer(engine->loop, DRAIN_LIMIT_MS, end_drain, running);
    gateway_drain(engine->gateway, instance_name(running->instance), false);
    close_oldest_streams(engine);
}

void rollout_take_over(struct running *running)
{
    struct engine *engine = running->engine;
    struct running *old = rollout_serving(engine);
    enum role role = running->role;
    loop_source_free(running->timer);
    running->timer = NULL;
    running->role = ROLE_SERVING;
    instance_mark_healthy(running->instance);
    if (running->health) {
        health_set_interval(running->health, engine->times.period_ms);
    }
    set_upstream(engine, running); // new requests go to it from here on
    if (old) {
        drain(old);
    }
    engine->must_replace = false;
    forget_last_version(engine);
    engine->healthy_wall_ms = clock_wall_ms();
    announce_stage(engine, STAGE_START, "done",
                   clock_now_ms() - instance_started_ms(running->instance), NULL);
    announce_stage(engine, STAGE_HEALTHY, "done", -1, NULL);
    if (role == ROLE_CANDIDATE) {
        deployment_healthy(engine, running);
        return;
    }
    engine->failure = (struct error){0};
    engine->failure_mend[0] = '\0';
    announce_notice(engine, "note", NULL, NULL, NULL, _("%s serves version %s now"),
                    instance_name(running->instance), running->version.tag);
}

// ---- replacing what died ----

static void replace(void *context)
{
    struct engine *engine = context;
    loop_source_free(engine->crash_timer);
    engine->crash_timer = NULL;
    // A deployment that is under way will serve, or ask for this again when it fails.
    if (!engine->stopping && !engine->deployment.active && engine->must_replace) {
        rollout_restart(engine, clock_now_ms(), NULL);
    }
}

void rollout_replace_later(struct engine *engine)
{
    if (engine->must_replace && !engine->stopping) {
        int64_t after_ms = engine->backoff.next_ms - clock_now_ms();
        loop_source_free(engine->crash_timer);
        engine->crash_timer =
            loop_add_timer(engine->loop, after_ms < 0 ? 0 : after_ms, replace, engine);
    }
}

// P-172, DESIGN 3: what served is gone; the same version again.
void rollout_replace_dead(struct running *running, int wait_status, bool app_exited)
{
    struct engine *engine = running->engine;
    struct error error = {0};
    engine->must_replace = true;
    running_describe_death(running, wait_status, app_exited, &error);
    remember_version(engine, running);
    set_upstream(engine, NULL);
    engine->failure_stage = STAGE_START;
    crash_died(engine, clock_now_ms() - instance_started_ms(running->instance), &error);
    rollout_replace_later(engine);
}

// ---- --debug: one instance ----

struct running *rollout_with_terminal(const struct engine *engine)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (instance_has_terminal(at->instance) && at->role != ROLE_OLD && !at->judged) {
            return at;
        }
    }
    return NULL;
}

bool rollout_make_room(struct engine *engine)
{
    if (!engine->options.debug || !engine->runnings) {
        return false;
    }
    set_upstream(engine, NULL);
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->role != ROLE_OLD) {
            at->role = ROLE_OLD;
            at->judged = true;
            health_free(at->health);
            at->health = NULL;
            instance_terminate(at->instance, DEBUG_GRACE_MS);
        }
    }
    return true;
}

// false: nothing serves, so that there is room already.
static bool restart_alone(struct engine *engine)
{
    struct running *serving = engine->options.debug ? rollout_serving(engine) : NULL;
    if (!serving) {
        return false;
    }
    remember_version(engine, serving);
    engine->must_replace = true;
    crash_forget(engine);
    rollout_make_room(engine);
    return true;
}

void rollout_restart(struct engine *engine, int64_t begun_ms, struct error *error)
{
    struct running *serving = rollout_serving(engine);
    const struct tree_version *version = serving ? &serving->version : &engine->last_version;
    const struct strlist *built = serving ? &serving->built_lowers : &engine->last_built_lowers;
    if (!version->tag) {
        error_set(error, ERROR_APP, _("nothing has served yet; save a file or use reload"));
        return;
    }
    if (find_role(engine, ROLE_REPLACEMENT) || restart_alone(engine)) {
        return; // one is on its way
    }
    struct error failed = {0};
    if (!rollout_start(engine, version, built, ROLE_REPLACEMENT, begun_ms, &failed)) {
        announce_notice(engine, "error", failed.rule, NULL, failed.hint, "%s", failed.message);
        if (error) {
            *error = failed;
        }
    }
}

void rollout_reschedule(struct engine *engine, struct error *error)
{
    const struct running *serving = rollout_serving(engine);
    struct error failed = {0};
    int64_t used_bytes = 0;
    int64_t free_bytes;
    if (serving) {
        usage_read_disk(instance_pid(serving->instance), &used_bytes, &free_bytes);
    }
    rollout_restart(engine, clock_now_ms(), &failed);
    if (failed.kind != ERROR_NONE) {
        if (error) {
            *error = failed;
        }
        return;
    }
    if (serving && used_bytes >= 0) {
        announce_notice(engine, "note", "P-131", NULL, NULL,
                        _("rescheduled: version %s in a new container; what %s has written is lost "
                          "(%lld KB)"),
                        serving->version.tag, instance_name(serving->instance),
                        (long long)((used_bytes + 1023) >> 10));
    }
    announce_cloud(engine, TEXT_INSTANCE_CREATE); // P-175
    announce_cloud(engine, TEXT_INSTANCE_START);
}

// ---- all of them ----

void rollout_abandon_candidates(struct engine *engine)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        if (at->role == ROLE_CANDIDATE && instance_state(at->instance) != INSTANCE_GONE) {
            at->judged = true;
            loop_source_free(at->timer);
            at->timer = NULL;
            health_free(at->health);
            at->health = NULL;
            instance_terminate(at->instance, 0);
        }
    }
}

void rollout_terminate_all(struct engine *engine, int64_t grace_ms)
{
    for (struct running *at = engine->runnings; at; at = at->next) {
        at->judged = true;
        loop_source_free(at->timer);
        at->timer = NULL;
        health_free(at->health);
        at->health = NULL;
        instance_terminate(at->instance, grace_ms);
    }
}

void rollout_free_all(struct engine *engine)
{
    while (engine->runnings) {
        running_free(engine->runnings);
    }
}

void rollout_read_meters(struct engine *engine)
{
    int64_t now_ms = clock_now_ms();
    for (struct running *at = engine->runnings; at; at = at->next) {
        struct usage usage;
        int64_t free_bytes;
        if (usage_read(instance_pid(at->instance), &usage) < 0) {
            continue;
        }
        if (at->cpu_read_ms && now_ms > at->cpu_read_ms) {
            int64_t used_ms = usage.cpu_ms - at->cpu_ms;
            at->cpu_permille = used_ms < 0 ? 0 : used_ms * 1000 / (now_ms - at->cpu_read_ms);
        }
        at->cpu_ms = usage.cpu_ms;
        at->cpu_read_ms = now_ms;
        int64_t judged_bytes = instance_memory(at->instance);
        at->memory_bytes = judged_bytes >= 0 ? judged_bytes : usage.anonymous_bytes;
        at->disk_bytes = -1;
        usage_read_disk(instance_pid(at->instance), &at->disk_bytes, &free_bytes);
    }
    touch(engine);
}
