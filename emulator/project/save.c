#include "emulator/project/save.h"

#include <stdlib.h>
#include <string.h>

#include "emulator/control/project_options.h"
#include "emulator/formats/leanignore.h"
#include "emulator/version/view.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

static const struct {
    const char *name;
    const char *text;
} effects[SAVE__COUNT] = {
    [SAVE_NOTHING] = {"nothing", N_("nothing is done: it lies outside of the build root")},
    [SAVE_OPTIONS] = {"restart",
                      N_("leanlocal's own options: they are read when it is started again")},
    [SAVE_RELOAD] = {"reload", N_("a new version is started")},
    [SAVE_IGNORE] = {"reload",
                     N_("what the upload has is decided anew, and a new version started")},
    [SAVE_INSTANCE] = {"instance", N_("a new instance is started with these variables")},
    [SAVE_YAML] = {"yaml", N_("the key that changed decides what is done again")},
    [SAVE_INSTALL] = {"install", N_("the dependencies are installed anew")},
    [SAVE_PYTHON] = {"python", N_("Python is chosen and the dependencies are installed anew")},
};

// Names in the build root that decide the layer.
static const struct {
    const char *name;
    enum save_effect effect;
    const char *rule;
} manifests[] = {
    {"requirements.txt", SAVE_INSTALL, "P-60"},
    {".python-version", SAVE_PYTHON, "P-40"},
};

// The part of path below the build root; NULL: outside of it.
static const char *below_root(const struct project *project, const char *path)
{
    size_t len = strlen(project->build_sub);
    if (len == 0) {
        return path;
    }
    return strncmp(path, project->build_sub, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static bool is_at_or_below(const char *path, const char *required)
{
    auto_free char *clean = view_clean_path(required);
    size_t len = clean ? strlen(clean) : 0;
    if (!clean) {
        return false;
    }
    return len == 0 || (strncmp(path, clean, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

// P-23: the line of the step that requires it, 0 if none does.
static int required_line(const struct build_steps *steps, const char *path)
{
    for (size_t i = 0; i < steps->count; i++) {
        for (size_t j = 0; j < steps->items[i].files.count; j++) {
            if (is_at_or_below(path, steps->items[i].files.items[j])) {
                return steps->items[i].line;
            }
        }
    }
    return 0;
}

static bool is_env_file(const struct project *project, const char *env_file, const char *path)
{
    const char *inside = below_root(project, path);
    return str_equal(path, env_file) || (inside && strcmp(inside, ".env") == 0);
}

struct save save_judge(const struct project *project, const char *env_file, const char *path)
{
    if (strcmp(path, PROJECT_OPTIONS_NAME) == 0) {
        return (struct save){SAVE_OPTIONS, NULL, 0};
    }
    if (strcmp(path, LEANIGNORE_NAME) == 0) {
        return (struct save){SAVE_IGNORE, "P-220", 0};
    }
    if (str_equal(path, project->yaml_name)) {
        return (struct save){SAVE_YAML, "P-20", 0};
    }
    if (is_env_file(project, env_file, path)) {
        bool exposed = project->yaml.expose_environments_on_build;
        return (struct save){exposed ? SAVE_INSTALL : SAVE_INSTANCE, exposed ? "P-28" : NULL, 0};
    }
    const char *inside = below_root(project, path);
    if (!inside) {
        return (struct save){SAVE_NOTHING, "P-11", 0};
    }
    for (size_t i = 0; i < ARRAY_LEN(manifests); i++) {
        if (strcmp(inside, manifests[i].name) == 0) {
            return (struct save){manifests[i].effect, manifests[i].rule, 0};
        }
    }
    int line = required_line(&project->yaml.install, inside);
    return line ? (struct save){SAVE_INSTALL, "P-23", line} : (struct save){SAVE_RELOAD, NULL, 0};
}

const char *save_effect_name(enum save_effect effect)
{
    return effects[effect].name;
}

const char *save_effect_text(enum save_effect effect)
{
    return _(effects[effect].text);
}

bool save_asks_for_build(enum save_effect effect)
{
    return effect >= SAVE_INSTALL;
}
