#include "emulator/control/project_timers.h"

#include <string.h>

#include "emulator/control/project_options.h"
#include "emulator/formats/cron.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/nearest.h"
#include "sandbox/base/utf8.h"

enum key { KEY_NAME, KEY_CRON, KEY_FUNCTION, KEY_DATA, KEY__COUNT };

static const char *const keys[KEY__COUNT] = {
    [KEY_NAME] = "name", [KEY_CRON] = "cron", [KEY_FUNCTION] = "function", [KEY_DATA] = "data"};

static const char *key_name(const void *names, size_t index)
{
    return ((const char *const *)names)[index];
}

static int fail_at(const struct yaml_node *at, const char *reason, struct error *error)
{
    error_set(error, ERROR_USAGE, "%s:%d:%d: cron: %s", PROJECT_OPTIONS_NAME, at->line, at->column,
              reason);
    return error_set_hint(error, _("as in `- {cron: 0 30 8 * * MON-FRI, function: report}`"));
}

static int find_key(const struct yaml_node *key, enum key *ret_key, struct error *error)
{
    const char *text = key->kind == YAML_KIND_TEXT ? key->text : "";
    for (int i = 0; i < KEY__COUNT; i++) {
        if (strcmp(keys[i], text) == 0) {
            *ret_key = (enum key)i;
            return 0;
        }
    }
    auto_free char *shown = utf8_cut(text, 40);
    auto_free char *reason = str_printf(_("unknown key \"%s\""), shown);
    fail_at(key, reason, error);
    const char *meant = nearest_name(text, key_name, keys, KEY__COUNT);
    return meant ? error_set_hint(error, _("did you mean %s?"), meant) : -1;
}

static int check_value(enum key key, const struct yaml_node *value, struct error *error)
{
    struct cron cron;
    struct error reason = {0};
    if (value->kind != YAML_KIND_TEXT || yaml_node_is_null(value)) {
        auto_free char *text = str_printf(_("%s: expected one value"), keys[key]);
        return fail_at(value, text, error);
    }
    if (key == KEY_CRON && cron_parse(value->text, value->text, &cron, &reason) < 0) {
        auto_free char *hint = str_dup(reason.hint);
        fail_at(value, reason.message, error);
        error_set_rule(error, "P-200", NULL);
        return *hint ? error_set_hint(error, "%s", hint) : -1;
    }
    if (key == KEY_DATA) {
        struct cJSON *tree = json_parse(value->text, strlen(value->text), "data", NULL);
        bool is_object = json_is_object(tree);
        json_free(tree);
        return is_object ? 0 : fail_at(value, _("data: not a JSON object"), error);
    }
    return 0;
}

static int read_timer(const struct yaml_node *item, struct cJSON *timers, struct error *error)
{
    const struct yaml_node *values[KEY__COUNT] = {0};
    if (item->kind != YAML_KIND_MAP) {
        return fail_at(item, _("expected a timer with cron and function"), error);
    }
    for (size_t i = 0; i < item->count; i += 2) {
        enum key key = KEY_CRON; // set below; gcc does not see it at -O2
        if (find_key(item->items[i], &key, error) < 0) {
            return -1;
        }
        if (values[key]) {
            return fail_at(item->items[i], _("a key is given twice"), error);
        }
        values[key] = item->items[i + 1];
        if (check_value(key, values[key], error) < 0) {
            return -1;
        }
    }
    if (!values[KEY_CRON] || !values[KEY_FUNCTION]) {
        return fail_at(item, _("a timer needs cron and function"), error);
    }
    if (!values[KEY_NAME]) {
        values[KEY_NAME] = values[KEY_FUNCTION];
    }
    struct cJSON *timer = json_new_object();
    for (int i = 0; i < KEY__COUNT; i++) {
        json_put_string(timer, keys[i], values[i] ? values[i]->text : NULL);
    }
    json_push(timers, timer);
    return 0;
}

static bool is_named_before(const struct cJSON *timers)
{
    struct strlist names = {0};
    bool twice = false;
    for (const struct cJSON *timer = json_first(timers); timer; timer = json_next(timer)) {
        const char *name = json_get_string(timer, "name");
        twice = twice || strlist_contains(&names, name);
        strlist_add(&names, name);
    }
    strlist_clear(&names);
    return twice;
}

int project_timers_read(const struct yaml_node *list, struct cJSON *options, struct error *error)
{
    struct cJSON *timers = json_new_array();
    int result =
        list->kind == YAML_KIND_LIST ? 0 : fail_at(list, _("expected a list of timers"), error);
    if (result == 0 && list->count > PROJECT_TIMERS_MAX) {
        auto_free char *reason = str_printf(_("more than %d timers"), PROJECT_TIMERS_MAX);
        result = fail_at(list, reason, error);
    }
    for (size_t i = 0; result == 0 && i < list->count; i++) {
        result = read_timer(list->items[i], timers, error);
        if (result == 0 && is_named_before(timers)) {
            fail_at(list->items[i], _("two timers have one name"), error);
            result = error_set_hint(error, _("give it a name of its own: name: ..."));
        }
    }
    if (result < 0) {
        json_free(timers);
        return -1;
    }
    json_put_tree(options, PROJECT_TIMERS, timers);
    return 0;
}
