// A build is a chain of asynchronous steps, each started by the end of the one before:
//
//   python (helper) -> lock (polled) -> install (sandbox) -> build commands (sandbox) -> finish
//                                            any failure or cancel -> clean (helper) -> finish
//
// Failed work is removed by the helper before on_done, so that a failed build leaves nothing; one
// that is killed leaves directories without an owner, which the next build's helper removes.

#include "emulator/build/build.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/build/box.h"
#include "emulator/build/internal.h"
#include "emulator/build/log.h"
#include "emulator/watch/tree.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/process.h"

extern const char layer_py[];
extern const size_t layer_py_size;
extern const char steps_py[];
extern const size_t steps_py_size;
extern const char products_py[];
extern const size_t products_py_size;

#define LOCK_POLL_MS 100
#define ANSWER_MAX   (1 << 20)

struct build {
    struct loop *loop;
    struct build_callbacks callbacks;
    struct build_result result;
    struct error error;
    bool failed;
    bool cancelled;
    int64_t begun_ms;
    enum build_stage stage;
    int64_t stage_begun_ms;

    // Of the request, copied.
    char *project_dir;
    char *cache_dir;
    struct build_steps install;
    struct build_steps build_steps;
    struct strlist host_env;
    struct strlist build_env;
    struct strlist lowers;
    char *tag;
    struct sandbox_host host;
    bool no_cache;
    bool legacy_default;
    uid_t host_uid;
    gid_t host_gid;

    // The helper.
    struct process helper;
    struct loop_source *helper_source;
    struct loop_source *answer_source;
    int answer_fd;
    struct buf answer;
    void (*helper_ended)(struct build *build);

    struct manifests manifests;
    struct store_slot slot;
    struct loop_source *timer;
    bool told_waiting;
    struct box *box;
    struct build_log log;
    char *built_dir;
};

static void start_install(struct build *build);
static void start_build_commands(struct build *build);
static void finish(struct build *build);

// ---- stages ----

static void tell(struct build *build, enum build_stage_state state, const char *detail)
{
    int64_t took_ms = state == BUILD_STATE_RUNNING ? -1 : clock_now_ms() - build->stage_begun_ms;
    if (build->callbacks.on_stage) {
        build->callbacks.on_stage(build->callbacks.context, build->stage, state, took_ms, detail);
    }
}

static void begin_stage(struct build *build, enum build_stage stage, const char *detail)
{
    build->stage = stage;
    build->stage_begun_ms = clock_now_ms();
    tell(build, BUILD_STATE_RUNNING, detail);
}

static void tell_line(struct build *build, const char *text)
{
    static const char *const sources[BUILD_STAGE__COUNT] = {"python", "install", "build"};
    if (build->callbacks.on_output) {
        build->callbacks.on_output(build->callbacks.context, sources[build->stage], text,
                                   strlen(text));
    }
}

static bool is_in_place(const struct build *build)
{
    return sandbox_host_level(&build->host) == SANDBOX_LEVEL_NONE;
}

// ---- the helper ----

static void read_answer(void *context, int fd, uint32_t events)
{
    (void)events;
    struct build *build = context;
    char chunk[16384];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got > 0) {
        buf_add(&build->answer, chunk, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        loop_source_free(build->answer_source);
        build->answer_source = NULL;
    }
}

static void helper_exited(void *context, pid_t pid, int wait_status)
{
    (void)pid;
    (void)wait_status; // what counts is the answer
    struct build *build = context;
    while (build->answer_source) {
        read_answer(build, build->answer_fd, 0);
    }
    close(build->answer_fd);
    build->answer_fd = -1;
    loop_source_free(build->helper_source);
    build->helper_source = NULL;
    build->helper.pid = 0;
    build->helper_ended(build);
}

