// explain: what would be done with the project, without doing it. The engine that is asked has
// started nothing (emulator/engine/explain.h); here its sections are printed.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/text.h"

#define CALL_LIMIT_MS  60000 // a first look at many interpreters
#define NAME_WIDTH_MAX 34

static const char *text_of(const struct cJSON *tree, const char *name)
{
    const char *text = json_get_string(tree, name);
    return text ? text : "";
}

static int name_width(const struct cJSON *rows)
{
    int widest = 8;
    for (const struct cJSON *row = json_first(rows); row; row = json_next(row)) {
        int width = text_cols(text_of(row, "name"));
        widest = width > widest && width <= NAME_WIDTH_MAX ? width : widest;
    }
    return widest;
}

// Lines after the first stand below it.
static void print_row(const struct cJSON *row, int width)
{
    const char *name = text_of(row, "name");
    const char *value = text_of(row, "value");
    const char *note = json_get_string(row, "note");
    int pad = width - text_cols(name);
    printf("  %s%*s  ", name, pad > 0 ? pad : 0, "");
    for (const char *at = value; *at;) {
        size_t len = strcspn(at, "\n");
        bool more = at[len] && at[len + 1];
        auto_free char *shown = text_plain(at, len); // variables hold any bytes
        printf("%s%s", shown, more ? "\n" : "");
        at += len + (at[len] == '\n');
        if (more) {
            printf("  %*s  ", width, "");
        }
    }
    if (note) {
        printf("  (%s)", note);
    }
    putchar('\n');
}

static void print_notice(const struct cJSON *notice)
{
    printf("  %s: ", text_of(notice, "severity"));
    const char *file = json_get_string(notice, "file");
    int64_t line = json_get_int(notice, "line", 0);
    int64_t column = json_get_int(notice, "column", 0);
    if (file) {
        printf("%s:", file);
    }
    if (file && line) {
        printf("%lld:", (long long)line);
    }
    if (file && column) {
        printf("%lld:", (long long)column);
    }
    printf("%s%s", file ? " " : "", text_of(notice, "text"));
    const char *mend = json_get_string(notice, "mend");
    const char *rule = json_get_string(notice, "rule");
    printf("%s%s%s%s%s\n", mend ? "; " : "", mend ? mend : "", rule ? " (" : "", rule ? rule : "",
           rule ? ")" : "");
}

static void print_error(const struct cJSON *tree)
{
    struct error error;
    error_decode(tree, &error);
    printf("  %s: %s\n", _("refused"), error.message);
    if (*error.rule) {
        printf("    %s %s\n", _("rule"), error.rule);
    }
    for (const char *at = error.cloud; *at;) { // a sentence of the platform a line
        size_t len = strcspn(at, "\n");
        printf("    %s %.*s\n", _("cloud"), (int)len, at);
        at += len + (at[len] == '\n');
    }
    if (*error.hint) {
        printf("    %s %s\n", _("mend"), error.hint);
    }
}

static void print_section(const struct cJSON *section, bool first)
{
    const struct cJSON *rows = json_get(section, "rows");
    int width = name_width(rows);
    printf("%s%s\n", first ? "" : "\n", text_of(section, "title"));
    for (const struct cJSON *row = json_first(rows); row; row = json_next(row)) {
        print_row(row, width);
    }
    const struct cJSON *notice = json_first(json_get(section, "notices"));
    for (; notice; notice = json_next(notice)) {
        print_notice(notice);
    }
    if (json_get(section, "error")) {
        print_error(json_get(section, "error"));
    }
}

static void print_reply(const struct cJSON *reply, const char *format)
{
    const struct cJSON *sections = json_get(reply, "sections");
    if (str_equal(format, "json")) {
        auto_free char *text = json_print(sections);
        printf("%s\n", text);
        return;
    }
    bool first = true;
    for (const struct cJSON *item = json_first(sections); item; item = json_next(item)) {
        print_section(item, first);
        first = false;
    }
}

// What VS Code's and Pyright's settings.json have for it.
static void print_settings(const struct cJSON *reply)
{
    const struct cJSON *section = json_first(json_get(reply, "sections"));
    struct cJSON *settings = json_new_object();
    struct cJSON *paths = json_new_array();
    const struct cJSON *row = json_first(json_get(section, "rows"));
    for (; row; row = json_next(row)) {
        if (strcmp(text_of(row, "name"), "interpreter") == 0) {
            json_put_string(settings, "python.defaultInterpreterPath", text_of(row, "value"));
        } else if (strcmp(text_of(row, "name"), "packages") == 0) {
            json_push_string(paths, text_of(row, "value"));
        }
    }
    json_put_tree(settings, "python.analysis.extraPaths", paths);
    auto_free char *text = json_print(settings);
    printf("%s\n", text);
    json_free(settings);
}

static void print_for_editors(const struct cJSON *reply, const char *format)
{
    if (str_equal(format, "json")) {
        print_settings(reply);
    } else {
        print_reply(reply, NULL);
    }
}

typedef void (*print_fn)(const struct cJSON *reply, const char *format);

static int ask(struct command *command, const char *section, print_fn print)
{
    struct error error = {0};
    struct engine_link link;
    if (engine_link_start(&link, command, "explain", false, false, &error) < 0) {
        return command_fail(&error);
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "explain");
    json_put_string(message, "section", section);
    json_put_bool(message, "reveal", command_flag(command, "reveal"));
    struct cJSON *reply = NULL;
    int code = 0;
    if (client_call(link.client, message, CALL_LIMIT_MS, &reply, &error) < 0) {
        code = command_fail(&error);
    } else {
        print(reply, command_text(command, "format"));
        code = (int)json_get_int(reply, "code", 0);
    }
    json_free(reply);
    engine_link_end(&link);
    return code;
}

int cmd_explain(struct command *command)
{
    const char *section = command_text(command, "section");
    if (command_flag(command, "sandbox")) {
        if (section && strcmp(section, "sandbox") != 0) {
            struct error error;
            error_set(&error, ERROR_USAGE, _("--sandbox and --section %s: one of them"), section);
            return command_fail(&error);
        }
        section = "sandbox";
    }
    return ask(command, section, print_reply);
}

int explain_to_editors(struct command *command)
{
    return ask(command, "editor", print_for_editors);
}
