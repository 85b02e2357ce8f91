#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "emulator/build/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

#define PIP_CONF_MAX 65536

// Proxies and CA files: taken over as they are.
static const char *const taken[] = {
    "http_proxy",     "https_proxy",    "ftp_proxy",          "all_proxy",
    "no_proxy",       "HTTP_PROXY",     "HTTPS_PROXY",        "FTP_PROXY",
    "ALL_PROXY",      "NO_PROXY",       "SSL_CERT_FILE",      "SSL_CERT_DIR",
    "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "SOURCE_DATE_EPOCH",
};

// These would install elsewhere, write elsewhere, or make pip refuse the layer.
static const char *const refused[] = {
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_PYTHON",
    "PIP_LOG",
    "PIP_SRC",
    "PIP_CACHE_DIR",
    "PIP_DRY_RUN",
    "PIP_REPORT",
    "PIP_BUILD",
    "PIP_DOWNLOAD_CACHE",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_CONFIG_FILE",
    "PIP_BREAK_SYSTEM_PACKAGES",
};

static bool names(const char *entry, const char *const *list, size_t count)
{
    size_t len = strcspn(entry, "=");
    for (size_t i = 0; i < count; i++) {
        if (strlen(list[i]) == len && strncmp(entry, list[i], len) == 0) {
            return true;
        }
    }
    return false;
}

// A value may be a list of paths, file: URLs and other words; the paths among them must be seen
// inside.
static void add_named_files(struct build_mounts *mounts, const char *value)
{
    while (*value) {
        size_t len = strcspn(value, " \t\r\n");
        auto_free char *word = str_dup_len(value, len);
        const char *path = str_starts_with(word, "file://") ? word + 7 : word;
        build_mounts_add_own(mounts, path);
        value += len;
        value += strspn(value, " \t\r\n");
    }
}

static void take_host_variables(const struct strlist *host_env, struct install_env *env)
{
    for (size_t i = 0; i < host_env->count; i++) {
        const char *entry = host_env->items[i];
        bool pip = str_starts_with(entry, "PIP_") && !names(entry, refused, ARRAY_LEN(refused));
        if (pip || names(entry, taken, ARRAY_LEN(taken))) {
            strlist_add(&env->env, entry);
            add_named_files(&env->mounts, strchr(entry, '=') + 1);
        }
    }
}

// ---- pip.conf ----

// The user's own file, by pip's order. It is copied: root's file of mode 0600 could not be read
// inside.
static char *read_user_conf(const struct strlist *host_env)
{
    const char *named = strlist_env_get(host_env, "PIP_CONFIG_FILE");
    const char *config = strlist_env_get(host_env, "XDG_CONFIG_HOME");
    const char *home = strlist_env_get(host_env, "HOME");
    char *paths[] = {
        [0] = str_dup(named),
        [1] = str_empty(config) ? NULL : fs_join(config, "pip/pip.conf"),
        [2] = str_empty(home) ? NULL : fs_join(home, ".config/pip/pip.conf"),
        [3] = str_empty(home) ? NULL : fs_join(home, ".pip/pip.conf"),
    };
    char *text = NULL;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        text = text || !paths[i] ? text : fs_read(paths[i], PIP_CONF_MAX, NULL, NULL);
        free(paths[i]);
    }
    return text;
}

// "cert = /path/ca.pem", "find-links =\n    /wheels": every path after an = or on a line of its
// own.
static void add_files_of_conf(struct build_mounts *mounts, const char *text)
{
    while (text && *text) {
        size_t len = strcspn(text, "\n");
        auto_free char *line = str_dup_len(text, len);
        const char *value = strchr(line, '=');
        if (line[0] != '#' && line[0] != ';' && line[0] != '[') {
            add_named_files(mounts, value ? value + 1 : line);
        }
        text += len + (text[len] == '\n');
    }
}

static void take_pip_conf(const struct strlist *host_env, struct install_env *env)
{
    static const char *const shared[] = {"/etc/pip.conf", "/etc/xdg/pip/pip.conf"};
    env->pip_conf = read_user_conf(host_env);
    env->pip_conf_target = BUILD_HOME_TARGET "/.config/pip/pip.conf";
    add_files_of_conf(&env->mounts, env->pip_conf);
    for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
        auto_free char *text = fs_read(shared[i], PIP_CONF_MAX, NULL, NULL);
        if (text) {
            build_mounts_add_own(&env->mounts, shared[i]);
            add_files_of_conf(&env->mounts, text);
        }
    }
}

// ---- the whole ----

void build_env_make(const struct strlist *build_env, const char *target, const char *home,
                    struct strlist *ret_env)
{
    strlist_copy(ret_env, build_env); // P-28
    auto_free char *path = str_printf("%s/bin:/usr/local/bin:/usr/bin:/bin", target);
    strlist_env_set(ret_env, "PATH", path);
    strlist_env_set(ret_env, "HOME", home);
    if (!str_equal(home, BUILD_HOME_TARGET)) { // level none: /tmp is the host's
        auto_free char *temporary = fs_join(home, SANDBOX_PRIVATE_TMP);
        strlist_env_set(ret_env, "TMPDIR", temporary);
    }
    strlist_env_set(ret_env, "USER", "leanengine");
    strlist_env_set(ret_env, "LANG", "C.UTF-8");
    strlist_env_set(ret_env, "PYTHONUNBUFFERED", "1");
}

void install_env_make(const struct strlist *host_env, const struct strlist *build_env,
                      const char *target, const char *home, const char *pip_cache,
                      struct install_env *ret_env)
{
    *ret_env = (struct install_env){0};
    take_host_variables(host_env, ret_env);
    take_pip_conf(host_env, ret_env);
    struct strlist exposed = {0};
    build_env_make(build_env, target, home, &exposed);
    for (size_t i = 0; i < exposed.count; i++) {
        auto_free char *name = str_dup_len(exposed.items[i], strcspn(exposed.items[i], "="));
        strlist_env_set(&ret_env->env, name, strchr(exposed.items[i], '=') + 1);
    }
    strlist_clear(&exposed);
    strlist_env_set(&ret_env->env, "PIP_DISABLE_PIP_VERSION_CHECK", "1");
    strlist_env_set(&ret_env->env, "PIP_NO_INPUT", "1");
    strlist_env_set(&ret_env->env, "PIP_PROGRESS_BAR", "off");
    strlist_env_set(&ret_env->env, "PIP_USER", "0");
    strlist_env_set(&ret_env->env, "PIP_CACHE_DIR", pip_cache);
}

void install_env_release(struct install_env *env)
{
    strlist_clear(&env->env);
    build_mounts_release(&env->mounts);
    free(env->pip_conf);
    *env = (struct install_env){0};
}
