// Command line -> struct command, by the rows of verbs.def and options.def.
//
// Own instead of getopt_long (docs/decisions/0020): an error names the option, what may stand there
// and what was probably meant; arguments are checked by the verb's row; and nothing is abbreviated,
// because the next option would change the meaning of an abbreviation in somebody's script.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/nearest.h"
#include "tui/command.h"
#include "tui/options.h"

struct parse {
    const struct verb *verb;
    struct command *command;
    char **argv; // at the next word
    struct strlist given;
    struct error *error;
};

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static const char *verb_name(const void *rows, size_t index)
{
    return ((const struct verb *)rows)[index].name;
}

// ---- options ----

static int refuse_unknown(const struct parse *parse, const char *name)
{
    const char *command = parse->verb->name;
    for (size_t i = 0; i < option_row_count; i++) {
        if (strcmp(option_rows[i].rule.name, name) == 0) {
            return error_set(parse->error, ERROR_USAGE, _("%s takes no option --%s"), command,
                             name);
        }
    }
    error_set(parse->error, ERROR_USAGE, _("unknown option --%s"), name);
    const char *meant = option_suggestion(name, command);
    return meant ? error_set_hint(parse->error, _("did you mean --%s?"), meant) : -1;
}

// attached: the value behind `=` or a letter; NULL: the next word.
static int take_option(struct parse *parse, const struct option_row *row, const char *attached)
{
    auto_free char *shown = str_printf("--%s", row->rule.name);
    if (*row->rule.value == '\0') {
        return option_put(parse->command->options, &row->rule, attached ? attached : "true", NULL,
                          shown, parse->error);
    }
    const char *value = attached;
    if (!value && *parse->argv && !str_starts_with(*parse->argv, "--")) {
        value = *parse->argv++;
    }
    if (!value) {
        auto_free char *word = option_value_word(row);
        return error_set(parse->error, ERROR_USAGE, _("%s needs a value: %s %s"), shown, shown,
                         word);
    }
    return option_put(parse->command->options, &row->rule, value, NULL, shown, parse->error);
}

static int take_long(struct parse *parse, const char *text)
{
    size_t len = strcspn(text, "=");
    const struct option_row *row = option_find(text, len, parse->verb->name);
    if (!row) {
        auto_free char *name = str_dup_len(text, len);
        return refuse_unknown(parse, name);
    }
    return take_option(parse, row, text[len] == '=' ? text + len + 1 : NULL);
}

// "-p3001", "-p 3001", and switches together: "-hV".
static int take_letters(struct parse *parse, const char *letters)
{
    while (*letters) {
        const struct option_row *row = option_find_letter(*letters, parse->verb->name);
        if (!row) {
            return error_set(parse->error, ERROR_USAGE, _("unknown option -%s"), letters);
        }
        letters++;
        bool takes = *row->rule.value != '\0';
        if (take_option(parse, row, takes && *letters ? letters : NULL) < 0) {
            return -1;
        }
        if (takes) {
            return 0;
        }
    }
    return 0;
}

// ---- arguments ----

static bool is_optional(const char *slot)
{
    return slot[0] == '[';
}

static void split_slots(const char *arguments, struct strlist *ret_slots, bool *ret_command)
{
    *ret_command = false;
    while (*arguments && !*ret_command) {
        size_t len = strcspn(arguments, " ");
        *ret_command = len == 2 && strncmp(arguments, "--", 2) == 0;
        if (len > 0 && !*ret_command) {
            strlist_take(ret_slots, str_dup_len(arguments, len));
        }
        arguments += len + (arguments[len] == ' ');
    }
}

static const char *list_name(const void *list, size_t index)
{
    return ((const struct strlist *)list)->items[index];
}

// "ls|prune": one of these.
static int check_choice(const struct parse *parse, const char *slot, const char *word)
{
    struct strlist choices = {0};
    for (const char *at = slot; *at;) {
        size_t len = strcspn(at, "|");
        strlist_take(&choices, str_dup_len(at, len));
        at += len + (at[len] == '|');
    }
    int result = 0;
    if (!strlist_contains(&choices, word)) {
        result = error_set(parse->error, ERROR_USAGE, _("%s: expected %s, got \"%s\""),
                           parse->verb->name, slot, word);
        const char *meant = nearest_name(word, list_name, &choices, choices.count);
        if (meant) {
            error_set_hint(parse->error, _("did you mean %s?"), meant);
        }
    }
    strlist_clear(&choices);
    return result;
}

static int refuse_word(const struct parse *parse, const char *word)
{
    error_set(parse->error, ERROR_USAGE, _("no command %s"), word);
    const char *meant = nearest_name(word, verb_name, verbs, verb_count);
    return meant ? error_set_hint(parse->error, _("did you mean %s?"), meant) : -1;
}

static int take_argument(struct parse *parse, const char *slot, const char *word)
{
    if (strcmp(slot, "DIR") == 0 || strcmp(slot, "[DIR]") == 0) {
        str_replace(&parse->command->dir, word);
        return 0;
    }
    if (strchr(slot, '|') && check_choice(parse, slot, word) < 0) {
        return -1;
    }
    if (strcmp(slot, "[COMMAND]") == 0 && !verb_find(word)) {
        return refuse_word(parse, word);
    }
    strlist_add(&parse->command->words, word);
    return 0;
}

