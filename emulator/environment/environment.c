#include "emulator/environment/environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/dotenv.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/i18n.h"

#define ENV_FILE_MAX (1 << 20)
// P-304: with an invented identity no live service may be called. Nothing listens on this address.
#define OFFLINE_API  "http://127.77.255.254:9"

enum source {
    SOURCE_ID,
    SOURCE_KEY,
    SOURCE_MASTER,
    SOURCE_HOOK,
    SOURCE_ANDX,
    SOURCE_API,
    SOURCE_REGION,
    SOURCE_ENV,
    SOURCE_PORT,
    SOURCE_GROUP,
    SOURCE_TAG,
    SOURCE_INSTANCE,
    SOURCE_CPUS,
    SOURCE_DOMAIN,
    SOURCE_PROD,
    SOURCE_STAGING,
};

enum secrecy { PUBLIC, SECRET };

static const struct variable {
    const char *name;
    enum source source;
    enum secrecy secrecy;
    const char *rule;
} variables[] = {
#define VARIABLE(name, source, secrecy, rule) {name, SOURCE_##source, secrecy, rule},
#include "emulator/environment/variables.def"
#undef VARIABLE
};

// The names under which the user's shell may hold the identity (as `eval "$(lean env)"` sets them).
static const char *const identity_names[] = {
    [SOURCE_ID] = "LEANCLOUD_APP_ID",
    [SOURCE_KEY] = "LEANCLOUD_APP_KEY",
    [SOURCE_MASTER] = "LEANCLOUD_APP_MASTER_KEY",
    [SOURCE_HOOK] = "LEANCLOUD_APP_HOOK_KEY",
    [SOURCE_ANDX] = "LEANCLOUD_APP_ANDX_KEY",
    [SOURCE_API] = "LEANCLOUD_API_SERVER",
};

static void add_variable(struct environment *environment, const char *name, const char *value,
                         const char *source, const char *rule, bool secret)
{
    environment->items =
        mem_resize(environment->items, (environment->count + 1) * sizeof *environment->items);
    environment->items[environment->count++] =
        (struct environment_variable){.name = str_dup(name),
                                      .value = str_dup(value),
                                      .source = source,
                                      .rule = rule,
                                      .secret = secret};
}

static struct environment_variable *find_variable(const struct environment *environment,
                                                  const char *name)
{
    for (size_t i = 0; i < environment->count; i++) {
        if (strcmp(environment->items[i].name, name) == 0) {
            return &environment->items[i];
        }
    }
    return NULL;
}

// Stable per project, so that sessions and cookies signed with a key survive a restart of
// leanlocal.
static char *invent(const struct environment_request *request, enum source source)
{
    struct hash hash;
    char hex[HASH_HEX_SIZE];
    hash_init(&hash);
    hash_adds(&hash, request->project_id);
    hash_adds(&hash, identity_names[source]);
    hash_hex(&hash, hex);
    if (source == SOURCE_ID) {
        return str_printf("leanlocal%.15s-gzGzoHsz", hex);
    }
    return str_printf("%.24s", hex);
}

static char *identity_value(const struct environment_request *request, enum source source,
                            const char **ret_source)
{
    const char *shell = strlist_env_get(request->host_env, identity_names[source]);
    if (!str_empty(shell)) {
        *ret_source = "shell";
        return str_dup(shell);
    }
    *ret_source = "invented";
    if (source != SOURCE_API) {
        return invent(request, source);
    }
    // P-102k applies only to a real id; with an invented one there is no service to call.
    return str_dup(OFFLINE_API);
}

static char *value_of(const struct environment_request *request, enum source source,
                      const char **ret_source)
{
    bool production = strcmp(request->environment, "production") == 0;
    *ret_source = "platform";
    switch (source) {
    case SOURCE_REGION:
        return str_dup(environment_region_code(request->region));
    case SOURCE_ENV:
        return str_dup(request->environment);
    case SOURCE_PORT:
        return str_printf("%u", request->port);
    case SOURCE_GROUP:
        return str_dup(request->group);
    case SOURCE_TAG:
        return str_dup(request->version_tag);
    case SOURCE_INSTANCE:
        return str_dup(request->instance);
    case SOURCE_CPUS:
        return str_dup("1");
    case SOURCE_DOMAIN:
        return str_dup("localhost");
    case SOURCE_PROD:
        return str_dup(production ? "1" : "0");
    case SOURCE_STAGING:
        return str_dup("false");
    default:
        return identity_value(request, source, ret_source);
    }
}

