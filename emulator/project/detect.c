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

// P-4, P-5: package.json with a non-empty scripts.start; an unreadable one does not count.
static bool has_scripts_start(const struct view *root)
{
    auto_free char *path = view_find(root, "package.json");
    size_t len;
    auto_free char *text = path ? fs_read(path, MANIFEST_MAX, &len, NULL) : NULL;
    struct cJSON *tree = text ? json_parse(text, len, "package.json", NULL) : NULL;
    const char *start = json_get_string(json_get(tree, "scripts"), "start");
    bool given = !str_empty(start);
    json_free(tree);
    return given;
}

static const char *detect_runtime(const struct view *root)
{
    for (size_t i = 0; i < ARRAY_LEN(detections); i++) {
        const struct detection *row = &detections[i];
        if ((*row->all == '\0' || each_name(root, row->all, true)) &&
            (*row->any == '\0' || each_name(root, row->any, false)) &&
            (row->special != SPECIAL_SCRIPTS_START || has_scripts_start(root))) {
            return row->runtime;
        }
    }
    return NULL;
}

// A file whose name differs in case only: the usual reason on a case-insensitive habit.
static char *similar_name(const struct view *root, const char *name)
{
    struct strlist names = {0};
    view_names(root, ".", &names);
    char *found = NULL;
    for (size_t i = 0; i < names.count && !found; i++) {
        found = strcasecmp(names.items[i], name) == 0 ? str_dup(names.items[i]) : NULL;
    }
    strlist_clear(&names);
    return found;
}

static int refuse_missing(const struct project *project, const struct view *root,
                          struct error *error)
{
    static const char *const needed[] = {"wsgi.py", "requirements.txt"};
    static const char *const hints[] = {
        N_("add wsgi.py with a global named application, e.g.: from app import app as application"),
        N_("add requirements.txt, one package a line; it may be empty"),
    };
    const char *dir = project->build_root;
    bool has[2] = {has_name(root, needed[0]), has_name(root, needed[1])};
    if (!has[0] && !has[1]) {
        error_set(error, ERROR_PROJECT,
                  _("no Python project in %s: neither wsgi.py nor requirements.txt"), dir);
        error_set_hint(error, _("a Python project has both in its root; or start from a sample: "
                                "samples/flask"));
    } else {
        int missing = has[0] ? 1 : 0;
        auto_free char *similar = similar_name(root, needed[missing]);
        error_set(error, ERROR_PROJECT,
                  _("%s is missing in %s; the cloud takes a project for "
                    "Python only with both wsgi.py and requirements.txt"),
                  needed[missing], dir);
        if (similar) {
            error_set_hint(error,
                           _("rename %s to %s: the cloud's file system tells upper from "
                             "lower case (P-14)"),
                           similar, needed[missing]);
        } else {
            error_set_hint(error, "%s", _(hints[missing]));
        }
    }
    return error_set_rule(error, "P-1", P7_UNSUPPORTED "\n" P8_NO_RUNTIME);
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
    const char *runtime = forced ? forced : detect_runtime(root);
    bool both = each_name(root, "requirements.txt wsgi.py", true);
    if (forced && !both) {
        return refuse_missing(project, root, error);
    }
    if (!runtime || (strcmp(runtime, "python") != 0 && !both)) {
        refuse_missing(project, root, error);
        if (runtime) {
            error_prefix(error, _("the cloud takes this for a %s project; "), runtime);
        }
        return -1;
    }
    if (strcmp(runtime, "python") != 0) {
        error_set(error, ERROR_PROJECT,
                  _("the cloud takes this for a %s project, though wsgi.py and "
                    "requirements.txt are there"),
                  runtime);
        error_set_hint(error, _("write `runtime: python` in leanengine.yaml"));
        return error_set_rule(error, "P-4", NULL);
    }
    if (has_name(root, "runtime.txt") && !has_name(root, ".python-version")) {
        report_runtime_txt(root, diagnostics);
    }
    return 0;
}
