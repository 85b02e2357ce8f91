// What the engine makes of an instance that starts: healthy, not yet, or failed and why.
//
// The rule is health_judge()'s; here it meets what else is known: the start's limit, the app's
// exit, the address it asked for. A verdict is told once, and the instance goes. After the start
// the same probes go on, rarely.

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "emulator/version/modes.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"

#define UNHEALTHY_RETRY_MS 10000
#define UNHEALTHY_ROUNDS   3 // [I]: failures in a row before a restart (P-107)

// ---- failure of a start ----

// A verdict about a candidate or a replacement: told once, and the instance goes.
void running_judge(struct running *running, const struct error *error, const char *mend)
{
    struct engine *engine = running->engine;
    if (running->judged) {
        return;
    }
    running->judged = true;
    enum stage stage = running->bad_rounds || instance_is_listening(running->instance)
                           ? STAGE_HEALTHY
                           : STAGE_START;
    enum role role = running->role;
    if (instance_state(running->instance) != INSTANCE_GONE) {
        instance_terminate(running->instance, 0);
    }
    if (role == ROLE_CANDIDATE) {
        deployment_fail(engine, stage, error, mend);
    } else {
        engine->failure = *error;
        engine->failure_stage = stage;
        announce_notice(engine, "error", error->rule, error->cloud, mend, "%s", error->message);
        engine->crashes++;
        rollout_replace_later(engine);
    }
}

void running_judge_timeout(void *context)
{
    struct running *running = context;
    struct engine *engine = running->engine;
    int limit_s = engine->project.yaml.startup_timeout_s;
    struct error error = {0};
    auto_free char *cloud = str_printf(TEXT_START_NO_PORT, limit_s);
    if (!instance_is_listening(running->instance) && engine->host.has[SANDBOX_NOTIFY]) {
        if (running->other_port) {
            error_set(&error, ERROR_APP,
                      _("%s listened on port %u, and not on port %d within %d s"),
                      instance_name(running->instance), running->other_port, (int)LIMIT_APP_PORT,
                      limit_s);
        } else {
            error_set(&error, ERROR_APP, _("%s did not listen on port %d within %d s"),
                      instance_name(running->instance), (int)LIMIT_APP_PORT, limit_s);
        }
        error_set_rule(&error, running->other_port ? "P-91" : "P-103", cloud);
        error_set_hint(&error,
                       _("listen on 0.0.0.0 and the port in LEANCLOUD_APP_PORT, or raise "
                         "startupTimeout in leanengine.yaml (at most %d)"),
                       (int)LIMIT_STARTUP_TIMEOUT_MAX_S);
    } else {
        error_set(&error, ERROR_APP, _("%s was not healthy within %d s: %s"),
                  instance_name(running->instance), limit_s, running->last_round);
        error_set_rule(&error, "P-104", cloud);
        error_set_hint(&error, _("answer GET / with 2xx (redirects are not followed), or wire the "
                                 "vendor's SDK for /__engine/1/ping"));
        if (!instance_is_listening(running->instance) && !engine->host.has[SANDBOX_NOTIFY]) {
            error_set_hint(&error,
                           _("does it take its port from LEANCLOUD_APP_PORT? It is %u here, "
                             "because this host offers no port broker"),
                           instance_port(running->instance));
        }
    }
    running_explain(running, -1, &error);
    running_judge(running, &error, NULL);
}

void running_judge_exit(struct running *running, int wait_status, bool app_exited)
{
    struct error error = {0};
    if (instance_over_bytes(running->instance)) {
        size_explain_memory(running, &error);
        running_judge(running, &error, NULL);
        return;
    }
    const char *trouble = instance_last_trouble(running->instance);
    auto_free char *lines = instance_last_lines(running->instance);
    auto_free char *cloud = *lines ? str_printf(TEXT_INSTANCE_LOG, lines) : NULL; // P-113
    if (*trouble) {
        error_set(&error, ERROR_APP, "%s", trouble);
    } else {
        error_set(&error, ERROR_APP, _("%s ended before it was healthy: %s"),
                  app_exited ? _("the app") : _("the sandbox"),
                  process_describe_status(wait_status));
    }
    error_set_rule(&error, "P-109", cloud);
    error_set_hint(&error, _("its last lines are in the log; mend the file and save"));
    const char *run = running->engine->project.yaml.run;
    if (run && app_exited && WIFEXITED(wait_status)) {
        modes_explain(WEXITSTATUS(wait_status), run, &error);
    }
    running_explain(running, wait_status, &error);
    running_judge(running, &error, NULL);
}

// ---- health ----

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

static void describe_round(const struct health_round *round, char *out, size_t size)
{
    const struct health_probe_result *home = &round->home;
    if (home->status == 0) {
        snprintf(out, size, "/ %s", home->failure);
    } else if (*home->location) {
        snprintf(out, size, _("/ redirects: %d to %s"), home->status, home->location);
    } else {
        snprintf(out, size, "/ %d, %s %d", home->status, round->ping.path, round->ping.status);
    }
}

