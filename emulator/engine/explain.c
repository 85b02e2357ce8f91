#include "emulator/engine/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/python_version.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/nearest.h"

static const struct section {
    const char *name;
    const char *title;
    void (*write)(struct explanation *explanation);
} sections[] = {
#define SECTION(id, title) {#id, title, explain_##id},
#include "emulator/engine/explain.def"
#undef SECTION
};

static const char *section_name(const void *rows, size_t index)
{
    return ((const struct section *)rows)[index].name;
}

void explain_row(struct explanation *explanation, const char *name, const char *note,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    auto_free char *value = str_vprintf(format, args);
    va_end(args);
    struct cJSON *row = json_new_object();
    json_put_string(row, "name", name);
    json_put_string(row, "value", value);
    json_put_string(row, "note", note);
    json_push(explanation->rows, row);
}

// ---- what several sections need ----

static void copy_diagnostics(struct diagnostics *to, const struct diagnostics *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct diagnostic *item = &from->items[i];
        diagnostics_add(to, item->severity, item->file, item->line, item->column, item->rule,
                        item->hint, "%s", item->text);
    }
}

static void detect(struct explanation *explanation)
{
    struct engine *engine = explanation->engine;
    explanation->detected = true;
    int result =
        rules_load(&explanation->rules, engine->project.dir, engine->options.ignore_file, NULL,
                   &explanation->refusal); // P-223
    view_of_directory(&explanation->upload, engine->project.dir, &explanation->rules);
    if (result == 0) {
        result = project_load(&engine->project, &explanation->upload, engine->options.build_root,
                              NULL, &explanation->detection, &explanation->refusal);
    }
    if (result == 0) {
        project_detect(&engine->project, &explanation->upload, &explanation->detection,
                       &explanation->refusal);
    }
}

int explain_need_project(struct explanation *explanation)
{
    if (!explanation->detected) {
        detect(explanation);
    }
    if (explanation->refusal.kind == ERROR_NONE) {
        return 0;
    }
    explanation->error = explanation->refusal;
    return -1;
}

static void search(struct explanation *explanation)
{
    struct engine *engine = explanation->engine;
    explanation->searched = true;
    auto_free char *file = view_find(&explanation->upload, PYTHON_VERSION_NAME);
    const struct python_options options = {
        .version_file = file,
        .env = &engine->host_env,
        .legacy_default = engine->options.legacy_default,
        .for_others = engine->host.is_root && !engine->host.has[SANDBOX_MOUNT],
    };
    if (python_find(&options, NULL, &explanation->built.python, &explanation->built.offer,
                    &explanation->search, &explanation->python_error) == 0) {
        explanation->built.has_python = true;
    }
}

int explain_need_python(struct explanation *explanation)
{
    if (explain_need_project(explanation) < 0) {
        return -1;
    }
    if (!explanation->searched) {
        search(explanation);
    }
    if (explanation->built.has_python) {
        return 0;
    }
    explanation->error = explanation->python_error;
    return -1;
}

// ---- one section as JSON ----

static struct cJSON *notice_of(const struct diagnostic *item)
{
    static const char *const severities[] = {"note", "deviation", "warning", "error"};
    struct cJSON *notice = json_new_object();
    json_put_string(notice, "severity", severities[item->severity]);
    json_put_string(notice, "file", item->file);
    if (item->line) {
        json_put_int(notice, "line", item->line);
    }
    if (item->column) {
        json_put_int(notice, "column", item->column);
    }
    json_put_string(notice, "text", item->text);
    json_put_string(notice, "rule", item->rule);
    json_put_string(notice, "mend", item->hint);
    return notice;
}

static struct cJSON *write_section(struct explanation *explanation, const struct section *section)
{
    explanation->rows = json_new_array();
    explanation->error = (struct error){0};
    section->write(explanation);
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "name", section->name);
    json_put_string(tree, "title", _(section->title));
    json_put_tree(tree, "rows", explanation->rows);
    struct cJSON *notices = json_new_array();
    for (size_t i = 0; i < explanation->diagnostics.count; i++) {
        json_push(notices, notice_of(&explanation->diagnostics.items[i]));
    }
    json_put_tree(tree, "notices", notices);
    if (explanation->error.kind != ERROR_NONE) {
        json_put_tree(tree, "error", error_encode(&explanation->error));
    }
    diagnostics_clear(&explanation->diagnostics);
    return tree;
}

// What was told once is not told again by each section that depends on it.
static bool repeats(struct explanation *explanation, struct strlist *told)
{
    const char *message = explanation->error.message;
    if (explanation->error.kind == ERROR_NONE) {
        return false;
    }
    if (strlist_contains(told, message) && json_count(explanation->rows) == 0) {
        return true;
    }
    strlist_add(told, message);
    return false;
}

static struct cJSON *write_sections(struct explanation *explanation, const char *wanted,
                                    int *ret_code)
{
    struct cJSON *list = json_new_array();
    struct strlist told = {0};
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (wanted && strcmp(wanted, sections[i].name) != 0) {
            continue;
        }
        struct cJSON *section = write_section(explanation, &sections[i]);
        enum error_kind kind = explanation->error.kind;
        if (kind != ERROR_NONE && *ret_code == 0) {
            *ret_code = error_kind_exit_code(kind);
        }
        if (repeats(explanation, &told)) {
            json_free(section);
        } else {
            json_push(list, section);
        }
    }
    strlist_clear(&told);
    return list;
}

