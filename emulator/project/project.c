#include "emulator/project/project.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"

#define YAML_NAME    "leanengine.yaml"
#define MANIFEST_MAX (1 << 20)
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

int project_open(const char *dir, struct project *ret_project, struct error *error)
{
    char *real = realpath(dir, NULL);
    if (!real) {
        error_set_errno(error, ERROR_USAGE, errno, "%s", dir);
        return error_set_hint(error, _("name a project's directory: leanlocal up DIR"));
    }
    if (!fs_is_dir(real)) {
        error_set(error, ERROR_USAGE, _("%s is not a directory"), dir);
        free(real);
        return error_set_hint(error, _("name the directory that holds wsgi.py"));
    }
    if (access(real, R_OK | X_OK) < 0) {
        error_set_errno(error, ERROR_USAGE, errno, "%s", dir);
        free(real);
        return error_set_hint(error, _("let your user read it: chmod u+rx"));
    }
    const char *slash = strrchr(real, '/');
    *ret_project = (struct project){.dir = real,
                                    .name = str_dup(slash[1] ? slash + 1 : "root"),
                                    .id = control_project_id(real),
                                    .build_root = str_dup(real)};
    leanengine_yaml_init(&ret_project->yaml);
    return 0;
}

// The cloud's file system is case-sensitive (P-14); so are we, whatever the host's is. On a
// case-sensitive host this costs one readdir of a directory that stat says holds the file.
static bool has_exact_name(const char *dir, const char *name)
{
    auto_free char *path = fs_join(dir, name);
    if (!fs_is_file(path)) {
        return false;
    }
    auto_free char *parent = str_dup(path);
    char *slash = strrchr(parent, '/');
    *slash = '\0';
    DIR *entries = opendir(parent);
    bool found = !entries; // unreadable: stat's word must do
    struct dirent *entry;
    while (entries && !found && (entry = readdir(entries))) {
        found = strcmp(entry->d_name, slash + 1) == 0;
    }
    if (entries) {
        closedir(entries);
    }
    return found;
}

static bool each_name(const char *dir, const char *names, bool want_all)
{
    auto_free char *copy = str_dup(names);
    char *rest = copy;
    char *name;
    while ((name = strsep(&rest, " ")) != NULL) {
        if (has_exact_name(dir, name) != want_all) {
            return !want_all;
        }
    }
    return want_all;
}

// P-4, P-5: package.json with a non-empty scripts.start; an unreadable one does not count.
static bool has_scripts_start(const char *dir)
{
    auto_free char *path = fs_join(dir, "package.json");
    size_t len;
    auto_free char *text = fs_read(path, MANIFEST_MAX, &len, NULL);
    struct cJSON *tree = text ? json_parse(text, len, "package.json", NULL) : NULL;
    const char *start = json_get_string(json_get(tree, "scripts"), "start");
    bool given = !str_empty(start);
    json_free(tree);
    return given;
}

static const char *detect_runtime(const char *dir)
{
    for (size_t i = 0; i < ARRAY_LEN(detections); i++) {
        const struct detection *row = &detections[i];
        if ((*row->all == '\0' || each_name(dir, row->all, true)) &&
            (*row->any == '\0' || each_name(dir, row->any, false)) &&
            (row->special != SPECIAL_SCRIPTS_START || has_scripts_start(dir))) {
            return row->runtime;
        }
    }
    return NULL;
}

// A file whose name differs in case only: the usual reason on a case-insensitive habit.
static char *similar_name(const char *dir, const char *name)
{
    DIR *entries = opendir(dir);
    char *found = NULL;
    struct dirent *entry;
    while (entries && !found && (entry = readdir(entries))) {
        if (strcasecmp(entry->d_name, name) == 0) {
            found = str_dup(entry->d_name);
        }
    }
    if (entries) {
        closedir(entries);
    }
    return found;
}

