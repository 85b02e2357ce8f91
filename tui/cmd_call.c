// call: a cloud function or a hook of the running project, as the cloud would call it. The result
// alone, as JSON, goes to stdout; everything else to stderr.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/text.h"

#define LIST_LIMIT_MS 10000
#define DATA_MAX      (1 << 18)

// ---- what is sent ----

static char *read_stdin(struct error *error)
{
    struct buf data = {.max = DATA_MAX + 1};
    char chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, stdin)) > 0) {
        if (!buf_add(&data, chunk, got)) {
            buf_release(&data);
            error_set(error, ERROR_USAGE, _("--data: more than %d KB"), DATA_MAX / 1024);
            return NULL;
        }
    }
    return buf_steal(&data);
}

// "{...}", "@FILE", or "-" for stdin. NULL with error.
static char *read_data(const char *text, struct error *error)
{
    if (strcmp(text, "-") == 0) {
        return read_stdin(error);
    }
    if (text[0] != '@') {
        return str_dup(text);
    }
    size_t len;
    char *data = fs_read(text + 1, DATA_MAX, &len, error);
    if (!data && error->kind != ERROR_NONE) {
        error->kind = ERROR_USAGE;
    }
    return data;
}

static struct cJSON *make_message(const struct command *command, struct error *error)
{
    const char *text = command_text(command, "data");
    auto_free char *data = text ? read_data(text, error) : NULL;
    if (text && !data) {
        return NULL;
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "call");
    json_put_string(message, "name", command->words.items[0]);
    json_put_string(message, "data", data);
    json_put_string(message, "user", command_text(command, "user"));
    json_put_string(message, "session", command_text(command, "session"));
    static const char *const flags[] = {"hook", "rpc", "master", "sign", "timer"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        json_put_bool(message, flags[i], command_flag(command, flags[i]));
    }
    return message;
}

// ---- --list ----

static void print_list(const struct snapshot *snapshot)
{
    const char *state = snapshot->functions_state;
    for (int64_t i = 0; i < snapshot->function_count; i++) {
        const struct snapshot_function *row = &snapshot->functions[i];
        auto_free char *name = text_plain(row->name, strlen(row->name));
        printf("%s%s\n", strcmp(row->kind, "hook") == 0 ? "--hook " : "", name);
    }
    if (strcmp(state, "failed") == 0) {
        fprintf(stderr, _("leanlocal: the list of functions could not be read: %s\n"),
                snapshot->functions_note);
    } else if (strcmp(state, "disabled") == 0) {
        fputs(_("leanlocal: functionsMode is disabled: there are none in the cloud\n"), stderr);
    } else if (strcmp(state, "none") == 0 || snapshot->function_count == 0) {
        fputs(_("leanlocal: no cloud functions\n"), stderr);
    }
}

static int list(struct command *command)
{
    if (command->words.count > 0) { // the only word is DIR
        str_replace(&command->dir, command->words.items[0]);
    }
    struct engine_link link;
    struct error error = {0};
    int code = command_attach(command, &link);
    if (code != 0) {
        return code;
    }
    struct cJSON *message = json_new_object();
    struct cJSON *reply = NULL;
    json_put_string(message, "command", "status");
    if (client_call(link.client, message, LIST_LIMIT_MS, &reply, &error) < 0) {
        code = command_fail(&error);
    }
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    if (reply && snapshot_decode(json_get(reply, "snapshot"), snapshot)) {
        print_list(snapshot);
    }
    free(snapshot);
    json_free(reply);
    engine_link_end(&link);
    return code;
}

// ---- the call ----

int cmd_call(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    if (command_flag(command, "list")) {
        return list(command);
    }
    if (command->words.count == 0) {
        error_set(&error, ERROR_USAGE, _("name a function"));
        error_set_hint(&error, _("`leanlocal call --list` names them"));
        return command_fail(&error);
    }
    struct cJSON *message = make_message(command, &error);
    if (!message) {
        return command_fail(&error);
    }
    int code = command_attach(command, &link);
    if (code != 0) {
        json_free(message);
        return code;
    }
    struct cJSON *reply = NULL;
    if (client_call(link.client, message, -1, &reply, &error) < 0) { // the engine has the limits
        code = command_fail(&error);
    } else {
        printf("%s\n", json_get_string(reply, "result"));
    }
    json_free(reply);
    engine_link_end(&link);
    return code;
}
