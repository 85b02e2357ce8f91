#include "emulator/python/facts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/process.h"

extern const char python_probe_py[];
extern const size_t python_probe_py_size;

#define ANSWER_MAX   (256 * 1024)
#define ASK_LIMIT_MS 20000 // a cold disk takes seconds; what takes longer hangs

// ---- JSON ----

struct cJSON *python_to_json(const struct python *python)
{
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "version", python->version);
    json_put_int(tree, "major", python->major);
    json_put_int(tree, "minor", python->minor);
    json_put_string(tree, "executable", python->executable);
    json_put_string(tree, "prefix", python->prefix);
    json_put_strings(tree, "mounts", &python->mounts);
    json_put_string(tree, "source", python->source);
    json_put_string(tree, "pip_dir", python->pip_dir);
    json_put_string(tree, "pip_wheel", python->pip_wheel);
    json_put_string(tree, "pip_version", python->pip_version);
    json_put_bool(tree, "has_venv", python->has_venv);
    json_put_bool(tree, "from_file", python->from_file);
    return tree;
}

bool python_from_json(const struct cJSON *tree, struct python *ret_python)
{
    const char *version = json_get_string(tree, "version");
    const char *executable = json_get_string(tree, "executable");
    const char *prefix = json_get_string(tree, "prefix");
    if (!version || !executable || executable[0] != '/' || !prefix) {
        return false;
    }
    *ret_python = (struct python){
        .version = str_dup(version),
        .major = (int)json_get_int(tree, "major", 0),
        .minor = (int)json_get_int(tree, "minor", 0),
        .executable = str_dup(executable),
        .prefix = str_dup(prefix),
        .source = str_dup(json_get_string(tree, "source")),
        .pip_dir = str_dup(json_get_string(tree, "pip_dir")),
        .pip_wheel = str_dup(json_get_string(tree, "pip_wheel")),
        .pip_version = str_dup(json_get_string(tree, "pip_version")),
        .has_venv = json_get_bool(tree, "has_venv", false),
        .from_file = json_get_bool(tree, "from_file", false),
    };
    json_get_strings(tree, "mounts", &ret_python->mounts);
    return true;
}

void python_release(struct python *python)
{
    free(python->version);
    free(python->executable);
    free(python->prefix);
    free(python->source);
    free(python->pip_dir);
    free(python->pip_wheel);
    free(python->pip_version);
    strlist_clear(&python->mounts);
    *python = (struct python){0};
}

void python_offer_release(struct python_offer *offer)
{
    free(offer->version);
    free(offer->root);
    free(offer->program);
    *offer = (struct python_offer){0};
}

static bool facts_from_json(const struct cJSON *tree, struct python_facts *ret_facts)
{
    struct python_facts facts = {
        .is_cpython = str_equal(json_get_string(tree, "implementation"), "CPython"),
        .is_final = json_get_bool(tree, "final", false),
        .in_environment = json_get_bool(tree, "virtual", false),
        .pip_requires = (int)json_get_int(tree, "pip_requires", 0),
    };
    if (!python_from_json(tree, &facts.python)) {
        return false;
    }
    *ret_facts = facts;
    return true;
}

void python_facts_release(struct python_facts *facts)
{
    python_release(&facts->python);
    *facts = (struct python_facts){0};
}

// ---- cache ----

// The answer depends on the binary and on the directories that the probe names in "watch".
static char *cache_path(const char *executable, const char *cache_dir)
{
    struct stat status;
    if (!cache_dir || stat(executable, &status) < 0) {
        return NULL;
    }
    auto_free char *identity =
        str_printf("%s %lld.%09ld %lld", executable, (long long)status.st_mtim.tv_sec,
                   status.st_mtim.tv_nsec, (long long)status.st_size);
    struct hash hash;
    char hex[HASH_HEX_SIZE];
    hash_init(&hash);
    hash_add(&hash, python_probe_py, python_probe_py_size);
    hash_adds(&hash, identity);
    hash_hex(&hash, hex);
    return str_printf("%s/python/%.32s.json", cache_dir, hex);
}

static bool still_true(const struct cJSON *tree)
{
    const struct cJSON *watch = json_get(tree, "watch");
    for (const struct cJSON *item = json_first(watch); item; item = json_next(item)) {
        struct stat status;
        int64_t now = stat(json_name(item), &status) == 0 ? status.st_mtim.tv_sec : 0;
        if (now != json_get_int(watch, json_name(item), -1)) {
            return false;
        }
    }
    return fs_is_file(json_get_string(tree, "executable"));
}

static bool read_cached(const char *path, struct python_facts *ret_facts)
{
    size_t len = 0;
    auto_free char *text = path ? fs_read(path, ANSWER_MAX, &len, NULL) : NULL;
    struct cJSON *tree = text ? json_parse(text, len, path, NULL) : NULL;
    bool good = tree && facts_from_json(tree, ret_facts);
    if (good && !still_true(tree)) {
        python_facts_release(ret_facts);
        good = false;
    }
    json_free(tree);
    return good;
}

// ---- asking ----

// A clean environment: the caller's PYTHONHOME or PYTHONPATH would make any interpreter lie.
static void clean_environment(const struct strlist *env, struct strlist *ret_env)
{
    for (size_t i = 0; i < env->count; i++) {
        bool python = str_starts_with(env->items[i], "PYTHON");
        if (!python && !str_starts_with(env->items[i], "__PYVENV_LAUNCHER__")) {
            strlist_add(ret_env, env->items[i]);
        }
    }
    strlist_env_set(ret_env, "LC_ALL", "C.UTF-8");
}

static char *ask(const char *executable, const struct strlist *env, struct error *error)
{
    struct strlist clean = {0};
    clean_environment(env, &clean);
    char *const argv[] = {(char *)(uintptr_t)executable,      (char *)(uintptr_t) "-E",
                          (char *)(uintptr_t) "-s",           (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)python_probe_py, NULL};
    char *output = NULL;
    int status = process_capture(argv, clean.items, "/", ANSWER_MAX, ASK_LIMIT_MS, &output, error);
    strlist_clear(&clean);
    if (status == 0) {
        return output;
    }
    free(output);
    if (status > 0) {
        error_set(error, ERROR_HOST, _("%s does not work (exit %d)"), executable, status);
    }
    return NULL;
}

int python_facts_read(const char *executable, const struct strlist *env, const char *cache_dir,
                      struct python_facts *ret_facts, struct error *error)
{
    auto_free char *path = cache_path(executable, cache_dir);
    if (read_cached(path, ret_facts)) {
        return 0;
    }
    auto_free char *answer = ask(executable, env, error);
    if (!answer) {
        return -1;
    }
    struct cJSON *tree = json_parse(answer, strlen(answer), executable, NULL);
    bool good = tree && facts_from_json(tree, ret_facts);
    json_free(tree);
    if (!good) {
        return error_set(error, ERROR_HOST, _("%s does not answer as a Python would"), executable);
    }
    // Not being able to remember costs time, nothing else.
    auto_free char *dir = path ? str_printf("%s/python", cache_dir) : NULL;
    if (path && fs_mkdir_p(dir, 0755, NULL) == 0) {
        fs_write_atomic(path, answer, strlen(answer), 0644, NULL);
    }
    return 0;
}
