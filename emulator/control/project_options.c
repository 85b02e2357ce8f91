// The rows of the command line type the values; the YAML is read as texts (formats/yaml_tree.h), so
// that `port: 3001`, `port: "3001"` and --port 3001 are one case.

#include "emulator/control/project_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/control/project_timers.h"
#include "emulator/formats/yaml_tree.h"
#include "emulator/version/view.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/nearest.h"
#include "sandbox/base/utf8.h"

#define SHOWN_MAX 80

#define PERSIST "persist" // the one key that the command line does not have: a list

// ---- one value ----

static int expected(const char *shown, const char *what, const char *text, struct error *error)
{
    auto_free char *cut = utf8_cut(text, SHOWN_MAX);
    return error_set(error, ERROR_USAGE, _("%s: expected %s, got \"%s\""), shown, what, cut);
}

static int put_switch(struct cJSON *options, const struct option_rule *rule, const char *text,
                      const char *shown, struct error *error)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0) {
        return expected(shown, _("true or false"), text, error);
    }
    json_put_bool(options, rule->name, yes);
    return 0;
}

// Digits only: strtoll alone would take "+3", " 3" and "3x".
static bool parse_number(const char *text, size_t len, long long *ret_number)
{
    if (len == 0 || len > 15 || strspn(text, "0123456789") < len) {
        return false;
    }
    *ret_number = strtoll(text, NULL, 10);
    return true;
}

static int put_number(struct cJSON *options, const struct option_rule *rule, const char *range,
                      const char *text, const char *shown, struct error *error)
{
    long long low = 0;
    long long high = 0;
    long long number = 0;
    sscanf(range, "%lld..%lld", &low, &high);
    if (!parse_number(text, strlen(text), &number) || number < low || number > high) {
        auto_free char *what = str_printf(_("%lld to %lld"), low, high);
        return expected(shown, what, text, error);
    }
    json_put_int(options, rule->name, number);
    return 0;
}

static int put_size(struct cJSON *options, const struct option_rule *rule, const char *text,
                    const char *shown, struct error *error)
{
    static const char units[] = "KMG";
    size_t len = strlen(text);
    const char *unit = len ? strchr(units, text[len - 1]) : NULL;
    long long number = 0;
    if (!parse_number(text, unit && *unit ? len - 1 : len, &number) || number > INT_MAX) {
        return expected(shown, _("a size such as 500M or 5G"), text, error);
    }
    for (const char *at = units; unit && *unit && at <= unit; at++) {
        number *= 1024;
    }
    json_put_int(options, rule->name, number);
    return 0;
}

static const char *list_name(const void *list, size_t index)
{
    return ((const struct strlist *)list)->items[index];
}

static int put_choice(struct cJSON *options, const struct option_rule *rule, const char *choices,
                      const char *text, const char *shown, struct error *error)
{
    struct strlist names = {0};
    auto_free char *what = str_dup("");
    for (const char *at = choices; *at;) {
        size_t len = strcspn(at, "|");
        strlist_take(&names, str_dup_len(at, len));
        at += len + (at[len] == '|');
        const char *between = names.count == 1 ? "" : *at ? ", " : _(" or ");
        char *longer = str_printf("%s%s%s", what, between, names.items[names.count - 1]);
        free(what);
        what = longer;
    }
    int result = 0;
    if (strlist_contains(&names, text)) {
        json_put_string(options, rule->name, text);
    } else {
        result = expected(shown, what, text, error);
        const char *meant = nearest_name(text, list_name, &names, names.count);
        if (meant) {
            error_set_hint(error, _("did you mean %s?"), meant);
        }
    }
    strlist_clear(&names);
    return result;
}

static int put_path(struct cJSON *options, const struct option_rule *rule, const char *text,
                    const char *base, struct error *error)
{
    auto_free char *here = base ? str_dup(base) : getcwd(NULL, 0);
    if (!here) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "getcwd");
    }
    auto_free char *path = text[0] == '/' ? str_dup(text) : fs_join(here, text);
    json_put_string(options, rule->name, path);
    return 0;
}

