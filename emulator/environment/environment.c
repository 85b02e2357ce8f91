#include "emulator/environment/environment.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "emulator/environment/identity.h"
#include "emulator/formats/dotenv.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define READ_MAX  (1 << 20) // dotenv_parse() has the real bound and says so better
#define FILES_MAX 2

enum source {
    SOURCE_ID = IDENTITY_ID,
    SOURCE_KEY = IDENTITY_KEY,
    SOURCE_MASTER = IDENTITY_MASTER,
    SOURCE_HOOK = IDENTITY_HOOK,
    SOURCE_ANDX = IDENTITY_ANDX,
    SOURCE_API = IDENTITY_API,
    SOURCE_REGION = IDENTITY_REGION,
    SOURCE_GROUP = IDENTITY_GROUP,
    SOURCE_ENV = IDENTITY__COUNT,
    SOURCE_PORT,
    SOURCE_TAG,
    SOURCE_INSTANCE,
    SOURCE_CPUS,
    SOURCE_DOMAIN,
    SOURCE_PROD,
    SOURCE_STAGING,
};

enum when { WHEN_ALWAYS, WHEN_START, WHEN_LOCAL, WHEN_LEGACY };

enum secrecy { PUBLIC, SECRET };

static const struct variable {
    const char *name;
    enum source source;
    enum when when;
    enum secrecy secrecy;
    const char *rule;
} variables[] = {
#define VARIABLE(name, source, when, secrecy, rule)                                                \
    {name, SOURCE_##source, WHEN_##when, secrecy, rule},
#include "emulator/environment/variables.def"
#undef VARIABLE
};

// One environment in the making.
struct making {
    const struct environment_request *request;
    struct env_source files[FILES_MAX]; // strongest first
    size_t file_count;
    struct identity identity;
    struct environment environment;
    struct diagnostics *diagnostics;
};

static void add_variable(struct environment *environment, struct environment_variable variable)
{
    variable.name = str_dup(variable.name);
    variable.value = str_dup(variable.value);
    environment->items =
        mem_resize(environment->items, (environment->count + 1) * sizeof *environment->items);
    environment->items[environment->count++] = variable;
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

// ---- the platform's ----

static const struct instance_size *size_of(const struct environment_request *request)
{
    return request->size ? request->size : instance_size_find(NULL);
}

// NULL: the variable is not there.
static char *value_of(const struct making *making, enum source source)
{
    const struct environment_request *request = making->request;
    if (source < SOURCE_ENV) {
        return str_dup(making->identity.values[source]);
    }
    switch (source) {
    case SOURCE_ENV: // P-101i: never "staging"
        return str_dup(request->environment);
    case SOURCE_PORT:
        return str_printf("%u", request->port);
    case SOURCE_TAG:
        return str_dup(request->version_tag);
    case SOURCE_INSTANCE:
        return str_empty(request->instance) ? NULL : str_dup(request->instance);
    case SOURCE_CPUS:
        return str_printf("%d", size_of(request)->cpus);
    case SOURCE_DOMAIN:
        return str_dup("localhost");
    case SOURCE_PROD:
        return str_dup(strcmp(request->environment, "production") == 0 ? "1" : "0");
    case SOURCE_STAGING: // P-102m: the SDK then takes staging's data, not production's
        return str_dup(size_of(request)->staging ? "true" : "false");
    default:
        return NULL;
    }
}

static bool is_there(const struct making *making, enum when when)
{
    switch (when) {
    case WHEN_START:
        return !str_empty(making->request->instance);
    case WHEN_LOCAL:
        return strcmp(making->request->environment, "development") == 0;
    case WHEN_LEGACY:
        return environment_region_has_legacy_names(making->identity.region);
    default:
        return true;
    }
}

static void add_platform_variables(struct making *making)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const struct variable *row = &variables[i];
        auto_free char *value = value_of(making, row->source);
        if (value && is_there(making, row->when)) {
            bool of_identity = row->source < SOURCE_ENV;
            add_variable(
                &making->environment,
                (struct environment_variable){
                    .name = (char *)(uintptr_t)row->name,
                    .value = value,
                    .kind = VARIABLE_PLATFORM,
                    .source = of_identity ? making->identity.sources[row->source] : "platform",
                    .rule = row->rule,
                    .secret = row->secrecy == SECRET});
        }
    }
}

