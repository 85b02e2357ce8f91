// why: what a save of one path would do, and by which rule. The engine that is asked only looks
// (emulator/engine/why.h).

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/text.h"

#define CALL_LIMIT_MS 10000

static void print_line(const char *name, const char *value)
{
    int pad = 10 - text_cols(name);
    printf("  %s%*s %s\n", name, pad > 0 ? pad : 0, "", value);
}

static void print_answer(const struct cJSON *reply)
{
    const char *name = json_get_string(reply, "path");
    auto_free char *path = text_plain(name, strlen(name));
    bool uploaded = json_get_bool(reply, "uploaded", false);
    const char *by = json_get_string(reply, "by");
    const char *rule = json_get_string(reply, "rule");
    printf("%s%s\n", path, json_get_bool(reply, "exists", true) ? "" : _(" (not there now)"));
    print_line(_("uploaded"), uploaded ? _("yes") : _("no"));
    print_line(_("a save"), json_get_string(reply, "text"));
    if (by || rule) {
        auto_free char *shown = str_printf("%s%s%s%s%s", by ? by : "", by && rule ? "  (" : "",
                                           rule ? rule : "", by && rule ? ")" : "", "");
        print_line(_("by"), shown);
    }
}

int cmd_why(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    if (engine_link_start(&link, command, "explain", false, false, &error) < 0) {
        return command_fail(&error);
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "why");
    json_put_string(message, "path", command->words.items[0]);
    struct cJSON *reply = NULL;
    int code = 0;
    if (client_call(link.client, message, CALL_LIMIT_MS, &reply, &error) < 0) {
        code = command_fail(&error);
    } else if (str_equal(command_text(command, "format"), "json")) {
        auto_free char *text = json_print(json_get(reply, "why"));
        printf("%s\n", text);
    } else {
        print_answer(json_get(reply, "why"));
    }
    json_free(reply);
    engine_link_end(&link);
    return code;
}