static int start_helper(struct build *build, const char *const *arguments,
                        void (*ended)(struct build *build), struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
    }
    auto_close int output = ends[1];
    auto_close int input = ends[0];
    const struct process_options options = {.argv = (char *const *)(uintptr_t)arguments,
                                            .env = build->host_env.items,
                                            .stdin_fd = -1,
                                            .stdout_fd = output,
                                            .stderr_fd = -1,
                                            .extra_fd = -1,
                                            .new_session = true,
                                            .die_with_parent = true};
    if (process_start(&options, &build->helper, error) < 0) {
        return -1;
    }
    close(build->helper.pidfd); // the loop watches by its own
    build->answer_fd = steal_fd(&input);
    build->answer = (struct buf){.max = ANSWER_MAX};
    build->helper_ended = ended;
    build->answer_source = loop_add_fd(build->loop, build->answer_fd, EPOLLIN, read_answer, build);
    build->helper_source = loop_add_child(build->loop, build->helper.pid, helper_exited, build);
    return 0;
}

static void kill_helper(struct build *build)
{
    if (build->helper.pid > 0) {
        kill(build->helper.pid, SIGKILL);
    }
}

// ---- the end ----

static void finish(struct build *build)
{
    build->result.took_ms = clock_now_ms() - build->begun_ms;
    build->result.failed_stage = build->stage;
    // The callback may free the build: nothing after it.
    build->callbacks.on_done(build->callbacks.context, &build->result,
                             build->failed ? &build->error : NULL);
}

static void cleaned(struct build *build)
{
    buf_release(&build->answer);
    finish(build);
}

// Before on_done the helper removes what has no owner any more.
static void clean(struct build *build)
{
    store_slot_unlock(&build->slot);
    const char *const arguments[] = {"leanlocal", "@python", "sweep", build->cache_dir, NULL};
    if (start_helper(build, arguments, cleaned, NULL) < 0) {
        finish(build);
    }
}

static void fail(struct build *build, const struct error *error)
{
    build->failed = true;
    build->error = *error;
    if (build->cancelled) {
        error_set(&build->error, ERROR_CANCELLED, _("the build was cancelled"));
    }
    tell(build, BUILD_STATE_FAILED, NULL);
    if (build->slot.lock_fd >= 0) {
        clean(build);
    } else {
        finish(build);
    }
}

// ---- install ----

static void publish(struct build *build)
{
    struct error error = {0};
    const struct python *python = &build->result.python;
    // Scripts and manifests; the app could not remove what it does not own.
    auto_free char *own = fs_join(build->slot.work_dir, ".leanlocal");
    fs_remove_tree(own, NULL);
    if (store_slot_publish(&build->slot, python->version, python->pip_version,
                           &build->log.conflicts, &error) < 0) {
        fail(build, &error);
        return;
    }
    build_log_conflicts(&build->log.conflicts, &build->result.diagnostics);
    store_slot_unlock(&build->slot);
    build->result.layer_dir = str_dup(build->slot.dir);
    bool nothing = build->manifests.is_empty && !build->install.given;
    tell(build, nothing ? BUILD_STATE_SKIPPED : BUILD_STATE_DONE,
         nothing ? _("no requirements") : NULL);
    start_build_commands(build);
}

static void show_line(void *context, const char *text)
{
    struct build *build = context;
    switch (build_log_line(&build->log, text)) {
    case BUILD_LINE_STEP: {
        auto_free char *line = str_printf("$ %s", build->log.step);
        tell_line(build, line);
        break;
    }
    case BUILD_LINE_OUTPUT:
        tell_line(build, text);
        break;
    case BUILD_LINE_HIDDEN:
        break;
    }
}

// 0: the steps went well. Else the error says what did not.
static int judge(struct build *build, int wait_status, const struct error *error,
                 struct error *ret_error)
{
    if (error) {
        *ret_error = *error;
        return -1;
    }
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
        return 0;
    }
    if (!build->log.failed) { // not a step: our own script, or killed from outside
        build->log.exit_code =
            WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
        build_log_failure(&build->log, build->result.python.version, false, ret_error);
        ret_error->kind = ERROR_HOST;
        return -1;
    }
    return build_log_failure(&build->log, build->result.python.version, build->manifests.uses_sdk,
                             ret_error);
}

