#include "emulator/environment/identity.h"

#include <stdlib.h>
#include <string.h>

#include "emulator/environment/region.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/i18n.h"

#define LINK_DIR                                                                                   \
    ".leancloud" // where the platform's own tool notes what the project is linked to (P-240)
#define LINK_FILE_MAX 4096
#define INVENTED      "invented"

static const char *const names[IDENTITY__COUNT] = {
    [IDENTITY_ID] = "LEANCLOUD_APP_ID",
    [IDENTITY_KEY] = "LEANCLOUD_APP_KEY",
    [IDENTITY_MASTER] = "LEANCLOUD_APP_MASTER_KEY",
    [IDENTITY_HOOK] = "LEANCLOUD_APP_HOOK_KEY",
    [IDENTITY_ANDX] = "LEANCLOUD_APP_ANDX_KEY",
    [IDENTITY_API] = "LEANCLOUD_API_SERVER",
    [IDENTITY_REGION] = "LEANCLOUD_REGION",
    [IDENTITY_GROUP] = "LEANCLOUD_APP_GROUP",
};

const char *identity_name(enum identity_part part)
{
    return names[part];
}

bool identity_is_invented(const struct identity *identity)
{
    return str_equal(identity->sources[IDENTITY_ID], INVENTED);
}

static void set(struct identity *identity, enum identity_part part, const char *value,
                const char *source)
{
    str_replace(&identity->values[part], value);
    identity->sources[part] = source;
}

static void take(struct identity *identity, enum identity_part part, char *value,
                 const char *source)
{
    free(identity->values[part]);
    identity->values[part] = value;
    identity->sources[part] = source;
}

// Ids and groups become parts of addresses and of file names.
static bool is_word(const char *text)
{
    return *text && !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789_-")];
}

// ---- where values lie ----

static const struct dotenv_entry *find_entry(const struct env_source *file, const char *name)
{
    for (size_t i = file->entries.count; i > 0; i--) { // the last one wins, as in a shell
        if (strcmp(file->entries.items[i - 1].name, name) == 0) {
            return &file->entries.items[i - 1];
        }
    }
    return NULL;
}

static const char *value_in_file(const struct env_source *file, enum identity_part part)
{
    const struct dotenv_entry *entry = find_entry(file, names[part]);
    return entry && *entry->value ? entry->value : NULL;
}

static const char *value_in_shell(const struct identity_request *request, enum identity_part part)
{
    const char *value = strlist_env_get(request->host_env, names[part]);
    return str_empty(value) ? NULL : value;
}

// One word of a file of the platform's tool; NULL if there is none. Owned by the caller.
static char *read_link(const struct identity_request *request, const char *file,
                       struct diagnostics *diagnostics)
{
    auto_free char *name = str_printf(LINK_DIR "/%s", file);
    auto_free char *path = fs_join(request->project_dir, name);
    size_t len = 0;
    auto_free char *text = fs_read(path, LINK_FILE_MAX, &len, NULL);
    if (!text) {
        return NULL;
    }
    const char *start = text + strspn(text, " \t\r\n");
    char *word = str_dup_len(start, strcspn(start, " \t\r\n"));
    if (*word && !is_word(word)) {
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, name, 1, 1, NULL,
                        _("link the project anew, or remove the file"),
                        _("not an id or a group's name; the file is passed over"));
    }
    if (!is_word(word)) {
        free(word);
        return NULL;
    }
    return word;
}

// ---- the parts ----

// Stable per project. The id looks like one of the region: the SDK tells regions by it.
static char *invent(const struct identity_request *request, enum identity_part part,
                    const char *region)
{
    struct hash hash;
    char hex[HASH_HEX_SIZE];
    hash_init(&hash);
    hash_adds(&hash, request->project_id);
    hash_adds(&hash, names[part]);
    hash_hex(&hash, hex);
    return part == IDENTITY_ID
               ? str_printf("leanlocal%.15s%s", hex, environment_region_id_suffix(region))
               : str_printf("%.24s", hex);
}

static void find_id(const struct identity_request *request, struct identity *identity,
                    struct diagnostics *diagnostics)
{
    const char *shell = value_in_shell(request, IDENTITY_ID);
    if (request->app_id) {
        set(identity, IDENTITY_ID, request->app_id, "option");
    } else if (shell) {
        set(identity, IDENTITY_ID, shell, "shell");
    } else {
        take(identity, IDENTITY_ID, read_link(request, "current_app_id", diagnostics), LINK_DIR);
    }
    for (size_t i = 0; i < request->file_count && !identity->values[IDENTITY_ID]; i++) {
        set(identity, IDENTITY_ID, value_in_file(&request->files[i], IDENTITY_ID),
            request->files[i].label);
    }
}

// A key of another app than the chosen one is worse than an invented one.
static bool is_of_app(const char *id_of_source, const struct identity *identity)
{
    return !id_of_source || str_equal(id_of_source, identity->values[IDENTITY_ID]);
}

static void warn_region(const char *text, const char *file, int line,
                        struct diagnostics *diagnostics)
{
    auto_free char *hint = str_printf(_("known regions: %s"), environment_region_names());
    diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, file, line, line ? 1 : 0, "P-102k", hint,
                    _("LEANCLOUD_REGION: %s is no region; it is passed over"), text);
}

