// The life of a save (DESIGN 4): cut -> detect -> python, install, build -> start -> healthy ->
// switch.
//
// One deployment at a time. A change during it supersedes it: its build is cancelled, its candidate
// killed, and a new one begins with what both asked for, so the last save wins. Whatever fails, the
// serving instance is not touched. Stages whose inputs did not change are not run again: only a
// change to a manifest asks for the build.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/engine/functions.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "emulator/project/save.h"
#include "emulator/system/system_dependencies.h"
#include "emulator/python/candidates.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

// ---- detect ----

// A key of leanengine.yaml that decides no more than how the app is started asks for no build.
static bool asks_for_build(enum yaml_stage changed)
{
    return changed != YAML_STAGE_NOTHING && changed <= YAML_STAGE_BUILD;
}

// Why the upload lacks a file that is there. false: no reason is known.
static bool explain_absence(const struct engine *engine, const struct rules *rules,
                            const char *path, struct error *error)
{
    auto_free char *full = fs_join(engine->project.dir, path);
    struct view version;
    view_of_version(&version, &engine->deployment.version.lowers);
    bool lacks = view_kind(&version, path) == VIEW_NOTHING;
    view_release(&version);
    if (!lacks || !fs_is_file(full)) {
        return false;
    }
    if (engine->options.from_git) {
        error_set_hint(error, _("%s is there, but not committed"), path);
        return true;
    }
    struct verdict verdict = rules_judge_path(rules, path, false, NULL);
    const char *pattern = verdict.uploaded ? NULL : leanignore_pattern(rules->ignore, verdict.line);
    if (pattern) {
        error_set_hint(error, _("%s is there, but left out of the upload by %s:%u: %s"), path,
                       rules->shown, verdict.line, pattern);
    }
    return pattern != NULL;
}

void deployment_explain_missing(const struct engine *engine, struct error *error)
{
    static const char *const needed[] = {"wsgi.py", "requirements.txt"};
    struct rules rules = {0};
    if (!str_equal(error->rule, "P-1") ||
        (!engine->options.from_git &&
         rules_load(&rules, engine->project.dir, engine->options.ignore_file, NULL, NULL) < 0)) {
        rules_release(&rules);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        const char *sub = engine->project.build_sub;
        auto_free char *path = *sub ? fs_join(sub, needed[i]) : str_dup(needed[i]);
        if (explain_absence(engine, &rules, path, error)) {
            break;
        }
    }
    rules_release(&rules);
}

// Reads leanengine.yaml of the version and says what the cloud takes it for. From here on the
// version is what lies in the build root (P-11).
static int detect(struct engine *engine, struct error *error)
{
    struct deployment *deployment = &engine->deployment;
    struct diagnostics diagnostics = {0};
    struct view upload;
    enum yaml_stage changed = YAML_STAGE_NOTHING;
    view_of_version(&upload, &deployment->version.lowers);
    int result = project_load(&engine->project, &upload, engine->options.build_root, &changed,
                              &diagnostics, error);
    // Sticky, as what was loaded before is forgotten now.
    engine->build_pending = engine->build_pending || asks_for_build(changed);
    if (result == 0) {
        result = project_detect(&engine->project, &upload, &diagnostics, error);
    }
    if (result == 0) {
        const char *root = strlist_env_get(&engine->host_env, SYSTEM_ROOT_VARIABLE);
        system_dependencies_check(&engine->project.yaml.system_dependencies,
                                  engine->project.yaml.system_dependencies_line, root ? root : "",
                                  &diagnostics);
        strlist_clear(&deployment->version.lowers);
        view_lowers(&upload, &deployment->version.lowers);
    }
    view_release(&upload);
    announce_diagnostics(engine, TOLD_DETECT, &diagnostics);
    diagnostics_clear(&diagnostics);
    return result < 0 ? -1 : engine_check_variables(engine, error);
}