static void add_platform_variables(const struct environment_request *request,
                                   struct environment *environment)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const struct variable *row = &variables[i];
        const char *source;
        auto_free char *value = value_of(request, row->source, &source);
        if (value) {
            add_variable(environment, row->name, value, source, row->rule, row->secrecy == SECRET);
        }
    }
}

// What a process needs to run at all. LANG and PYTHONUNBUFFERED are our choice [I] (P-126).
static void add_runtime_variables(const struct environment_request *request,
                                  struct environment *environment)
{
    auto_free char *path =
        str_printf("%s%s/usr/local/bin:/usr/bin:/bin", request->layer ? request->layer : "",
                   request->layer ? "/bin:" : "");
    add_variable(environment, "PATH", path, "runtime", "", false);
    add_variable(environment, "HOME", request->home, "runtime", "P-132", false);
    add_variable(environment, "USER", "leanengine", "runtime", "P-132", false);
    add_variable(environment, "LANG", "C.UTF-8", "runtime", "", false);
    add_variable(environment, "PYTHONUNBUFFERED", "1", "runtime", "P-126", false);
    if (request->zone_variable) {
        add_variable(environment, "TZ", environment_region_rule(request->region), "runtime",
                     "P-140", false);
    }
    if (request->temporary_dir) {
        add_variable(environment, "TMPDIR", request->temporary_dir, "runtime", "P-130", false);
    }
}

static bool looks_secret(const char *name)
{
    static const char *const marks[] = {"KEY",    "SECRET",     "TOKEN",   "PASSWORD",
                                        "PASSWD", "CREDENTIAL", "PRIVATE", "_URL"};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (strcasestr(name, marks[i])) {
            return true;
        }
    }
    return false;
}

// `wins`: what an earlier, stronger source has set stays.
static void add_custom(struct environment *environment, const char *file, const char *source,
                       const struct dotenv_entry *entry, struct diagnostics *diagnostics)
{
    struct environment_variable *existing = find_variable(environment, entry->name);
    if (!existing) {
        add_variable(environment, entry->name, entry->value, source, "P-102b",
                     looks_secret(entry->name));
    } else if (*existing->rule && strcmp(existing->rule, "P-102b") != 0) {
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, file, entry->line, 1, "P-102a",
                        _("remove the line; the platform sets this variable"),
                        _("%s cannot be overridden: the platform's own value wins"), entry->name);
    }
}

static int add_env_file(struct environment *environment, const char *path, const char *name,
                        const char *source, struct diagnostics *diagnostics, struct error *error)
{
    size_t len = 0;
    auto_free char *text = fs_read(path, ENV_FILE_MAX, &len, error);
    if (!text) {
        return -1;
    }
    struct dotenv entries = {0};
    if (dotenv_parse(text, len, name, &entries, error) < 0) {
        return -1;
    }
    // Within one file the last one wins, as a shell would have it.
    for (size_t i = entries.count; i > 0; i--) {
        add_custom(environment, name, source, &entries.items[i - 1], diagnostics);
    }
    dotenv_release(&entries);
    return 0;
}

int environment_build(const struct environment_request *request,
                      struct environment *ret_environment, struct diagnostics *diagnostics,
                      struct error *error)
{
    struct environment environment = {0};
    if (!environment_region_code(request->region)) {
        error_set(error, ERROR_USAGE, _("unknown region %s"), request->region);
        return error_set_hint(error, _("known regions: %s"), environment_region_names());
    }
    add_platform_variables(request, &environment);
    add_runtime_variables(request, &environment);
    if (request->env_file && add_env_file(&environment, request->env_file, request->env_file,
                                          "--env-file", diagnostics, error) < 0) {
        if (error && error->errnum) {
            error->kind = ERROR_USAGE;
        }
        environment_release(&environment);
        return -1;
    }
    auto_free char *path = fs_join(request->project_dir, ".env");
    if (fs_is_file(path) &&
        add_env_file(&environment, path, ".env", ".env", diagnostics, error) < 0) {
        environment_release(&environment);
        return -1;
    }
    *ret_environment = environment;
    return 0;
}

void environment_to_list(const struct environment *environment, struct strlist *ret_list)
{
    for (size_t i = 0; i < environment->count; i++) {
        strlist_addf(ret_list, "%s=%s", environment->items[i].name, environment->items[i].value);
    }
}

void environment_release(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->items[i].name);
        free(environment->items[i].value);
    }
    free(environment->items);
    *environment = (struct environment){0};
}