// Those that may be left out are filled from the left with what the others do not need.
static int take_arguments(struct parse *parse, const struct strlist *slots, bool takes_command)
{
    size_t needed = 0;
    for (size_t i = 0; i < slots->count; i++) {
        needed += !is_optional(slots->items[i]);
    }
    const struct strlist *given = &parse->given;
    if (given->count > slots->count) {
        error_set(parse->error, ERROR_USAGE, _("too many arguments: %s"),
                  given->items[slots->count]);
        return takes_command ? error_set_hint(parse->error, _("put `--` before the command")) : -1;
    }
    if (given->count < needed) {
        return error_set(parse->error, ERROR_USAGE, _("%s needs more: leanlocal %s %s"),
                         parse->verb->name, parse->verb->name, parse->verb->arguments);
    }
    size_t spare = given->count - needed;
    size_t next = 0;
    for (size_t i = 0; i < slots->count; i++) {
        bool is_dir = spare > 0 && strcmp(slots->items[i], "[EXPR]") == 0 &&
                      fs_is_dir(given->items[next]); // `cron DIR`
        if (is_optional(slots->items[i]) && (spare == 0 || is_dir)) {
            continue;
        }
        spare -= is_optional(slots->items[i]);
        if (take_argument(parse, slots->items[i], given->items[next++]) < 0) {
            return -1;
        }
    }
    return next == given->count ? 0
                                : error_set(parse->error, ERROR_USAGE, _("too many arguments: %s"),
                                            given->items[next]);
}

// `leanlocal biuld` is not the wish to run a directory of that name that does not exist.
static int check_first_word(const struct parse *parse, const char *word)
{
    const char *meant = nearest_name(word, verb_name, verbs, verb_count);
    if (!meant || strchr(word, '/') || fs_exists(word)) {
        return 0;
    }
    error_set(parse->error, ERROR_USAGE, _("neither a command nor a directory: %s"), word);
    return error_set_hint(parse->error, _("did you mean %s?"), meant);
}

static int parse_words(struct parse *parse, bool takes_command)
{
    while (*parse->argv) {
        char *word = *parse->argv++;
        int result = 0;
        if (strcmp(word, "--") == 0 && takes_command) {
            parse->command->rest = parse->argv;
            while (*parse->argv) {
                parse->command->rest_count++;
                parse->argv++;
            }
        } else if (strcmp(word, "--") == 0) {
            while (*parse->argv) {
                strlist_add(&parse->given, *parse->argv++);
            }
        } else if (str_starts_with(word, "--")) {
            result = take_long(parse, word + 2);
        } else if (word[0] == '-' && word[1]) {
            result = take_letters(parse, word + 1);
        } else {
            strlist_add(&parse->given, word);
        }
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}

int command_parse(int argc, char **argv, struct command *ret_command, const struct verb **ret_verb,
                  struct error *error)
{
    const struct verb *verb = argc > 1 ? verb_find(argv[1]) : NULL;
    int skip = verb ? 2 : argc > 0;
    bool named = verb != NULL;
    verb = verb ? verb : &verbs[0];
    *ret_verb = verb;
    struct command command = {.name = verb->name, .options = json_new_object()};
    struct parse parse = {.verb = verb, .command = &command, .argv = argv + skip, .error = error};
    struct strlist slots = {0};
    bool takes_command;
    split_slots(verb->arguments, &slots, &takes_command);
    int result = parse_words(&parse, takes_command);
    bool asks = command_flag(&command, "help") || command_flag(&command, "version");
    if (result == 0 && !named && parse.given.count > 0) {
        result = check_first_word(&parse, parse.given.items[0]);
    }
    if (result == 0 && !asks) {
        result = take_arguments(&parse, &slots, takes_command);
    }
    strlist_clear(&slots);
    strlist_clear(&parse.given);
    if (result < 0) {
        command_release(&command);
        return -1;
    }
    if (!command.dir) {
        command.dir = str_dup(".");
    }
    *ret_command = command;
    return 0;
}

// ---- what the project sets ----

// A command that takes none of the options that a file may set (status, stop ...) does not read it:
// a mistake there must not keep anybody from stopping.
int command_read_project_options(struct command *command, struct error *error)
{
    auto_free struct option_rule *rules = mem_alloc(option_row_count * sizeof *rules);
    auto_free bool *taken = mem_alloc(option_row_count * sizeof *taken);
    bool any = false;
    for (size_t i = 0; i < option_row_count; i++) {
        rules[i] = option_rows[i].rule;
        taken[i] = option_serves(&option_rows[i], command->name);
        any = any || (taken[i] && !rules[i].command_line_only);
        if (json_get(command->options, rules[i].name)) {
            strlist_add(&command->typed, rules[i].name);
        }
    }
    auto_free char *dir = realpath(command->dir, NULL);
    if (!any || !dir) { // a wrong DIR is told by who needs it
        return 0;
    }
    return project_options_read(dir, rules, option_row_count, taken, command->options, error);
}

void command_release(struct command *command)
{
    json_free(command->options);
    free(command->dir);
    strlist_clear(&command->words);
    strlist_clear(&command->typed);
    *command = (struct command){0};
}

bool command_flag(const struct command *command, const char *name)
{
    return json_get_bool(command->options, name, false);
}

const char *command_text(const struct command *command, const char *name)
{
    return json_get_string(command->options, name);
}

int command_fail(const struct error *error)
{
    fprintf(stderr, "leanlocal: %s%s%s\n", error->where, *error->where ? ": " : "", error->message);
    if (*error->rule) {
        fprintf(stderr, "  %s %s\n", _("rule"), error->rule);
    }
    if (*error->cloud) {
        fprintf(stderr, "  %s %s\n", _("cloud"), error->cloud);
    }
    if (*error->hint) {
        fprintf(stderr, "  %s %s\n", _("mend"), error->hint);
    }
    return error_kind_exit_code(error->kind);
}