static int refuse_missing(const struct project *project, struct error *error)
{
    static const char *const needed[] = {"wsgi.py", "requirements.txt"};
    static const char *const hints[] = {
        N_("add wsgi.py with a global named application, e.g.: from app import app as application"),
        N_("add requirements.txt, one package a line; it may be empty"),
    };
    const char *dir = project->build_root;
    bool has[2] = {has_exact_name(dir, needed[0]), has_exact_name(dir, needed[1])};
    if (!has[0] && !has[1]) {
        error_set(error, ERROR_PROJECT,
                  _("no Python project in %s: neither wsgi.py nor requirements.txt"), dir);
        error_set_hint(error, _("a Python project has both in its root; or start from a sample: "
                                "samples/flask"));
    } else {
        int missing = has[0] ? 1 : 0;
        auto_free char *similar = similar_name(dir, needed[missing]);
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

int project_detect(const struct project *project, struct diagnostics *diagnostics,
                   struct error *error)
{
    const char *forced = project->yaml.runtime;
    if (forced && strcmp(forced, "python") != 0) {
        error_set(error, ERROR_PROJECT,
                  _(YAML_NAME ": runtime: %s; leanlocal runs Python projects only"), forced);
        error_set_hint(error, _("write runtime: python, or remove the line"));
        return error_set_rule(error, "P-10", NULL);
    }
    const char *dir = project->build_root;
    const char *runtime = forced ? forced : detect_runtime(dir);
    bool both = each_name(dir, "requirements.txt wsgi.py", true);
    if (forced && !both) {
        return refuse_missing(project, error);
    }
    if (!runtime || (strcmp(runtime, "python") != 0 && !both)) {
        refuse_missing(project, error);
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
    if (has_exact_name(dir, "runtime.txt") && !has_exact_name(dir, ".python-version")) {
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, "runtime.txt", 0, 0, "P-46",
                        _("name the version in .python-version instead"),
                        _("runtime.txt is ignored by the cloud"));
    }
    return 0;
}

static int resolve_build_root(struct project *project, const char *wanted, struct error *error)
{
    auto_free char *joined = fs_join(project->dir, wanted);
    char *real = realpath(joined, NULL);
    size_t len = strlen(project->dir);
    if (!real || !fs_is_dir(real)) {
        error_set(error, ERROR_PROJECT, _("buildRoot: no directory %s in %s"), wanted,
                  project->dir);
    } else if (strncmp(real, project->dir, len) != 0 || (real[len] && real[len] != '/')) {
        error_set(error, ERROR_PROJECT, _("buildRoot: %s leads out of the project"), wanted);
    } else {
        free(project->build_root);
        project->build_root = real;
        return 0;
    }
    free(real);
    error_set_hint(error, _("name a directory below the project's root"));
    return error_set_rule(error, "P-11", NULL);
}

int project_load(struct project *project, const char *build_root_option,
                 struct diagnostics *diagnostics, struct error *error)
{
    struct leanengine_yaml yaml;
    leanengine_yaml_init(&yaml);
    auto_free char *path = fs_join(project->dir, YAML_NAME);
    size_t len = 0;
    struct error reading = {0};
    auto_free char *text = fs_read(path, MANIFEST_MAX, &len, &reading);
    if (!text && reading.errnum != ENOENT) {
        if (error) {
            *error = reading;
        }
        return -1;
    }
    if (text && leanengine_yaml_parse(text, len, &yaml, diagnostics, error) < 0) {
        return -1;
    }
    leanengine_yaml_release(&project->yaml);
    project->yaml = yaml;
    str_replace(&project->build_root, project->dir);
    const char *wanted = build_root_option ? build_root_option : yaml.build_root;
    return wanted ? resolve_build_root(project, wanted, error) : 0;
}

void project_release(struct project *project)
{
    free(project->dir);
    free(project->name);
    free(project->id);
    free(project->build_root);
    leanengine_yaml_release(&project->yaml);
    *project = (struct project){0};
}
