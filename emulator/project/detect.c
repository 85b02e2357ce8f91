// Which runtime the cloud would see, by the rows of detection.def, and why it would not be Python.
#include "emulator/project/project.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "emulator/formats/python_version.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"

#define YAML_NAME       "leanengine.yaml"
#define MANIFEST_MAX    (1 << 20)
#define RUNTIME_TXT_MAX 4096
#define P7_UNSUPPORTED                                                                             \
    "Unsupported project structure. Please inspect your directory structure to make sure it is a " \
    "valid LeanEngine project."
#define P8_NO_RUNTIME "无法判断项目类型，请根据官方代码示例创建项目（No compatible runtime found）"

enum special { SPECIAL_NONE, SPECIAL_SCRIPTS_START };

static const struct detection {
    const char *runtime;
    const char *all;
    const char *any;
    enum special special;
} detections[] = {
#define DETECT(runtime, all, any, special) {runtime, all, any, SPECIAL_##special},
#include "emulator/project/detection.def"
#undef DETECT
};

// view_kind() tells upper from lower case as the cloud does (P-14).
static bool has_name(const struct view *root, const char *name)
{
    return view_kind(root, name) == VIEW_FILE;
}

static bool each_name(const struct view *root, const char *names, bool want_all)
{
    auto_free char *copy = str_dup(names);
    char *rest = copy;
    char *name;
    while ((name = strsep(&rest, " ")) != NULL) {
        if (has_name(root, name) != want_all) {
            return !want_all;
        }
    }
    return want_all;
}

// P-4, P-5: package.json with a non-empty scripts.start; an unreadable one does not count. One with
// a byte order mark is unreadable to both of the platform's readers [I]; ours would pass over it.
static bool has_scripts_start(const struct view *root)
{
    auto_free char *path = view_find(root, "package.json");
    size_t len;
    auto_free char *text = path ? fs_read(path, MANIFEST_MAX, &len, NULL) : NULL;
    bool marked = text && str_starts_with(text, "\xEF\xBB\xBF");
    struct cJSON *tree = text && !marked ? json_parse(text, len, "package.json", NULL) : NULL;
    const char *start = json_get_string(json_get(tree, "scripts"), "start");
    bool given = !str_empty(start);
    json_free(tree);
    return given;
}

static const struct detection *detect_runtime(const struct view *root)
{
    for (size_t i = 0; i < ARRAY_LEN(detections); i++) {
        const struct detection *row = &detections[i];
        if ((*row->all == '\0' || each_name(root, row->all, true)) &&
            (*row->any == '\0' || each_name(root, row->any, false)) &&
            (row->special != SPECIAL_SCRIPTS_START || has_scripts_start(root))) {
            return row;
        }
    }
    return NULL;
}

// ---- why not ----

static bool is_python(const struct detection *row)
{
    return row && strcmp(row->runtime, "python") == 0;
}

// The files that made the cloud's mind up, for people. Owned by the caller.
static char *evidence_of(const struct detection *row, const struct view *root)
{
    if (row->special == SPECIAL_SCRIPTS_START) {
        return str_dup(_("package.json has scripts.start"));
    }
    auto_free char *copy = str_dup(*row->all ? row->all : row->any);
    char *text = str_dup("");
    char *rest = copy;
    char *name;
    while ((name = strsep(&rest, " ")) != NULL) {
        if (has_name(root, name)) {
            char *longer = str_printf("%s%s%s", text, *text ? ", " : "", name);
            free(text);
            text = longer;
        }
    }
    return text;
}

// A file whose name differs in case only: the usual reason on a case-insensitive habit.
static char *similar_name(const struct view *root, const char *name)
{
    struct strlist names = {0};
    view_names(root, ".", &names);
    char *found = NULL;
    for (size_t i = 0; i < names.count && !found; i++) {
        bool other = strcmp(names.items[i], name) != 0;
        found = other && strcasecmp(names.items[i], name) == 0 ? str_dup(names.items[i]) : NULL;
    }
    strlist_clear(&names);
    return found;
}

static void hint_at_missing(const struct project *project, const struct view *root,
                            const char *missing, struct error *error)
{
    auto_free char *similar = similar_name(root, missing);
    auto_free char *path = fs_join(project->build_root, missing);
    bool is_code = strcmp(missing, "wsgi.py") == 0;
    if (similar) {
        error_set_hint(error,
                       _("rename %s to %s: the cloud's file system tells upper from "
                         "lower case (P-14)"),
                       similar, missing);
    } else if (fs_is_file(path)) { // P-220
        error_set_hint(error, _("%s is there, but the upload leaves it out: see .leanignore"),
                       missing);
    } else if (is_code) {
        error_set_hint(error,
                       _("add wsgi.py with a global named application, e.g.: from app import "
                         "app as application"));
    } else {
        error_set_hint(error, _("add requirements.txt, one package a line; it may be empty"));
    }
}

