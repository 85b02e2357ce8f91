// env: the app's variables in a form that something reads: sh, dotenv, json. Only they are on
// stdout.

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

static void print_sh(const char *name, const char *value)
{
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

static void print_dotenv(const char *name, const char *value)
{
    printf("%s=\"", name);
    for (const char *at = value; *at; at++) {
        if (*at == '"' || *at == '\\' || *at == '$') {
            putchar('\\');
        }
        if (*at == '\n') {
            fputs("\\n", stdout);
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

int cmd_env(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    const char *format = command_text(command, "format");
    format = format ? format : "sh";
    if (strcmp(format, "sh") != 0 && strcmp(format, "dotenv") != 0 && strcmp(format, "json") != 0) {
        error_set(&error, ERROR_USAGE, _("--format %s: expected sh, dotenv or json"), format);
        return command_fail(&error);
    }
    if (engine_link_start(&link, command, "env", false, false, &error) < 0) {
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
        print_all(json_get(reply, "variables"), format, mask);
    }
    json_free(reply);
    engine_link_end(&link);
    return code;
}