// The shell's "CN" is a group of regions (P-142); the id may say which of them.
static void find_region(const struct identity_request *request, struct identity *identity,
                        struct diagnostics *diagnostics)
{
    const char *id = identity->values[IDENTITY_ID];
    const char *shell = value_in_shell(request, IDENTITY_REGION);
    const char *source = "option";
    identity->region = request->region ? environment_region_find(request->region, NULL) : NULL;
    bool own = is_of_app(value_in_shell(request, IDENTITY_ID), identity);
    if (!identity->region && shell && own) {
        source = "shell";
        identity->region = environment_region_find(shell, id);
        if (!identity->region) {
            warn_region(shell, NULL, 0, diagnostics);
        }
    }
    for (size_t i = 0; i < request->file_count && !identity->region; i++) {
        const struct env_source *file = &request->files[i];
        const struct dotenv_entry *entry = find_entry(file, names[IDENTITY_REGION]);
        if (entry && *entry->value) {
            source = file->label;
            identity->region = environment_region_find(entry->value, id);
            if (!identity->region) {
                warn_region(entry->value, file->file, entry->line, diagnostics);
            }
        }
    }
    if (!identity->region) {
        const char *told = id ? environment_region_of_id(id) : NULL;
        source = "platform";
        identity->region = told ? told : REGION_DEFAULT;
    }
    set(identity, IDENTITY_REGION, environment_region_code(identity->region), source);
}

static void find_part(const struct identity_request *request, struct identity *identity,
                      enum identity_part part)
{
    const char *shell = value_in_shell(request, part);
    if (shell && is_of_app(value_in_shell(request, IDENTITY_ID), identity)) {
        set(identity, part, shell, "shell");
        return;
    }
    for (size_t i = 0; i < request->file_count; i++) {
        const struct env_source *file = &request->files[i];
        const char *value = value_in_file(file, part);
        if (value && is_of_app(value_in_file(file, IDENTITY_ID), identity)) {
            set(identity, part, value, file->label);
            return;
        }
    }
}

static void find_keys(const struct identity_request *request, struct identity *identity)
{
    static const enum identity_part keys[] = {IDENTITY_KEY, IDENTITY_MASTER, IDENTITY_HOOK,
                                              IDENTITY_ANDX};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        find_part(request, identity, keys[i]);
        if (!identity->values[keys[i]]) { // P-197: without an ANDX key the SDK lets too much pass
            take(identity, keys[i], invent(request, keys[i], identity->region), INVENTED);
        }
    }
}

// P-304: nobody's app calls nobody. P-102h, P-102k: a real one calls what the developer says, else
// what its region says.
static void find_api_server(const struct identity_request *request, struct identity *identity)
{
    find_part(request, identity, IDENTITY_API);
    if (identity->values[IDENTITY_API]) {
        return;
    }
    if (identity_is_invented(identity)) {
        set(identity, IDENTITY_API, request->offline_api, INVENTED);
    } else {
        take(identity, IDENTITY_API,
             environment_region_api_server(identity->region, identity->values[IDENTITY_ID]),
             "platform");
    }
}

static void find_group(const struct identity_request *request, struct identity *identity,
                       struct diagnostics *diagnostics)
{
    if (request->group) {
        set(identity, IDENTITY_GROUP, request->group, "option");
        return;
    }
    take(identity, IDENTITY_GROUP, read_link(request, "current_group", diagnostics), LINK_DIR);
    if (!identity->values[IDENTITY_GROUP]) {
        set(identity, IDENTITY_GROUP, "web", "platform"); // P-100e
    }
}

static int check_option(const char *name, const char *value, struct error *error)
{
    if (!value || is_word(value)) {
        return 0;
    }
    error_set(error, ERROR_USAGE, _("--%s %s: expected letters, digits, - and _"), name, value);
    return -1;
}

int identity_check_options(const struct identity_request *request, struct error *error)
{
    if (request->region && !environment_region_find(request->region, NULL)) {
        error_set(error, ERROR_USAGE, _("unknown region %s"), request->region);
        return error_set_hint(error, _("known regions: %s"), environment_region_names());
    }
    if (check_option("group", request->group, error) < 0) {
        return -1;
    }
    return check_option("app-id", request->app_id, error);
}

void identity_resolve(const struct identity_request *request, struct identity *ret_identity,
                      struct diagnostics *diagnostics)
{
    struct identity identity = {0};
    find_id(request, &identity, diagnostics);
    find_region(request, &identity, diagnostics);
    if (!identity.values[IDENTITY_ID]) {
        take(&identity, IDENTITY_ID, invent(request, IDENTITY_ID, identity.region), INVENTED);
    }
    find_keys(request, &identity);
    find_api_server(request, &identity);
    find_group(request, &identity, diagnostics);
    *ret_identity = identity;
}

void identity_release(struct identity *identity)
{
    for (size_t i = 0; i < IDENTITY__COUNT; i++) {
        free(identity->values[i]);
    }
    *identity = (struct identity){0};
}
