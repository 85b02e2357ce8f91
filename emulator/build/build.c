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
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/build/box.h"
#include "emulator/build/internal.h"
#include "emulator/build/log.h"
#include "emulator/formats/python_version.h"
#include "emulator/watch/tree.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"

#define ANSWER_MAX (1 << 20)

// ---- stages ----

void build_tell(struct build *build, enum build_stage_state state, const char *detail)
{
    int64_t took_ms = state == BUILD_STATE_RUNNING ? -1 : clock_now_ms() - build->stage_begun_ms;
    if (build->callbacks.on_stage) {
        build->callbacks.on_stage(build->callbacks.context, build->stage, state, took_ms, detail);
    }
}

void build_enter_stage(struct build *build, enum build_stage stage)
{
    build->stage = stage;
    build->stage_begun_ms = clock_now_ms();
}

void build_tell_line(struct build *build, enum build_output kind, const char *text)
{
    static const char *const sources[BUILD_STAGE__COUNT] = {"python", "install", "build"};
    if (build->callbacks.on_output) {
        build->callbacks.on_output(build->callbacks.context, kind, sources[build->stage], text,
                                   strlen(text));
    }
}

bool build_is_in_place(const struct build *build)
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

int build_start_helper(struct build *build, const char *const *arguments,
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

void build_finish(struct build *build)
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
    build_finish(build);
}

// Before on_done the helper removes what has no owner any more.
static void clean(struct build *build)
{
    store_slot_unlock(&build->slot);
    store_slot_unlock(&build->built);
    const char *const arguments[] = {"leanlocal", "@cache", "sweep", build->cache_dir, NULL};
    if (build_start_helper(build, arguments, cleaned, NULL) < 0) {
        build_finish(build);
    }
}

void build_fail(struct build *build, const struct error *error)
{
    build->failed = true;
    build->error = *error;
    if (build->cancelled) {
        error_set(&build->error, ERROR_CANCELLED, _("the build was cancelled"));
    }
    build_tell(build, BUILD_STATE_FAILED, NULL);
    if (build->slot.lock_fd >= 0 || build->built.lock_fd >= 0) {
        clean(build);
    } else {
        build_finish(build);
    }
}

// ---- python ----

static void python_found(struct build *build)
{
    struct error error = {0};
    struct build_result *result = &build->result;
    int found = build_answer_parse(build->answer.data, build->answer.len, &result->python,
                                   &result->offer, &result->diagnostics, &error);
    buf_release(&build->answer);
    if (found < 0 || build->cancelled) {
        build_fail(build, &error);
        return;
    }
    if (build->install_python && result->offer.version) {
        // What it says of the stand-in is not so: it is not taken.
        diagnostics_clear(&result->diagnostics);
        error_set(&error, ERROR_HOST, _("Python %s is not installed here"), result->offer.version);
        build_fail(build, &error);
        return;
    }
    result->has_python = true;
    auto_free char *detail = str_printf("%s (%s)", result->python.version, result->python.source);
    build_tell(build, BUILD_STATE_DONE, detail);
    build_start_install(build);
}

static void start_python(void *context)
{
    struct build *build = context;
    struct error error = {0};
    loop_source_free(build->timer);
    build->timer = NULL;
    build_enter_stage(build, BUILD_STAGE_PYTHON);
    build_tell(build, BUILD_STATE_RUNNING, NULL);
    // Without mounts root's app is another user, and finds Python where it lies.
    bool shown = build_is_in_place(build) && build->host.is_root;
    auto_free char *file = view_find(&build->upload, PYTHON_VERSION_NAME);
    const char *const arguments[] = {"leanlocal",
                                     "@python",
                                     "find",
                                     file ? file : "",
                                     build->cache_dir,
                                     build->legacy_default ? "1" : "0",
                                     shown ? "1" : "0",
                                     NULL};
    if (build->cancelled || build_start_helper(build, arguments, python_found, &error) < 0) {
        build_fail(build, &error);
    }
}

// ---- life ----

static void copy_request(struct build *build, const struct build_request *request)
{
    build->cache_dir = str_dup(request->cache_dir);
    build->project = str_dup(request->project);
    build->measures_image = request->measures_image;
    build->host = *request->host;
    build->no_cache = request->no_cache;
    build->legacy_default = request->legacy_default;
    build->install_python = request->install_python;
    build->host_uid = request->host_uid;
    build->host_gid = request->host_gid;
    build_steps_copy(&build->install, &request->yaml->install);
    build_steps_copy(&build->build_steps, &request->yaml->build);
    strlist_copy(&build->host_env, request->host_env);
    strlist_copy(&build->system_dependencies, &request->yaml->system_dependencies);
    meter_limits_read(strlist_env_get(request->host_env, "LEANLOCAL_BUILD_LIMITS"), &build->limits);
    if (request->build_env) {
        strlist_copy(&build->build_env, request->build_env);
    }
    view_of_version(&build->upload, &request->version->lowers);
    build->tag = str_dup(request->version->tag);
}

struct build *build_start(struct loop *loop, const struct build_request *request,
                          const struct build_callbacks *callbacks, struct error *error)
{
    struct build *build = mem_alloc(sizeof *build);
    build->loop = loop;
    build->callbacks = *callbacks;
    build->begun_ms = clock_now_ms();
    build->answer_fd = -1;
    build->slot.lock_fd = build->slot.lease_fd = -1;
    build->built.lock_fd = build->built.lease_fd = -1;
    build->pip_lease_fd = -1;
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
    store_slot_release(&build->built);
    if (build->pip_lease_fd >= 0) {
        close(build->pip_lease_fd);
    }
    build_steps_release(&build->install);
    build_steps_release(&build->build_steps);
    strlist_clear(&build->host_env);
    strlist_clear(&build->system_dependencies);
    strlist_clear(&build->build_env);
    view_release(&build->upload);
    build_result_release(&build->result);
    free(build->cache_dir);
    free(build->tag);
    free(build->project);
    free(build->home_dir);
    free(build->digest);
    free(build->required);
    free(build);
}

void build_leases_move(struct build_leases *to, struct build_leases *from)
{
    for (size_t i = 0; i < from->count; i++) {
        to->fds = mem_resize(to->fds, (to->count + 1) * sizeof *to->fds);
        to->fds[to->count++] = from->fds[i];
    }
    free(from->fds);
    *from = (struct build_leases){0};
}

void build_leases_release(struct build_leases *leases)
{
    for (size_t i = 0; i < leases->count; i++) {
        close(leases->fds[i]);
    }
    free(leases->fds);
    *leases = (struct build_leases){0};
}

void build_result_take(struct build_result *to, struct build_result *from)
{
    *to = *from;
    *from = (struct build_result){0};
}

void build_result_release(struct build_result *result)
{
    python_release(&result->python);
    python_offer_release(&result->offer);
    free(result->layer_dir);
    free(result->layer_target);
    free(result->layer_key);
    strlist_clear(&result->built_lowers);
    diagnostics_clear(&result->diagnostics);
    build_leases_release(&result->leases);
    *result = (struct build_result){0};
}
