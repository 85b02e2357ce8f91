// The sections that look ahead: what would be uploaded, which stages would run, how the sandbox
// would be built.

#include "emulator/engine/explain.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "emulator/build/look.h"
#include "emulator/engine/running.h"
#include "emulator/limits/limits.h"
#include "emulator/system/system_dependencies.h"
#include "emulator/watch/scan.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define LEFT_OUT_MAX 20

// ---- upload ----

static void on_scan_notice(void *context, const char *text)
{
    struct explanation *explanation = context;
    diagnostics_add(&explanation->diagnostics, DIAGNOSTIC_NOTE, NULL, 0, 0, NULL, NULL, "%s", text);
}

// As `why` would say it.
static void add_left_out(struct explanation *explanation, const struct rules *rules,
                         const char *path, const char *name, bool is_dir)
{
    struct verdict verdict = rules_judge(rules, path, name, is_dir);
    auto_free char *note = NULL;
    if (verdict.noise >= 0 && rules_is_skipped(verdict.noise)) {
        const char *reason = rules_noise_reason(verdict.noise);
        note = str_printf(_("built-in: %s%s%s"), rules_noise_pattern(verdict.noise),
                          reason ? ", " : "", reason ? reason : "");
    } else if (verdict.line) {
        const char *pattern = leanignore_pattern(rules->ignore, verdict.line);
        note = rules->is_default ? str_printf(_("the defaults: %s"), pattern)
                                 : str_printf("%s:%u: %s", rules->shown, verdict.line, pattern);
    }
    explain_row(explanation, _("left out"), note, "%s%s", path, is_dir ? "/" : "");
}

// What the scan did not take, from the top down; a directory that is left out stands for all in it.
static size_t find_left_out(struct explanation *explanation, const struct scan *scan,
                            const struct node *dir, size_t found)
{
    auto_free char *below = node_path(dir);
    auto_free char *path = fs_join(scan->root, below);
    DIR *entries = opendir(path);
    struct dirent *entry;
    while (entries && (entry = readdir(entries)) && found < LEFT_OUT_MAX) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            continue;
        }
        auto_free char *own = strcmp(below, ".") == 0 ? str_dup(name) : fs_join(below, name);
        const struct node *node = inventory_find(&scan->inventory, dir, name);
        if (!node || (node->kind == NODE_FILE && !node->uploaded)) {
            auto_free char *full = fs_join(path, name);
            add_left_out(explanation, &scan->rules, own, name, fs_is_dir(full));
            found++;
        }
    }
    if (entries) {
        closedir(entries);
    }
    for (const struct node *child = dir->first_child; child && found < LEFT_OUT_MAX;
         child = child->next) {
        if (child->kind == NODE_DIR && !child->linked) {
            found = find_left_out(explanation, scan, child, found);
        }
    }
    return found;
}

static void on_scan_report(void *context, const struct diagnostic *item)
{
    struct explanation *explanation = context;
    diagnostics_add(&explanation->diagnostics, item->severity, item->file, item->line, item->column,
                    item->rule, item->hint, "%s", item->text);
}

void explain_upload(struct explanation *explanation)
{
    const struct project *project = &explanation->engine->project;
    const char *ignore_file = explanation->engine->options.ignore_file;
    struct scan scan = {
        .quiet = true, .notice = on_scan_notice, .report = on_scan_report, .context = explanation};
    if (explain_need_project(explanation) < 0 && !str_equal(explanation->error.rule, "P-223")) {
        explanation->error = (struct error){0}; // told by the project's section
    }
    if (scan_init(&scan, project->dir, ignore_file, &explanation->error) < 0) {
        return;
    }
    bool own = !scan.rules.is_default;
    scan_all(&scan);
    explain_row(explanation, _("rules"), own ? NULL : "P-221", "%s",
                own ? scan.rules.shown : _("the command line tool's defaults for Python"));
    explain_row(explanation, _("files"), NULL, "%zu", scan.inventory.files);
    explain_row(explanation, _("bytes"), NULL, "%llu", (unsigned long long)scan.inventory.bytes);
    if (find_left_out(explanation, &scan, scan.inventory.root, 0) == LEFT_OUT_MAX) {
        explain_row(explanation, _("left out"), NULL, "%s", _("and more"));
    }
    scan_release(&scan);
}

