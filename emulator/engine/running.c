// One instance from its sandbox to its end: address, environment, command, and what it reports.
// What its reports mean for the project's traffic is rollout.c; whether it is healthy is verdict.c.

#include "emulator/engine/running.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/staging.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/fs.h"

#define HELD_PORT 61777 // on each instance's own address only

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

// The app binds its port some 100 ms after we chose the address; until then nobody else may choose
// it. So a port that nobody uses is held on it, for as long as the instance lives.
static int hold_address(uint32_t address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(HELD_PORT), .sin_addr.s_addr = htonl(address)};
    if (fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

uint32_t running_base_address(const struct engine *engine)
{
    unsigned project = (unsigned)strtoul(engine->project.id + 8, NULL, 16) % 254 + 1;
    return (127u << 24) | (77u << 16) | (project << 8);
}

// 127.77.N.M: N from the project, M counts up; taken ones are passed over. When the host itself
// holds 0.0.0.0:3000 no address is free: then a private port behind the same public one (DESIGN 6).
// Returns what holds the address for this instance's life, or -1.
static int choose_address(struct engine *engine, struct instance_options *options)
{
    options->public_port = (uint16_t)LIMIT_APP_PORT;
    options->actual_port = options->public_port;
    if (!engine->host.has[SANDBOX_NOTIFY]) {
        options->address = 0;
        options->actual_port = options->public_port = free_port(INADDR_LOOPBACK);
        return -1;
    }
    uint32_t base = running_base_address(engine);
    int held_fd = -1;
    if (engine->options.debug) {
        engine->address_counter = 0; // one instance: the address that a debugger knows
    }
    for (int tries = 0; tries < 254; tries++) {
        options->address = base | (engine->address_counter++ % 254 + 1);
        held_fd = hold_address(options->address);
        if (held_fd >= 0 && can_bind(options->address, options->public_port)) {
            return held_fd;
        }
        if (held_fd >= 0) {
            close(held_fd);
        }
    }
    options->actual_port = free_port(options->address);
    return -1;
}

// ---- what it reports ----

static void on_state(void *context, struct instance *instance)
{
    struct running *running = context;
    struct event event = event_new(EVENT_INSTANCE);
    event.instance = (char *)(uintptr_t)instance_name(instance);
    event.version = (char *)(uintptr_t)instance_version(instance);
    event.state = (char *)(uintptr_t)instance_state_name(instance_state(instance));
    announce(running->engine, &event);
}

// P-92: only a port that is meant for others: not one of loopback, nor any free one.
static void note_other_port(struct running *running, const char *asked, uint16_t asked_port)
{
    if (asked_port == 0 || running->other_port || running_is_loopback(asked) ||
        instance_is_listening(running->instance)) {
        return;
    }
    running->other_port = asked_port;
    announce_notice(running->engine, "note", "P-92", NULL,
                    _("take the port from LEANCLOUD_APP_PORT"),
                    _("the app listens on port %u; the cloud reaches port %d only"), asked_port,
                    (int)LIMIT_APP_PORT);
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
        if (engine->options.debug) {
            running_tell_debugger(running, asked_port);
        } else {
            note_other_port(running, asked, asked_port);
        }
        return;
    }
    if (running->health || running->judged || running->role == ROLE_OLD ||
        running->role == ROLE_SERVING) {
        return; // a second socket of the same port: pre-fork servers, dual stack
    }
    if (running_refuse_loopback(running, asked)) {
        return;
    }
    if (!staging_has(running->id)) {
        announce_stage(engine, STAGE_HEALTHY, "running", -1, NULL);
    }
    if (engine->options.debug) {
        rollout_take_over(running); // a probe would run into the breakpoint
        return;
    }
    running_start_health(running, engine->times.interval_ms);
}

