// Runs one build and prints what it reports, one line a call: the driver of tests/build.
//   build_run [--no-cache] [--legacy] [--cancel-on TEXT] PROJECT CACHE [-- COMMAND...]
// COMMAND is run in a sandbox with the built layer afterwards, as the app would be; {env} in it is
// the layer.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/build/box.h"
#include "emulator/build/build.h"
#include "emulator/build/cache.h"
#include "emulator/watch/tree.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

#define HOST_ID 61777

extern char **environ;

struct run {
    struct loop *loop;
    struct build *build;
    struct sandbox_host host;
    struct build_result result;
    const char *cancel_on;
    char *const *command;
    char *private_dir;
    struct box *box;
};

static void on_stage(void *context, enum build_stage stage, enum build_stage_state state,
                     int64_t took_ms, const char *detail)
{
    (void)context;
    static const char *const stages[] = {"python", "install", "build"};
    static const char *const states[] = {"running", "done", "cached", "skipped", "failed"};
    printf("stage %s %s %lld %s\n", stages[stage], states[state], (long long)took_ms,
           detail ? detail : "");
    fflush(stdout);
}

static void on_output(void *context, enum build_output kind, const char *source, const char *text,
                      size_t len)
{
    struct run *run = context;
    printf("%s %s %.*s\n", kind == BUILD_OUTPUT_NOTE ? "note" : "output", source, (int)len, text);
    fflush(stdout);
    if (run->cancel_on && strstr(text, run->cancel_on)) {
        build_cancel(run->build);
    }
}

static void print_diagnostics(const struct diagnostics *list)
{
    static const char *const names[] = {"note", "deviation", "warning", "error"};
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *item = &list->items[i];
        printf("%s %s %s:%d:%d %s | %s\n", names[item->severity], item->rule ? item->rule : "-",
               item->file ? item->file : "", item->line, item->column, item->text,
               item->hint ? item->hint : "");
    }
}

static void on_line(void *context, const char *text)
{
    (void)context;
    printf("app %s\n", text);
}

static void on_end(void *context, int wait_status, const struct error *error)
{
    struct run *run = context;
    printf("app-exit %d %s\n", WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1,
           error ? error->message : "");
    loop_exit(run->loop, 0);
}

static void run_command(struct run *run)
{
    struct build_mounts mounts;
    build_mounts_for(&mounts, &run->result, &run->host);
    struct strlist argv = {0};
    struct strlist env = {0};
    for (char *const *word = run->command; *word; word++) {
        const char *found = strstr(*word, "{env}");
        if (found) {
            strlist_addf(&argv, "%.*s%s%s", (int)(found - *word), *word, run->result.layer_target,
                         found + 5);
        } else {
            strlist_add(&argv, *word);
        }
    }
    strlist_addf(&env, "PATH=%s/bin:/usr/bin:/bin", run->result.layer_target);
    strlist_add(&env, "HOME=/home/leanengine");
    const struct box_request request = {.host = &run->host,
                                        .host_uid = HOST_ID,
                                        .host_gid = HOST_ID,
                                        .binds = mounts.binds,
                                        .bind_count = mounts.bind_count,
                                        .lowers =
                                            (const char *const *)run->result.built_lowers.items,
                                        .lower_count = run->result.built_lowers.count,
                                        .private_dir = run->private_dir,
                                        .argv = argv.items,
                                        .env = env.items};
    const struct box_callbacks callbacks = {.context = run, .on_line = on_line, .on_end = on_end};
    struct error error = {0};
    run->box = box_start(run->loop, &request, &callbacks, &error);
    if (!run->box) {
        printf("app-error %s\n", error.message);
        loop_exit(run->loop, 3);
    }
    build_mounts_release(&mounts);
    strlist_clear(&argv);
    strlist_clear(&env);
}

