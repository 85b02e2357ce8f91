// The engine's life: born with one socket, told what to do by the first message, ended by its last
// client, by a signal, or by being done.
//
// The end: everything is asked to stop, with 2 s for the app (10 in a rollout); when the last
// instance is gone, or after the limit in any case, DONE is sent and the loop ends. If we are
// killed instead, the kernel ends the instances (sandbox.h) and our client or the next start sweeps
// our files: each engine holds a lock in its run directory for as long as it lives.

#include "emulator/engine/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "emulator/engine/functions.h"
#include "emulator/engine/dozing.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/timers.h"
#include "emulator/engine/remove.h"
#include "emulator/engine/staging.h"
#include "emulator/engine/traffic.h"
#include "emulator/environment/offline_api.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/log.h"
#include "sandbox/base/process.h"

#define QUIT_GRACE_MS  2000 // DESIGN 4: on quit 2 s instead of 10
#define QUIT_LIMIT_MS  2600 // all must be over within 3 s
#define FLUSH_LIMIT_MS 500
#define LAST_READ_MS   1000 // for clients to read the journal's end
#define FIRST_METER_MS 500  // so that a new screen is not blank for long
#define METER_MS       5000 // DESIGN 13: at most 0.2 wake-ups a second

static const char *const mode_names[MODE__COUNT] = {"up",   "verify", "build",
                                                    "exec", "env",    "explain"};

// ---- options ----

static char *take_string(const struct cJSON *options, const char *name, const char *fallback)
{
    const char *text = json_get_string(options, name);
    return str_dup(text ? text : fallback);
}

// A file that is named from where the user is, as the tree names it: absolute, links resolved where
// there is one.
static char *take_path(const struct cJSON *options, const char *name)
{
    const char *text = json_get_string(options, name);
    char *real = text ? realpath(text, NULL) : NULL;
    return real ? real : str_dup(text);
}

static void read_options(struct engine *engine, const struct cJSON *options)
{
    const char *environment = engine->mode == MODE_VERIFY ? "production" : "development";
    engine->options = (struct engine_options){
        .host = take_string(options, "host", "127.0.0.1"),
        .port = (int)json_get_int(options, "port", LIMIT_APP_PORT),
        .environment = take_string(options, "env", environment),
        .app_id = take_string(options, "app-id", NULL),
        .region = take_string(options, "region", REGION_DEFAULT),
        .region_option = take_string(options, "region", NULL),
        .group = take_string(options, "group", "web"),
        .group_option = take_string(options, "group", NULL),
        .size = instance_size_find(NULL),
        .env_file = take_path(options, "env-file"),
        .build_root = take_string(options, "build-root", NULL),
        .ignore_file = take_path(options, "leanignore"),
        .keep_modes = json_get_bool(options, "keep-modes", false),
        .from_git = str_equal(json_get_string(options, "from"), "git"),
        .no_cache = json_get_bool(options, "no-cache", false),
        .build_logs = json_get_bool(options, "build-logs", false),
        .legacy_default = json_get_bool(options, "legacy-default", false),
        .install_python = json_get_bool(options, "install-python", false),
        .instances = (unsigned)json_get_int(options, "instances", 1),
        .drain_cloud = str_equal(json_get_string(options, "drain"), "cloud"),
        .debug = engine->mode == MODE_UP && json_get_bool(options, "debug", false),
        .detach = json_get_bool(options, "detach", false),
        .interactive = json_get_bool(options, "interactive", false),
    };
    json_get_strings(options, "persist", &engine->options.persist);
    front_read(&engine->options.front, options);
}

static void release_options(struct engine_options *options)
{
    free(options->host);
    free(options->environment);
    free(options->app_id);
    free(options->region);
    free(options->region_option);
    free(options->group);
    free(options->group_option);
    free(options->env_file);
    free(options->build_root);
    free(options->ignore_file);
    strlist_clear(&options->persist);
    front_release(&options->front);
}

// ---- directories ----

