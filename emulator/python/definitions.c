#include "emulator/python/definitions.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/python_version.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

char *python_pyenv_home(const char *program)
{
    char *home = str_dup(program);
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(home, '/');
        if (slash && slash != home) {
            *slash = '\0';
        }
    }
    return home;
}

static void find_dirs(const char *program, const struct strlist *env, struct strlist *ret_dirs)
{
    const char *at = strlist_env_get(env, "PYTHON_BUILD_DEFINITIONS");
    while (at && *at) {
        size_t len = strcspn(at, ":");
        if (len > 0) {
            strlist_take(ret_dirs, str_dup_len(at, len));
        }
        at += len + (at[len] == ':');
    }
    auto_free char *home = python_pyenv_home(program);
    auto_free char *plugins = fs_join(home, "plugins");
    DIR *stream = opendir(plugins);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] != '.') {
            strlist_addf(ret_dirs, "%s/%s/share/python-build", plugins, entry->d_name);
        }
    }
    if (stream) {
        closedir(stream);
    }
}

// Keeps the better one of *slot and what dir has.
static void look_in(const char *dir, const char *wanted, char **slot)
{
    DIR *stream = opendir(dir);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        const char *name = entry->d_name;
        if (python_version_has_prefix(name, wanted) &&
            (!*slot || python_version_compare(name, *slot) > 0)) {
            str_replace(slot, name);
        }
    }
    if (stream) {
        closedir(stream);
    }
}

char *definitions_resolve(const char *program, const struct strlist *env, const char *wanted)
{
    if (!program) {
        return NULL;
    }
    struct strlist dirs = {0};
    char *found = NULL;
    find_dirs(program, env, &dirs);
    for (size_t i = 0; i < dirs.count && !found; i++) {
        auto_free char *exact = fs_join(dirs.items[i], wanted);
        found = fs_is_file(exact) ? str_dup(wanted) : NULL;
    }
    for (size_t i = 0; i < dirs.count && !str_equal(found, wanted); i++) {
        look_in(dirs.items[i], wanted, &found);
    }
    strlist_clear(&dirs);
    return found;
}
