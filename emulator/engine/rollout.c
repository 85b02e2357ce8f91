// Instances and traffic: start, ask for health, switch, drain, replace what died.
//
// Who serves is one pointer in the gateway. A candidate takes it when it is healthy; the old one finishes
// its requests and is then ended with TERM, 10 s, KILL (P-173, P-174). An instance that dies while it serves
// is replaced by the same version, with a growing pause when it dies again and again. Nothing here decides
// what a version is; that is deployment.c.

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/engine/internal.h"
#include "emulator/instance/usage.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"

#define DRAIN_LIMIT_MS     30000 // DESIGN 4: in `up` the old one ends when its requests do, 30 s at most
#define CRASH_PAUSE_MAX_MS 30000
#define CRASH_FORGET_MS    60000
#define UNHEALTHY_RETRY_MS 10000
#define UNHEALTHY_ROUNDS   3 // [I]: failures in a row before a restart (P-107)
#define DRAINING_STREAMS   2 // more than these drain: the oldest one's endless streams are closed

static void on_round(void *context, const struct health_round *round);

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

static bool version_in_use(const struct engine *engine, const char *tag)
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
    if (tag && engine->tree && !version_in_use(engine, tag)) {
        tree_release_version(engine->tree, tag);
    }
}

static void free_running(struct running *running)
{
    struct engine *engine = running->engine;
    for (struct running **slot = &engine->runnings; *slot; slot = &(*slot)->next) {
        if (*slot == running) {
            *slot = running->next;
            break;
        }
    }
    health_free(running->health);
    loop_source_free(running->timer);
    instance_free(running->instance);
    if (running->version.tag && engine->tree && !version_in_use(engine, running->version.tag)) {
        tree_release_version(engine->tree, running->version.tag);
    }
    tree_version_release(&running->version);
    strlist_clear(&running->built_lowers);
    if (running->private_dir) {
        fs_remove_tree(running->private_dir, NULL);
        free(running->private_dir);
    }
    free(running);
}

// ---- addresses ----

static bool can_bind(uint32_t address, uint16_t port)
{
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0;
}

static uint16_t free_port(uint32_t address)
{
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    socklen_t len = sizeof name;
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ||
        getsockname(fd, (struct sockaddr *)&name, &len) < 0) {
        return 0;
    }
    return ntohs(name.sin_port);
}

// 127.77.N.M: N from the project, M counts up; taken ones are passed over. When the host itself holds
// 0.0.0.0:3000 no address is free: then a private port behind the same public one (DESIGN 6).
static void choose_address(struct engine *engine, struct instance_options *options)
{
    options->public_port = (uint16_t)LIMIT_APP_PORT;
    options->actual_port = options->public_port;
    if (!engine->host.has[SANDBOX_NOTIFY]) {
        options->address = 0;
        options->actual_port = options->public_port = free_port(INADDR_LOOPBACK);
        return;
    }
    unsigned project = (unsigned)strtoul(engine->project.id + 8, NULL, 16) % 254 + 1;
    uint32_t base = (127u << 24) | (77u << 16) | (project << 8);
    for (int tries = 0; tries < 254; tries++) {
        options->address = base | (engine->address_counter++ % 254 + 1);
        if (can_bind(options->address, options->public_port)) {
            return;
        }
    }
    options->actual_port = free_port(options->address);
}

// ---- failure of a start ----

// A verdict about a candidate or a replacement: told once, and the instance goes.
static void judge(struct running *running, const struct error *error, const char *mend)
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