// The lock file's lock, close-on-exec so that no child of ours keeps it. -1: somebody else holds
// it.
static int lock_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void on_removed(void *context, pid_t pid, int wait_status)
{
    struct engine *engine = context;
    (void)pid;
    (void)wait_status;
    loop_source_free(engine->remove_source);
    engine->remove_source = NULL;
}

static void start_removing(struct engine *engine, const char *runs)
{
    char *argv[] = {(char *)(uintptr_t) "leanlocal", (char *)(uintptr_t) "@remove",
                    (char *)(uintptr_t)runs, NULL};
    const struct process_options options = {.argv = argv,
                                            .stdin_fd = -1,
                                            .stdout_fd = -1,
                                            .stderr_fd = -1,
                                            .extra_fd = -1,
                                            .new_session = true};
    struct process process;
    if (process_start(&options, &process, NULL) == 0) {
        close(process.pidfd);
        loop_source_free(engine->remove_source);
        engine->remove_source = loop_add_child(engine->loop, process.pid, on_removed, engine);
    }
}

// The run directory is born locked: between mkdir and flock nobody may take it for a dead one
// (remove.c looks under the same lock).
static int make_run_directory(struct engine *engine, const char *runs, mode_t mode,
                              struct error *error)
{
    auto_free char *path = fs_join(runs, ".lock");
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    engine->run_dir = str_printf("%s/%s-%d", runs, engine->project.id, (int)getpid());
    if (fs_mkdir_p(engine->run_dir, mode, error) < 0) {
        return -1;
    }
    auto_free char *lock = fs_join(engine->run_dir, "lock");
    engine->run_lock_fd = lock_file(lock);
    return 0;
}

// Without mounts root's app is another user, to whom layers and private directories are shown where
// they lie; a home of mode 0700 would hide them.
static bool shows_cache(const struct engine *engine)
{
    return engine->host.is_root && !engine->host.has[SANDBOX_MOUNT];
}

char *engine_cache_dir(const struct engine *engine, bool make)
{
    char *usual = control_cache_dir();
    if (!shows_cache(engine) ||
        ((!make || fs_mkdir_p(usual, 0711, NULL) == 0) && fs_is_open_to_all(usual)) ||
        (make && fs_mkdir_p(CONTROL_OPEN_CACHE_DIR, 0711, NULL) < 0) ||
        access(CONTROL_OPEN_CACHE_DIR, W_OK) < 0) {
        return usual;
    }
    free(usual);
    return str_dup(CONTROL_OPEN_CACHE_DIR);
}

static int make_directories(struct engine *engine, struct error *error)
{
    engine->cache_dir = engine_cache_dir(engine, true);
    auto_free char *runs = fs_join(engine->cache_dir, "run");
    mode_t mode = shows_cache(engine) ? 0711 : 0700;
    if (fs_mkdir_p(runs, mode, error) < 0) {
        return error_prefix(error, "%s: ", _("cache directory"));
    }
    if (make_run_directory(engine, runs, mode, error) < 0) {
        return -1;
    }
    start_removing(engine, runs);
    if (engine->mode == MODE_UP) {
        auto_free char *state = control_state_dir();
        engine->journal_dir = str_printf("%s/%s/journal", state, engine->project.id);
    } else {
        engine->journal_dir = fs_join(engine->run_dir, "journal");
    }
    if (fs_mkdir_p(engine->journal_dir, 0700, error) < 0) {
        return error_prefix(error, "%s: ", _("state directory"));
    }
    return 0;
}

// One `up` per project: whoever holds the lock beside the socket owns the project.
static int claim_project(struct engine *engine, struct error *error)
{
    auto_free char *path = control_socket_path(engine->project.dir, error);
    if (!path) {
        return -1;
    }
    auto_free char *lock = str_printf("%s.lock", path);
    engine->lock_fd = lock_file(lock);
    if (engine->lock_fd < 0) {
        error_set(error, ERROR_HOST, _("another leanlocal runs this project"));
        return error_set_hint(error, _("attach to it with `leanlocal up`, or end it with "
                                       "`leanlocal stop`"));
    }
    return server_listen(engine->server, path, error);
}

