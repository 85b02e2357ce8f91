// env: the app's variables in a form that something reads: sh, dotenv, json. Only they are on
// stdout, so that `eval "$(leanlocal env)"` works; what there is to say goes to stderr.
//
// A running `up` is asked for its own values, unless an option asks for others.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"

#define CALL_LIMIT_MS 10000
#define MASKED        "********"

// bash ends an eval at an assignment to one of these; the other shells have none beyond PPID.
static const char *const read_only[] = {"BASHOPTS", "BASH_VERSINFO", "EUID",
                                        "PPID",     "SHELLOPTS",     "UID"};

static void print_sh(const char *name, const char *value)
{
    for (size_t i = 0; i < ARRAY_LEN(read_only); i++) {
        if (strcmp(name, read_only[i]) == 0) {
            fprintf(stderr, _("leanlocal: %s is left out: no shell lets it be set\n"), name);
            return;
        }
    }
    printf("export %s='", name);
    for (const char *at = value; *at; at++) {
        if (*at == '\'') {
            fputs("'\\''", stdout);
        } else {
            putchar(*at);
        }
    }
    printf("'\n");
}

// What formats/dotenv.h reads back as the same value.
static void print_dotenv(const char *name, const char *value)
{
    printf("%s=\"", name);
    for (const char *at = value; *at; at++) {
        if (*at == '\n') {
            fputs("\\n", stdout);
        } else if (*at == '\r') {
            fputs("\\r", stdout);
        } else if (*at == '"' || *at == '\\' || *at == '$') {
            printf("\\%c", *at);
        } else {
            putchar(*at);
        }
    }
    printf("\"\n");
}

static const char *shown_value(const struct cJSON *row, bool mask)
{
    return mask && json_get_bool(row, "secret", false) ? MASKED : json_get_string(row, "value");
}

static void print_all(const struct cJSON *variables, const char *format, bool mask)
{
    struct cJSON *flat = json_new_object();
    for (const struct cJSON *row = json_first(variables); row; row = json_next(row)) {
        const char *name = json_get_string(row, "name");
        const char *value = shown_value(row, mask);
        if (strcmp(format, "json") == 0) {
            json_put_string(flat, name, value);
        } else if (strcmp(json_get_string(row, "source"), "runtime") == 0) {
            continue; // PATH and HOME are the sandbox's own: no shell outside can use them
        } else if (strcmp(format, "dotenv") == 0) {
            print_dotenv(name, value);
        } else {
            print_sh(name, value);
        }
    }
    if (strcmp(format, "json") == 0) {
        auto_free char *text = json_print(flat);
        printf("%s\n", text);
    }
    json_free(flat);
}

static void print_notices(const struct cJSON *notices)
{
    for (const struct cJSON *notice = json_first(notices); notice; notice = json_next(notice)) {
        fprintf(stderr, "leanlocal: %s\n", json_string(notice));
    }
}

// Whether an option asks for values that the running one need not have.
static bool asks_for_others(const struct command *command)
{
    static const char *const changing[] = {"env",    "env-file", "region",    "group",
                                           "app-id", "size",     "build-root"};
    for (size_t i = 0; i < ARRAY_LEN(changing); i++) {
        if (strlist_contains(&command->typed, changing[i])) {
            return true;
        }
    }
    return false;
}

static int reach_engine(struct engine_link *link, const struct command *command,
                        struct error *error)
{
    struct error nobody = {0};
    if (!asks_for_others(command) && engine_link_attach(link, command, &nobody) == 0) {
        return 0;
    }
    return engine_link_start(link, command, "env", false, false, error);
}

int cmd_env(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    const char *format = command_text(command, "format");
    if (command_flag(command, "ide")) {
        return explain_to_editors(command);
    }
    if (reach_engine(&link, command, &error) < 0) {
        return command_fail(&error);
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "environment");
    struct cJSON *reply = NULL;
    int code = 0;
    if (client_call(link.client, message, CALL_LIMIT_MS, &reply, &error) < 0) {
        code = command_fail(&error);
    } else {
        bool mask = command_flag(command, "mask") ||
                    (isatty(STDOUT_FILENO) && !command_flag(command, "reveal"));
        print_notices(json_get(reply, "notices"));
        print_all(json_get(reply, "variables"), format ? format : "sh", mask);
    }
    json_free(reply);
    engine_link_end(&link);
    return code;
}