static void judge_timeout(void *context)
{
    struct running *running = context;
    struct engine *engine = running->engine;
    int limit_s = engine->project.yaml.startup_timeout_s;
    struct error error = {0};
    auto_free char *cloud = str_printf(TEXT_START_NO_PORT, limit_s);
    if (!instance_is_listening(running->instance) && engine->host.has[SANDBOX_NOTIFY]) {
        error_set(&error, ERROR_APP, _("%s did not listen on port %d within %d s"),
                  instance_name(running->instance), (int)LIMIT_APP_PORT, limit_s);
        error_set_rule(&error, "P-103", cloud);
        error_set_hint(&error, _("listen on 0.0.0.0 and the port in LEANCLOUD_APP_PORT, or raise "
                                 "startupTimeout in leanengine.yaml (at most %d)"),
                       (int)LIMIT_STARTUP_TIMEOUT_MAX_S);
    } else {
        error_set(&error, ERROR_APP, _("%s was not healthy within %d s: %s"),
                  instance_name(running->instance), limit_s, running->last_round);
        error_set_rule(&error, "P-104", cloud);
        error_set_hint(&error, _("answer GET / with 2xx (redirects are not followed), or wire the "
                                 "vendor's SDK for /__engine/1/ping"));
        if (!instance_is_listening(running->instance) && !engine->host.has[SANDBOX_NOTIFY]) {
            error_set_hint(&error, _("does it take its port from LEANCLOUD_APP_PORT? It is %u here, "
                                     "because this host offers no port broker"),
                           instance_port(running->instance));
        }
    }
    judge(running, &error, NULL);
}

static void judge_exit(struct running *running, int wait_status, bool app_exited)
{
    struct error error = {0};
    const char *trouble = instance_last_trouble(running->instance);
    auto_free char *lines = instance_last_lines(running->instance);
    auto_free char *cloud = *lines ? str_printf(TEXT_INSTANCE_LOG, lines) : NULL; // P-113
    if (*trouble) {
        error_set(&error, ERROR_APP, "%s", trouble);
    } else {
        error_set(&error, ERROR_APP, _("%s ended before it was healthy: %s"),
                  app_exited ? _("the app") : _("the sandbox"), process_describe_status(wait_status));
    }
    error_set_rule(&error, "P-109", cloud);
    error_set_hint(&error, _("its last lines are in the log; mend the file and save"));
    judge(running, &error, NULL);
}

// ---- switch ----