// P-216: told once a port, whatever is saved after it.
static void on_reached(void *context, struct instance *instance, const char *asked,
                       uint16_t asked_port)
{
    (void)instance;
    struct running *running = context;
    struct engine *engine = running->engine;
    for (size_t i = 0; i < engine->reached_count; i++) {
        if (engine->reached[i] == asked_port) {
            return;
        }
    }
    if (running == engine->exec_running || engine->reached_count == ARRAY_LEN(engine->reached)) {
        return;
    }
    engine->reached[engine->reached_count++] = asked_port;
    bool strict = engine->mode == MODE_VERIFY;
    engine->warnings += strict;
    announce_notice(engine, strict ? "warning" : "note", "P-216", NULL,
                    _("take the address from a variable: of a database that is bound to the group, "
                      "or one of your own"),
                    _("the app uses %s of this machine; in the cloud nothing listens there"),
                    asked);
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
    running_judge(running, error, NULL);
}

static void on_gone(void *context, struct instance *instance, int wait_status, bool app_exited)
{
    struct running *running = context;
    struct engine *engine = running->engine;
    struct error error = {0};
    unsigned id = running->id;
    health_free(running->health);
    running->health = NULL;
    if (running == engine->exec_running) {
        engine->exec_running = NULL;
        if (!running->judged) {
            requests_exec_exited(engine, wait_status);
        }
    } else if (!engine->stopping) {
        if (running->role == ROLE_SERVING) {
            running_describe_death(running, wait_status, app_exited, &error);
        } else if (running->role == ROLE_OLD && instance_over_bytes(instance)) {
            size_explain_memory(running, &error);
            announce_notice(engine, "warning", "P-172", NULL, error.hint, "%s", error.message);
        } else if (running->role != ROLE_OLD && !running->judged) {
            running_judge_exit(running, wait_status, app_exited);
        }
    }
    running_free(running);
    touch(engine);
    if (id) {
        rollout_exited(engine, id, &error);
    }
    engine_end_if_empty(engine);
}

static void on_output(void *context, struct instance *instance)
{
    struct running *running = context;
    journal_flush(running->engine->journal);
    server_touch_journal(running->engine->server);
    if (instance_has_terminal(instance)) {
        touch(running->engine); // its prompt
    }
}

static void on_full(void *context, struct instance *instance, const char *filled)
{
    (void)instance;
    size_tell_full(context, filled);
}

// ---- starting and freeing ----

void running_add_kept(struct build_mounts *mounts, const struct kept *kept)
{
    for (size_t i = 0; i < kept->bind_count; i++) {
        const struct sandbox_bind *bind = &kept->binds[i];
        build_mounts_add(mounts, bind->source, bind->target, bind->flags);
    }
}

static struct running *drop_unborn(struct running *running)
{
    if (running->address_fd >= 0) {
        close(running->address_fd);
    }
    free(running->private_dir);
    free(running);
    return NULL;
}

