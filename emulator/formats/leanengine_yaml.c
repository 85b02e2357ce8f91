// Walks the tree's top map once. Each key finds its row; the row's type names the function that
// reads the value into the struct. Misspelt keys get the nearest row as a suggestion.

#include "emulator/formats/leanengine_yaml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "emulator/formats/yaml_plain.h"
#include "emulator/formats/yaml_tree.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/nearest.h"
#include "sandbox/base/utf8.h"

#define NAME      "leanengine.yaml"
#define SHOWN_MAX 80  // bytes of a value in a message
#define LIST_MAX  256 // items of a list or steps

struct walk {
    struct leanengine_yaml *yaml;
    struct diagnostics *diagnostics;
    struct error *error;
    const struct yaml_node *key; // the one whose value is read
    const struct leanengine_yaml_key *row;
};

typedef int (*read_fn)(struct walk *walk, const struct yaml_node *value, void *member);

static int read_TEXT(struct walk *walk, const struct yaml_node *value, void *member);
static int read_STEPS(struct walk *walk, const struct yaml_node *value, void *member);
static int read_LIST(struct walk *walk, const struct yaml_node *value, void *member);
static int read_BOOL(struct walk *walk, const struct yaml_node *value, void *member);
static int read_SECONDS(struct walk *walk, const struct yaml_node *value, void *member);
static int read_FUNCTIONS_MODE(struct walk *walk, const struct yaml_node *value, void *member);
static int read_UNUSED(struct walk *walk, const struct yaml_node *value, void *member);

// The names of systemDependencies, each with a '|' in front.
static const char dependency_names[] =
#define SYSTEM_DEPENDENCY(name, ...) "|" name
#include "emulator/system/system_dependencies.def"
    ;
#undef SYSTEM_DEPENDENCY