static void on_done(void *context, struct build_result *result, const struct error *error)
{
    struct run *run = context;
    print_diagnostics(&result->diagnostics);
    printf("done %s %lld ms\n", error ? "failed" : "ok", (long long)result->took_ms);
    if (error) {
        printf("error %s %s\n%s\nhint %s\ncloud %s\n", error_kind_name(error->kind), error->rule,
               error->message, error->hint, error->cloud);
        loop_exit(run->loop, error_kind_exit_code(error->kind));
        return;
    }
    printf("python %s %s\nlayer %s %s\n", result->python.version, result->python.executable,
           result->layer_dir, result->layer_target);
    for (size_t i = 0; i < result->built_lowers.count; i++) {
        printf("built %s\n", result->built_lowers.items[i]);
    }
    build_result_take(&run->result, result);
    if (run->command) {
        run_command(run);
    } else {
        loop_exit(run->loop, 0);
    }
}

static int read_yaml(const char *dir, struct leanengine_yaml *yaml)
{
    struct diagnostics diagnostics = {0};
    struct error error = {0};
    auto_free char *path = fs_join(dir, "leanengine.yaml");
    size_t len = 0;
    auto_free char *text = fs_read(path, 1 << 20, &len, NULL);
    leanengine_yaml_init(yaml);
    if (text && leanengine_yaml_parse(text, len, yaml, &diagnostics, &error) < 0) {
        printf("error %s %s\n%s\nhint %s\n", error_kind_name(error.kind), error.rule, error.message,
               error.hint);
        return -1;
    }
    print_diagnostics(&diagnostics);
    diagnostics_clear(&diagnostics);
    return 0;
}

static int run_build(struct run *run, struct build_request *request, struct error *error)
{
    const struct build_callbacks callbacks = {
        .context = run, .on_stage = on_stage, .on_output = on_output, .on_done = on_done};
    run->build = build_start(run->loop, request, &callbacks, error);
    if (!run->build) {
        return 3;
    }
    int code = loop_run(run->loop);
    build_free(run->build);
    box_free(run->box);
    build_result_release(&run->result);
    return code;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "@python") == 0) {
        return build_python_helper_main(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "@cache") == 0) {
        return cache_helper_main(argc, argv);
    }
    struct run run = {0};
    struct build_request request = {.host_uid = HOST_ID, .host_gid = HOST_ID};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--no-cache") == 0) {
            request.no_cache = true;
        } else if (strcmp(argv[at], "--legacy") == 0) {
            request.legacy_default = true;
        } else if (strcmp(argv[at], "--cancel-on") == 0 && at + 1 < argc) {
            run.cancel_on = argv[++at];
        }
    }
    if (argc - at < 2) {
        return 2;
    }
    request.cache_dir = argv[at + 1];
    request.project = argv[at];
    if (argc - at > 3) {
        run.command = argv + at + 3;
    }
    struct leanengine_yaml yaml;
    if (read_yaml(argv[at], &yaml) < 0) {
        return 1;
    }
    struct strlist env = {0};
    for (char **entry = environ; *entry; entry++) {
        strlist_add(&env, *entry);
    }
    struct strlist build_env = {0};
    if (yaml.expose_environments_on_build) {
        strlist_add(&build_env, "EXPOSED=yes");
    }
    struct tree_version version = {.tag = (char *)(uintptr_t) "20261122-101552"};
    strlist_add(&version.lowers, argv[at]);
    struct error error = {0};
    sandbox_probe(&run.host);
    run.private_dir = str_printf("%s/private", argv[at + 1]);
    mkdir(run.private_dir, 0777);
    request.yaml = &yaml;
    request.host_env = &env;
    request.build_env = &build_env;
    request.version = &version;
    request.host = &run.host;
    run.loop = loop_new(&error);
    int code = run.loop ? run_build(&run, &request, &error) : 3;
    if (error.kind) {
        printf("error %s\n", error.message);
    }
    loop_free(run.loop);
    leanengine_yaml_release(&yaml);
    strlist_clear(&env);
    strlist_clear(&build_env);
    strlist_clear(&version.lowers);
    free(run.private_dir);
    return code;
}
