// The build stage: `build:` commands with all sources in place; what they made is kept as a tree
// that is laid over the version (products.py).

#include <unistd.h>

#include "emulator/build/box.h"
#include "emulator/build/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"

extern const char products_py[];
extern const size_t products_py_size;
extern const char steps_py[];
extern const size_t steps_py_size;

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
    if (build->cancelled || build_judge(build, wait_status, error, &failure) < 0) {
        fs_remove_tree(build->built_dir, NULL);
        build_fail(build, &failure);
        return;
    }
    strlist_take(&build->result.built_lowers, fs_join(build->built_dir, "tree"));
    build_tell(build, BUILD_STATE_DONE, NULL);
    build_finish(build);
}

static int stage_build_commands(struct build *build, const char *out, struct error *error)
{
    auto_free char *own = fs_join(build->built_dir, ".leanlocal");
    auto_free char *home = fs_join(build->built_dir, "home");
    if (fs_mkdir_p(own, 0755, error) < 0 ||
        build_write_script(own, "products.py", products_py, products_py_size, error) < 0 ||
        build_write_script(own, "steps.py", steps_py, steps_py_size, error) < 0 ||
        build_give_to_app(build, own, error) < 0 ||
        build_give_to_app(build, build->built_dir, error) < 0) {
        return -1;
    }
    if (build_is_in_place(build)) {
        str_replace(&build->slot.home_dir, home);
        if (fs_mkdir_p(home, 0700, error) < 0 || build_give_to_app(build, home, error) < 0) {
            return -1;
        }
    }
    return build_write_job(build, own, out, &build->build_steps, false, error);
}

static int run_build_commands(struct build *build, const char *out, struct error *error)
{
    struct build_mounts mounts;
    build_mounts_for(&mounts, &build->result, &build->host);
    build_mounts_add_system(&mounts, &build->system_dependencies, &build->host);
    if (!build_is_in_place(build)) {
        build_mounts_add(&mounts, build->built_dir, out, SANDBOX_BIND_WRITABLE);
    }
    auto_free char *home = build_home_inside(build);
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
        .lowers = (const char *const *)build->upload.lowers.items,
        .lower_count = build->upload.lowers.count,
        .private_dir = build->slot.home_dir,
        .argv = argv,
        .limits = &build->limits,
        .spent_cpu_ms = build->spent_cpu_ms,
        .env = env.items,
    };
    const struct box_callbacks callbacks = {.context = build,
                                            .on_line = build_show_line,
                                            .on_quiet = build_show_silence,
                                            .on_end = build_commands_ended};
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

void build_start_commands(struct build *build)
{
    struct error error = {0};
    if (!has_commands(&build->build_steps) || build->upload.lowers.count == 0) {
        build_enter_stage(build, BUILD_STAGE_BUILD);
        build_tell(build, BUILD_STATE_SKIPPED, NULL);
        build_finish(build);
        return;
    }
    build_enter_stage(build, BUILD_STAGE_BUILD);
    build_tell(build, BUILD_STATE_RUNNING, NULL);
    build_log_release(&build->log);
    build->built_dir = str_printf("%s/built/%s-%d-%lld", build->cache_dir, build->tag,
                                  (int)getpid(), (long long)clock_now_us());
    auto_free char *out = str_dup(build_is_in_place(build) ? build->built_dir : BUILD_OUT_TARGET);
    if (stage_build_commands(build, out, &error) < 0 ||
        run_build_commands(build, out, &error) < 0) {
        build_fail(build, &error);
    }
}