int option_put(struct cJSON *options, const struct option_rule *rule, const char *text,
               const char *base, const char *shown, struct error *error)
{
    json_remove(options, rule->name); // the last one counts
    if (*rule->value == '\0') {
        return put_switch(options, rule, text, shown, error);
    }
    if (*text == '\0') {
        return error_set(error, ERROR_USAGE, _("%s: needs a value"), shown);
    }
    const char *values = strchr(rule->value, '=');
    if (values && strstr(values, "..")) {
        return put_number(options, rule, values + 1, text, shown, error);
    }
    if (values) {
        return put_choice(options, rule, values + 1, text, shown, error);
    }
    if (strcmp(rule->value, "SIZE") == 0) {
        return put_size(options, rule, text, shown, error);
    }
    if (strcmp(rule->value, "FILE") == 0) {
        return put_path(options, rule, text, base, error);
    }
    json_put_string(options, rule->name, text);
    return 0;
}

// ---- the file ----

static bool is_at_or_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

struct reading {
    const char *dir;
    const struct option_rule *rules;
    size_t count;
    const bool *taken;
    struct cJSON *options;
    struct error *error;
};

static const char *rule_name(const void *rules, size_t index)
{
    return ((const struct option_rule *)rules)[index].name;
}

static int fail_at(const struct reading *reading, const struct yaml_node *at, const char *reason)
{
    return error_set(reading->error, ERROR_USAGE, "%s:%d:%d: %s", PROJECT_OPTIONS_NAME, at->line,
                     at->column, reason);
}

static int refuse_unknown(const struct reading *reading, const struct yaml_node *key)
{
    auto_free char *shown = utf8_cut(key->text, SHOWN_MAX);
    auto_free char *reason = str_printf(_("unknown option \"%s\""), shown);
    fail_at(reading, key, reason);
    const char *name = str_starts_with(key->text, "--") ? key->text + 2 : key->text;
    const char *meant = nearest_name(name, rule_name, reading->rules, reading->count);
    return meant ? error_set_hint(reading->error, _("did you mean %s?"), meant)
                 : error_set_hint(reading->error, _("names are those of the command line, without "
                                                    "--; see `leanlocal help up`"));
}

static int read_value(const struct reading *reading, const struct option_rule *rule, bool taken,
                      const struct yaml_node *key, const struct yaml_node *value)
{
    auto_free char *shown =
        str_printf("%s:%d:%d: %s", PROJECT_OPTIONS_NAME, value->line, value->column, rule->name);
    if (rule->command_line_only) {
        auto_free char *reason =
            str_printf(_("%s: only on the command line, as --%s"), rule->name, rule->name);
        fail_at(reading, key, reason);
        return error_set_hint(reading->error, _("remove the key"));
    }
    if (value->kind != YAML_KIND_TEXT || yaml_node_is_null(value)) {
        return error_set(
            reading->error, ERROR_USAGE,
            *rule->value ? _("%s: expected one value") : _("%s: expected true or false"), shown);
    }
    struct cJSON *checked = json_new_object();
    bool stays = !taken || json_get(reading->options, rule->name);
    int result = option_put(stays ? checked : reading->options, rule, value->text, reading->dir,
                            shown, reading->error);
    json_free(checked);
    return result;
}

