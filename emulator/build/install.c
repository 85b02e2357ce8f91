// The install stage: lock the key, make the layer in its directory, publish it by rename.

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "emulator/build/box.h"
#include "emulator/build/internal.h"
#include "emulator/build/required.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

extern const char layer_py[];
extern const size_t layer_py_size;
extern const char packages_py[]; // emulator/blame
extern const size_t packages_py_size;
extern const char steps_py[];
extern const size_t steps_py_size;

static void layer_published(struct build *build)
{
    build_log_conflicts(&build->log.conflicts, &build->result.diagnostics);
    build->result.layer_dir = str_dup(build->slot.dir);
    bool nothing = build->manifests.is_empty && !build->install.given;
    build_tell(build, nothing ? BUILD_STATE_SKIPPED : BUILD_STATE_DONE,
               nothing ? _("no requirements") : NULL);
    build_start_commands(build);
}

static void publish(struct build *build)
{
    struct cJSON *record = json_new_object();
    json_put_string(record, "python", build->result.python.version);
    json_put_string(record, "pip", build->result.python.pip_version);
    json_put_strings(record, "conflicts", &build->log.conflicts);
    build_publish(build, &build->slot, record, layer_published);
}

static void install_ended(void *context, int wait_status, const struct error *error)
{
    struct build *build = context;
    struct error failure = {0};
    build->spent_cpu_ms = box_cpu_ms(build->box);
    box_free(build->box);
    build->box = NULL;
    if (build->cancelled || build_judge(build, wait_status, error, &failure) < 0) {
        build_fail(build, &failure);
    } else {
        publish(build);
    }
}

// <work>/.leanlocal: scripts, the job, the manifests. Removed by layer.py when all went well.
static int stage_install(struct build *build, struct error *error)
{
    const char *work = build->slot.work_dir;
    auto_free char *own = fs_join(work, ".leanlocal");
    str_replace(&build->home_dir, build->slot.home_dir);
    if (store_slot_prepare(&build->slot, error) < 0 || fs_mkdir_p(own, 0755, error) < 0 ||
        build_write_script(own, "layer.py", layer_py, layer_py_size, error) < 0 ||
        build_write_script(own, "packages.py", packages_py, packages_py_size, error) < 0 ||
        build_write_script(own, "steps.py", steps_py, steps_py_size, error) < 0 ||
        build_write_job(build, own, build->result.layer_target, &build->install, true, error) < 0 ||
        manifests_stage(&build->upload, own, error) < 0 ||
        build_give_to_app(build, work, error) < 0 || build_give_to_app(build, own, error) < 0) {
        return -1;
    }
    auto_free char *given = fs_join(own, "manifests");
    if (build_give_to_app(build, given, error) < 0) {
        return -1;
    }
    return build->home_dir ? build_give_to_app(build, build->home_dir, error) : 0;
}

// pip's own cache, shared by all layers. A lease keeps it while we use it; without one, because
// somebody removes an older one just now, a new one is made.
static char *pip_cache(struct build *build, struct error *error)
{
    auto_free char *dir = fs_join(build->cache_dir, "pip");
    auto_free char *lease = str_printf("%s.use", dir);
    if (build->pip_lease_fd < 0) {
        build->pip_lease_fd = store_lock_file(lease, LOCK_SH);
    }
    if (fs_mkdir_p(dir, 0755, error) < 0 || build_give_to_app(build, dir, error) < 0) {
        return NULL;
    }
    utimensat(AT_FDCWD, dir, NULL, 0); // used now
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
    bool in_place = build_is_in_place(build);
    auto_free char *home = build_home_inside(build);
    auto_free char *cache_inside =
        in_place ? str_dup(cache) : str_dup(BUILD_HOME_TARGET "/.cache/pip");
    struct install_env env;
    install_env_make(&build->host_env, &build->build_env, target, home, cache_inside, &env);
    if (!in_place) {
        add_interpreter(build, &env.mounts);
        build_mounts_add_system(&env.mounts, &build->system_dependencies, &build->host);
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
        .private_dir = build->home_dir,
        .argv = argv,
        .limits = &build->limits,
        .env = env.env.items,
    };
    const struct box_callbacks callbacks = {.context = build,
                                            .on_line = build_show_line,
                                            .on_quiet = build_show_silence,
                                            .on_end = install_ended};
    build->box = box_start(build->loop, &request, &callbacks, error);
    install_env_release(&env);
    return build->box ? 0 : -1;
}

static int check_pip(const struct build *build, struct error *error)
{
    const struct python *python = &build->result.python;
    if (python->pip_version || !build_runs_anything(build)) {
        return 0;
    }
    error_set(error, ERROR_HOST, _("no pip here that Python %s can run (%s)"), python->version,
              python->executable);
    error_set_rule(error, "P-309", NULL);
    bool system = str_starts_with(python->executable, "/usr/");
    return system ? error_set_hint(error, _("apt install python3-pip (or python3-venv)"))
                  : error_set_hint(error, _("%s -m ensurepip"), python->executable);
}