// P-62: second granularity, unique in the project: the next second on a collision.
static void choose_tag(struct engine *engine)
{
    long offset = environment_region_utc_offset_s(engine->options.region);
    int64_t second = clock_wall_ms() / 1000;
    if (second <= engine->last_tag_s) {
        second = engine->last_tag_s + 1;
    }
    engine->last_tag_s = second;
    clock_format_tag(second * 1000, offset, engine->deployment.tag);
}

void deployment_cancel(struct engine *engine)
{
    struct deployment cancelled = engine->deployment;
    engine->deployment = (struct deployment){0};
    rollout_cancel(engine);
    build_free(cancelled.build);
    if (cancelled.has_version && !rollout_version_in_use(engine, cancelled.version.tag)) {
        tree_release_version(engine->tree, cancelled.version.tag);
    }
    tree_version_release(&cancelled.version);
}

// The version is kept by the instance that runs it; what remains here is bookkeeping.
static void end_deployment(struct engine *engine)
{
    tree_version_release(&engine->deployment.version);
    build_free(engine->deployment.build);
    engine->deployment = (struct deployment){0};
}

void deployment_begin(struct engine *engine, const struct deploy_reason *reason)
{
    struct deployment *deployment = &engine->deployment;
    // Sticky until a build succeeds: a save after a failed install must not start on the old layer.
    engine->build_pending = engine->build_pending || reason->rebuild || !engine->has_built;
    bool no_cache = reason->no_cache || (deployment->active && deployment->no_cache);
    if (deployment->active) {
        deployment_cancel(engine);
    }
    deployment->active = true;
    deployment->no_cache = no_cache;
    deployment->from_save = reason->from_save;
    deployment->begun_ms = clock_now_ms();
    if (engine->gateway) {
        gateway_refuse_held(engine->gateway, false);
    }
    for (size_t i = 0; i < STAGE__COUNT; i++) {
        engine->stages[i] = (struct stage_state){.state = "", .ms = -1};
    }
    engine_locate(engine, NULL); // a bad env file is told when the instance asks for it
    choose_tag(engine);
    announce_cloud(engine, TEXT_BUILD_BEGIN, deployment->tag);
    announce_cloud(engine, TEXT_CODE_DOWNLOAD);
    announce_cloud(engine, TEXT_CODE_UNPACK);
    announce_stage(engine, STAGE_DETECT, "running", -1, NULL);
    deployment->cut_pending = true;
    tree_cut(engine->tree, deployment->tag);
}

// ---- version ----

void deployment_on_version(void *context, const struct tree_version *version,
                           const struct error *error)
{
    struct engine *engine = context;
    struct deployment *deployment = &engine->deployment;
    bool ours = deployment->active && deployment->cut_pending &&
                (!version || strcmp(version->tag, deployment->tag) == 0);
    if (!ours) {
        if (version) {
            tree_release_version(engine->tree, version->tag); // of a superseded deployment
        }
        return;
    }
    deployment->cut_pending = false;
    if (error) {
        deployment_fail(engine, STAGE_DETECT, error, NULL);
        return;
    }
    tree_version_copy(&deployment->version, version);
    deployment->has_version = true;
    struct event event = event_new(EVENT_VERSION);
    event.version = version->tag;
    event.count = (int64_t)version->file_count;
    event.bytes = (int64_t)version->bytes;
    event.ms = clock_now_ms() - deployment->begun_ms;
    announce(engine, &event);
    struct error refused = {0};
    if (detect(engine, &refused) < 0) {
        deployment_explain_missing(engine, &refused);
        deployment_fail(engine, STAGE_DETECT, &refused, NULL);
        return;
    }
    announce_stage(engine, STAGE_DETECT, "done", clock_now_ms() - deployment->begun_ms,
                   "Python runtime detected (wsgi.py, requirements.txt)"); // P-6
    announce_cloud(engine, TEXT_RUNTIME);
    if (engine->build_pending || engine->project.yaml.build.given) {
        deployment_build(engine);
    } else {
        for (enum stage stage = STAGE_PYTHON; stage <= STAGE_BUILD; stage++) {
            bool skipped = stage == STAGE_BUILD;
            engine->stages[stage] =
                (struct stage_state){.state = skipped ? "skipped" : "cached", .ms = -1};
        }
        snprintf(engine->stages[STAGE_PYTHON].detail, sizeof engine->stages[0].detail, "%s",
                 engine->built.python.version);
        rollout_deploy(engine);
    }
}

