#include "emulator/project/project.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "emulator/formats/yaml_differ.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define YAML_NAME    "leanengine.yaml"
#define MANIFEST_MAX (1 << 20)

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
                                    .build_sub = str_dup(""),
                                    .build_root = str_dup(real),
                                    .yaml_name = str_dup(YAML_NAME)};
    leanengine_yaml_init(&ret_project->yaml);
    return 0;
}

static int refuse_build_root(const struct project *project, const char *wanted, bool leads_out,
                             struct error *error)
{
    if (leads_out) {
        error_set(error, ERROR_PROJECT, _("buildRoot: %s leads out of the project"), wanted);
    } else {
        error_set(error, ERROR_PROJECT, _("buildRoot: no directory %s in %s"), wanted,
                  project->dir);
    }
    error_set_hint(error, _("name a directory below the project's root"));
    return error_set_rule(error, "P-11", NULL);
}

static void set_build_root(struct project *project, const char *sub)
{
    str_replace(&project->build_sub, sub);
    free(project->build_root);
    project->build_root = *sub ? fs_join(project->dir, sub) : str_dup(project->dir);
}

// P-11: the cloud takes what is below for all that was uploaded.
static int enter_build_root(struct project *project, struct view *upload, const char *wanted,
                            struct error *error)
{
    auto_free char *sub = view_clean_path(wanted ? wanted : "");
    if (!sub) {
        return refuse_build_root(project, wanted, true, error);
    }
    if (*sub && view_enter(upload, sub) < 0) {
        return refuse_build_root(project, wanted, false, error);
    }
    set_build_root(project, sub);
    return 0;
}

// An absent file is an empty one.
static int read_yaml(const struct view *upload, struct leanengine_yaml *yaml,
                     struct diagnostics *diagnostics, struct error *error)
{
    auto_free char *path = view_find(upload, YAML_NAME);
    size_t len = 0;
    struct error reading = {0};
    auto_free char *text = path ? fs_read(path, MANIFEST_MAX, &len, &reading) : NULL;
    if (!path) {
        return 0;
    }
    if (!text) { // EFBIG among others
        error_set_errno(error, ERROR_PROJECT, reading.errnum, "%s", YAML_NAME);
        return error_set_hint(error, _("it must be a text file of at most 64 KB"));
    }
    return leanengine_yaml_parse(text, len, yaml, diagnostics, error);
}

int project_load(struct project *project, struct view *upload, const char *build_root_option,
                 enum yaml_stage *ret_changed, struct diagnostics *diagnostics, struct error *error)
{
    struct leanengine_yaml yaml;
    leanengine_yaml_init(&yaml);
    auto_free char *root_before = str_dup(project->build_sub);
    if (build_root_option && enter_build_root(project, upload, build_root_option, error) < 0) {
        return -1;
    }
    free(project->yaml_name);
    project->yaml_name = build_root_option && *project->build_sub
                             ? fs_join(project->build_sub, YAML_NAME)
                             : str_dup(YAML_NAME);
    if (read_yaml(upload, &yaml, diagnostics, error) < 0) {
        return -1;
    }
    const struct leanengine_yaml_key *key = yaml_differ(&project->yaml, &yaml);
    leanengine_yaml_release(&project->yaml);
    project->yaml = yaml;
    if (!build_root_option && enter_build_root(project, upload, yaml.build_root, error) < 0) {
        return -1;
    }
    if (ret_changed) {
        bool moved = !str_equal(root_before, project->build_sub);
        *ret_changed = moved ? YAML_STAGE_DETECT : key ? key->stage : YAML_STAGE_NOTHING;
    }
    return 0;
}

void project_release(struct project *project)
{
    free(project->dir);
    free(project->name);
    free(project->id);
    free(project->build_sub);
    free(project->build_root);
    free(project->yaml_name);
    leanengine_yaml_release(&project->yaml);
    *project = (struct project){0};
}