// One path of the app: below its root, without "..", and not in what is kept already.
static int add_kept(const struct reading *reading, const struct yaml_node *item,
                    struct strlist *names)
{
    const char *text = item->kind == YAML_KIND_TEXT ? item->text : "";
    auto_free char *clean = view_clean_path(text);
    if (!clean || !*clean) {
        fail_at(reading, item, _("persist: expected a path below the app's root"));
        return error_set_hint(reading->error, _("as in `persist: [db.sqlite3, media/]`"));
    }
    for (size_t i = 0; i < names->count; i++) {
        auto_free char *before = view_clean_path(names->items[i]);
        if (is_at_or_below(clean, before) || is_at_or_below(before, clean)) {
            auto_free char *reason =
                str_printf(_("persist: %s and %s: one lies in the other"), names->items[i], text);
            return fail_at(reading, item, reason);
        }
    }
    strlist_take(names, str_printf("%s%s", clean, str_ends_with(text, "/") ? "/" : ""));
    return 0;
}

static int read_persist(const struct reading *reading, const struct yaml_node *value)
{
    struct strlist names = {0};
    int result = 0;
    if (value->kind != YAML_KIND_LIST) {
        fail_at(reading, value, _("persist: expected a list of paths"));
        return error_set_hint(reading->error, _("as in `persist: [db.sqlite3, media/]`"));
    }
    for (size_t i = 0; result == 0 && i < value->count; i++) {
        result = add_kept(reading, value->items[i], &names);
    }
    if (result == 0) {
        json_put_strings(reading->options, PERSIST, &names);
    }
    strlist_clear(&names);
    return result;
}

static int read_entry(const struct reading *reading, const struct yaml_node *root, size_t index)
{
    const struct yaml_node *key = root->items[index];
    if (key->kind != YAML_KIND_TEXT) {
        return fail_at(reading, key, _("a key must be a text"));
    }
    for (size_t i = 0; i < index; i += 2) {
        if (str_equal(root->items[i]->text, key->text)) {
            auto_free char *reason =
                str_printf(_("%s: given twice, first on line %d"), key->text, root->items[i]->line);
            return fail_at(reading, key, reason);
        }
    }
    for (size_t i = 0; i < reading->count; i++) {
        if (strcmp(reading->rules[i].name, key->text) == 0) {
            bool taken = !reading->taken || reading->taken[i];
            return read_value(reading, &reading->rules[i], taken, key, root->items[index + 1]);
        }
    }
    if (strcmp(key->text, PROJECT_TIMERS) == 0) {
        return project_timers_read(root->items[index + 1], reading->options, reading->error);
    }
    return strcmp(key->text, PERSIST) == 0 ? read_persist(reading, root->items[index + 1])
                                           : refuse_unknown(reading, key);
}

static int read_root(const struct reading *reading, const struct yaml_node *root)
{
    if (!root || yaml_node_is_null(root)) {
        return 0;
    }
    if (root->kind != YAML_KIND_MAP) {
        fail_at(reading, root, _("expected lines like `port: 3001`"));
        return error_set_hint(reading->error, _("a key, a colon, a blank, a value"));
    }
    for (size_t i = 0; i < root->count; i += 2) {
        if (read_entry(reading, root, i) < 0) {
            return -1;
        }
    }
    return 0;
}

int project_options_read(const char *project_dir, const struct option_rule *rules, size_t count,
                         const bool *taken, struct cJSON *options, struct error *error)
{
    auto_free char *path = fs_join(project_dir, PROJECT_OPTIONS_NAME);
    size_t len = 0;
    struct error failure = {0};
    auto_free char *text = fs_read(path, YAML_TREE_MAX_BYTES, &len, &failure);
    if (!text && (failure.errnum == ENOENT || failure.errnum == ENOTDIR)) {
        return 0;
    }
    struct yaml_node *root = NULL;
    if (!text || yaml_tree_parse(text, len, PROJECT_OPTIONS_NAME, &root, &failure) < 0) {
        failure.kind = ERROR_USAGE;
        if (error) {
            *error = failure;
        }
        return -1;
    }
    const struct reading reading = {.dir = project_dir,
                                    .rules = rules,
                                    .count = count,
                                    .taken = taken,
                                    .options = options,
                                    .error = error};
    int result = read_root(&reading, root);
    yaml_tree_free(root);
    return result;
}
