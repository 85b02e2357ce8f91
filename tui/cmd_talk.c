// status, restart, reload, stop: a word with the running engine of the project.

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"

#define CALL_LIMIT_MS 10000

int command_attach(const struct command *command, struct engine_link *ret_link)
{
    struct error error = {0};
    if (engine_link_attach(ret_link, command, &error) == 0) {
        return 0;
    }
    if (error.errnum == ENOENT || error.errnum == ECONNREFUSED) {
        error_set(&error, ERROR_HOST, _("no leanlocal runs in %s"), command->dir);
        error_set_hint(&error, _("start it with `leanlocal up %s`"), command->dir);
    }
    return command_fail(&error);
}

// NULL reply wanted: pass NULL. -1: *ret_code is the exit code, all is printed.
static int talk(struct command *command, const char *name, struct engine_link *link,
                struct cJSON **ret_reply, int *ret_code)
{
    struct error error = {0};
    *ret_code = command_attach(command, link);
    if (*ret_code != 0) {
        return -1;
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", name);
    if (command_flag(command, "reschedule")) {
        json_put_bool(message, "reschedule", true);
    }
    if (client_call(link->client, message, CALL_LIMIT_MS, ret_reply, &error) < 0) {
        *ret_code = command_fail(&error);
        engine_link_end(link);
        return -1;
    }
    *ret_code = 0;
    return 0;
}

static void print_functions(const struct snapshot *snapshot)
{
    if (strcmp(snapshot->functions_state, "listed") != 0) {
        const char *state = snapshot->functions_state;
        if (strcmp(state, "failed") == 0) {
            state = "not listed"; // the cloud tolerates it (P-106): no failure of the app
        }
        const char *note = snapshot->functions_note;
        printf("  %-10s %s%s%s\n", "functions", *state ? state : "-", *note ? ": " : "", note);
        return;
    }
    for (int64_t i = 0; i < snapshot->function_count; i++) {
        const struct snapshot_function *row = &snapshot->functions[i];
        printf("  %-10s %s\n", row->kind, row->name);
    }
}

static void print_loop(const struct snapshot *snapshot)
{
    char since[9], next[9];
    if (snapshot->crash_deaths > 0) {
        clock_format_hms(snapshot->crash_since_ms, since);
        clock_format_hms(snapshot->crash_next_ms, next);
        printf("  %-10s %lld deaths since %s%s%s\n", "crash loop",
               (long long)snapshot->crash_deaths, since,
               snapshot->crash_next_ms ? ", next try at " : "",
               snapshot->crash_next_ms ? next : "");
    }
}

static void print_status(const struct snapshot *snapshot)
{
    printf("%s: %s\n", snapshot->project, serving_name(snapshot->serving));
    printf("  %-10s %s\n", "url", snapshot->url);
    printf("  %-10s %s\n", "version", snapshot->serving_version);
    printf("  %-10s %s\n", "python", snapshot->python);
    printf("  %-10s %s\n", "sandbox", snapshot->sandbox_level);
    if (snapshot->group_size > 1) {
        printf("  %-10s %lld of %lld serve\n", "instances", (long long)snapshot->group_serving,
               (long long)snapshot->group_size);
    }
    for (int64_t i = 0; i < snapshot->instance_count; i++) {
        const struct snapshot_instance *row = &snapshot->instances[i];
        printf("  %-10s %s %s %s\n", row->name, row->state, row->version, row->address);
    }
    print_functions(snapshot);
    printf("  %-10s %lld, %lld lost\n", "requests", (long long)snapshot->requests_total,
           (long long)snapshot->requests_lost);
    if (*snapshot->failure) {
        printf("  %-10s %s: %s\n", "failed", snapshot->failure_stage, snapshot->failure);
    }
    print_loop(snapshot);
}

int cmd_status(struct command *command)
{
    struct engine_link link;
    struct cJSON *reply = NULL;
    int code;
    if (talk(command, "status", &link, &reply, &code) < 0) {
        return code;
    }
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    if (snapshot_decode(json_get(reply, "snapshot"), snapshot)) {
        print_status(snapshot);
    }
    free(snapshot);
    json_free(reply);
    engine_link_end(&link);
    return code;
}

static int simple(struct command *command, const char *name)
{
    struct engine_link link;
    int code;
    if (talk(command, name, &link, NULL, &code) == 0) {
        engine_link_end(&link);
    }
    return code;
}

int cmd_restart(struct command *command)
{
    return simple(command, "restart");
}

int cmd_reload(struct command *command)
{
    return simple(command, "reload");
}

// Returns when the engine has gone, so that what follows in a script finds the port free.
int cmd_stop(struct command *command)
{
    struct engine_link link;
    int code;
    if (talk(command, "stop", &link, NULL, &code) < 0) {
        return code;
    }
    for (bool open = true; open;) {
        struct pollfd wait = {.fd = client_fd(link.client), .events = POLLIN};
        if (poll(&wait, 1, CALL_LIMIT_MS) <= 0) {
            break;
        }
        client_read(link.client);
        struct client_message message;
        while (open && client_next(link.client, &message)) {
            open = message.kind != CLIENT_CLOSED;
            client_message_release(&message);
        }
    }
    engine_link_end(&link);
    return code;
}