struct cJSON *explain_make(struct engine *engine, const char *section, bool reveal,
                           struct error *error)
{
    bool known = !section;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        known = known || strcmp(section, sections[i].name) == 0;
    }
    if (!known) {
        error_set(error, ERROR_USAGE, _("no section %s"), section);
        const char *meant = nearest_name(section, section_name, sections, ARRAY_LEN(sections));
        if (meant) {
            error_set_hint(error, _("did you mean %s?"), meant);
        }
        return NULL;
    }
    struct explanation explanation = {.engine = engine, .reveal = reveal};
    int code = 0;
    struct cJSON *tree = json_new_object();
    json_put_tree(tree, "sections", write_sections(&explanation, section, &code));
    json_put_int(tree, "code", code);
    view_release(&explanation.upload);
    rules_release(&explanation.rules);
    diagnostics_clear(&explanation.detection);
    diagnostics_clear(&explanation.search);
    build_result_release(&explanation.built);
    return tree;
}

// ---- project, python, environment, host: what others have found out ----

static void add_yaml_rows(struct explanation *explanation)
{
    const struct leanengine_yaml *yaml = &explanation->engine->project.yaml;
    if (yaml->runtime) {
        explain_row(explanation, "runtime", "P-10", "%s", yaml->runtime);
    }
    if (yaml->build_root) {
        explain_row(explanation, "buildRoot", "P-11", "%s", yaml->build_root);
    }
    if (yaml->run) {
        explain_row(explanation, "run", "P-21", "%s", yaml->run);
    }
    if (yaml->system_dependencies.count) {
        auto_free char *names = str_dup("");
        for (size_t i = 0; i < yaml->system_dependencies.count; i++) {
            char *longer =
                str_printf("%s%s%s", names, i ? ", " : "", yaml->system_dependencies.items[i]);
            free(names);
            names = longer;
        }
        explain_row(explanation, "systemDependencies", "P-26", "%s", names);
    }
    if (yaml->expose_environments_on_build) {
        explain_row(explanation, "exposeEnvironmentsOnBuild", "P-28", "true");
    }
    explain_row(explanation, "startupTimeout", "P-29", "%d", yaml->startup_timeout_s);
    static const char *const modes[] = {
        [FUNCTIONS_AUTO] = "", [FUNCTIONS_STRICT] = "strict", [FUNCTIONS_DISABLED] = "disabled"};
    if (yaml->functions_mode != FUNCTIONS_AUTO) {
        explain_row(explanation, "functionsMode", "P-30", "%s", modes[yaml->functions_mode]);
    }
}

void explain_project(struct explanation *explanation)
{
    const struct engine *engine = explanation->engine;
    const struct engine_options *options = &engine->options;
    explain_row(explanation, "directory", NULL, "%s", engine->project.dir);
    int taken = explain_need_project(explanation);
    copy_diagnostics(&explanation->diagnostics, &explanation->detection);
    if (!str_equal(engine->project.dir, engine->project.build_root)) {
        explain_row(explanation, "build root", options->build_root ? "--build-root" : "P-11", "%s",
                    engine->project.build_root);
    }
    if (taken < 0) {
        return;
    }
    explain_row(explanation, "detected", engine->project.yaml.runtime ? "P-10" : "P-1", "%s",
                "Python runtime detected"); // P-6
    add_yaml_rows(explanation);
    explain_row(explanation, "LEANCLOUD_APP_ENV", NULL, "%s", options->environment);
    explain_row(explanation, "region", NULL, "%s", options->region);
    explain_row(explanation, "group", NULL, "%s", options->group);
}

void explain_python(struct explanation *explanation)
{
    int found = explain_need_python(explanation);
    copy_diagnostics(&explanation->diagnostics, &explanation->search);
    if (found < 0) {
        return;
    }
    const struct python *python = &explanation->built.python;
    explain_row(explanation, "version", python->from_file ? ".python-version" : _("the default"),
                "%s", python->version);
    explain_row(explanation, "interpreter", python->source, "%s", python->executable);
    if (python->pip_version) {
        explain_row(explanation, "pip", python->pip_dir ? python->pip_dir : python->pip_wheel, "%s",
                    python->pip_version);
    } else {
        explain_row(explanation, "pip", NULL, "%s", _("none"));
    }
}

#define MASKED "********"

void explain_environment(struct explanation *explanation)
{
    struct engine *engine = explanation->engine;
    struct environment environment = {0};
    if (explain_need_project(explanation) < 0) {
        return;
    }
    auto_free char *name = str_printf("%s1", engine->options.group);
    if (engine_environment(engine, "", name, 0, "/home/leanengine", &environment,
                           &explanation->diagnostics, &explanation->error) < 0) {
        return;
    }
    for (size_t i = 0; i < environment.count; i++) {
        const struct environment_variable *item = &environment.items[i];
        bool told = item->kind == VARIABLE_PLATFORM && strcmp(item->source, "platform") == 0;
        auto_free char *note = str_printf("%s%s%s", item->rule, *item->rule && !told ? ", " : "",
                                          told ? "" : item->source);
        explain_row(explanation, item->name, note, "%s",
                    item->secret && !explanation->reveal ? MASKED : item->value);
    }
    environment_release(&environment);
}

void explain_host(struct explanation *explanation)
{
    const struct sandbox_host *host = &explanation->engine->host;
    explain_row(explanation, "level", NULL, "%s", sandbox_level_name(sandbox_host_level(host)));
    for (int i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        const char *name = sandbox_feature_name((enum sandbox_feature)i);
        explain_row(explanation, name, host->has[i] ? NULL : host->reason[i], "%s",
                    host->has[i] ? _("yes") : _("no"));
    }
    size_explain_host(explanation);
}