// ---- start ----

static void on_request(void *context, const struct gateway_request *request)
{
    struct engine *engine = context;
    engine->request_counter++;
    // A running median: exact enough for a meter, and it holds no samples.
    int64_t step = engine->latency_p50_us / 16 + 1;
    engine->latency_p50_us += request->total_us > engine->latency_p50_us ? step : -step;
    traffic_on_request(engine->traffic, request);
    dozing_on_answered(engine);
    server_touch_snapshot(engine->server);
}

static void on_begin(void *context, const char *upstream_name)
{
    rollout_on_begin(context, upstream_name);
    dozing_on_request(context);
}

static void on_gateway_notice(void *context, const char *upstream_name, const char *rule,
                              const char *text)
{
    announce_notice(context, "warning", rule, NULL, NULL, "%s%s%s", upstream_name,
                    *upstream_name ? ": " : "", text);
}

static int start_gateway(struct engine *engine, struct error *error)
{
    struct in_addr address;
    if (inet_pton(AF_INET, engine->options.host, &address) != 1) {
        error_set(error, ERROR_USAGE, _("--host %s: not an IPv4 address"), engine->options.host);
        return error_set_hint(error, _("127.0.0.1 for this machine only, 0.0.0.0 for the LAN"));
    }
    if (front_check(&engine->options.front, error) < 0) {
        return -1;
    }
    struct gateway_options options = {
        .address = ntohl(address.s_addr),
        .port = (uint16_t)engine->options.port,
        .patient = engine->options.debug,
        .capture = true,
        .context = engine,
        .on_asleep = dozing_on_asleep,
        .on_begin = on_begin,
        .on_request = on_request,
        .on_drained = rollout_on_drained,
        .on_notice = on_gateway_notice,
    };
    front_fill(&engine->options.front, &options);
    staging_fill(engine, &options);
    engine->gateway = gateway_new(engine->loop, &options, error);
    if (!engine->gateway) {
        return -1;
    }
    engine->traffic = traffic_new(engine);
    bool local = options.address == INADDR_LOOPBACK || options.address == INADDR_ANY;
    snprintf(engine->url, sizeof engine->url, "http://%s:%u",
             front_name(&engine->options.front, local ? "localhost" : engine->options.host),
             gateway_port(engine->gateway));
    struct event event = event_new(EVENT_GATEWAY);
    event.state = (char *)(uintptr_t) "listening";
    event.text = engine->url;
    announce(engine, &event);
    front_announce(engine);
    staging_begin(engine);
    return 0;
}

static void on_tree_ready(void *context, size_t file_count, bool polling, const char *note)
{
    struct engine *engine = context;
    engine->tree_ready = true;
    log_debug("tree ready: %zu files%s", file_count, polling ? ", polling" : "");
    if (note && *note) {
        announce_notice(engine, "warning", NULL, NULL, NULL, "%s", note);
    }
}

static void on_tree_notice(void *context, const char *text)
{
    announce_notice(context, "warning", NULL, NULL, NULL, "%s", text);
}

static void on_tree_diagnostic(void *context, const struct diagnostic *diagnostic)
{
    announce_diagnostic(context, diagnostic);
}

static int start_tree(struct engine *engine, struct error *error)
{
    auto_free char *store = fs_join(engine->run_dir, "versions");
    const struct tree_options options = {
        .root = engine->project.dir,
        .ignore_file = engine->options.ignore_file,
        .env_file = engine->options.env_file,
        .keep_modes = engine->options.keep_modes,
        .from_git = engine->options.from_git,
        .store = store,
        .watch = engine->mode == MODE_UP,
        .own_files = engine->host.is_root && engine->host.maps_ids,
        .uid = ENGINE_HOST_ID,
        .gid = ENGINE_HOST_ID,
    };
    const struct tree_callbacks callbacks = {
        .context = engine,
        .on_ready = on_tree_ready,
        .on_changed = deployment_on_changed,
        .on_version = deployment_on_version,
        .on_notice = on_tree_notice,
        .on_diagnostic = on_tree_diagnostic,
    };
    engine->tree = tree_start(engine->loop, &options, &callbacks, error);
    return engine->tree ? 0 : -1;
}