static void take_healthy_round(struct running *running, const struct health_round *round)
{
    struct engine *engine = running->engine;
    bool by_ping = strcmp(round->healthy_path, round->ping.path) == 0;
    const struct health_probe_result *good = by_ping ? &round->ping : &round->home;
    engine->healthy_wall_ms = clock_wall_ms();
    if (running->role == ROLE_SERVING) {
        if (running->bad_rounds) {
            announce_probe(running, good, "healthy");
            health_set_interval(running->health, LIMIT_PERIODIC_PROBE_MS);
        }
        running->bad_rounds = 0;
        touch(engine);
        return;
    }
    running->bad_rounds = 0;
    announce_probe(running, good, "healthy");
    announce_cloud(engine, TEXT_INSTANCE_STARTED, good->body);
    rollout_take_over(running);
}

static void take_periodic_failure(struct running *running, const struct health_round *round)
{
    struct engine *engine = running->engine;
    if (engine->options.debug) {
        return; // it may stand at a breakpoint
    }
    announce_probe(running, &round->home, "failed");
    if (running->bad_rounds < UNHEALTHY_ROUNDS) {
        health_set_interval(running->health, UNHEALTHY_RETRY_MS);
        return;
    }
    running->bad_rounds = 0;
    struct in_addr address = {.s_addr = htonl(instance_address(running->instance))};
    char where[64];
    snprintf(where, sizeof where, "%s:%u", inet_ntoa(address), instance_port(running->instance));
    auto_free char *cloud =
        str_printf(TEXT_PERIODIC_FAILED, instance_name(running->instance), where);
    announce_notice(engine, "error", "P-107", cloud, NULL, _("%s is no longer healthy: restarting"),
                    instance_name(running->instance));
    rollout_restart(engine, clock_now_ms(), NULL);
}

static void on_round(void *context, const struct health_round *round)
{
    struct running *running = context;
    bool healthy = round->verdict == HEALTH_HEALTHY;
    bool by_ping = healthy && strcmp(round->healthy_path, round->ping.path) == 0;
    remember_probe(running, &round->home, healthy && !by_ping ? "healthy" : "not-yet");
    remember_probe(running, &round->ping, by_ping ? "healthy" : "not-yet");
    if (healthy) {
        take_healthy_round(running, round);
        return;
    }
    running->bad_rounds++;
    char text[sizeof running->last_round];
    describe_round(round, text, sizeof text);
    bool news = strcmp(text, running->last_round) != 0;
    snprintf(running->last_round, sizeof running->last_round, "%s", text);
    if (running->role == ROLE_SERVING) {
        take_periodic_failure(running, round);
    } else if (news && instance_is_listening(running->instance)) {
        announce_probe(running, &round->home, "not-yet");
        announce_probe(running, &round->ping, "not-yet");
    } else {
        touch(running->engine);
    }
}

void running_start_health(struct running *running, int64_t interval_ms)
{
    struct error error = {0};
    const struct health_options options = {
        .address = instance_address(running->instance),
        .port = instance_port(running->instance),
        .host_header = "localhost",
        .strict = running->engine->project.yaml.functions_mode == FUNCTIONS_STRICT,
        .interval_ms = interval_ms,
        .probe_timeout_ms = LIMIT_PROBE_TIMEOUT_MS,
        .context = running,
        .on_round = on_round,
    };
    running->health = health_start(running->engine->loop, &options, &error);
    if (!running->health) {
        running_judge(running, &error, NULL);
    }
}

bool running_is_loopback(const char *asked)
{
    return str_starts_with(asked, "127.") || str_starts_with(asked, "::1:") ||
           str_starts_with(asked, "[::1]") || str_starts_with(asked, "::ffff:127.");
}

// P-105: refused at once, saying what the cloud would do after its limit; but served in
// development, because the vendor's own template listens on localhost then (P-84).
bool running_refuse_loopback(struct running *running, const char *asked)
{
    struct engine *engine = running->engine;
    if (!running_is_loopback(asked)) {
        return false;
    }
    const char *mend = "app.run(host='0.0.0.0', port=int(os.environ['LEANCLOUD_APP_PORT']))";
    auto_free char *cloud = str_printf(TEXT_START_NO_PORT, engine->project.yaml.startup_timeout_s);
    if (strcmp(engine->options.environment, "development") == 0) {
        engine->warnings++;
        announce_notice(engine, "warning", "P-105", cloud, mend,
                        _("the app listens on %s only; in the cloud this deploy would fail"),
                        asked);
        return false;
    }
    struct error error = {0};
    error_set(&error, ERROR_APP, _("the app must listen on 0.0.0.0; it asked for %s"), asked);
    error_set_rule(&error, "P-105", cloud);
    running_judge(running, &error, mend);
    return true;
}