static void install_ended(void *context, int wait_status, const struct error *error)
{
    struct build *build = context;
    struct error failure = {0};
    box_free(build->box);
    build->box = NULL;
    if (build->cancelled || judge(build, wait_status, error, &failure) < 0) {
        fail(build, &failure);
    } else {
        publish(build);
    }
}

static struct cJSON *steps_to_json(const struct build_steps *steps)
{
    static const char *const kinds[] = {[BUILD_STEP_SHELL] = "shell",
                                        [BUILD_STEP_DEFAULT] = "default",
                                        [BUILD_STEP_REQUIRE] = "require"};
    struct cJSON *list = json_new_array();
    for (size_t i = 0; i < steps->count; i++) {
        struct cJSON *step = json_new_object();
        json_put_string(step, "kind", kinds[steps->items[i].kind]);
        json_put_string(step, "text", steps->items[i].text);
        json_put_strings(step, "files", &steps->items[i].files);
        json_push(list, step);
    }
    return list;
}

static bool runs_anything(const struct build *build)
{
    return build->install.given ? build->install.count > 0 : !build->manifests.is_empty;
}

static char *home_inside(const struct build *build)
{
    return str_dup(build->slot.home_dir ? build->slot.home_dir : BUILD_HOME_TARGET);
}

static int write_job(struct build *build, const char *own, const char *target,
                     const struct build_steps *steps, bool installs, struct error *error)
{
    auto_free char *home = home_inside(build);
    auto_free char *work_dir = fs_join(home, "app");
    struct cJSON *job = json_new_object();
    json_put_string(job, "target", target);
    json_put_string(job, "work_dir", work_dir);
    json_put_string(job, "pip_dir", build->result.python.pip_dir);
    json_put_string(job, "pip_wheel", build->result.python.pip_wheel);
    json_put_bool(job, "check", installs && runs_anything(build));
    if (steps->given || !runs_anything(build)) {
        json_put_tree(job, "steps", steps_to_json(steps));
    } else { // P-60
        struct build_step step = {.kind = BUILD_STEP_DEFAULT};
        struct build_steps usual = {.items = &step, .count = 1};
        json_put_tree(job, "steps", steps_to_json(&usual));
    }
    auto_free char *text = json_print(job);
    json_free(job);
    auto_free char *path = fs_join(own, "job.json");
    return fs_write_atomic(path, text, strlen(text), 0644, error);
}

static int write_script(const char *own, const char *name, const char *text, size_t len,
                        struct error *error)
{
    auto_free char *path = fs_join(own, name);
    return fs_write_atomic(path, text, len, 0644, error);
}

// Whose files the command inside can write: ours, but for root, who steps down (sandbox/plan.h).
static int give_to_app(const struct build *build, const char *path, struct error *error)
{
    const struct sandbox_host *host = &build->host;
    bool namespaced = host->has[SANDBOX_USER_NAMESPACE] && !is_in_place(build);
    bool steps_down = namespaced ? host->maps_ids : host->is_root;
    if (host->is_root && steps_down && chown(path, build->host_uid, build->host_gid) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "chown %s", path);
    }
    return 0;
}

// <work>/.leanlocal: scripts, the job, the manifests. Removed by layer.py when all went well.
static int stage_install(struct build *build, struct error *error)
{
    const char *work = build->slot.work_dir;
    auto_free char *own = fs_join(work, ".leanlocal");
    if (store_slot_prepare(&build->slot, error) < 0 || fs_mkdir_p(own, 0755, error) < 0 ||
        write_script(own, "layer.py", layer_py, layer_py_size, error) < 0 ||
        write_script(own, "steps.py", steps_py, steps_py_size, error) < 0 ||
        write_job(build, own, build->result.layer_target, &build->install, true, error) < 0 ||
        manifests_stage(build->project_dir, &build->install, own, error) < 0 ||
        give_to_app(build, work, error) < 0 || give_to_app(build, own, error) < 0) {
        return -1;
    }
    static const char *const given[] = {"manifests", "required"};
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        auto_free char *dir = fs_join(own, given[i]);
        if (fs_is_dir(dir) && give_to_app(build, dir, error) < 0) {
            return -1;
        }
    }
    return build->slot.home_dir ? give_to_app(build, build->slot.home_dir, error) : 0;
}