// P-1. Not recognised at all: in the platform's own words (P-7, P-8). Another runtime: as which.
static int refuse_missing(const struct project *project, const struct view *root,
                          const struct detection *row, struct error *error)
{
    const char *dir = project->build_root;
    bool has_code = has_name(root, "wsgi.py");
    bool has_requirements = has_name(root, "requirements.txt");
    const char *missing = has_code ? "requirements.txt" : "wsgi.py";
    if (has_code || has_requirements) {
        error_set(error, ERROR_PROJECT,
                  _("%s is missing in %s; the cloud takes a project for "
                    "Python only with both wsgi.py and requirements.txt"),
                  missing, dir);
    } else {
        error_set(error, ERROR_PROJECT,
                  _("no Python project in %s: neither wsgi.py nor requirements.txt"), dir);
    }
    error_set_hint(error, _("a Python project has both in its root; or start from a sample: "
                            "samples/flask"));
    auto_free char *similar = similar_name(root, missing);
    if (has_code || has_requirements || similar) {
        hint_at_missing(project, root, missing, error);
    }
    if (row && !is_python(row)) {
        auto_free char *evidence = evidence_of(row, root);
        error_prefix(error, _("the cloud takes this for a %s project (%s); "), row->runtime,
                     evidence);
        return error_set_rule(error, "P-1", NULL);
    }
    return error_set_rule(error, "P-1", P7_UNSUPPORTED "\n" P8_NO_RUNTIME);
}

// All of Python is there, and yet an earlier row of detection.def fits (P-3, P-4).
static int refuse_other(const struct view *root, const struct detection *row, struct error *error)
{
    auto_free char *evidence = evidence_of(row, root);
    error_set(error, ERROR_PROJECT,
              _("the cloud takes this for a %s project (%s), though wsgi.py and "
                "requirements.txt are there"),
              row->runtime, evidence);
    if (row->special == SPECIAL_SCRIPTS_START) {
        error_set_hint(error, _("write `runtime: python` in leanengine.yaml, or give "
                                "scripts.start in package.json another name"));
    } else {
        error_set_hint(error, _("write `runtime: python` in leanengine.yaml"));
    }
    return error_set_rule(error, strcmp(row->runtime, "nodejs") == 0 ? "P-4" : "P-3", NULL);
}

// P-46. The line that would mend it is named when the file says which version was meant.
static void report_runtime_txt(const struct view *root, struct diagnostics *diagnostics)
{
    size_t len = 0;
    auto_free char *path = view_find(root, "runtime.txt");
    auto_free char *text = path ? fs_read(path, RUNTIME_TXT_MAX, &len, NULL) : NULL;
    auto_free char *version = text ? python_version_of_runtime_txt(text, len) : NULL;
    auto_free char *hint =
        version ? str_printf(_("write the line %s into .python-version instead"), version)
                : str_dup(_("name the version in .python-version instead"));
    diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, "runtime.txt", 0, 0, "P-46", hint,
                    _("runtime.txt is ignored by the cloud"));
}

// The cloud reads one name only; another spelling is a file like any other, and what it says is
// silently not done (P-14).
static void report_yaml_names(const struct view *root, struct diagnostics *diagnostics)
{
    static const char *const others[] = {"leanengine.yml", "lean_engine.yaml", "lean-engine.yaml"};
    struct strlist names = {0};
    view_names(root, ".", &names);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        bool other = strcasecmp(name, YAML_NAME) == 0 && strcmp(name, YAML_NAME) != 0;
        for (size_t j = 0; j < ARRAY_LEN(others); j++) {
            other = other || strcasecmp(name, others[j]) == 0;
        }
        if (other) {
            diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, name, 0, 0, "P-14",
                            _("rename it to leanengine.yaml"),
                            _("is not read by the cloud under this name"));
        }
    }
    strlist_clear(&names);
}

int project_detect(const struct project *project, const struct view *root,
                   struct diagnostics *diagnostics, struct error *error)
{
    const char *forced = project->yaml.runtime;
    if (forced && strcmp(forced, "python") != 0) {
        error_set(error, ERROR_PROJECT,
                  _(YAML_NAME ": runtime: %s; leanlocal runs Python projects only"), forced);
        error_set_hint(error, _("write runtime: python, or remove the line"));
        return error_set_rule(error, "P-10", NULL);
    }
    report_yaml_names(root, diagnostics);
    const struct detection *row = forced ? NULL : detect_runtime(root);
    if (!each_name(root, "requirements.txt wsgi.py", true)) {
        return refuse_missing(project, root, row, error);
    }
    if (!forced && !is_python(row)) {
        return refuse_other(root, row, error);
    }
    if (has_name(root, "runtime.txt") && !has_name(root, ".python-version")) {
        report_runtime_txt(root, diagnostics);
    }
    return 0;
}
