// The rounds of probes of one instance: remembered for the screen, told when they are news, and
// what follows: a start that is healthy takes over, a serving one that is not is started again
// (P-107).

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "emulator/formats/http1.h"
#include "emulator/health/words.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

static void remember_probe(struct running *running, const struct health_probe_result *result,
                           const char *verdict)
{
    struct engine *engine = running->engine;
    if (engine->probe_count == SNAPSHOT_PROBES) {
        memmove(engine->probes, engine->probes + 1,
                (SNAPSHOT_PROBES - 1) * sizeof engine->probes[0]);
        engine->probe_count--;
    }
    struct snapshot_probe *probe = &engine->probes[engine->probe_count++];
    *probe = (struct snapshot_probe){
        .wall_ms = clock_wall_ms(), .status = result->status, .ms = result->duration_us / 1000};
    snprintf(probe->instance, sizeof probe->instance, "%s", instance_name(running->instance));
    snprintf(probe->path, sizeof probe->path, "%s", result->path);
    snprintf(probe->verdict, sizeof probe->verdict, "%s", verdict);
    const char *text = result->status == 0 ? result->failure
                       : *result->location ? result->location
                                           : result->body;
    snprintf(probe->text, sizeof probe->text, "%s", text);
}

static void announce_probe(struct running *running, const struct health_probe_result *result,
                           const char *verdict)
{
    struct event event = event_new(EVENT_PROBE);
    event.instance = (char *)(uintptr_t)instance_name(running->instance);
    event.path = (char *)(uintptr_t)result->path;
    event.status = result->status;
    event.ms = result->duration_us / 1000;
    event.state = (char *)(uintptr_t)verdict;
    event.text = (char *)(uintptr_t)(result->status == 0 ? result->failure
                                     : *result->location ? result->location
                                                         : NULL);
    announce(running->engine, &event);
}

static void announce_rule(struct engine *engine, const struct health_probe_result *result, int rule,
                          const char *follows)
{
    const struct http1_rule_row *row = &http1_rules[rule];
    auto_free char *text =
        str_printf(_("the answer to %s: %s; %s"), result->path, _(row->text), follows);
    announce_diagnostic(engine, &(struct diagnostic){.severity = DIAGNOSTIC_WARNING,
                                                     .rule = (char *)(uintptr_t)row->source,
                                                     .text = text});
}

// verify has no balancer in front of the app: what that would make of its answer is said here.
static void announce_framing(struct engine *engine, const struct health_probe_result *result)
{
    for (int rule = 1; rule < HTTP1_RULE__COUNT; rule++) {
        if (result->bent >> rule & 1) {
            announce_rule(engine, result, rule, _("the balancer bends it into shape"));
        }
    }
    if (result->unreadable) {
        announce_rule(engine, result, result->unreadable, _("behind the balancer that is a 502"));
    }
}

// P-231: the SDK's versions where it is there; the ping's answer, else the page's title.
static void tell_started(struct engine *engine, const struct health_round *round,
                         const struct health_probe_result *good)
{
    static const char implementation[] = "cpython-";
    const char *runtime = round->ping.sdk_runtime;
    if (round->ping.is_sdk_ping) {
        runtime += str_starts_with(runtime, implementation) ? strlen(implementation) : 0;
        announce_cloud(engine, TEXT_SDK, runtime, round->ping.sdk_version);
    }
    announce_cloud_either(engine, TEXTS_INSTANCE_STARTED, *good->title ? good->title : good->body);
}

static void take_healthy_round(struct running *running, const struct health_round *round)
{
    struct engine *engine = running->engine;
    bool by_ping = strcmp(round->healthy_path, round->ping.path) == 0;
    const struct health_probe_result *good = by_ping ? &round->ping : &round->home;
    engine->healthy_wall_ms = clock_wall_ms();
    if (running->role == ROLE_SERVING) {
        if (running->bad_rounds) {
            rollout_recovered(running);
            announce_probe(running, good, "healthy");
            health_set_interval(running->health, engine->times.period_ms);
        }
        running->bad_rounds = 0;
        running->condemned = false;
        touch(engine);
        return;
    }
    running->bad_rounds = 0;
    announce_probe(running, good, "healthy");
    if (engine->mode == MODE_VERIFY) {
        announce_framing(engine, good);
    }
    tell_started(engine, round, good);
    rollout_take_over(running);
}

// P-107, P-108: it has served, and is not healthy any more.
static void restart_unhealthy(struct running *running, const struct health_round *round)
{
    struct engine *engine = running->engine;
    const char *name = instance_name(running->instance);
    struct in_addr address = {.s_addr = htonl(instance_address(running->instance))};
    const struct health_probe_result *culprit =
        health_words_culprit(round, running_is_strict(running));
    auto_free char *where =
        str_printf("%s:%u", inet_ntoa(address), instance_port(running->instance));
    auto_free char *cloud = health_words_later(name, culprit, where);
    auto_free char *answer = health_words_answer(culprit);
    announce_notice(engine, "error", "P-107", cloud, NULL,
                    _("%s is no longer healthy, %u times in a row: %s; restarting"), name,
                    running->bad_rounds, answer);
    running->condemned = true;
    rollout_unhealthy(running);
}

static void take_periodic_failure(struct running *running, const struct health_round *round)
{
    struct engine *engine = running->engine;
    if (engine->options.debug) {
        return; // it may stand at a breakpoint
    }
    if (running->condemned) { // told; it goes on only until another one works
        touch(engine);
        return;
    }
    announce_probe(running, health_words_culprit(round, running_is_strict(running)), "failed");
    health_set_interval(running->health, engine->times.retry_ms);
    rollout_failing(running);
    if (running->bad_rounds >= engine->times.failures) {
        restart_unhealthy(running, round);
    }
}

static void on_round(void *context, const struct health_round *round)
{
    struct running *running = context;
    bool healthy = round->verdict == HEALTH_HEALTHY;
    bool by_ping = healthy && strcmp(round->healthy_path, round->ping.path) == 0;
    const char *bad = running->role == ROLE_SERVING ? "failed" : "not-yet";
    remember_probe(running, &round->home, !healthy ? bad : by_ping ? "not-needed" : "healthy");
    remember_probe(running, &round->ping, !healthy ? bad : by_ping ? "healthy" : "not-needed");
    if (healthy) {
        take_healthy_round(running, round);
        return;
    }
    running->bad_rounds++;
    bool news = !running->has_round || round->home.status != running->round.home.status ||
                round->ping.status != running->round.ping.status ||
                strcmp(round->home.failure, running->round.home.failure) != 0;
    running->has_round = true;
    running->round = *round;
    if (running->role == ROLE_SERVING) {
        take_periodic_failure(running, round);
    } else if (news && instance_is_listening(running->instance)) {
        announce_probe(running, &round->home, "not-yet");
        announce_probe(running, &round->ping, "not-yet");
    } else {
        touch(running->engine);
    }
}

bool running_is_strict(const struct running *running)
{
    return running->engine->project.yaml.functions_mode == FUNCTIONS_STRICT;
}

void running_start_health(struct running *running, int64_t interval_ms)
{
    struct error error = {0};
    const struct health_options options = {
        .address = instance_address(running->instance),
        .port = instance_port(running->instance),
        .host_header = "localhost",
        .strict = running_is_strict(running),
        .interval_ms = interval_ms,
        .probe_timeout_ms = running->engine->times.probe_timeout_ms,
        .context = running,
        .on_round = on_round,
    };
    running->health = health_start(running->engine->loop, &options, &error);
    if (!running->health) {
        running_judge(running, &error, NULL);
    }
}