// pip's own cache, shared by all layers.
static char *pip_cache(const struct build *build, struct error *error)
{
    auto_free char *dir = fs_join(build->cache_dir, "pip");
    if (fs_mkdir_p(dir, 0755, error) < 0 || give_to_app(build, dir, error) < 0) {
        return NULL;
    }
    return steal(dir);
}

static void add_interpreter(const struct build *build, struct build_mounts *mounts)
{
    const struct python *python = &build->result.python;
    for (size_t i = 0; i < python->mounts.count; i++) {
        build_mounts_add(mounts, python->mounts.items[i], python->mounts.items[i], 0);
    }
}

static int run_install(struct build *build, const char *cache, struct error *error)
{
    const char *target = build->result.layer_target;
    bool in_place = is_in_place(build);
    auto_free char *home = home_inside(build);
    auto_free char *cache_inside =
        in_place ? str_dup(cache) : str_dup(BUILD_HOME_TARGET "/.cache/pip");
    struct install_env env;
    install_env_make(&build->host_env, &build->build_env, target, home, cache_inside, &env);
    if (!in_place) {
        add_interpreter(build, &env.mounts);
        const struct python *python = &build->result.python;
        const char *pip = python->pip_dir ? python->pip_dir : python->pip_wheel;
        if (pip) { // another interpreter's, perhaps
            build_mounts_add_own(&env.mounts, pip);
        }
        build_mounts_add(&env.mounts, cache, cache_inside, SANDBOX_BIND_WRITABLE);
        build_mounts_add(&env.mounts, build->slot.work_dir, target, SANDBOX_BIND_WRITABLE);
    }
    const struct sandbox_file conf = {env.pip_conf_target, env.pip_conf,
                                      env.pip_conf ? strlen(env.pip_conf) : 0, 0600};
    auto_free char *script = str_printf("%s/.leanlocal/layer.py", target);
    auto_free char *job = str_printf("%s/.leanlocal/job.json", target);
    char *const argv[] = {build->result.python.executable,
                          (char *)(uintptr_t) "-E",
                          (char *)(uintptr_t) "-s",
                          script,
                          job,
                          NULL};
    const struct box_request request = {
        .host = &build->host,
        .host_uid = build->host_uid,
        .host_gid = build->host_gid,
        .binds = env.mounts.binds,
        .bind_count = env.mounts.bind_count,
        .files = &conf,
        .file_count = env.pip_conf ? 1 : 0,
        .private_dir = build->slot.home_dir,
        .argv = argv,
        .env = env.env.items,
    };
    const struct box_callbacks callbacks = {
        .context = build, .on_line = show_line, .on_end = install_ended};
    build->box = box_start(build->loop, &request, &callbacks, error);
    install_env_release(&env);
    return build->box ? 0 : -1;
}

static int check_pip(const struct build *build, struct error *error)
{
    const struct python *python = &build->result.python;
    if (python->pip_version || !runs_anything(build)) {
        return 0;
    }
    error_set(error, ERROR_HOST, _("no pip here that Python %s can run (%s)"), python->version,
              python->executable);
    error_set_rule(error, "P-309", NULL);
    bool system = str_starts_with(python->executable, "/usr/");
    return system ? error_set_hint(error, _("apt install python3-pip (or python3-venv)"))
                  : error_set_hint(error, _("%s -m ensurepip"), python->executable);
}