static struct running *new_running(struct engine *engine, const char *name,
                                   const struct running_order *order, struct error *error)
{
    struct running *running = mem_alloc(sizeof *running);
    running->engine = engine;
    running->id = order->id;
    running->slot = order->slot;
    running->role = order->role;
    running->cpu_permille = -1;
    struct build_mounts mounts = {0};
    build_mounts_for(&mounts, &engine->built, &engine->host);
    build_mounts_add_system(&mounts, &engine->project.yaml.system_dependencies, &engine->host);
    running_add_kept(&mounts, &engine->kept);
    struct instance_options options = {
        .region = engine->options.region,
        .binds = mounts.binds,
        .bind_count = mounts.bind_count,
        .symlinks = engine->kept.symlinks,
        .symlink_count = engine->kept.symlink_count,
        .host = &engine->host,
        .host_uid = ENGINE_HOST_ID,
        .host_gid = ENGINE_HOST_ID,
        .journal = engine->journal,
        .context = running,
        .on_state = on_state,
        .on_listening = on_listening,
        .on_reached = on_reached,
        .on_failed = on_failed,
        .on_gone = on_gone,
        .on_output = on_output,
        .on_full = on_full,
        .groups = &engine->groups,
        .number = order->id,
        .terminal = engine->options.debug,
    };
    if (order->id) { // a command of exec is no instance of the cloud's
        options.limits = size_limits(engine);
    }
    snprintf(options.name, sizeof options.name, "%s", name);
    running->address_fd = choose_address(engine, &options);
    if (!engine->host.has[SANDBOX_MOUNT]) {
        running->private_dir = str_printf("%s/private-%s", engine->run_dir, name);
        if (fs_mkdir_p(running->private_dir, 0700, error) < 0) {
            build_mounts_release(&mounts);
            return drop_unborn(running);
        }
        options.private_dir = running->private_dir;
    }
    running->instance = instance_new(engine->loop, &options, error);
    build_mounts_release(&mounts);
    if (!running->instance) {
        return drop_unborn(running);
    }
    tree_version_copy(&running->version, order->version);
    strlist_copy(&running->built_lowers, order->built_lowers);
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
    announce_diagnostics(engine, TOLD_VARIABLES, &diagnostics);
    diagnostics_clear(&diagnostics);
    if (result == 0) {
        environment_to_list(&environment, &env);
        if (terminal && engine->exec_term) {
            strlist_env_set(&env, "TERM", engine->exec_term);
        }
        if (instance_has_terminal(running->instance)) {
            strlist_env_set(&env, "TERM", "dumb"); // one line at a time (logs/typed_line.h)
        }
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

// P-176: "web3". Of several instances the place in the group comes first, as on the platform's
// newer consoles: "web2-5" (docs/decisions/0031).
static void choose_name(const struct engine *engine, const struct running_order *order,
                        char name[static 32])
{
    if (staging_has(order->id)) {
        staging_name(engine, order->id, name);
    } else if (engine->options.instances > 1) {
        snprintf(name, 32, "%.16s%u-%u", engine->options.group, order->slot, order->id);
    } else {
        snprintf(name, 32, "%.20s%u", engine->options.group, order->id);
    }
}

struct running *running_start(struct engine *engine, const struct running_order *order,
                              struct error *error)
{
    char name[32];
    choose_name(engine, order, name);
    struct running *running = new_running(engine, name, order, error);
    if (!running) {
        return NULL;
    }
    struct strlist argv = {0};
    app_command(engine, running, &argv);
    int result = go(running, argv.items, NULL, false, error);
    strlist_clear(&argv);
    if (result < 0) {
        running->judged = true; // the caller tells; on_gone only cleans up
        instance_terminate(running->instance, 0);
        return NULL;
    }
    if (!engine->options.debug) {
        running->timer = loop_add_timer(
            engine->loop,
            health_start_limit_ms(&engine->times, engine->project.yaml.startup_timeout_s),
            running_judge_timeout, running);
    }
    if (!engine->host.has[SANDBOX_NOTIFY]) {
        // COMPAT: without the broker nobody tells the moment of listen; ask more often than the
        // cloud.
        running_start_health(running, engine->times.interval_ms / 10);
    }
    return running;
}

struct running *running_start_command(struct engine *engine, char *const *argv, const int *fds,
                                      bool terminal, struct error *error)
{
    const struct running_order order = {.role = ROLE_OLD,
                                        .version = &engine->deployment.version,
                                        .built_lowers = &engine->built.built_lowers};
    struct running *running = new_running(engine, "exec1", &order, error);
    if (!running) {
        return NULL;
    }
    engine->exec_running = running;
    if (go(running, argv, fds, terminal, error) < 0) {
        running->judged = true;
        engine->exec_running = NULL;
        instance_terminate(running->instance, 0);
        return NULL;
    }
    return running;
}

void running_free(struct running *running)
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
    if (running->address_fd >= 0) {
        close(running->address_fd);
    }
    if (running->version.tag && engine->tree &&
        !rollout_version_in_use(engine, running->version.tag)) {
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
