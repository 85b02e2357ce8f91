// Whose file a frame is in, and who is to be named for it.
#include "emulator/blame/internal.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

// Below the app's root; empty: elsewhere.
struct slice scene_in_app(const struct blame_facts *facts, struct slice path)
{
    size_t len = strlen(facts->app_root);
    bool below = len && slice_starts(path, facts->app_root) && path.len > len &&
                 path.at[len] == '/' && slice_find(path, "/site-packages/") < 0;
    return below ? slice_from(path, len + 1) : (struct slice){NULL, 0};
}

const struct package *scene_package_at(const struct blame_facts *facts, struct slice path)
{
    char module[160];
    symptom_module_of(path, module, sizeof module);
    return *module ? packages_owner(facts->packages, slice_of(module)) : NULL;
}

// The innermost line of the app or of a package other than `besides`: what raises is often the
// package that lacks something, and not who wants it.
void scene_find_culprit(const struct scene *scene, const struct package *besides,
                        struct culprit *ret_culprit)
{
    const struct trace_frame *frames = scene->trace->frames;
    for (size_t i = scene->trace->count; i > 0; i--) {
        struct slice own = scene_in_app(scene->facts, frames[i - 1].path);
        const struct package *package =
            own.len ? NULL : scene_package_at(scene->facts, frames[i - 1].path);
        if (own.len || (package && package != besides)) {
            phrase_culprit(package, own, frames[i - 1].line, ret_culprit);
            return;
        }
    }
    phrase_culprit(NULL, (struct slice){NULL, 0}, 0, ret_culprit);
}

void scene_find_app(const struct scene *scene, struct culprit *ret_culprit)
{
    struct slice own = {NULL, 0};
    int line = 0;
    for (size_t i = scene->trace->count; i > 0 && !own.len; i--) {
        own = scene_in_app(scene->facts, scene->trace->frames[i - 1].path);
        line = scene->trace->frames[i - 1].line;
    }
    phrase_culprit(NULL, own, line, ret_culprit);
}

bool scene_passes_sdk(const struct scene *scene)
{
    if (version_compare(scene->facts->python, "3.12") < 0) {
        return false;
    }
    for (size_t i = 0; i < scene->trace->count; i++) {
        const struct package *package =
            scene_package_at(scene->facts, scene->trace->frames[i].path);
        if (package && (package_name_equal(slice_of(package->name), "leancloud") ||
                        package_name_equal(slice_of(package->name), "leancloud-sdk"))) {
            return true;
        }
    }
    return false;
}

bool scene_has_name(const struct blame_facts *facts, const char *module, const char *suffix)
{
    char name[200];
    int len = (int)strcspn(module, ".");
    snprintf(name, sizeof name, "%.*s%s", len, module, suffix);
    return facts->names && strlist_contains(facts->names, name);
}