static void set_upstream(struct engine *engine, const struct running *running)
{
    if (!engine->gateway) {
        return;
    }
    struct gateway_upstream upstream = {.address = running ? instance_address(running->instance) : 0,
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

static void take_over(struct running *running)
{
    struct engine *engine = running->engine;
    struct running *old = rollout_serving(engine);
    enum role role = running->role;
    loop_source_free(running->timer);
    running->timer = NULL;
    running->role = ROLE_SERVING;
    instance_mark_healthy(running->instance);
    health_set_interval(running->health, LIMIT_PERIODIC_PROBE_MS);
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
    announce_notice(engine, "note", NULL, NULL, NULL, _("%s serves version %s now"),
                    instance_name(running->instance), running->version.tag);
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
    *probe = (struct snapshot_probe){.wall_ms = clock_wall_ms(),
                                     .status = result->status,
                                     .ms = result->duration_us / 1000};
    snprintf(probe->instance, sizeof probe->instance, "%s", instance_name(running->instance));
    snprintf(probe->path, sizeof probe->path, "%s", result->path);
    snprintf(probe->verdict, sizeof probe->verdict, "%s", verdict);
    const char *text = result->status == 0  ? result->failure
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
    event.text = (char *)(uintptr_t)(result->status == 0  ? result->failure
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
    take_over(running);
}

static void take_periodic_failure(struct running *running, const struct health_round *round)
{
    struct engine *engine = running->engine;
    announce_probe(running, &round->home, "failed");
    if (running->bad_rounds < UNHEALTHY_ROUNDS) {
        health_set_interval(running->health, UNHEALTHY_RETRY_MS);
        return;
    }
    running->bad_rounds = 0;
    struct in_addr address = {.s_addr = htonl(instance_address(running->instance))};
    char where[64];
    snprintf(where, sizeof where, "%s:%u", inet_ntoa(address), instance_port(running->instance));
    auto_free char *cloud = str_printf(TEXT_PERIODIC_FAILED, instance_name(running->instance), where);
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

static void start_health(struct running *running, int64_t interval_ms)
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
        judge(running, &error, NULL);
    }
}

// ---- the instance's callbacks ----

static void on_state(void *context, struct instance *instance)
{
    struct running *running = context;
    struct event event = event_new(EVENT_INSTANCE);
    event.instance = (char *)(uintptr_t)instance_name(instance);
    event.version = (char *)(uintptr_t)instance_version(instance);
    event.state = (char *)(uintptr_t)instance_state_name(instance_state(instance));
    announce(running->engine, &event);
}

static bool is_loopback_only(const char *asked)
{
    return str_starts_with(asked, "127.") || str_starts_with(asked, "::1:") ||
           str_starts_with(asked, "[::1]") || str_starts_with(asked, "::ffff:127.");
}

// P-105: refused at once, saying what the cloud would do after its limit; but served in development,
// because the vendor's own template listens on localhost then (P-84).
static bool refuse_loopback(struct running *running, const char *asked)
{
    struct engine *engine = running->engine;
    const char *mend = "app.run(host='0.0.0.0', port=int(os.environ['LEANCLOUD_APP_PORT']))";
    auto_free char *cloud = str_printf(TEXT_START_NO_PORT, engine->project.yaml.startup_timeout_s);
    if (strcmp(engine->options.environment, "development") == 0) {
        engine->warnings++;
        announce_notice(engine, "warning", "P-105", cloud, mend,
                        _("the app listens on %s only; in the cloud this deploy would fail"), asked);
        return false;
    }
    struct error error = {0};
    error_set(&error, ERROR_APP, _("the app must listen on 0.0.0.0; it asked for %s"), asked);
    error_set_rule(&error, "P-105", cloud);
    judge(running, &error, mend);
    return true;
}

static void on_listening(void *context, struct instance *instance, const char *asked,
                         uint16_t asked_port)
{
    struct running *running = context;
    struct engine *engine = running->engine;
    struct event event = event_new(EVENT_LISTEN);
    event.instance = (char *)(uintptr_t)instance_name(instance);
    event.text = (char *)(uintptr_t)asked;
    announce(engine, &event);
    if (asked_port != LIMIT_APP_PORT) {
        if (!instance_is_listening(instance) && !running->warned_port) {
            running->warned_port = true;
            announce_notice(engine, "note", "P-92", NULL,
                            _("take the port from LEANCLOUD_APP_PORT"),
                            _("the app listens on port %u; the cloud reaches port %d only"),
                            asked_port, (int)LIMIT_APP_PORT);
        }
        return;
    }
    if (running->health || running->judged || running->role == ROLE_OLD ||
        running->role == ROLE_SERVING) {
        return; // a second socket of the same port: pre-fork servers, dual stack
    }
    if (is_loopback_only(asked) && refuse_loopback(running, asked)) {
        return;
    }
    announce_stage(engine, STAGE_HEALTHY, "running", -1, NULL);
    start_health(running, LIMIT_PROBE_INTERVAL_MS);
}

static void on_failed(void *context, struct instance *instance, const struct error *error)
{
    (void)instance;
    struct running *running = context;
    struct engine *engine = running->engine;
    if (running == engine->exec_running) {
        running->judged = true;
        requests_exec_failed(engine, error);
        return;
    }
    judge(running, error, NULL);
}

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

static int64_t crash_pause_ms(const struct engine *engine)
{
    if (engine->crashes <= 1) {
        return 0;
    }
    int64_t pause_ms = engine->crashes > 7 ? CRASH_PAUSE_MAX_MS : 500LL << (engine->crashes - 1);
    return pause_ms < CRASH_PAUSE_MAX_MS ? pause_ms : CRASH_PAUSE_MAX_MS;
}

void rollout_replace_later(struct engine *engine)
{
    if (engine->must_replace && !engine->stopping) {
        loop_source_free(engine->crash_timer);
        engine->crash_timer =
            loop_add_timer(engine->loop, crash_pause_ms(engine), replace, engine);
    }
}

// P-172, DESIGN 3: what served is gone; the same version again.
static void replace_dead(struct running *running, int wait_status, bool app_exited)
{
    struct engine *engine = running->engine;
    bool old_enough = clock_now_ms() - instance_started_ms(running->instance) > CRASH_FORGET_MS;
    engine->crashes = old_enough ? 1 : engine->crashes + 1;
    engine->must_replace = true;
    announce_notice(engine, "error", "P-172", NULL, NULL,
                    app_exited ? _("%s: the app ended by itself (%s); starting it again in %lld s")
                               : _("%s: its sandbox ended (%s); starting it again in %lld s"),
                    instance_name(running->instance), process_describe_status(wait_status),
                    (long long)(crash_pause_ms(engine) / 1000));
    // The version goes with the record; keep it for the replacement.
    forget_last_version(engine);
    tree_version_copy(&engine->last_version, &running->version);
    strlist_copy(&engine->last_built_lowers, &running->built_lowers);
    set_upstream(engine, NULL);
    rollout_replace_later(engine);
}

static void on_gone(void *context, struct instance *instance, int wait_status, bool app_exited)
{
    (void)instance;
    struct running *running = context;
    struct engine *engine = running->engine;
    health_free(running->health);
    running->health = NULL;
    if (running == engine->exec_running) {
        engine->exec_running = NULL;
        if (!running->judged) {
            requests_exec_exited(engine, wait_status);
        }
    } else if (!engine->stopping) {
        if (running->role == ROLE_SERVING) {
            replace_dead(running, wait_status, app_exited);
        } else if (running->role != ROLE_OLD && !running->judged) {
            judge_exit(running, wait_status, app_exited);
        }
    }
    free_running(running);
    touch(engine);
    engine_end_if_empty(engine);
}

static void on_output(void *context, struct instance *instance)
{
    (void)instance;
    struct running *running = context;
    journal_flush(running->engine->journal);
    server_touch_journal(running->engine->server);
}

// ---- starting ----

static struct running *new_running(struct engine *engine, const char *name, enum role role,
                                   struct error *error)
{
    struct running *running = mem_alloc(sizeof *running);
    running->engine = engine;
    running->role = role;
    running->cpu_permille = -1;
    struct build_mounts mounts = {0};
    build_mounts_for(&mounts, &engine->built, &engine->host);
    struct instance_options options = {
        .region = engine->options.region,
        .binds = mounts.binds,
        .bind_count = mounts.bind_count,
        .host = &engine->host,
        .host_uid = ENGINE_HOST_ID,
        .host_gid = ENGINE_HOST_ID,
        .journal = engine->journal,
        .context = running,
        .on_state = on_state,
        .on_listening = on_listening,
        .on_failed = on_failed,
        .on_gone = on_gone,
        .on_output = on_output,
    };
    snprintf(options.name, sizeof options.name, "%s", name);
    choose_address(engine, &options);
    if (!engine->host.has[SANDBOX_MOUNT]) {
        running->private_dir = str_printf("%s/private-%s", engine->run_dir, name);
        if (fs_mkdir_p(running->private_dir, 0700, error) < 0) {
            free(running->private_dir);
            free(running);
            build_mounts_release(&mounts);
            return NULL;
        }
        options.private_dir = running->private_dir;
    }
    running->instance = instance_new(engine->loop, &options, error);
    build_mounts_release(&mounts);
    if (!running->instance) {
        free(running->private_dir);
        free(running);
        return NULL;
    }
    running->next = engine->runnings;
    engine->runnings = running;
    return running;
}

static int go(struct running *running, char *const *argv, const int *fds, bool terminal,
              struct error *error)
{
    struct engine *engine = running->engine;
    struct environment environment = {0};
    struct diagnostics diagnostics = {0};
    struct strlist env = {0};
    const char *home = instance_home(running->instance);
    int result = engine_environment(engine, running->version.tag, instance_name(running->instance),
                                    instance_public_port(running->instance), home, &environment,
                                    &diagnostics, error);
    announce_diagnostics(engine, &diagnostics);
    diagnostics_clear(&diagnostics);
    if (result == 0) {
        environment_to_list(&environment, &env);
        result = instance_go(running->instance, &running->version, &running->built_lowers, argv,
                             env.items, fds, terminal, error);
    }
    strlist_clear(&env);
    environment_release(&environment);
    return result;
}

// What the cloud would run: `run:` by a shell (P-21, P-37), else the default server (P-80).
static void app_command(const struct engine *engine, const struct running *running,
                        struct strlist *argv)
{
    const char *run = engine->project.yaml.run;
    if (run) {
        strlist_add(argv, "/bin/sh");
        strlist_add(argv, "-c");
        strlist_add(argv, run);
    } else {
        strlist_addf(argv, "%s/bin/python", engine->built.layer_target);
        strlist_add(argv, "-u"); // P-126
        strlist_add(argv, instance_runner(running->instance));
    }
}

struct running *rollout_start(struct engine *engine, const struct tree_version *version,
                              const struct strlist *built_lowers, enum role role,
                              int64_t begun_ms, struct error *error)
{
    char name[32];
    snprintf(name, sizeof name, "%.20s%u", engine->options.group, ++engine->instance_counter);
    struct running *running = new_running(engine, name, role, error);
    if (!running) {
        return NULL;
    }
    running->begun_ms = begun_ms;
    tree_version_copy(&running->version, version);
    strlist_copy(&running->built_lowers, built_lowers);
    struct strlist argv = {0};
    app_command(engine, running, &argv);
    int result = go(running, argv.items, NULL, false, error);
    strlist_clear(&argv);
    if (result < 0) {
        running->judged = true; // the caller tells; on_gone only cleans up
        instance_terminate(running->instance, 0);
        return NULL;
    }
    running->timer = loop_add_timer(engine->loop, engine->project.yaml.startup_timeout_s * 1000LL,
                                    judge_timeout, running);
    if (!engine->host.has[SANDBOX_NOTIFY]) {
        // COMPAT: without the broker nobody tells the moment of listen; ask more often than the cloud.
        start_health(running, LIMIT_PROBE_INTERVAL_MS / 10);
    }
    return running;
}

struct running *rollout_start_command(struct engine *engine, char *const *argv, const int *fds,
                                      bool terminal, struct error *error)
{
    struct running *running = new_running(engine, "exec1", ROLE_OLD, error);
    if (!running) {
        return NULL;
    }
    tree_version_copy(&running->version, &engine->deployment.version);
    strlist_copy(&running->built_lowers, &engine->built.built_lowers);
    engine->exec_running = running;
    if (go(running, argv, fds, terminal, error) < 0) {
        running->judged = true;
        engine->exec_running = NULL;
        instance_terminate(running->instance, 0);
        return NULL;
    }
    return running;
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
    if (find_role(engine, ROLE_REPLACEMENT)) {
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
        free_running(engine->runnings);
    }
}

void rollout_read_meters(struct engine *engine)
{
    int64_t now_ms = clock_now_ms();
    for (struct running *at = engine->runnings; at; at = at->next) {
        struct usage usage;
        if (usage_read(instance_pid(at->instance), &usage) < 0) {
            continue;
        }
        if (at->cpu_read_ms && now_ms > at->cpu_read_ms) {
            int64_t used_ms = (usage.cpu_ticks - at->cpu_ticks) * 1000 / sysconf(_SC_CLK_TCK);
            at->cpu_permille = used_ms < 0 ? 0 : used_ms * 1000 / (now_ms - at->cpu_read_ms);
        }
        at->cpu_ticks = usage.cpu_ticks;
        at->cpu_read_ms = now_ms;
        at->memory_bytes = usage.anonymous_bytes;
        at->disk_bytes = usage.disk_bytes;
    }
    touch(engine);
}
