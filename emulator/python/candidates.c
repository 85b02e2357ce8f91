#include "emulator/python/candidates.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/formats/python_version.h"
#include "emulator/python/definitions.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"

#define NEWEST_MINOR_TRIED 30 // python3.30 will not come soon

static void add(struct python_candidates *list, const char *path, const char *name,
                const char *source)
{
    char real[PATH_MAX];
    if (access(path, X_OK) < 0 || !realpath(path, real) || !fs_is_file(real)) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        bool other_name = name && !str_equal(list->items[i].name, name);
        if (strcmp(list->items[i].executable, real) == 0 && !other_name) {
            return;
        }
    }
    list->items = mem_resize(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = (struct python_candidate){
        .executable = str_dup(real), .name = str_dup(name), .source = source};
}

// ---- pyenv ----

static bool is_environment(const char *dir)
{
    auto_free char *mark = fs_join(dir, "pyvenv.cfg");
    return fs_exists(mark);
}

static void add_pyenv_versions(struct python_candidates *list, const char *root)
{
    auto_free char *dir = fs_join(root, "versions");
    DIR *stream = opendir(dir);
    if (!stream) {
        return;
    }
    if (!list->pyenv_root) {
        list->pyenv_root = str_dup(root);
    }
    for (struct dirent *entry; (entry = readdir(stream));) {
        // CPython's directories begin with their number; pypy3.10-7.3.12 and environments do not.
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
            continue;
        }
        auto_free char *version = fs_join(dir, entry->d_name);
        auto_free char *executable = fs_join(version, "bin/python");
        if (!is_environment(version)) {
            add(list, executable, entry->d_name, "pyenv");
        }
    }
    closedir(stream);
}

// The command's real path: of the root's own, else of the one on PATH, which a package may have put
// elsewhere than its versions.
static char *find_program(const char *root, const struct strlist *path)
{
    char real[PATH_MAX];
    auto_free char *own = fs_join(root, "libexec/pyenv");
    if (access(own, X_OK) == 0 && realpath(own, real)) {
        return str_dup(real);
    }
    for (size_t i = 0; i < path->count; i++) {
        auto_free char *command = fs_join(path->items[i], "pyenv");
        if (access(command, X_OK) == 0 && realpath(command, real)) {
            return str_dup(real);
        }
    }
    return NULL;
}

// PYENV_ROOT or ~/.pyenv, as pyenv itself has it; then where its command on PATH lies.
static void add_pyenv(struct python_candidates *list, const struct strlist *env,
                      const struct strlist *path)
{
    const char *given = strlist_env_get(env, "PYENV_ROOT");
    const char *home = strlist_env_get(env, "HOME");
    auto_free char *usual = fs_join(str_empty(home) ? "/" : home, ".pyenv");
    const char *root = str_empty(given) ? usual : given;
    add_pyenv_versions(list, root);
    add_pyenv_versions(list, usual);
    list->pyenv_program = find_program(root, path);
    if (!list->pyenv_program) {
        return;
    }
    if (str_empty(given)) {
        auto_free char *installed = python_pyenv_home(list->pyenv_program);
        add_pyenv_versions(list, installed);
    }
    if (!list->pyenv_root) {
        list->pyenv_root = str_dup(root);
    }
}

// ---- PATH ----

// pyenv's shims (pyenv-virtualenv's too), asdf's and mise's: scripts that choose by directory.
static bool is_shims(const char *dir)
{
    char real[PATH_MAX];
    return str_ends_with(realpath(dir, real) ? real : dir, "/shims");
}

static void add_dir(struct strlist *dirs, const char *dir)
{
    if (!strlist_contains(dirs, dir)) {
        strlist_add(dirs, dir);
    }
}

static void split_path(const struct strlist *env, struct strlist *ret_dirs)
{
    const char *at = strlist_env_get(env, "PATH");
    while (at && *at) {
        size_t len = strcspn(at, ":");
        auto_free char *dir = str_dup_len(at, len);
        if (dir[0] == '/' && !is_shims(dir)) {
            add_dir(ret_dirs, dir);
        }
        at += len + (at[len] == ':');
    }
    static const char *const usual[] = {"/usr/local/bin", "/usr/bin"};
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        add_dir(ret_dirs, usual[i]);
    }
    const char *home = strlist_env_get(env, "HOME");
    if (!str_empty(home)) {
        auto_free char *own = fs_join(home, ".local/bin");
        add_dir(ret_dirs, own);
    }
}

static void add_from_dir(struct python_candidates *list, const char *dir, const char *source)
{
    static const char *const plain[] = {"python3", "python2.7", "python"};
    if (!fs_is_dir(dir)) {
        return;
    }
    for (int minor = NEWEST_MINOR_TRIED; minor >= 6; minor--) {
        auto_free char *path = str_printf("%s/python3.%d", dir, minor);
        add(list, path, NULL, source);
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        auto_free char *path = fs_join(dir, plain[i]);
        add(list, path, NULL, source);
    }
}

// ---- uv ----