// Runs only while somebody looks: with plain lines an idle engine does not wake up at all (DESIGN
// 13).
static void read_meters(void *context)
{
    struct engine *engine = context;
    engine->metering = server_has_snapshot_listener(engine->server);
    if (!engine->metering) {
        return;
    }
    struct gateway_stats stats = {0};
    if (engine->gateway) {
        gateway_get_stats(engine->gateway, &stats);
        uint64_t done = stats.requests - engine->metered_requests;
        engine->metered_requests = stats.requests;
        engine->requests_per_second_x10 = (int64_t)(done * 10000 / METER_MS);
    }
    meters_read(engine);
    loop_timer_restart(engine->meter_timer, METER_MS);
}

static void fill_snapshot(void *context, struct snapshot *ret_snapshot)
{
    struct engine *engine = context;
    if (engine->meter_timer && !engine->metering) {
        engine->metering = true;
        loop_timer_restart(engine->meter_timer, FIRST_METER_MS);
    }
    snapshot_fill(engine, ret_snapshot);
}

static void announce_level(struct engine *engine)
{
    enum sandbox_level level = sandbox_host_level(&engine->host);
    const char *mend = _("see `leanlocal doctor`"); // said once
    if (level == SANDBOX_LEVEL_FULL) {
        return;
    }
    for (size_t i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        if (!engine->host.has[i]) {
            engine->deviations++;
            announce_notice(engine, level == SANDBOX_LEVEL_NONE ? "error" : "deviation", NULL, NULL,
                            mend, _("sandbox level %s: %s is not available here: %s"),
                            sandbox_level_name(level),
                            sandbox_feature_name((enum sandbox_feature)i), engine->host.reason[i]);
            mend = NULL;
        }
    }
}

static void announce_debug(struct engine *engine)
{
    if (engine->options.debug) {
        engine->deviations++;
        announce_notice(engine, "deviation", "P-104", NULL, NULL,
                        _("--debug: one instance on a terminal, without limits of time and health "
                          "checks; a save ends it before the next one starts"));
    }
}

// A project that is none at all ends here, before anything is started for it. The live files with
// their rules are what the first upload will be.
static int check_project(struct engine *engine, struct error *error)
{
    struct diagnostics ignored = {0};
    struct error first = {0};
    struct rules rules = {0};
    struct view upload;
    int result = rules_load(&rules, engine->project.dir, engine->options.ignore_file, NULL, &first);
    view_of_directory(&upload, engine->project.dir, &rules);
    if (result == 0) {
        result = project_load(&engine->project, &upload, engine->options.build_root, NULL, &ignored,
                              &first);
    }
    if (result == 0) {
        result = project_detect(&engine->project, &upload, &ignored, &first);
    }
    view_release(&upload);
    rules_release(&rules);
    diagnostics_clear(&ignored);
    bool hopeless = str_equal(first.rule, "P-1") || first.kind == ERROR_USAGE;
    if (result < 0 && (engine->mode != MODE_UP || hopeless)) {
        deployment_explain_missing(engine, &first);
        if (error) {
            *error = first;
        }
        return -1;
    }
    return 0; // a broken leanengine.yaml in `up`: the deployment tells, the next save mends it
}

static int start_pipeline(struct engine *engine, struct error *error)
{
    // What is committed is known when it is cut.
    if (!engine->options.from_git && check_project(engine, error) < 0) {
        return -1;
    }
    announce_level(engine);
    size_begin(engine);
    if (engine->options.keep_modes) {
        announce_diagnostic(engine, &(struct diagnostic){
                                        .severity = DIAGNOSTIC_DEVIATION,
                                        .rule = (char *)(uintptr_t) "P-71",
                                        .text = (char *)(uintptr_t)_(
                                            "--keep-modes: the upload would lose executable bits"),
                                    });
    }
    announce_debug(engine);
    if (keeping_begin(engine, error) < 0) {
        return -1;
    }
    if (engine->mode == MODE_UP &&
        (claim_project(engine, error) < 0 || start_gateway(engine, error) < 0)) {
        return -1;
    }
    dozing_begin(engine);
    if (start_tree(engine, error) < 0) {
        return -1;
    }
    if (engine->mode == MODE_UP) {
        engine->meter_timer = loop_add_timer(engine->loop, METER_MS, read_meters, engine);
        loop_timer_stop(engine->meter_timer);
    }
    deployment_begin(
        engine, &(struct deploy_reason){.rebuild = true, .no_cache = engine->options.no_cache});
    return 0;
}