// ---- stages ----

static char *steps_text(const struct build_steps *steps)
{
    auto_free char *text = str_dup("");
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        auto_free char *line = step->kind == BUILD_STEP_SHELL     ? str_dup(step->text)
                               : step->kind == BUILD_STEP_DEFAULT ? str_dup("{use: default}")
                                                                  : str_dup("{require: [");
        for (size_t j = 0; j < step->files.count; j++) {
            char *longer = str_printf("%s%s%s", line, j ? ", " : "", step->files.items[j]);
            free(line);
            line = longer;
        }
        char *longer = str_printf("%s%s%s%s", text, i ? "\n" : "", line,
                                  step->kind == BUILD_STEP_REQUIRE ? "]}" : "");
        free(text);
        text = longer;
    }
    return steal(text);
}

static int exposed_environment(struct engine *engine, struct strlist *ret_env, struct error *error)
{
    struct environment environment = {0};
    if (!engine->project.yaml.expose_environments_on_build) {
        return 0;
    }
    if (engine_environment(engine, "", "", (uint16_t)LIMIT_APP_PORT, "/home/leanengine",
                           &environment, NULL, error) < 0) {
        return -1;
    }
    environment_to_list(&environment, ret_env); // P-28
    environment_release(&environment);
    return 0;
}

// The layer, as a build of the same inputs would name it.
static int look_at_layer(struct explanation *explanation, struct build_look *ret_look)
{
    struct engine *engine = explanation->engine;
    struct strlist build_env = {0};
    int result = exposed_environment(engine, &build_env, &explanation->error);
    const struct build_request request = {
        .yaml = &engine->project.yaml,
        .host_env = &engine->host_env,
        .build_env = &build_env,
        .cache_dir = engine->cache_dir,
        .host = &engine->host,
    };
    if (result == 0) {
        result = build_look(&request, &explanation->upload, &explanation->built.python,
                            engine->options.keep_modes, ret_look, &explanation->error);
    }
    strlist_clear(&build_env);
    return result;
}

static const char *cache_note(bool cached, bool fresh)
{
    return fresh    ? _("--no-cache: would be made anew")
           : cached ? _("cached: nothing would run")
                    : _("not there yet: would be made");
}

static void add_install(struct explanation *explanation, const struct build_look *look)
{
    const struct build_steps *install = &explanation->engine->project.yaml.install;
    auto_free char *steps = install->given ? steps_text(install)
                            : look->nothing_to_install
                                ? str_dup(_("nothing: requirements.txt names no package"))
                                : str_dup("pip install -r requirements.txt");
    bool fresh = explanation->engine->options.no_cache;
    explain_row(explanation, "install", install->given ? "P-22" : "P-60", "%s", steps);
    explain_row(explanation, "layer", cache_note(look->cached, fresh), "%s", look->key);
}

// What would be done again by --from git is not known before git is asked.
static void add_build(struct explanation *explanation, const struct build_look *look)
{
    const struct engine *engine = explanation->engine;
    const struct engine_options *options = &engine->options;
    auto_free char *steps = steps_text(&engine->project.yaml.build);
    explain_row(explanation, "build", "P-25", "%s", *steps ? steps : _("nothing"));
    if (look->products && !options->from_git) {
        bool cached = look->products_cached && look->cached;
        explain_row(explanation, "products", cache_note(cached, options->no_cache), "%s",
                    look->products);
    }
}

static void add_system(struct explanation *explanation, const struct strlist *names)
{
    const char *root = strlist_env_get(&explanation->engine->host_env, SYSTEM_ROOT_VARIABLE);
    for (size_t i = 0; i < names->count; i++) {
        bool present = system_dependency_present(names->items[i], root ? root : "");
        explain_row(explanation, "system", "P-26", "%s: %s", names->items[i],
                    present ? _("is here") : _("is not here"));
    }
}

