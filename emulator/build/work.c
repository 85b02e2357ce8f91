// What the install and the build stage share: the job that a script in the sandbox is given, and
// what its output means.

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/build/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

void build_show_line(void *context, const char *text)
{
    struct build *build = context;
    switch (build_log_line(&build->log, text)) {
    case BUILD_LINE_STEP: {
        auto_free char *line = str_printf("$ %s", build->log.step);
        build_tell_line(build, BUILD_OUTPUT_STEP, line);
        break;
    }
    case BUILD_LINE_OUTPUT:
        build_tell_line(build, BUILD_OUTPUT_LINE, text);
        break;
    case BUILD_LINE_HIDDEN:
        break;
    }
}

void build_show_silence(void *context, int64_t silent_ms, int64_t cpu_ms)
{
    struct build *build = context;
    const char *doing = build_log_doing(&build->log);
    auto_free char *line = str_printf(_("no output for %lld s: %s; %.1f s of CPU time since"),
                                      (long long)(silent_ms / 1000),
                                      doing                    ? _(doing)
                                      : cpu_ms * 2 > silent_ms ? _("it computes")
                                                               : _("it waits"),
                                      (double)cpu_ms / 1e3);
    build_tell_line(build, BUILD_OUTPUT_NOTE, line);
}

// 0: the steps went well. Else the error says what did not.
int build_judge(struct build *build, int wait_status, const struct error *error,
                struct error *ret_error)
{
    if (error) {
        *ret_error = *error;
        return build->log.step ? error_prefix(ret_error, "%s: ", build->log.step) : -1;
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

bool build_runs_anything(const struct build *build)
{
    return build->install.given ? build->install.count > 0 : !build->manifests.is_empty;
}

char *build_home_inside(const struct build *build)
{
    return str_dup(build->home_dir ? build->home_dir : BUILD_HOME_TARGET);
}

int build_write_job(struct build *build, const char *own, const char *target,
                    const struct build_steps *steps, bool installs, struct error *error)
{
    auto_free char *home = build_home_inside(build);
    auto_free char *work_dir = fs_join(home, "app");
    struct cJSON *job = json_new_object();
    json_put_string(job, "target", target);
    json_put_string(job, "work_dir", work_dir);
    json_put_string(job, "pip_dir", build->result.python.pip_dir);
    json_put_string(job, "pip_wheel", build->result.python.pip_wheel);
    json_put_bool(job, "check", installs && build_runs_anything(build));
    if (steps->given || !build_runs_anything(build)) {
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

int build_write_script(const char *own, const char *name, const char *text, size_t len,
                       struct error *error)
{
    auto_free char *path = fs_join(own, name);
    return fs_write_atomic(path, text, len, 0644, error);
}

// Whose files the command inside can write: ours, but for root, who steps down (sandbox/plan.h).
int build_give_to_app(const struct build *build, const char *path, struct error *error)
{
    const struct sandbox_host *host = &build->host;
    bool namespaced = host->has[SANDBOX_USER_NAMESPACE] && !build_is_in_place(build);
    bool steps_down = namespaced ? host->maps_ids : host->is_root;
    // EINVAL: a container that has no such id; the sandbox's command keeps ours then.
    if (host->is_root && steps_down && chown(path, build->host_uid, build->host_gid) < 0 &&
        errno != EINVAL) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "chown %s", path);
    }
    return 0;
}