// ---- build ----

static enum stage stage_of(enum build_stage stage)
{
    static const enum stage stages[BUILD_STAGE__COUNT] = {
        [BUILD_STAGE_PYTHON] = STAGE_PYTHON,
        [BUILD_STAGE_INSTALL] = STAGE_INSTALL,
        [BUILD_STAGE_BUILD] = STAGE_BUILD,
    };
    return stages[stage];
}

static void on_build_stage(void *context, enum build_stage stage, enum build_stage_state state,
                           int64_t took_ms, const char *detail)
{
    static const char *const names[] = {[BUILD_STATE_RUNNING] = "running",
                                        [BUILD_STATE_DONE] = "done",
                                        [BUILD_STATE_CACHED] = "cached",
                                        [BUILD_STATE_SKIPPED] = "skipped",
                                        [BUILD_STATE_FAILED] = "failed"};
    struct engine *engine = context;
    engine->last_output[0] = '\0';
    engine->pip_collected = 0;
    if (stage == BUILD_STAGE_INSTALL && state == BUILD_STATE_RUNNING) {
        announce_cloud(engine, TEXT_INSTALLING);
    }
    if (state != BUILD_STATE_FAILED) { // a failure is announced once, with its reason
        announce_stage(engine, stage_of(stage), names[state], took_ms, detail);
    } else {
        engine->stages[stage_of(stage)].state = "failed";
    }
}

void deployment_show_output(void *context, enum build_output kind, const char *source,
                            const char *text, size_t len)
{
    static const unsigned flags[] = {[BUILD_OUTPUT_LINE] = 0,
                                     [BUILD_OUTPUT_STEP] = JOURNAL_STEP,
                                     [BUILD_OUTPUT_NOTE] = JOURNAL_OWN};
    struct engine *engine = context;
    journal_append(engine->journal, clock_wall_ms(), JOURNAL_BUILD, flags[kind], source, text, len);
    journal_flush(engine->journal);
    server_touch_journal(engine->server);
    size_t kept = len < sizeof engine->last_output ? len : sizeof engine->last_output - 1;
    memcpy(engine->last_output, text, kept);
    engine->last_output[kept] = '\0';
    engine->pip_collected += str_starts_with(engine->last_output, "Collecting ");
    touch(engine);
}

// [I] As the one sample that is known, "0B": no blank before the unit.
static char *format_image_size(int64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1000 && unit + 1 < ARRAY_LEN(units); unit++) {
        size /= 1000;
    }
    return str_printf(unit ? "%.1f%s" : "%.0f%s", size, units[unit]);
}