static void add_runtime(struct making *making, enum variable_kind kind, const char *name,
                        const char *value, const char *rule)
{
    add_variable(&making->environment,
                 (struct environment_variable){.name = (char *)(uintptr_t)name,
                                               .value = (char *)(uintptr_t)value,
                                               .kind = kind,
                                               .source = "runtime",
                                               .rule = rule});
}

// What a process needs to run at all. LANG and PYTHONUNBUFFERED are our choice [I] (P-126), so the
// project may choose otherwise.
static void add_runtime_variables(struct making *making)
{
    const struct environment_request *request = making->request;
    auto_free char *path =
        str_printf("%s%s/usr/local/bin:/usr/bin:/bin", request->layer ? request->layer : "",
                   request->layer ? "/bin:" : "");
    add_runtime(making, VARIABLE_RUNTIME, "PATH", path, "");
    add_runtime(making, VARIABLE_RUNTIME, "HOME", request->home, "P-132");
    add_runtime(making, VARIABLE_RUNTIME, "USER", "leanengine", "P-132");
    add_runtime(making, VARIABLE_DEFAULT, "LANG", "C.UTF-8", "");
    add_runtime(making, VARIABLE_DEFAULT, "PYTHONUNBUFFERED", "1", "P-126");
    if (request->zone_variable) {
        add_runtime(making, VARIABLE_DEFAULT, "TZ",
                    environment_region_rule(making->identity.region), "P-140");
    }
    if (request->temporary_dir) {
        add_runtime(making, VARIABLE_RUNTIME, "TMPDIR", request->temporary_dir, "P-130");
    }
}

// ---- the project's own ----

static void warn(const struct making *making, const struct env_source *file,
                 const struct dotenv_entry *entry, const char *rule, const char *hint,
                 const char *text)
{
    diagnostics_add(making->diagnostics, DIAGNOSTIC_WARNING, file->file, entry->line, 1, rule, hint,
                    "%s: %s", entry->name, text);
}

// Either it says the same ("cn-e1" is "CN"), or it is no region, which identity.c has told.
static bool is_settled_region(const struct dotenv_entry *entry,
                              const struct environment_variable *existing)
{
    if (strcmp(entry->name, identity_name(IDENTITY_REGION)) != 0) {
        return false;
    }
    const char *region = environment_region_find(entry->value, NULL);
    return !region || strcmp(environment_region_code(region), existing->value) == 0;
}

// A line that says what is so anyway does no harm.
static void refuse_override(const struct making *making, const struct env_source *file,
                            const struct dotenv_entry *entry,
                            const struct environment_variable *existing)
{
    if (strcmp(existing->value, entry->value) == 0 || is_settled_region(entry, existing)) {
        return;
    }
    bool chosen = strcmp(existing->source, "platform") != 0;
    if (existing->kind == VARIABLE_RUNTIME) {
        warn(making, file, entry, NULL, _("remove the line"),
             _("belongs to the container; the line is passed over"));
    } else if (chosen) {
        auto_free char *text = str_printf(
            _("a stronger source gives it (%s); the line is passed over"), existing->source);
        warn(making, file, entry, "P-102a", _("remove the line"), text);
    } else {
        warn(making, file, entry, "P-102a", _("remove the line; the platform sets this variable"),
             _("cannot be overridden: the platform's own value wins"));
    }
}

static bool is_reserved(const char *name)
{
    return strncasecmp(name, "LEANCLOUD", 9) == 0 || strncasecmp(name, "LEAN_CLI", 8) == 0;
}

// false: the cloud would not have it either.
static bool check_name(const struct making *making, const struct env_source *file,
                       const struct dotenv_entry *entry)
{
    if (is_reserved(entry->name)) {
        warn(making, file, entry, "P-102e", _("choose another name"),
             _("names that begin with LEANCLOUD or LEAN_CLI cannot be set; the line is passed "
               "over"));
        return false;
    }
    if (strcmp(entry->name, "NODE_ENV") == 0) {
        warn(making, file, entry, "P-101h", _("choose another name"),
             _("is reserved by the platform; the line is passed over"));
        return false;
    }
    const char *meant = environment_database_meant(entry->name);
    if (meant) {
        auto_free char *text = str_printf(_("the cloud writes it %s..."), meant);
        warn(making, file, entry, "P-213", _("write it as the cloud does; in Python too"), text);
    }
    if (entry->name[0] == '_') {
        warn(making, file, entry, "P-102c", _("choose another name"),
             _("the console takes only names that begin with a letter"));
    }
    return true;
}

