#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "emulator/engine/functions.h"
#include "emulator/engine/dozing.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/rollout.h"
#include "emulator/engine/timers.h"
#include "emulator/engine/traffic.h"
#include "emulator/limits/limits.h"
#include "emulator/python/installer.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"

#define COPY(field, text) snprintf(field, sizeof(field), "%s", (text) ? (text) : "")

static void fill_instance(const struct running *running, struct snapshot_instance *out)
{
    const struct instance *instance = running->instance;
    struct in_addr address = {.s_addr = htonl(instance_address(instance))};
    COPY(out->name, instance_name(instance));
    COPY(out->version, instance_version(instance));
    COPY(out->state,
         rollout_is_resting(running) ? "resting" : instance_state_name(instance_state(instance)));
    COPY(out->asked, instance_asked(instance));
    snprintf(out->address, sizeof out->address, "%s:%u", inet_ntoa(address),
             instance_port(instance));
    out->cpu_permille = running->cpu_permille;
    out->memory_bytes = running->memory_bytes;
    out->memory_limit_bytes = running->engine->options.size->memory_mb << 20;
    out->disk_bytes = running->disk_bytes;
    out->disk_limit_bytes = LIMIT_WRITABLE_BYTES;
    out->log_lines_minute = (int64_t)instance_lines_this_minute(instance);
    out->log_limit_minute = LIMIT_LOG_LINES_PER_MINUTE;
}

// Who serves comes first, the newest of all before the others: the meters show it.
static void fill_instances(const struct engine *engine, struct snapshot *out)
{
    for (int serving = 1; serving >= 0; serving--) {
        for (const struct running *at = engine->runnings; at; at = at->next) {
            bool serves = rollout_is_serving(at);
            if (serves == serving && out->instance_count < SNAPSHOT_INSTANCES) {
                fill_instance(at, &out->instances[out->instance_count++]);
            }
            out->group_serving += serves && serving;
        }
    }
    out->group_size = engine->options.instances;
}

static enum serving judge_serving(const struct engine *engine, const struct running *serving)
{
    bool failed = engine->failure.kind != ERROR_NONE;
    if (engine->stopping) {
        return SERVING_STOPPING;
    }
    if (!serving && !engine->deployment.active &&
        (dozing_state(engine) == DOZE_ASLEEP || dozing_state(engine) == DOZE_FORCED)) {
        return dozing_state(engine) == DOZE_ASLEEP ? SERVING_ASLEEP : SERVING_FORCED;
    }
    if (serving) {
        return failed ? SERVING_KEEPING : SERVING_HEALTHY;
    }
    bool trying = engine->deployment.active || (engine->installer && engine->python_missing);
    return failed && !trying ? SERVING_FAILED : SERVING_STARTING;
}

static void fill_failure(const struct engine *engine, struct snapshot *out)
{
    if (engine->failure.kind == ERROR_NONE) {
        return;
    }
    COPY(out->failure, engine->failure.message);
    COPY(out->failure_stage, stage_name(engine->failure_stage));
    COPY(out->failure_rule, engine->failure.rule);
    COPY(out->failure_cloud, engine->failure.cloud);
    COPY(out->failure_mend, engine->failure_mend);
    out->failure_is_crash = engine->failure_is_crash;
    COPY(out->try_version, engine->failure_tag);
}

// Times of the monotonic clock as those of the wall.
static int64_t wall_of(int64_t now_ms)
{
    return clock_wall_ms() + now_ms - clock_now_ms();
}

// The slot that has died most often in a row; 0: none has.
static unsigned worst_slot(const struct engine *engine)
{
    unsigned found = 0;
    int64_t most = 0;
    for (unsigned slot = 1; slot <= engine->options.instances; slot++) {
        const struct backoff *backoff = fleet_backoff(engine->rollout->fleet, slot);
        if (backoff->deaths > most) {
            found = slot;
            most = backoff->deaths;
        }
    }
    return found;
}

// Since when somebody serves in that slot; 0: nobody does.
static int64_t serves_since_ms(const struct engine *engine, unsigned slot)
{
    size_t count;
    const struct fleet_member *members = fleet_members(engine->rollout->fleet, &count);
    for (size_t i = 0; i < count; i++) {
        if (members[i].slot == slot && members[i].state == FLEET_SERVING) {
            return members[i].since_ms;
        }
    }
    return 0;
}

