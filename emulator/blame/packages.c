#include "emulator/blame/packages.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

// ---- names and versions ----

static int folded(char c)
{
    return c == '_' || c == '.' ? '-' : tolower((unsigned char)c);
}

bool package_name_equal(struct slice name, const char *other)
{
    if (name.len == 0 || name.len != strlen(other)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (folded(name.at[i]) != folded(other[i])) {
            return false;
        }
    }
    return true;
}

struct slice requirement_name(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || (len && text[len] && strchr("-_.", text[len]))) {
        len++;
    }
    return (struct slice){text, len};
}

bool requirement_is_pinned(const char *text)
{
    size_t len = strcspn(text, ";#"); // == of a marker pins nothing
    const char *equal = strstr(text, "==");
    return equal && (size_t)(equal - text) < len;
}

static long next_number(const char **at)
{
    if (!isdigit((unsigned char)**at)) {
        return 0;
    }
    char *end;
    long number = strtol(*at, &end, 10);
    *at = *end == '.' && isdigit((unsigned char)end[1]) ? end + 1 : "";
    return number;
}

int version_compare(const char *a, const char *b)
{
    while (*a || *b) {
        long x = next_number(&a);
        long y = next_number(&b);
        if (x != y) {
            return x < y ? -1 : 1;
        }
        if (!isdigit((unsigned char)*a) && !isdigit((unsigned char)*b)) {
            return 0;
        }
    }
    return 0;
}

// ---- look-ups ----

const struct package *packages_find(const struct packages *packages, struct slice name)
{
    for (size_t i = 0; i < packages->count; i++) {
        if (package_name_equal(name, packages->items[i].name)) {
            return &packages->items[i];
        }
    }
    return NULL;
}

static bool has_module(const struct package *package, struct slice module)
{
    for (size_t i = 0; i < package->modules.count; i++) {
        if (slice_equal(module, package->modules.items[i])) {
            return true;
        }
    }
    return false;
}

const struct package *packages_owner(const struct packages *packages, struct slice module)
{
    // "google.protobuf" before "google": a namespace has many owners.
    while (module.len) {
        for (size_t i = 0; i < packages->count; i++) {
            if (has_module(&packages->items[i], module)) {
                return &packages->items[i];
            }
        }
        const char *dot = memrchr(module.at, '.', module.len);
        module.len = dot ? (size_t)(dot - module.at) : 0;
    }
    return NULL;
}

const struct requirement *packages_requested(const struct packages *packages, const char *name)
{
    for (size_t i = 0; i < packages->requirement_count; i++) {
        if (package_name_equal(slice_of(packages->requirements[i].name), name)) {
            return &packages->requirements[i];
        }
    }
    return NULL;
}

static const char *wish_of(const struct package *package, const char *name)
{
    for (size_t i = 0; i < package->requires.count; i++) {
        const char *text = package->requires.items[i];
        if (!strstr(text, "extra ==") && package_name_equal(requirement_name(text), name)) {
            return text;
        }
    }
    return NULL;
}

const struct package *packages_wanted_by(const struct packages *packages, const char *name,
                                         const char **ret_text)
{
    const struct package *found = NULL;
    for (size_t i = 0; i < packages->count; i++) {
        const struct package *package = &packages->items[i];
        const char *text = wish_of(package, name);
        bool direct = text && packages_requested(packages, package->name);
        if (text && (!found || direct)) {
            found = package;
            *ret_text = text;
            if (direct) {
                break;
            }
        }
    }
    return found;
}

bool packages_is_standard(const struct packages *packages, struct slice module)
{
    for (size_t i = 0; i < packages->standard.count; i++) {
        if (slice_equal(module, packages->standard.items[i])) {
            return true;
        }
    }
    return false;
}

// ---- from JSON ----

static char *text_of(const struct cJSON *tree, const char *name)
{
    const char *text = json_get_string(tree, name);
    return str_dup(text ? text : "");
}

static void take_packages(const struct cJSON *list, struct packages *packages)
{
    packages->items = mem_alloc((json_count(list) + 1) * sizeof *packages->items);
    for (const struct cJSON *item = json_first(list); item; item = json_next(item)) {
        if (!json_is_object(item) || !json_get_string(item, "name")) {
            continue;
        }
        struct package *package = &packages->items[packages->count++];
        package->name = text_of(item, "name");
        package->version = text_of(item, "version");
        json_get_strings(item, "requires", &package->requires);
        json_get_strings(item, "modules", &package->modules);
    }
}

static void take_requirements(const struct cJSON *list, struct packages *packages)
{
    packages->requirements = mem_alloc((json_count(list) + 1) * sizeof *packages->requirements);
    for (const struct cJSON *item = json_first(list); item; item = json_next(item)) {
        if (!json_is_object(item) || !json_get_string(item, "name")) {
            continue;
        }
        struct requirement *requirement = &packages->requirements[packages->requirement_count++];
        requirement->name = text_of(item, "name");
        requirement->text = text_of(item, "text");
        requirement->file = text_of(item, "file");
        requirement->line = (int)json_get_int(item, "line", 0);
    }
}

int packages_parse(const char *text, size_t len, struct packages *ret_packages, struct error *error)
{
    struct packages packages = {0};
    struct cJSON *tree = json_parse(text, len, PACKAGES_FILE, error);
    if (!tree) {
        return -1;
    }
    if (!json_is_object(tree)) {
        json_free(tree);
        return error_set(error, ERROR_SYSTEM, "%s: no object", PACKAGES_FILE);
    }
    packages.python = text_of(tree, "python");
    take_packages(json_get(tree, "packages"), &packages);
    take_requirements(json_get(tree, "requirements"), &packages);
    json_get_strings(tree, "standard", &packages.standard);
    json_free(tree);
    *ret_packages = packages;
    return 0;
}

void packages_release(struct packages *packages)
{
    for (size_t i = 0; i < packages->count; i++) {
        free(packages->items[i].name);
        free(packages->items[i].version);
        strlist_clear(&packages->items[i].requires);
        strlist_clear(&packages->items[i].modules);
    }
    for (size_t i = 0; i < packages->requirement_count; i++) {
        free(packages->requirements[i].name);
        free(packages->requirements[i].text);
        free(packages->requirements[i].file);
    }
    free(packages->items);
    free(packages->requirements);
    free(packages->python);
    strlist_clear(&packages->standard);
    *packages = (struct packages){0};
}