static void install(struct build *build, struct error *error)
{
    auto_free char *cache = pip_cache(build, error);
    if (!cache || run_install(build, cache, error) < 0) {
        build_fail(build, error);
    }
}

// ---- required files: read by a helper, for they may be large ----

// dir: copies them there; NULL: the digest of them is asked for.
static int ask_required(struct build *build, const char *dir, void (*ended)(struct build *build),
                        struct error *error)
{
    struct strlist lowers = {0};
    struct cJSON *job = json_new_object();
    view_lowers(&build->upload, &lowers);
    json_put_strings(job, "lowers", &lowers);
    json_put_tree(job, "files", required_list(&build->install));
    json_put_string(job, "dir", dir);
    auto_free char *text = json_print(job);
    json_free(job);
    strlist_clear(&lowers);
    const char *const arguments[] = {"leanlocal", "@cache", "require", text, NULL};
    return build_start_helper(build, arguments, ended, error);
}

static void required_copied(struct build *build)
{
    struct error error = {0};
    struct cJSON *answer = build_take_answer(build, &error);
    auto_free char *dir = fs_join(build->slot.work_dir, ".leanlocal/required");
    bool good = answer && !build->cancelled && build_give_to_app(build, dir, &error) == 0;
    json_free(answer);
    if (good) {
        install(build, &error);
    } else {
        build_fail(build, &error);
    }
}

static void make_layer(struct build *build)
{
    struct error error = {0};
    build_log_init(&build->log);
    if (check_pip(build, &error) < 0 || stage_install(build, &error) < 0) {
        build_fail(build, &error);
        return;
    }
    if (!*build->required) {
        install(build, &error);
        return;
    }
    auto_free char *dir = fs_join(build->slot.work_dir, ".leanlocal/required");
    if (fs_mkdir_p(dir, 0755, &error) < 0 ||
        ask_required(build, dir, required_copied, &error) < 0) {
        build_fail(build, &error);
    }
}

static void layer_found(struct build *build, const struct cJSON *record)
{
    struct strlist conflicts = {0};
    json_get_strings(record, "conflicts", &conflicts);
    build_log_conflicts(&conflicts, &build->result.diagnostics);
    strlist_clear(&conflicts);
    build->result.layer_dir = str_dup(build->slot.dir);
    build_tell(build, BUILD_STATE_CACHED, NULL);
    build_start_commands(build);
}

static int open_slot(struct build *build, struct error *error)
{
    char key[HASH_HEX_SIZE];
    auto_free char *layers = fs_join(build->cache_dir, "layers");
    const char *target = build_is_in_place(build) ? layers : BUILD_LAYER_TARGET;
    manifests_key(&build->install, build->required, &build->manifests, &build->result.python,
                  &build->build_env, target, key);
    if (store_slot_open(&build->slot, build->cache_dir, STORE_LAYERS, key, build_is_in_place(build),
                        build->no_cache, error) < 0) {
        return -1;
    }
    build->result.layer_key = str_dup(build->slot.key);
    build->result.layer_target =
        str_dup(build_is_in_place(build) ? build->slot.dir : BUILD_LAYER_TARGET);
    return 0;
}

// Which pip decides which failure appears (P-301, P-309).
static char *name_pip(const struct build *build)
{
    const struct python *python = &build->result.python;
    if (!python->pip_version) {
        return NULL;
    }
    return python->pip_wheel ? str_printf("pip %s (%s)", python->pip_version, python->pip_wheel)
                             : str_printf("pip %s", python->pip_version);
}

static void claim_layer(struct build *build)
{
    struct error error = {0};
    if (open_slot(build, &error) < 0) {
        build_fail(build, &error);
        return;
    }
    auto_free char *pip = build_runs_anything(build) ? name_pip(build) : NULL;
    build_tell(build, BUILD_STATE_RUNNING, pip);
    build_claim(build, &build->slot, layer_found, make_layer);
}

static void required_digested(struct build *build)
{
    struct error error = {0};
    struct cJSON *answer = build_take_answer(build, &error);
    const char *digest = json_get_string(answer, "digest");
    if (!digest || build->cancelled) {
        build_fail(build, &error);
    } else {
        str_replace(&build->required, digest);
        claim_layer(build);
    }
    json_free(answer);
}

void build_start_install(struct build *build)
{
    struct error error = {0};
    build_enter_stage(build, BUILD_STAGE_INSTALL);
    str_replace(&build->required, "");
    struct cJSON *list = required_list(&build->install);
    bool requires_any = json_count(list) > 0;
    json_free(list);
    if (manifests_read(&build->upload, &build->manifests, &error) < 0 ||
        (requires_any && ask_required(build, NULL, required_digested, &error) < 0)) {
        build_fail(build, &error);
    } else if (!requires_any) {
        claim_layer(build);
    }
}