static char *uv_dir(const struct strlist *env)
{
    const char *own = strlist_env_get(env, "UV_PYTHON_INSTALL_DIR");
    const char *data = strlist_env_get(env, "XDG_DATA_HOME");
    const char *home = strlist_env_get(env, "HOME");
    if (!str_empty(own)) {
        return str_dup(own);
    }
    if (!str_empty(data)) {
        return fs_join(data, "uv/python");
    }
    return str_empty(home) ? NULL : fs_join(home, ".local/share/uv/python");
}

// Directories are "cpython-3.12.4-linux-x86_64-gnu"; "+freethreaded" ones are left out.
static void add_uv(struct python_candidates *list, const struct strlist *env)
{
    auto_free char *dir = uv_dir(env);
    DIR *stream = dir ? opendir(dir) : NULL;
    if (!stream) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream));) {
        char version[32];
        int numbers[3];
        if (sscanf(entry->d_name, "cpython-%31[^-]-", version) == 1 &&
            python_version_numbers(version, numbers) && numbers[2] >= 0) {
            auto_free char *path =
                str_printf("%s/%s/bin/python%d.%d", dir, entry->d_name, numbers[0], numbers[1]);
            add(list, path, version, "uv");
        }
    }
    closedir(stream);
}

// ---- conda, /opt ----

// What stands in <dir>/*/<bin>.
static void each_below(struct python_candidates *list, const char *dir, const char *bin,
                       const char *source)
{
    DIR *stream = opendir(dir);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] != '.') {
            auto_free char *below = str_printf("%s/%s/%s", dir, entry->d_name, bin);
            add_from_dir(list, below, source);
        }
    }
    if (stream) {
        closedir(stream);
    }
}

static void add_conda_root(struct python_candidates *list, const char *root)
{
    auto_free char *bin = fs_join(root, "bin");
    auto_free char *environments = fs_join(root, "envs");
    add_from_dir(list, bin, "conda");
    each_below(list, environments, "bin", "conda");
}

static void add_conda(struct python_candidates *list, const struct strlist *env)
{
    static const char *const names[] = {"miniconda3", "miniforge3", "mambaforge",
                                        "anaconda3",  "micromamba", "conda"};
    const char *tops[] = {strlist_env_get(env, "HOME"), "/opt"};
    const char *own = strlist_env_get(env, "CONDA_EXE"); // <root>/bin/conda
    if (own && str_ends_with(own, "/bin/conda")) {
        auto_free char *root = str_dup_len(own, strlen(own) - strlen("/bin/conda"));
        add_conda_root(list, root);
    }
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        for (size_t j = 0; !str_empty(tops[i]) && j < ARRAY_LEN(names); j++) {
            auto_free char *root = fs_join(tops[i], names[j]);
            add_conda_root(list, root);
        }
    }
}

void python_candidates_find(const struct strlist *env, struct python_candidates *ret_candidates)
{
    struct strlist path = {0};
    split_path(env, &path);
    *ret_candidates = (struct python_candidates){0};
    add_pyenv(ret_candidates, env, &path);
    for (size_t i = 0; i < path.count; i++) {
        add_from_dir(ret_candidates, path.items[i], "path");
    }
    add_uv(ret_candidates, env);
    add_conda(ret_candidates, env);
    each_below(ret_candidates, "/opt", "bin", "opt");
    each_below(ret_candidates, "/opt/python", "bin", "opt");
    strlist_clear(&path);
}

void python_candidates_release(struct python_candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++) {
        free(candidates->items[i].executable);
        free(candidates->items[i].name);
    }
    free(candidates->items);
    free(candidates->pyenv_root);
    free(candidates->pyenv_program);
    *candidates = (struct python_candidates){0};
}

char *python_versions_dir(const struct strlist *env)
{
    const char *given = strlist_env_get(env, "PYENV_ROOT");
    const char *home = strlist_env_get(env, "HOME");
    return str_empty(given) ? str_printf("%s/.pyenv/versions", home ? home : "")
                            : fs_join(given, "versions");
}

// What nobody has touched for an hour is broken and not on its way.
static bool is_being_made(const char *versions, const char *name)
{
    struct stat info;
    auto_free char *dir = fs_join(versions, name);
    return stat(dir, &info) == 0 && clock_wall_ms() / 1000 - info.st_mtime < 3600;
}

uint64_t python_versions_stamp(const struct strlist *env, bool *ret_incomplete)
{
    auto_free char *dir = python_versions_dir(env);
    DIR *stream = opendir(dir);
    uint64_t stamp = 0;
    bool incomplete = false;
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        auto_free char *executable = str_printf("%s/%s/bin/python", dir, entry->d_name);
        uint64_t hash = 0xcbf29ce484222325; // FNV-1a; the sum has no order, as the names have none
        for (const char *at = entry->d_name; *at; at++) {
            hash = (hash ^ (unsigned char)*at) * 0x100000001b3;
        }
        bool complete = access(executable, X_OK) == 0;
        stamp += complete ? hash : 0;
        incomplete = incomplete || (!complete && is_being_made(dir, entry->d_name));
    }
    if (stream) {
        closedir(stream);
    }
    if (ret_incomplete) {
        *ret_incomplete = incomplete;
    }
    return stamp;
}