static void make_layer(struct build *build)
{
    struct error error = {0};
    auto_free char *cache = pip_cache(build, &error);
    const char *pip = build->result.python.pip_version;
    auto_free char *detail = pip ? str_printf("pip %s", pip) : NULL;
    tell(build, BUILD_STATE_RUNNING, detail);
    build_log_init(&build->log);
    if (!cache || check_pip(build, &error) < 0 || stage_install(build, &error) < 0 ||
        run_install(build, cache, &error) < 0) {
        fail(build, &error);
    }
}

// Somebody else makes the same layer: wait for it, then look again.
static void try_lock(void *context)
{
    struct build *build = context;
    struct error error = {0};
    if (build->cancelled) {
        fail(build, &error);
        return;
    }
    int held = store_slot_lock(&build->slot, &error);
    struct strlist conflicts = {0};
    if (held < 0) {
        fail(build, &error);
    } else if (store_slot_is_complete(&build->slot, &conflicts)) {
        store_slot_unlock(&build->slot);
        build_log_conflicts(&conflicts, &build->result.diagnostics);
        build->result.layer_dir = str_dup(build->slot.dir);
        tell(build, BUILD_STATE_CACHED, NULL);
        start_build_commands(build);
    } else if (held) {
        make_layer(build);
    } else {
        if (!build->told_waiting) {
            tell(build, BUILD_STATE_RUNNING, _("another build makes the same layer; waiting"));
            build->told_waiting = true;
        }
        loop_timer_restart(build->timer, LOCK_POLL_MS);
    }
    strlist_clear(&conflicts);
}

static int open_slot(struct build *build, struct error *error)
{
    char key[HASH_HEX_SIZE];
    auto_free char *layers = fs_join(build->cache_dir, "layers");
    const char *target = is_in_place(build) ? layers : BUILD_LAYER_TARGET;
    if (manifests_read(build->project_dir, &build->manifests, error) < 0 ||
        manifests_key(build->project_dir, &build->install, &build->manifests, &build->result.python,
                      &build->build_env, target, key, error) < 0 ||
        store_slot_open(&build->slot, build->cache_dir, key, is_in_place(build), build->no_cache,
                        error) < 0) {
        return -1;
    }
    build->result.layer_key = str_dup(build->slot.key);
    build->result.layer_target = str_dup(is_in_place(build) ? build->slot.dir : BUILD_LAYER_TARGET);
    return 0;
}

static void start_install(struct build *build)
{
    struct error error = {0};
    begin_stage(build, BUILD_STAGE_INSTALL, NULL);
    if (open_slot(build, &error) < 0) {
        fail(build, &error);
        return;
    }
    build->timer = loop_add_timer(build->loop, 0, try_lock, build);
}

// ---- build commands ----

static void build_commands_ended(void *context, int wait_status, const struct error *error)
{
    struct build *build = context;
    struct error failure = {0};
    box_free(build->box);
    build->box = NULL;
    auto_free char *own = fs_join(build->built_dir, ".leanlocal");
    auto_free char *home = fs_join(build->built_dir, "home");
    fs_remove_tree(own, NULL);
    fs_remove_tree(home, NULL);
    if (build->cancelled || judge(build, wait_status, error, &failure) < 0) {
        fs_remove_tree(build->built_dir, NULL);
        fail(build, &failure);
        return;
    }
    strlist_take(&build->result.built_lowers, fs_join(build->built_dir, "tree"));
    tell(build, BUILD_STATE_DONE, NULL);
    finish(build);
}

static int stage_build_commands(struct build *build, const char *out, struct error *error)
{
    auto_free char *own = fs_join(build->built_dir, ".leanlocal");
    auto_free char *home = fs_join(build->built_dir, "home");
    if (fs_mkdir_p(own, 0755, error) < 0 ||
        write_script(own, "products.py", products_py, products_py_size, error) < 0 ||
        write_script(own, "steps.py", steps_py, steps_py_size, error) < 0 ||
        give_to_app(build, own, error) < 0 || give_to_app(build, build->built_dir, error) < 0) {
        return -1;
    }
    if (is_in_place(build)) {
        str_replace(&build->slot.home_dir, home);
        if (fs_mkdir_p(home, 0700, error) < 0 || give_to_app(build, home, error) < 0) {
            return -1;
        }
    }
    return write_job(build, own, out, &build->build_steps, false, error);
}