static void on_build_done(void *context, struct build_result *result, const struct error *error)
{
    struct engine *engine = context;
    struct deployment *deployment = &engine->deployment;
    announce_diagnostics(engine, TOLD_BUILD, &result->diagnostics);
    bool python_missing = error && result->failed_stage == BUILD_STAGE_PYTHON;
    if (installing_judge(engine, result, python_missing)) {
        build_free(deployment->build);
        deployment->build = NULL;
        return;
    }
    if (error) {
        struct error copy = *error;
        deployment_fail(engine, stage_of(result->failed_stage), &copy, NULL);
        return;
    }
    if (engine->has_built) {
        build_result_release(&engine->built);
    }
    build_result_take(&engine->built, result);
    engine->has_built = true;
    engine->build_pending = false;
    auto_free char *size = format_image_size(engine->built.new_bytes);
    build_leases_move(&engine->leases, &engine->built.leases);
    announce_cloud(engine, TEXT_STORE_IMAGE, size);
    announce_cloud(engine, TEXT_BUILD_DONE, deployment->tag);
    if (engine->mode == MODE_BUILD) {
        engine_stop(engine, 0, _("build done"));
    } else if (engine->mode != MODE_EXEC) {
        rollout_deploy(engine);
    } else {
        struct event event = event_new(EVENT_READY); // the client now sends its command
        event.version = deployment->tag;
        event.ms = clock_now_ms() - deployment->begun_ms;
        announce(engine, &event);
    }
}

void deployment_build(struct engine *engine)
{
    struct deployment *deployment = &engine->deployment;
    struct strlist build_env = {0};
    struct error error = {0};
    if (engine->project.yaml.expose_environments_on_build) { // P-28
        struct environment environment = {0};
        if (engine_environment(engine, deployment->tag, "", (uint16_t)LIMIT_APP_PORT,
                               "/home/leanengine", &environment, NULL, &error) < 0) {
            deployment_fail(engine, STAGE_INSTALL, &error, NULL);
            return;
        }
        environment_to_list(&environment, &build_env);
        environment_release(&environment);
    }
    const struct build_request request = {
        .yaml = &engine->project.yaml,
        .host_env = &engine->host_env,
        .build_env = &build_env,
        .version = &deployment->version,
        .cache_dir = engine->cache_dir,
        .project = engine->project.dir,
        .measures_image = engine->mode == MODE_VERIFY,
        .host = &engine->host,
        .no_cache = deployment->no_cache,
        .legacy_default = engine->options.legacy_default,
        .install_python = engine->mode != MODE_UP && installing_is_asked_for(engine),
        .host_uid = ENGINE_HOST_ID,
        .host_gid = ENGINE_HOST_ID,
    };
    const struct build_callbacks callbacks = {.context = engine,
                                              .on_stage = on_build_stage,
                                              .on_output = deployment_show_output,
                                              .on_done = on_build_done};
    build_free(deployment->build);
    engine->versions_stamp = python_versions_stamp(&engine->host_env, NULL);
    deployment->build = build_start(engine->loop, &request, &callbacks, &error);
    strlist_clear(&build_env);
    if (!deployment->build) {
        deployment_fail(engine, STAGE_PYTHON, &error, NULL);
    }
}

// ---- its end ----

void deployment_pass(struct engine *engine)
{
    announce_cloud_either(engine, TEXTS_DEPLOY_DONE, engine->options.instances);
    engine_stop(engine, 0, _("the cloud would deploy this project"));
}

void deployment_healthy(struct engine *engine, struct running *running)
{
    struct deployment *deployment = &engine->deployment;
    bool from_save = deployment->from_save;
    int64_t took_ms = clock_now_ms() - deployment->begun_ms;
    if (from_save) {
        engine->last_reload_ms = took_ms;
    }
    engine->failure = (struct error){0};
    engine->failure_mend[0] = '\0';
    engine->has_served = true;
    struct event event = event_new(EVENT_READY);
    event.version = running->version.tag;
    event.instance = (char *)(uintptr_t)instance_name(running->instance);
    event.ms = took_ms;
    event.text = engine->url;
    announce(engine, &event);
    end_deployment(engine);
    functions_ask(engine, running);
    if (engine->mode == MODE_VERIFY && !functions_is_asking(engine)) {
        deployment_pass(engine);
    }
}