#define YAML_KEY(name, type, member, choices, min, max, stage, rule, help)                         \
    {name, #type, choices, (int)(min), (int)(max), YAML_STAGE_##stage, rule, help},
const struct leanengine_yaml_key leanengine_yaml_keys[] = {
#include "emulator/formats/leanengine_yaml.def"
};
#undef YAML_KEY
const size_t leanengine_yaml_key_count = ARRAY_LEN(leanengine_yaml_keys);

static const struct {
    read_fn read;
    size_t offset;
} readers[] = {
#define YAML_KEY(name, type, member, choices, min, max, stage, rule, help)                         \
    {read_##type, offsetof(struct leanengine_yaml, member)},
#include "emulator/formats/leanengine_yaml.def"
#undef YAML_KEY
};

static int fail(struct walk *walk, const struct yaml_node *at, const char *reason)
{
    error_set(walk->error, ERROR_PROJECT, "%s:%d:%d: %s: %s", NAME, at->line, at->column,
              walk->row->name, reason);
    return error_set_rule(walk->error, walk->row->rule, NULL);
}

static int fail_kind(struct walk *walk, const struct yaml_node *value, const char *expected)
{
    static const char *const got[] = {N_("a text"), N_("a list"), N_("a map")};
    auto_free char *reason = NULL;
    if (value->kind == YAML_KIND_TEXT) {
        auto_free char *shown = utf8_cut(value->text, SHOWN_MAX);
        reason = str_printf(_("expected %s, got \"%s\""), expected, shown);
    } else {
        reason = str_printf(_("expected %s, got %s"), expected, _(got[value->kind]));
    }
    return fail(walk, value, reason);
}

static void warn(struct walk *walk, const struct yaml_node *at, const char *rule, const char *hint,
                 const char *text)
{
    diagnostics_add(walk->diagnostics, DIAGNOSTIC_WARNING, NAME, at->line, at->column, rule, hint,
                    "%s: %s", walk->row ? walk->row->name : walk->key->text, text);
}

// ---- suggestions ----

static const char *key_name(const void *rows, size_t index)
{
    return ((const struct leanengine_yaml_key *)rows)[index].name;
}

static const char *array_name(const void *names, size_t index)
{
    return ((const char *const *)names)[index];
}

static const char *list_name(const void *list, size_t index)
{
    return ((const struct strlist *)list)->items[index];
}

static void split_choices(const char *choices, struct strlist *ret_list)
{
    while (*choices) {
        size_t len = strcspn(choices, "|");
        strlist_take(ret_list, str_dup_len(choices, len));
        choices += len + (choices[len] == '|');
    }
}

// Any text where the row has no choices.
static int check_choice(struct walk *walk, const struct yaml_node *value)
{
    struct strlist choices = {0};
    split_choices(walk->row->choices, &choices);
    if (choices.count == 0 || strlist_contains(&choices, value->text)) {
        strlist_clear(&choices);
        return 0;
    }
    const char *meant = nearest_name(value->text, list_name, &choices, choices.count);
    auto_free char *joined = str_dup("");
    for (size_t i = 0; i < choices.count; i++) {
        char *longer = str_printf("%s%s%s", joined, i ? ", " : "", choices.items[i]);
        free(joined);
        joined = longer;
    }
    auto_free char *expected = str_printf(_("one of %s"), joined);
    fail_kind(walk, value, expected);
    if (meant) {
        error_set_hint(walk->error, _("did you mean %s?"), meant);
    }
    strlist_clear(&choices);
    return -1;
}

// ---- one function a type ----

// Unquoted, and not a text to other readers: 3.10 becomes 3.1, on becomes true.
static void warn_surprise(struct walk *walk, const struct yaml_node *value)
{
    static const char *const names[] = {
        [YAML_PLAIN_BOOLEAN] = N_("a boolean"),
        [YAML_PLAIN_NUMBER] = N_("a number"),
        [YAML_PLAIN_DATE] = N_("a date"),
    };
    enum yaml_plain kind = value->quoted ? YAML_PLAIN_TEXT : yaml_plain_kind(value->text);
    if (kind != YAML_PLAIN_TEXT) {
        auto_free char *shown = utf8_cut(value->text, SHOWN_MAX);
        auto_free char *text =
            str_printf(_("%s is %s to many readers of YAML, not a text"), shown, _(names[kind]));
        auto_free char *hint = str_printf(_("put it in quotes: \"%s\""), shown);
        warn(walk, value, walk->row->rule, hint, text);
    }
}

static int read_TEXT(struct walk *walk, const struct yaml_node *value, void *member)
{
    if (value->kind != YAML_KIND_TEXT) {
        return fail_kind(walk, value, _("a text"));
    }
    if (check_choice(walk, value) < 0) {
        return -1;
    }
    if (value->text[strspn(value->text, " \t\r\n")] == '\0') {
        warn(walk, value, walk->row->rule, NULL, _("is empty; taken as not given"));
        return 0;
    }
    warn_surprise(walk, value);
    str_replace(member, value->text);
    return 0;
}

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int read_BOOL(struct walk *walk, const struct yaml_node *value, void *member)
{
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    static const char *const likes[] = {"on", "off", "yes", "no", "y", "n", "true", "false"};
    for (size_t i = 0; value->kind == YAML_KIND_TEXT && !value->quoted && i < 3; i++) {
        if (strcmp(value->text, trues[i]) == 0 || strcmp(value->text, falses[i]) == 0) {
            *(bool *)member = strcmp(value->text, trues[i]) == 0;
            return 0;
        }
    }
    fail_kind(walk, value, _("true or false"));
    if (value->kind == YAML_KIND_TEXT && is_one_of(value->text, likes, ARRAY_LEN(likes))) {
        bool negative = strchr("oOnNfF", value->text[0]) && strcasecmp(value->text, "on") != 0;
        error_set_hint(walk->error, _("write %s, without quotes"), negative ? "false" : "true");
    }
    return -1;
}

static int read_SECONDS(struct walk *walk, const struct yaml_node *value, void *member)
{
    auto_free char *expected = str_printf(_("%d to %d seconds"), walk->row->min, walk->row->max);
    if (value->kind != YAML_KIND_TEXT) {
        return fail_kind(walk, value, expected);
    }
    size_t digits = strspn(value->text, "0123456789");
    bool number = digits > 0 && digits < 9 && value->text[digits] == '\0';
    long seconds = number ? strtol(value->text, NULL, 10) : -1;
    if (number && !value->quoted && value->text[0] != '0' && seconds >= walk->row->min &&
        seconds <= walk->row->max) {
        *(int *)member = (int)seconds;
        return 0;
    }
    fail_kind(walk, value, expected);
    if (number && value->quoted) {
        error_set_hint(walk->error, _("a number, without quotes"));
    } else if (number && value->text[0] == '0') {
        error_set_hint(walk->error, _("without leading zeros: some readers of YAML count by eight "
                                      "then"));
    } else if (!number) {
        error_set_hint(walk->error, _("a whole number of seconds, without a unit"));
    }
    return -1;
}

static int read_FUNCTIONS_MODE(struct walk *walk, const struct yaml_node *value, void *member)
{
    if (value->kind != YAML_KIND_TEXT) {
        return fail_kind(walk, value, _("one of strict, disabled"));
    }
    if (check_choice(walk, value) < 0) {
        return -1;
    }
    bool strict = strcmp(value->text, "strict") == 0;
    *(enum functions_mode *)member = strict ? FUNCTIONS_STRICT : FUNCTIONS_DISABLED;
    return 0;
}

static int read_UNUSED(struct walk *walk, const struct yaml_node *value, void *member)
{
    (void)value;
    (void)member;
    warn(walk, walk->key, walk->row->rule, _("remove the key"), _(walk->row->help));
    return 0;
}

static int read_LIST(struct walk *walk, const struct yaml_node *value, void *member)
{
    struct strlist *list = member;
    if (value->kind == YAML_KIND_TEXT && walk->row->type[0] != 'L') { // require: file
        strlist_add(list, value->text);
        return 0;
    }
    if (value->kind != YAML_KIND_LIST || value->count > LIST_MAX) {
        return fail_kind(walk, value, _("a list"));
    }
    for (size_t i = 0; i < value->count; i++) {
        const struct yaml_node *item = value->items[i];
        if (item->kind != YAML_KIND_TEXT || yaml_node_is_null(item)) {
            return fail_kind(walk, item, _("a text"));
        }
        if (walk->row->type[0] == 'L' && check_choice(walk, item) < 0) {
            return -1;
        }
        strlist_add(list, item->text);
    }
    return 0;
}

// ---- install and build steps (P-22, P-25) ----

static struct build_step *add_step(struct build_steps *steps, enum build_step_kind kind,
                                   const struct yaml_node *at)
{
    steps->items = mem_resize(steps->items, (steps->count + 1) * sizeof *steps->items);
    struct build_step *step = &steps->items[steps->count++];
    *step = (struct build_step){.kind = kind, .line = at->line};
    return step;
}

// A required file is named relative to the build root and lies in it.
static int check_required(struct walk *walk, const struct yaml_node *at, const char *path)
{
    bool leaves = path[0] == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
                  strstr(path, "/../") || str_ends_with(path, "/..");
    if (!*path || leaves) {
        auto_free char *shown = utf8_cut(path, SHOWN_MAX);
        auto_free char *reason =
            str_printf(_("require: \"%s\" is not a file of the project"), shown);
        fail(walk, at, reason);
        return error_set_hint(walk->error, _("name files relative to the project's root"));
    }
    return 0;
}

static int read_require(struct walk *walk, const struct yaml_node *value, struct build_steps *steps)
{
    if (steps == &walk->yaml->build) {
        warn(walk, value, "P-25", _("remove the step"),
             _("require adds nothing: in build all files are there"));
    }
    struct build_step *step = add_step(steps, BUILD_STEP_REQUIRE, value);
    if (read_LIST(walk, value, &step->files) < 0) {
        return -1;
    }
    for (size_t i = 0; i < step->files.count; i++) {
        const struct yaml_node *at = value->kind == YAML_KIND_LIST ? value->items[i] : value;
        if (check_required(walk, at, step->files.items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_use(struct walk *walk, const struct yaml_node *value, struct build_steps *steps)
{
    if (value->kind != YAML_KIND_TEXT || strcmp(value->text, "default") != 0) {
        return fail_kind(walk, value, "use: default");
    }
    if (steps == &walk->yaml->build) {
        warn(walk, value, "P-25", _("remove the step"),
             _("Python has no default build command; nothing is done"));
    }
    add_step(steps, BUILD_STEP_DEFAULT, value);
    return 0;
}

static int read_step(struct walk *walk, const struct yaml_node *item, struct build_steps *steps)
{
    const char *expected = _("a command, {use: default} or {require: [file]}");
    if (item->kind == YAML_KIND_TEXT && !yaml_node_is_null(item)) {
        warn_surprise(walk, item);
        add_step(steps, BUILD_STEP_SHELL, item)->text = str_dup(item->text);
        return 0;
    }
    if (item->kind != YAML_KIND_MAP || item->count != 2 || item->items[0]->kind != YAML_KIND_TEXT) {
        fail_kind(walk, item, expected);
        if (item->kind == YAML_KIND_MAP) {
            error_set_hint(walk->error, _("one of them a list item; quote a command that holds "
                                          "\": \""));
        }
        return -1;
    }
    const struct yaml_node *key = item->items[0];
    const struct yaml_node *value = item->items[1];
    if (strcmp(key->text, "use") == 0) {
        return read_use(walk, value, steps);
    }
    if (strcmp(key->text, "require") == 0) {
        return read_require(walk, value, steps);
    }
    fail_kind(walk, key, expected);
    static const char *const names[] = {"use", "require"};
    const char *meant = nearest_name(key->text, array_name, names, ARRAY_LEN(names));
    return meant ? error_set_hint(walk->error, _("did you mean %s?"), meant)
                 : error_set_hint(walk->error, _("quote a command that holds \": \""));
}

// P-24: a custom install replaces pip; forgetting {use: default} is found out much later, at
// import.
static void warn_without_pip(struct walk *walk, const struct yaml_node *value,
                             const struct build_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        if (step->kind == BUILD_STEP_DEFAULT || (step->text && strstr(step->text, "pip"))) {
            return;
        }
    }
    warn(walk, value, "P-24", _("add the step {use: default} to keep it"),
         _("replaces the default command: pip installs nothing"));
}

static int read_STEPS(struct walk *walk, const struct yaml_node *value, void *member)
{
    struct build_steps *steps = member;
    steps->given = true;
    if (value->kind != YAML_KIND_LIST) {
        if (read_step(walk, value, steps) < 0) {
            return -1;
        }
    } else if (value->count > LIST_MAX) {
        return fail(walk, value, _("too many steps"));
    } else {
        for (size_t i = 0; i < value->count; i++) {
            if (read_step(walk, value->items[i], steps) < 0) {
                return -1;
            }
        }
    }
    if (steps == &walk->yaml->install) {
        warn_without_pip(walk, value, steps);
    }
    return 0;
}

// ---- the map ----

static void report_unknown(struct walk *walk, const struct yaml_node *key)
{
    const char *meant =
        nearest_name(key->text, key_name, leanengine_yaml_keys, leanengine_yaml_key_count);
    auto_free char *shown = utf8_cut(key->text, SHOWN_MAX);
    auto_free char *hint = meant ? str_printf(_("did you mean %s?"), meant) : NULL;
    diagnostics_add(walk->diagnostics, DIAGNOSTIC_WARNING, NAME, key->line, key->column, "P-32",
                    hint, _("unknown key \"%s\" is ignored"), shown);
}

static const struct yaml_node *first_of(const struct yaml_node *map, size_t index)
{
    for (size_t i = 0; i < index; i += 2) {
        if (str_equal(map->items[i]->text, map->items[index]->text)) {
            return map->items[i];
        }
    }
    return NULL;
}

static int fail_key(struct walk *walk, const struct yaml_node *key, const char *reason)
{
    return error_set(walk->error, ERROR_PROJECT, "%s:%d:%d: %s", NAME, key->line, key->column,
                     reason);
}

static int read_entry(struct walk *walk, const struct yaml_node *map, size_t index)
{
    const struct yaml_node *key = map->items[index];
    const struct yaml_node *value = map->items[index + 1];
    if (key->kind != YAML_KIND_TEXT) {
        return fail_key(walk, key, _("a key must be a text"));
    }
    const struct yaml_node *first = first_of(map, index);
    if (first) {
        auto_free char *shown = utf8_cut(key->text, SHOWN_MAX);
        auto_free char *reason =
            str_printf(_("%s: given twice, first on line %d"), shown, first->line);
        return fail_key(walk, key, reason);
    }
    walk->key = key;
    for (size_t i = 0; i < leanengine_yaml_key_count; i++) {
        walk->row = &leanengine_yaml_keys[i];
        if (strcmp(walk->row->name, key->text) != 0) {
            continue;
        }
        if (yaml_node_is_null(value)) {
            warn(walk, key, walk->row->rule, NULL, _("has no value; taken as not given"));
            return 0;
        }
        return readers[i].read(walk, value, (char *)walk->yaml + readers[i].offset);
    }
    report_unknown(walk, key);
    return 0;
}

static int read_root(struct walk *walk, const struct yaml_node *root)
{
    if (!root || yaml_node_is_null(root)) {
        return 0;
    }
    if (root->kind != YAML_KIND_MAP) {
        fail_key(walk, root, _("expected lines like `run: python wsgi.py`"));
        return error_set_hint(walk->error, _("a key, a colon, a blank, a value"));
    }
    for (size_t i = 0; i < root->count; i += 2) {
        if (read_entry(walk, root, i) < 0) {
            return -1;
        }
        if (strcmp(walk->key->text, "run") == 0) {
            walk->yaml->run_line = walk->key->line;
        } else if (strcmp(walk->key->text, "systemDependencies") == 0) {
            walk->yaml->system_dependencies_line = walk->key->line;
        }
    }
    return 0;
}

int leanengine_yaml_parse(const char *bytes, size_t len, struct leanengine_yaml *ret_yaml,
                          struct diagnostics *diagnostics, struct error *error)
{
    struct yaml_node *root = NULL;
    if (yaml_tree_parse(bytes, len, NAME, &root, error) < 0) {
        return -1;
    }
    struct leanengine_yaml yaml;
    leanengine_yaml_init(&yaml);
    struct walk walk = {.yaml = &yaml, .diagnostics = diagnostics, .error = error};
    int result = read_root(&walk, root);
    yaml_tree_free(root);
    if (result < 0) {
        leanengine_yaml_release(&yaml);
        return -1;
    }
    *ret_yaml = yaml;
    return 0;
}

void leanengine_yaml_init(struct leanengine_yaml *yaml)
{
    *yaml = (struct leanengine_yaml){.startup_timeout_s = (int)LIMIT_STARTUP_TIMEOUT_DEFAULT_S};
}

void leanengine_yaml_release(struct leanengine_yaml *yaml)
{
    free(yaml->runtime);
    free(yaml->run);
    free(yaml->build_root);
    build_steps_release(&yaml->install);
    build_steps_release(&yaml->build);
    strlist_clear(&yaml->system_dependencies);
    *yaml = (struct leanengine_yaml){0};
}
