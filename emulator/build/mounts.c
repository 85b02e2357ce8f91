#include <stdlib.h>
#include <string.h>

#include "emulator/build/internal.h"
#include "emulator/system/system_dependencies.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

static bool is_at_or_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

void build_mounts_add(struct build_mounts *mounts, const char *source, const char *target,
                      unsigned flags)
{
    for (size_t i = 0; i < mounts->bind_count; i++) {
        if (strcmp(mounts->binds[i].target, target) == 0) {
            return;
        }
    }
    strlist_add(&mounts->texts, source);
    strlist_add(&mounts->texts, target);
    mounts->binds = mem_resize(mounts->binds, (mounts->bind_count + 1) * sizeof *mounts->binds);
    mounts->binds[mounts->bind_count++] =
        (struct sandbox_bind){.source = mounts->texts.items[mounts->texts.count - 2],
                              .target = mounts->texts.items[mounts->texts.count - 1],
                              .flags = flags};
}

void build_mounts_add_own(struct build_mounts *mounts, const char *path)
{
    static const char *const there[] = {"/usr",
                                        "/bin",
                                        "/sbin",
                                        "/lib",
                                        "/lib32",
                                        "/lib64",
                                        "/libx32",
                                        "/etc/ssl",
                                        "/etc/pki",
                                        "/proc",
                                        "/dev",
                                        "/sys",
                                        "/etc/ca-certificates"};
    static const char *const ours[] = {BUILD_LAYER_TARGET, BUILD_HOME_TARGET, BUILD_OUT_TARGET,
                                       "/usr", "/tmp"};
    if (path[0] != '/' || !fs_exists(path)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        if (is_at_or_below(path, there[i])) {
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (is_at_or_below(ours[i], path)) {
            return;
        }
    }
    build_mounts_add(mounts, path, path, SANDBOX_BIND_OPTIONAL);
}

void build_mounts_add_system(struct build_mounts *mounts, const struct strlist *dependencies,
                             const struct sandbox_host *host)
{
    struct strlist paths = {0};
    if (sandbox_host_level(host) != SANDBOX_LEVEL_NONE) {
        system_dependencies_directories(dependencies, &paths);
    }
    for (size_t i = 0; i < paths.count; i++) {
        build_mounts_add_own(mounts, paths.items[i]);
    }
    strlist_clear(&paths);
}

void build_mounts_for(struct build_mounts *mounts, const struct build_result *result,
                      const struct sandbox_host *host)
{
    *mounts = (struct build_mounts){0};
    if (sandbox_host_level(host) == SANDBOX_LEVEL_NONE) {
        return; // everything is where it is
    }
    for (size_t i = 0; i < result->python.mounts.count; i++) {
        const char *path = result->python.mounts.items[i];
        build_mounts_add(mounts, path, path, 0);
    }
    if (result->layer_dir) {
        build_mounts_add(mounts, result->layer_dir, result->layer_target, 0);
    }
}

void build_mounts_release(struct build_mounts *mounts)
{
    free(mounts->binds);
    strlist_clear(&mounts->texts);
    *mounts = (struct build_mounts){0};
}