void deployment_fail(struct engine *engine, enum stage stage, const struct error *failed,
                     const char *mend)
{
    struct error error = *failed;
    struct running *serving = rollout_serving(engine);
    engine->failure = error;
    engine->failure_stage = stage;
    engine->failure_is_crash = false;
    snprintf(engine->failure_tag, sizeof engine->failure_tag, "%s", engine->deployment.tag);
    snprintf(engine->failure_mend, sizeof engine->failure_mend, "%s", mend ? mend : error.hint);
    engine->stages[stage].state = "failed";
    engine->stages[stage].ms = -1;
    snprintf(engine->stages[stage].detail, sizeof engine->stages[stage].detail, "%.90s",
             error.message);
    struct event event = event_new(EVENT_FAILED);
    event.stage = (char *)(uintptr_t)stage_name(stage);
    event.text = error.message;
    event.cloud = *error.cloud ? error.cloud : NULL;
    event.rule = *error.rule ? error.rule : NULL;
    event.mend = *engine->failure_mend ? engine->failure_mend : NULL;
    event.severity = (char *)(uintptr_t)error_kind_name(error.kind);
    event.version = serving ? serving->version.tag : NULL;
    announce(engine, &event);
    if (engine->gateway) {
        auto_free char *text = str_printf("%s: %s", stage_name(stage), error.message);
        gateway_set_status_text(engine->gateway, text);
        gateway_refuse_held(engine->gateway, true);
    }
    deployment_cancel(engine);
    int code = error_kind_exit_code(error.kind);
    if (engine->mode == MODE_EXEC) {
        requests_exec_failed(engine, &error);
    }
    if (engine->mode != MODE_UP) {
        if (stage >= STAGE_START) {
            announce_cloud(engine, TEXT_INSTANCE_REMOVED);
        }
        announce_cloud(engine, TEXT_DEPLOY_FAILED);
        engine_stop(engine, code, NULL);
        return;
    }
    // What only a change outside the project can mend is not worth waiting for without a screen.
    bool host = error.kind == ERROR_HOST && !engine->options.interactive;
    bool hopeless = host || error.kind == ERROR_USAGE || str_equal(error.rule, "P-1");
    if (!engine->has_served && hopeless) {
        engine_stop(engine, code, NULL);
        return;
    }
}

// ---- changes ----

// --env-file as saves name it: relative in the project, else absolute. NULL: none.
const char *deployment_env_file(const struct engine *engine)
{
    const char *file = engine->options.env_file;
    size_t len = strlen(engine->project.dir);
    bool inside = file && strncmp(file, engine->project.dir, len) == 0 && file[len] == '/';
    return inside ? file + len + 1 : file;
}

void deployment_on_changed(void *context, const struct tree_change *change)
{
    struct engine *engine = context;
    if (engine->stopping || engine->mode != MODE_UP) {
        return;
    }
    struct deploy_reason reason = {.from_save = true, .rebuild = change->rescan};
    // What is not named may be anything.
    bool counts = change->rescan || change->total > change->paths.count;
    auto_free char *paths = str_dup("");
    for (size_t i = 0; i < change->paths.count; i++) {
        const char *path = change->paths.items[i];
        enum save_effect effect =
            save_judge(&engine->project, deployment_env_file(engine), path).effect;
        if (effect == SAVE_OPTIONS) {
            announce_notice(engine, "note", NULL, NULL, _("stop leanlocal and start it again"),
                            _("%s was saved: %s"), path, save_effect_text(effect));
        }
        counts = counts || (effect != SAVE_NOTHING && effect != SAVE_OPTIONS);
        reason.rebuild = reason.rebuild || save_asks_for_build(effect);
        if (i < 3) {
            char *longer = str_printf("%s%s%s", paths, i ? ", " : "", path);
            free(paths);
            paths = longer;
        }
    }
    if (!counts) {
        return; // P-11: of no build root
    }
    reason.rebuild = reason.rebuild || change->total > change->paths.count;
    engine->saves++;
    struct event event = event_new(EVENT_SAVE);
    event.text = paths;
    event.count = (int64_t)change->total;
    announce(engine, &event);
    deployment_begin(engine, &reason);
}
