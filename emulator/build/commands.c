// The build stage: `build:` commands with all sources in place; what they made is kept as a tree
// that is laid over the version (products.py).

#include <string.h>

#include "emulator/build/box.h"
#include "emulator/build/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/json.h"

// To be raised when products of older programs must not be used any more.
#define PRODUCTS_FORMAT "1"

extern const char products_py[];
extern const size_t products_py_size;
extern const char steps_py[];
extern const size_t steps_py_size;

static void use_products(struct build *build, enum build_stage_state state)
{
    strlist_take(&build->result.built_lowers, fs_join(build->built.dir, "tree"));
    build_tell(build, state, NULL);
    build_finish(build);
}

static void products_published(struct build *build)
{
    use_products(build, BUILD_STATE_DONE);
}

static void products_found(struct build *build, const struct cJSON *record)
{
    (void)record;
    use_products(build, BUILD_STATE_CACHED);
}

static void build_commands_ended(void *context, int wait_status, const struct error *error)
{
    struct build *build = context;
    struct error failure = {0};
    box_free(build->box);
    build->box = NULL;
    if (build->cancelled || build_judge(build, wait_status, error, &failure) < 0) {
        build_fail(build, &failure);
        return;
    }
    struct cJSON *record = json_new_object();
    json_put_string(record, "python", build->result.python.version);
    build_publish(build, &build->built, record, products_published);
}

static int stage_build_commands(struct build *build, const char *out, struct error *error)
{
    const char *work = build->built.work_dir;
    auto_free char *own = fs_join(work, ".leanlocal");
    if (store_slot_prepare(&build->built, error) < 0 || fs_mkdir_p(own, 0755, error) < 0 ||
        build_write_script(own, "products.py", products_py, products_py_size, error) < 0 ||
        build_write_script(own, "steps.py", steps_py, steps_py_size, error) < 0 ||
        build_give_to_app(build, own, error) < 0 || build_give_to_app(build, work, error) < 0) {
        return -1;
    }
    if (build_is_in_place(build)) {
        auto_free char *home = fs_join(work, "home");
        str_replace(&build->home_dir, home);
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
        build_mounts_add(&mounts, build->built.work_dir, out, SANDBOX_BIND_WRITABLE);
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
        .private_dir = build->home_dir,
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

bool products_wanted(const struct build_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->items[i].kind == BUILD_STEP_SHELL) {
            return true;
        }
    }
    return false;
}

static void make_products(struct build *build)
{
    struct error error = {0};
    const char *work = build->built.work_dir;
    auto_free char *out = str_dup(build_is_in_place(build) ? work : BUILD_OUT_TARGET);
    build_log_release(&build->log);
    if (stage_build_commands(build, out, &error) < 0 ||
        run_build_commands(build, out, &error) < 0) {
        build_fail(build, &error);
    }
}

// P-63: the layer, the sources, the commands and what they see decide what comes out. Once a stage
// is made anew all later ones are: a salted layer has another name.
void products_key(const char *layer_dir, const char *digest, const struct strlist *build_env,
                  const struct build_steps *steps, char ret_key[static HASH_HEX_SIZE])
{
    struct hash hash;
    hash_init(&hash);
    hash_adds(&hash, "products " PRODUCTS_FORMAT);
    hash_adds(&hash, strrchr(layer_dir, '/'));
    hash_adds(&hash, digest);
    manifests_hash_env(&hash, build_env);
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        hash_adds(&hash, step->kind == BUILD_STEP_SHELL ? step->text : "");
    }
    hash_hex(&hash, ret_key);
}

static int open_built_slot(struct build *build, struct error *error)
{
    char key[HASH_HEX_SIZE];
    products_key(build->slot.dir, build->digest, &build->build_env, &build->build_steps, key);
    return store_slot_open(&build->built, build->cache_dir, STORE_BUILT, key, false,
                           build->no_cache, error);
}

static void skip_commands(struct build *build)
{
    build_tell(build, BUILD_STATE_SKIPPED, NULL);
    build_finish(build);
}

static void sources_digested(struct build *build)
{
    struct error error = {0};
    struct cJSON *answer = build_take_answer(build, &error);
    if (!answer || build->cancelled) {
        json_free(answer);
        build_fail(build, &error);
        return;
    }
    str_replace(&build->digest, json_get_string(answer, "digest"));
    build->result.new_bytes += json_get_int(answer, "new_bytes", 0);
    json_free(answer);
    if (!products_wanted(&build->build_steps)) {
        skip_commands(build);
    } else if (open_built_slot(build, &error) < 0) {
        build_fail(build, &error);
    } else {
        build_claim(build, &build->built, products_found, make_products);
    }
}

// What the upload holds is read by a helper: it may be much.
static int digest_sources(struct build *build, struct error *error)
{
    struct strlist words = {0};
    strlist_add(&words, "leanlocal");
    strlist_add(&words, "@cache");
    strlist_add(&words, "digest");
    strlist_add(&words, build->cache_dir);
    view_lowers(&build->upload, &words);
    int result =
        build_start_helper(build, (const char *const *)words.items, sources_digested, error);
    strlist_clear(&words);
    return result;
}

void build_start_commands(struct build *build)
{
    struct error error = {0};
    build_enter_stage(build, BUILD_STAGE_BUILD);
    bool runs = products_wanted(&build->build_steps) && build->upload.lowers.count > 0;
    if (runs) {
        build_tell(build, BUILD_STATE_RUNNING, NULL);
    } else if (!build->measures_image) {
        skip_commands(build);
        return;
    }
    if (digest_sources(build, &error) < 0) {
        build_fail(build, &error);
    }
}