static int run_build_commands(struct build *build, const char *out, struct error *error)
{
    struct build_mounts mounts;
    build_mounts_for(&mounts, &build->result, &build->host);
    if (!is_in_place(build)) {
        build_mounts_add(&mounts, build->built_dir, out, SANDBOX_BIND_WRITABLE);
    }
    auto_free char *home = home_inside(build);
    struct strlist env = {0};
    build_env_make(&build->build_env, build->result.layer_target, home, &env);
    auto_free char *script = str_printf("%s/.leanlocal/products.py", out);
    auto_free char *job = str_printf("%s/.leanlocal/job.json", out);
    char *const argv[] = {build->result.python.executable,
                          (char *)(uintptr_t) "-E",
                          (char *)(uintptr_t) "-s",
                          script,
                          job,
                          NULL};
    const struct box_request request = {
        .host = &build->host,
        .host_uid = build->host_uid,
        .host_gid = build->host_gid,
        .binds = mounts.binds,
        .bind_count = mounts.bind_count,
        .lowers = (const char *const *)build->lowers.items,
        .lower_count = build->lowers.count,
        .private_dir = build->slot.home_dir,
        .argv = argv,
        .env = env.items,
    };
    const struct box_callbacks callbacks = {
        .context = build, .on_line = show_line, .on_end = build_commands_ended};
    build->box = box_start(build->loop, &request, &callbacks, error);
    build_mounts_release(&mounts);
    strlist_clear(&env);
    return build->box ? 0 : -1;
}

static bool has_commands(const struct build_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->items[i].kind == BUILD_STEP_SHELL) {
            return true;
        }
    }
    return false;
}

static void start_build_commands(struct build *build)
{
    struct error error = {0};
    if (!has_commands(&build->build_steps) || build->lowers.count == 0) {
        build->stage = BUILD_STAGE_BUILD;
        build->stage_begun_ms = clock_now_ms();
        tell(build, BUILD_STATE_SKIPPED, NULL);
        finish(build);
        return;
    }
    begin_stage(build, BUILD_STAGE_BUILD, NULL);
    build_log_release(&build->log);
    build->built_dir = str_printf("%s/built/%s-%d-%lld", build->cache_dir, build->tag,
                                  (int)getpid(), (long long)clock_now_us());
    auto_free char *out = str_dup(is_in_place(build) ? build->built_dir : BUILD_OUT_TARGET);
    if (stage_build_commands(build, out, &error) < 0 ||
        run_build_commands(build, out, &error) < 0) {
        fail(build, &error);
    }
}

// ---- python ----

static void python_found(struct build *build)
{
    struct error error = {0};
    struct build_result *result = &build->result;
    int found = build_answer_parse(build->answer.data, build->answer.len, &result->python,
                                   &result->diagnostics, &error);
    buf_release(&build->answer);
    if (found < 0 || build->cancelled) {
        fail(build, &error);
        return;
    }
    result->has_python = true;
    auto_free char *detail = str_printf("%s (%s)", result->python.version, result->python.source);
    tell(build, BUILD_STATE_DONE, detail);
    start_install(build);
}

static void start_python(void *context)
{
    struct build *build = context;
    struct error error = {0};
    loop_source_free(build->timer);
    build->timer = NULL;
    begin_stage(build, BUILD_STAGE_PYTHON, NULL);
    const char *const arguments[] = {"leanlocal",
                                     "@python",
                                     "find",
                                     build->project_dir,
                                     build->cache_dir,
                                     build->legacy_default ? "1" : "0",
                                     NULL};
    if (build->cancelled || start_helper(build, arguments, python_found, &error) < 0) {
        fail(build, &error);
    }
}

