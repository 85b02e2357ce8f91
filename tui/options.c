// Command line -> struct command, by the rows of verbs.def and options.def. getopt_long's tables
// are made from the rows, so that abbreviations and `--name=value` work as everywhere else.

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"

static const struct option_row {
    const char *name;
    int letter;
    const char *argument;
    const char *commands;
    const char *help;
} rows[] = {
#define OPTION(name, letter, argument, commands, help) {name, letter, argument, commands, help},
#include "tui/options.def"
#undef OPTION
};

#define FIRST_LONG 256 // getopt's value of row i

static bool row_serves(const struct option_row *row, const char *command)
{
    size_t len = strlen(command);
    for (const char *at = row->commands; (at = strstr(at, command)); at += len) {
        bool begins = at == row->commands || at[-1] == ' ';
        if (begins && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static void print_options(const char *command)
{
    printf("\n%s\n", _("Options:"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!row_serves(&rows[i], command)) {
            continue;
        }
        auto_free char *name =
            str_printf("--%s%s%s", rows[i].name, *rows[i].argument ? " " : "", rows[i].argument);
        if (rows[i].letter) {
            printf("  -%c, %-22s %s\n", rows[i].letter, name, _(rows[i].help));
        } else {
            printf("      %-22s %s\n", name, _(rows[i].help));
        }
    }
}

static void print_help(const struct verb *verb)
{
    printf(_("Usage: leanlocal %s %s [options]\n"), verb->name, verb->arguments);
    printf("\n  %s\n", _(verb->help));
    if (verb == &verbs[0]) {
        printf("\n%s\n", _("Commands:"));
        for (size_t i = 0; i < verb_count; i++) {
            auto_free char *usage = str_printf("%s %s", verbs[i].name, verbs[i].arguments);
            printf("  %-22s %s\n", usage, _(verbs[i].help));
        }
    }
    print_options(verb->name);
    if (verb == &verbs[0]) {
        printf("\n%s\n", _("Exit codes: 0 fine, 1 the cloud would refuse this project or the app "
                           "failed, 2 wrong usage, 3 the host lacks something."));
    }
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static const struct option_row *find_row(int value, const char *command)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (value == FIRST_LONG + (int)i || (value < FIRST_LONG && value == rows[i].letter)) {
            return row_serves(&rows[i], command) ? &rows[i] : NULL;
        }
    }
    return NULL;
}

static int usage_error(const struct verb *verb, int *ret_exit)
{
    fprintf(stderr, _("leanlocal: see `leanlocal %s --help`\n"), verb->name);
    *ret_exit = 2;
    return -1;
}

static void make_getopt_tables(const char *command, struct option *longs, char *letters)
{
    size_t count = 0;
    *letters++ = '+'; // stop at DIR: what follows is parsed in the next round
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!row_serves(&rows[i], command)) {
            continue;
        }
        int has_argument = *rows[i].argument ? required_argument : no_argument;
        longs[count++] = (struct option){rows[i].name, has_argument, NULL, FIRST_LONG + (int)i};
        if (rows[i].letter) {
            *letters++ = (char)rows[i].letter;
            if (has_argument) {
                *letters++ = ':';
            }
        }
    }
    longs[count] = (struct option){0};
    *letters = '\0';
}

// 0: taken; -1: help, version or an error was printed.
static int take_option(const struct verb *verb, const struct option_row *row,
                       struct command *command, int *ret_exit)
{
    if (strcmp(row->name, "help") == 0) {
        print_help(verb);
        *ret_exit = 0;
        return -1;
    }
    if (strcmp(row->name, "version") == 0) {
        printf("leanlocal %s\n", LEANLOCAL_VERSION);
        *ret_exit = 0;
        return -1;
    }
    if (*row->argument) {
        json_put_string(command->options, row->name, optarg);
    } else {
        json_put_bool(command->options, row->name, true);
    }
    return 0;
}

static int check_port(const struct command *command, const struct verb *verb, int *ret_exit)
{
    const char *text = command_text(command, "port");
    if (text) {
        char *end;
        long port = strtol(text, &end, 10);
        if (*end || end == text || port < 1 || port > 65535) {
            fprintf(stderr, _("leanlocal: --port %s: expected 1 to 65535\n"), text);
            return usage_error(verb, ret_exit);
        }
    }
    const char *environment = command_text(command, "env");
    if (environment && strcmp(environment, "development") != 0 &&
        strcmp(environment, "stage") != 0 && strcmp(environment, "production") != 0) {
        fprintf(stderr, _("leanlocal: --env %s: expected development, stage or production\n"),
                environment);
        return usage_error(verb, ret_exit);
    }
    return 0;
}

int command_parse(int argc, char **argv, struct command *ret_command, const struct verb **ret_verb,
                  int *ret_exit)
{
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    optind = verb ? 2 : 1;
    verb = verb ? verb : &verbs[0];
    struct option longs[ARRAY_LEN(rows) + 1];
    char letters[3 * ARRAY_LEN(rows) + 2];
    make_getopt_tables(verb->name, longs, letters);
    struct command command = {.name = verb->name, .options = json_new_object()};
    int result = 0;
    while (result == 0 && optind < argc) {
        bool ended = strcmp(argv[optind], "--") == 0;
        int value = ended ? -1 : getopt_long(argc, argv, letters, longs, NULL);
        if (value >= 0) {
            const struct option_row *row = find_row(value, verb->name);
            result = row ? take_option(verb, row, &command, ret_exit) : usage_error(verb, ret_exit);
        } else if (ended) {
            command.rest = argv + optind + 1;
            command.rest_count = (size_t)(argc - optind - 1);
            break;
        } else if (!command.dir) {
            command.dir = str_dup(argv[optind++]);
        } else {
            fprintf(stderr, _("leanlocal: too many arguments: %s\n"), argv[optind]);
            result = usage_error(verb, ret_exit);
        }
    }
    if (result == 0) {
        result = check_port(&command, verb, ret_exit);
    }
    if (result < 0) {
        command_release(&command);
        return -1;
    }
    if (!command.dir) {
        command.dir = str_dup(".");
    }
    *ret_command = command;
    *ret_verb = verb;
    return 0;
}

void command_release(struct command *command)
{
    json_free(command->options);
    free(command->dir);
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