int engine_start(struct engine *engine, const struct cJSON *arguments, struct error *error)
{
    const char *mode = json_get_string(arguments, "mode");
    for (size_t i = 0; i < MODE__COUNT; i++) {
        if (str_equal(mode, mode_names[i])) {
            engine->mode = (enum engine_mode)i;
        }
    }
    release_options(&engine->options);
    read_options(engine, json_get(arguments, "options"));
    timers_read(engine, json_get(arguments, "options"));
    engine->install_python = engine->options.install_python;
    json_get_strings(arguments, "host_env", &engine->host_env);
    health_times_read(strlist_env_get(&engine->host_env, HEALTH_VARIABLE), &engine->times);
    const char *size = json_get_string(json_get(arguments, "options"), "size");
    if (project_open(engine->dir, &engine->project, error) < 0 ||
        engine_check_options(engine, size, error) < 0) {
        return -1;
    }
    engine_locate(engine, NULL); // a bad env file is told by who needs it
    if (engine->mode == MODE_ENV) {
        return check_project(engine, error) < 0 ? -1 : engine_locate(engine, error);
    }
    sandbox_probe(&engine->host);
    cgroup_probe(&engine->groups);
    if (engine->mode == MODE_EXPLAIN) { // looks only
        engine->cache_dir = engine_cache_dir(engine, false);
        return 0;
    }
    if (make_directories(engine, error) < 0) {
        return -1;
    }
    const struct journal_options options = {.dir = engine->journal_dir};
    engine->journal = journal_create(&options, error);
    if (!engine->journal) {
        return -1;
    }
    rollout_begin(engine);
    struct event event = event_new(EVENT_ENGINE);
    event.state = (char *)(uintptr_t) "started";
    event.text = engine->project.dir;
    announce(engine, &event);
    return start_pipeline(engine, error);
}

// ---- end ----

static void end_now(void *context)
{
    struct engine *engine = context;
    if (engine->ended) {
        return;
    }
    engine->ended = true;
    struct event event = event_new(EVENT_DONE);
    event.status = engine->exit_code;
    event.text = *engine->done_text ? engine->done_text : NULL;
    announce(engine, &event);
    server_flush(engine->server, FLUSH_LIMIT_MS);
    loop_exit(engine->loop, engine->exit_code);
}

void engine_end_if_empty(struct engine *engine)
{
    if (engine->stopping && !engine->runnings && !engine->ended && !engine->end_source) {
        engine->end_source = loop_add_defer(engine->loop, end_now, engine);
    }
}

void engine_stop(struct engine *engine, int code, const char *text)
{
    if (engine->stopping) {
        return;
    }
    engine->stopping = true;
    engine->exit_code = code;
    snprintf(engine->done_text, sizeof engine->done_text, "%s", text ? text : "");
    struct event event = event_new(EVENT_ENGINE);
    event.state = (char *)(uintptr_t) "stopping";
    announce(engine, &event);
    installing_release(engine);
    if (engine->tree) {
        deployment_cancel(engine);
    }
    rollout_stop(engine, QUIT_GRACE_MS);
    engine->stop_timer = loop_add_timer(engine->loop, QUIT_LIMIT_MS, end_now, engine);
    engine_end_if_empty(engine);
}

static void on_signal(void *context, int number)
{
    struct engine *engine = context;
    log_debug("signal %d", number);
    engine_stop(engine, 128 + number, NULL);
}