// ---- life ----

static void copy_steps(struct build_steps *to, const struct build_steps *from)
{
    *to = (struct build_steps){.given = from->given, .count = from->count};
    to->items = mem_alloc(from->count * sizeof *to->items);
    for (size_t i = 0; i < from->count; i++) {
        to->items[i] = (struct build_step){.kind = from->items[i].kind,
                                           .text = str_dup(from->items[i].text),
                                           .line = from->items[i].line};
        strlist_copy(&to->items[i].files, &from->items[i].files);
    }
}

static void release_steps(struct build_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        free(steps->items[i].text);
        strlist_clear(&steps->items[i].files);
    }
    free(steps->items);
    *steps = (struct build_steps){0};
}

static void copy_request(struct build *build, const struct build_request *request)
{
    build->project_dir = str_dup(request->project_dir);
    build->cache_dir = str_dup(request->cache_dir);
    build->host = *request->host;
    build->no_cache = request->no_cache;
    build->legacy_default = request->legacy_default;
    build->host_uid = request->host_uid;
    build->host_gid = request->host_gid;
    copy_steps(&build->install, &request->yaml->install);
    copy_steps(&build->build_steps, &request->yaml->build);
    strlist_copy(&build->host_env, request->host_env);
    if (request->build_env) {
        strlist_copy(&build->build_env, request->build_env);
    }
    if (request->version) {
        strlist_copy(&build->lowers, &request->version->lowers);
        build->tag = str_dup(request->version->tag);
    }
}

struct build *build_start(struct loop *loop, const struct build_request *request,
                          const struct build_callbacks *callbacks, struct error *error)
{
    struct build *build = mem_alloc(sizeof *build);
    build->loop = loop;
    build->callbacks = *callbacks;
    build->begun_ms = clock_now_ms();
    build->answer_fd = -1;
    build->slot.lock_fd = -1;
    build_log_init(&build->log);
    copy_request(build, request);
    // Nothing is called back before we return.
    build->timer = loop_add_timer(loop, 0, start_python, build);
    if (!build->timer) {
        error_set_errno(error, ERROR_SYSTEM, errno, "timerfd");
        build_free(build);
        return NULL;
    }
    return build;
}

void build_cancel(struct build *build)
{
    if (build->cancelled) {
        return;
    }
    build->cancelled = true;
    if (build->box) {
        box_kill(build->box);
    } else if (build->helper.pid > 0 && build->helper_ended == python_found) {
        kill_helper(build);
    }
    // A wait for the lock sees it at its next poll; cleaning goes on to its end.
}

void build_free(struct build *build)
{
    if (!build) {
        return;
    }
    loop_source_free(build->timer);
    loop_source_free(build->helper_source);
    loop_source_free(build->answer_source);
    if (build->helper.pid > 0) {
        kill_helper(build);
        waitpid(build->helper.pid, NULL, 0);
    }
    if (build->answer_fd >= 0) {
        close(build->answer_fd);
    }
    box_free(build->box);
    buf_release(&build->answer);
    build_log_release(&build->log);
    manifests_release(&build->manifests);
    store_slot_release(&build->slot);
    release_steps(&build->install);
    release_steps(&build->build_steps);
    strlist_clear(&build->host_env);
    strlist_clear(&build->build_env);
    strlist_clear(&build->lowers);
    build_result_release(&build->result);
    free(build->project_dir);
    free(build->cache_dir);
    free(build->tag);
    free(build->built_dir);
    free(build);
}

void build_result_take(struct build_result *to, struct build_result *from)
{
    *to = *from;
    *from = (struct build_result){0};
}

void build_result_release(struct build_result *result)
{
    python_release(&result->python);
    free(result->layer_dir);
    free(result->layer_target);
    free(result->layer_key);
    strlist_clear(&result->built_lowers);
    diagnostics_clear(&result->diagnostics);
    *result = (struct build_result){0};
}