static void add_custom(struct making *making, const struct env_source *file,
                       const struct dotenv_entry *entry)
{
    struct environment_variable *existing = find_variable(&making->environment, entry->name);
    bool own = existing && existing->kind == VARIABLE_CUSTOM;
    if (own && existing->source != file->label) {
        return; // what a stronger file has set stays
    }
    if (existing && !own && existing->kind != VARIABLE_DEFAULT) {
        refuse_override(making, file, entry, existing);
        return;
    }
    if (!check_name(making, file, entry)) {
        return;
    }
    bool secret = environment_looks_secret(entry->name, entry->value);
    if (existing) {
        str_replace(&existing->value, entry->value);
        existing->kind = VARIABLE_CUSTOM;
        existing->source = file->label;
        existing->rule = "P-102b";
        existing->secret = secret;
        return;
    }
    add_variable(&making->environment, (struct environment_variable){.name = entry->name,
                                                                     .value = entry->value,
                                                                     .kind = VARIABLE_CUSTOM,
                                                                     .source = file->label,
                                                                     .rule = "P-102b",
                                                                     .secret = secret});
}

static void add_custom_variables(struct making *making)
{
    for (size_t i = 0; i < making->file_count; i++) {
        const struct env_source *file = &making->files[i];
        // Within one file the last one wins, as a shell would have it.
        for (size_t j = 0; j < file->entries.count; j++) {
            add_custom(making, file, &file->entries.items[j]);
        }
    }
}

// ---- files ----

static int read_file(struct making *making, const char *path, const char *name, const char *label,
                     struct error *error)
{
    struct env_source *file = &making->files[making->file_count];
    size_t len = 0;
    auto_free char *text = fs_read(path, READ_MAX, &len, error);
    if (!text) {
        if (error) {
            error->kind = ERROR_USAGE;
        }
        return -1;
    }
    *file = (struct env_source){.label = label, .file = name};
    if (dotenv_parse(text, len, name, &file->entries, error) < 0) {
        return -1;
    }
    making->file_count++;
    return 0;
}

static int read_files(struct making *making, struct error *error)
{
    const struct environment_request *request = making->request;
    if (request->env_file && fs_exists(request->env_file) && !fs_is_file(request->env_file)) {
        error_set(error, ERROR_USAGE, _("%s: not a regular file"), request->env_file);
        return error_set_hint(error, _("write the variables into a file first"));
    }
    if (request->env_file &&
        read_file(making, request->env_file, request->env_file, "--env-file", error) < 0) {
        return -1;
    }
    auto_free char *path = fs_join(request->env_dir, ".env");
    return fs_is_file(path) ? read_file(making, path, ".env", ".env", error) : 0;
}

static void find_identity(struct making *making)
{
    const struct environment_request *request = making->request;
    const struct identity_request wanted = {
        .project_dir = request->project_dir,
        .project_id = request->project_id,
        .host_env = request->host_env,
        .app_id = request->app_id,
        .region = request->region,
        .group = request->group,
        .files = making->files,
        .file_count = making->file_count,
        .offline_api = request->offline_api ? request->offline_api : ENVIRONMENT_OFFLINE_API,
    };
    identity_resolve(&wanted, &making->identity, making->diagnostics);
}

static bool is_invented(const struct identity *identity, enum identity_part part)
{
    return str_equal(identity->sources[part], "invented");
}

int environment_build(const struct environment_request *request,
                      struct environment *ret_environment, struct diagnostics *diagnostics,
                      struct error *error)
{
    struct making making = {.request = request, .diagnostics = diagnostics};
    int result = read_files(&making, error);
    if (result == 0) {
        find_identity(&making);
        const struct identity *identity = &making.identity;
        add_platform_variables(&making);
        add_runtime_variables(&making);
        add_custom_variables(&making);
        making.environment.region = identity->region;
        making.environment.group = str_dup(identity->values[IDENTITY_GROUP]);
        making.environment.invented = identity_is_invented(identity);
        making.environment.keys_invented =
            is_invented(identity, IDENTITY_KEY) || is_invented(identity, IDENTITY_MASTER);
        *ret_environment = making.environment;
    }
    for (size_t i = 0; i < making.file_count; i++) {
        dotenv_release(&making.files[i].entries);
    }
    identity_release(&making.identity);
    return result;
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
    free(environment->group);
    *environment = (struct environment){0};
}