static void on_no_clients(void *context)
{
    struct engine *engine = context;
    if (!engine->options.detach) {
        engine_stop(engine, 0, NULL);
    }
}

static uint64_t journal_last_of(void *context)
{
    const struct engine *engine = context;
    return engine->journal ? journal_last_seq(engine->journal) : 0;
}

// Order: first what others wait for (the port, the project's lock), then the clients read the
// journal to its end, and only then do our files go.
static void release(struct engine *engine)
{
    if (engine->tree) {
        deployment_cancel(engine);
    }
    dozing_release(engine);
    rollout_release(engine);
    tree_free(engine->tree);
    engine->tree = NULL;
    functions_release(engine);
    timers_release(engine);
    gateway_free(engine->gateway);
    traffic_free(engine->traffic);
    offline_api_free(engine->offline_api);
    server_close_listener(engine->server);
    if (engine->lock_fd >= 0) {
        close(engine->lock_fd);
    }
    if (engine->journal) {
        journal_flush(engine->journal);
    }
    server_wait_closed(engine->server, LAST_READ_MS);
    if (engine->has_built) {
        build_result_release(&engine->built);
    }
    installing_release(engine);
    python_offer_release(&engine->offer);
    free(engine->install_tried);
    build_leases_release(&engine->leases);
    journal_close(engine->journal);
    server_free(engine->server);
    if (engine->run_dir) {
        auto_free char *runs = fs_join(engine->cache_dir, "run");
        auto_free char *grave =
            str_printf("%s/" REMOVE_PREFIX "%s", runs, strrchr(engine->run_dir, '/') + 1);
        rename(engine->run_dir, grave);
        start_removing(engine, runs);
    }
    loop_source_free(engine->stop_timer);
    loop_source_free(engine->meter_timer);
    loop_source_free(engine->end_source);
    loop_source_free(engine->remove_source);
    for (size_t i = 0; i < ARRAY_LEN(engine->signal_sources); i++) {
        loop_source_free(engine->signal_sources[i]);
    }
    if (engine->run_lock_fd >= 0) {
        close(engine->run_lock_fd);
    }
    cgroup_host_release(&engine->groups);
    free(engine->exec_term);
    free(engine->run_dir);
    free(engine->cache_dir);
    free(engine->journal_dir);
    for (size_t i = 0; i < TOLD__COUNT; i++) {
        strlist_clear(&engine->told[i]);
    }
    strlist_clear(&engine->host_env);
    kept_release(&engine->kept);
    project_release(&engine->project);
    release_options(&engine->options);
    loop_free(engine->loop);
    free(engine);
}

int engine_main(int argc, char **argv)
{
    log_open("engine");
    prctl(PR_SET_NAME, "leanlocal-eng");
    struct engine *engine = mem_alloc(sizeof *engine);
    engine->lock_fd = engine->run_lock_fd = engine->versions_fd = -1;
    engine->mode = MODE_UP;
    engine->dir = argc > 2 ? argv[2] : ".";
    read_options(engine, NULL); // a client may look before it says "start"
    health_times_read(NULL, &engine->times);
    for (size_t i = 0; i < STAGE__COUNT; i++) {
        engine->stages[i].state = "";
    }
    struct error error = {0};
    engine->loop = loop_new(&error);
    if (!engine->loop) {
        free(engine);
        return 3;
    }
    signal(SIGPIPE, SIG_IGN);
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        engine->signal_sources[i] = loop_add_signal(engine->loop, signals[i], on_signal, engine);
    }
    const struct server_callbacks callbacks = {
        .context = engine,
        .on_command = requests_on_command,
        .fill_snapshot = fill_snapshot,
        .journal_last = journal_last_of,
        .on_no_clients = on_no_clients,
    };
    engine->server = server_new(engine->loop, &callbacks);
    fcntl(ENGINE_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    fcntl(ENGINE_CONTROL_FD, F_SETFL, O_NONBLOCK);
    int code = 3;
    if (server_add_fd(engine->server, ENGINE_CONTROL_FD)) {
        code = loop_run(engine->loop);
    }
    release(engine);
    return code;
}