void explain_stages(struct explanation *explanation)
{
    const struct leanengine_yaml *yaml = &explanation->engine->project.yaml;
    struct build_look look = {0};
    if (explain_need_python(explanation) < 0 || look_at_layer(explanation, &look) < 0) {
        return;
    }
    explain_row(explanation, "python", NULL, "%s", explanation->built.python.version);
    add_system(explanation, &yaml->system_dependencies);
    add_install(explanation, &look);
    add_build(explanation, &look);
    explain_row(explanation, "start", yaml->run ? "P-21, P-37" : "P-80", "%s%s",
                yaml->run ? "/bin/sh -c " : "",
                yaml->run ? yaml->run : _("wsgi.py is imported, its `application` is served"));
    explain_row(explanation, "healthy", "P-29", _("within %d seconds"), yaml->startup_timeout_s);
    build_look_release(&look);
}

// ---- editor ----

// DESIGN 11. The layer is an environment like those of venv: its interpreter finds its packages by
// itself, on this host too.
void explain_editor(struct explanation *explanation)
{
    const struct python *python = &explanation->built.python;
    struct build_look look = {0};
    if (explain_need_python(explanation) < 0 || look_at_layer(explanation, &look) < 0) {
        return;
    }
    auto_free char *own = fs_join(look.dir, "bin/python");
    const char *note = look.cached ? NULL : _("not there yet: `leanlocal build` makes it");
    explain_row(explanation, "interpreter", note, "%s", look.cached ? own : python->executable);
    explain_row(explanation, "packages", note, "%s/lib/python%d.%d/site-packages", look.dir,
                python->major, python->minor);
    explain_row(explanation, "local root", NULL, "%s", explanation->engine->project.build_root);
    explain_row(explanation, "remote root", NULL, "/home/leanengine/app");
    build_look_release(&look);
}

// ---- sandbox ----

void explain_sandbox(struct explanation *explanation)
{
    struct engine *engine = explanation->engine;
    struct build_look look = {0};
    if (explain_need_python(explanation) < 0 || look_at_layer(explanation, &look) < 0) {
        return;
    }
    struct build_result *built = &explanation->built;
    str_replace(&built->layer_dir, look.dir);
    str_replace(&built->layer_target, look.target);
    build_look_release(&look);
    struct build_mounts mounts;
    build_mounts_for(&mounts, built, &engine->host);
    build_mounts_add_system(&mounts, &engine->project.yaml.system_dependencies, &engine->host);
    struct kept kept;
    keeping_list(engine, &explanation->upload, &kept);
    running_add_kept(&mounts, &kept);
    bool broker = engine->host.has[SANDBOX_NOTIFY];
    const struct instance_options options = {
        .name = "web1",
        .address = broker ? running_base_address(engine) + 1 : 0,
        .public_port = (uint16_t)LIMIT_APP_PORT,
        .actual_port = (uint16_t)LIMIT_APP_PORT,
        .region = engine->options.region,
        .binds = mounts.binds,
        .bind_count = mounts.bind_count,
        .symlinks = kept.symlinks,
        .symlink_count = kept.symlink_count,
        .host = &engine->host,
        .host_uid = ENGINE_HOST_ID,
        .host_gid = ENGINE_HOST_ID,
        .private_dir = engine->host.has[SANDBOX_MOUNT] ? NULL : "<private directory>",
    };
    auto_free char *text = instance_plan_text(&options);
    explain_row(explanation, "level", NULL, "%s",
                sandbox_level_name(sandbox_host_level(&engine->host)));
    const char *note =
        engine->host.has[SANDBOX_MOUNT] ? "P-131" : _("not kept: this host offers no mounts");
    for (size_t i = 0; i < engine->options.persist.count; i++) {
        explain_row(explanation, "persist", note, "%s", engine->options.persist.items[i]);
    }
    explain_row(explanation, "plan", NULL, "%s", text ? text : "");
    build_mounts_release(&mounts);
    kept_release(&kept);
}