// Who serves ends a loop's pause at once, and its row only after some time. One that is to be
// replaced serves on while its replacements fail.
static void fill_loop(const struct engine *engine, struct snapshot *out)
{
    unsigned slot = engine->rollout ? worst_slot(engine) : 0;
    if (slot == 0) {
        return;
    }
    const struct backoff_policy *policy = &engine->times.backoff;
    const struct backoff *backoff = fleet_backoff(engine->rollout->fleet, slot);
    int64_t since_ms = serves_since_ms(engine, slot);
    bool is_over = since_ms > backoff->since_ms;
    if (!is_over || clock_now_ms() - since_ms <= policy->forget_ms) {
        out->crash_deaths = backoff_is_loop(backoff, policy) ? backoff->deaths : 0;
        out->crash_since_ms = wall_of(backoff->since_ms);
        out->crash_next_ms = is_over ? 0 : wall_of(backoff->next_ms);
    }
}

static void fill_health(const struct engine *engine, struct snapshot *out)
{
    const struct running *serving = rollout_serving(engine);
    memcpy(out->probes, engine->probes, engine->probe_count * sizeof engine->probes[0]);
    out->probe_count = (int64_t)engine->probe_count;
    for (size_t i = 0; i < engine->probe_count; i++) {
        if (strcmp(engine->probes[i].verdict, "healthy") == 0) {
            out->healthy_ms = engine->probes[i].ms;
        }
    }
    fill_loop(engine, out);
    if (serving && serving->health) {
        out->check_next_ms = wall_of(health_next_ms(serving->health));
        bool condemned = serving->bad_rounds > engine->times.failures;
        out->check_failures = condemned ? engine->times.failures : serving->bad_rounds;
        out->check_failures_max = engine->times.failures;
    }
}

static void fill_traffic(const struct engine *engine, struct snapshot *out)
{
    if (!engine->gateway) {
        return;
    }
    struct gateway_stats stats;
    gateway_get_stats(engine->gateway, &stats);
    out->requests_total = (int64_t)stats.requests;
    out->requests_lost = (int64_t)stats.lost;
    out->requests_held = stats.held;
    out->requests_last = (int64_t)traffic_last_id(engine->traffic);
    out->requests_per_second_x10 = engine->requests_per_second_x10;
    out->latency_p50_us = engine->latency_p50_us;
}

static void fill_prompt(const struct engine *engine, struct snapshot *out)
{
    const struct running *running = rollout_with_terminal(engine);
    out->debug = engine->options.debug;
    if (running) {
        auto_free char *prompt = instance_prompt(running->instance);
        COPY(out->prompt, prompt);
    }
}

void snapshot_fill(void *context, struct snapshot *ret_snapshot)
{
    const struct engine *engine = context;
    struct snapshot *out = ret_snapshot;
    const struct running *serving = rollout_serving(engine);
    memset(out, 0, sizeof *out);
    out->protocol = PROTOCOL_VERSION;
    COPY(out->project, engine->project.name);
    COPY(out->dir, engine->project.dir);
    COPY(out->build_root, engine->project.build_root);
    COPY(out->url, engine->url);
    COPY(out->journal_dir, engine->journal_dir);
    out->serving = judge_serving(engine, serving);
    out->healthy_ms = -1;
    COPY(out->serving_version, serving ? serving->version.tag : "");
    COPY(out->python, engine->has_built ? engine->built.python.version : "");
    COPY(out->environment, engine->options.environment);
    COPY(out->region, environment_region_code(engine->options.region));
    COPY(out->sandbox_level, sandbox_level_name(sandbox_host_level(&engine->host)));
    for (size_t i = 0; i < STAGE__COUNT; i++) {
        struct snapshot_stage *stage = &out->stages[i];
        COPY(stage->name, stage_name((enum stage)i));
        COPY(stage->state, engine->stages[i].state);
        COPY(stage->detail, engine->stages[i].detail);
        stage->ms = engine->stages[i].ms;
    }
    fill_instances(engine, out);
    fill_health(engine, out);
    fill_failure(engine, out);
    if (engine->deployment.active) {
        COPY(out->try_version, engine->deployment.tag);
    }
    fill_traffic(engine, out);
    fill_prompt(engine, out);
    functions_fill(engine, out);
    timers_fill(context, out);
    out->saves = engine->saves;
    out->last_reload_ms = engine->last_reload_ms;
    out->deviations = engine->deviations;
    out->warnings = engine->warnings;
    COPY(out->last_output, engine->last_output);
    out->pip_collected = engine->pip_collected;
    const char *offer = engine->offer.version;
    COPY(out->install_offer, engine->installer ? "" : offer);
    COPY(out->installing, engine->installer ? installer_version(engine->installer) : "");
}
