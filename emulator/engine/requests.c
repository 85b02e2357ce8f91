// What clients ask for (protocol.h, "commands"). One function a command, one table.

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/engine/explain.h"
#include "emulator/engine/functions.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/timers.h"
#include "emulator/engine/traffic.h"
#include "emulator/engine/why.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/words.h"

static void reply_ok(struct engine *engine, const struct server_command *command,
                     struct cJSON *members)
{
    server_reply_ok(engine->server, command->client, command->id, members);
}

static void reply_error(struct engine *engine, const struct server_command *command,
                        const struct error *error)
{
    server_reply_error(engine->server, command->client, command->id, error);
}

static void handle_start(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (engine->started) {
        error_set(&error, ERROR_USAGE, _("already started"));
        reply_error(engine, command, &error);
        return;
    }
    engine->started = true;
    if (engine_start(engine, command->arguments, &error) < 0) {
        reply_error(engine, command, &error);
        engine_stop(engine, error_kind_exit_code(error.kind), NULL);
        return;
    }
    struct cJSON *members = json_new_object();
    json_put_int(members, "protocol", PROTOCOL_VERSION);
    json_put_string(members, "journal", engine->journal_dir);
    reply_ok(engine, command, members);
}

static void handle_status(struct engine *engine, struct server_command *command)
{
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    snapshot_fill(engine, snapshot);
    struct cJSON *members = json_new_object();
    json_put_int(members, "protocol", PROTOCOL_VERSION);
    json_put_tree(members, "snapshot", snapshot_encode(snapshot));
    free(snapshot);
    reply_ok(engine, command, members);
}

static void handle_restart(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (json_get_bool(command->arguments, "reschedule", false)) {
        rollout_reschedule(engine, &error);
    } else {
        rollout_restart(engine, &error);
    }
    if (error.kind != ERROR_NONE) {
        reply_error(engine, command, &error);
    } else {
        reply_ok(engine, command, NULL);
    }
}

static void handle_reload(struct engine *engine, struct server_command *command)
{
    reply_ok(engine, command, NULL);
    deployment_begin(engine, &(struct deploy_reason){0});
}

static void handle_rebuild(struct engine *engine, struct server_command *command)
{
    bool no_cache = json_get_bool(command->arguments, "no_cache", false);
    reply_ok(engine, command, NULL);
    deployment_begin(engine, &(struct deploy_reason){.rebuild = true, .no_cache = no_cache});
}

static void handle_install_python(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (installing_ask(engine, &error) < 0) {
        reply_error(engine, command, &error);
    } else {
        reply_ok(engine, command, NULL);
    }
}

static void handle_cancel(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (installing_cancel(engine, &error) < 0) {
        reply_error(engine, command, &error);
    } else {
        reply_ok(engine, command, NULL);
    }
}

static void handle_type(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    const char *text = json_get_string(command->arguments, "text");
    struct running *running = rollout_with_terminal(engine);
    if (!running) {
        error_set(&error, ERROR_APP, _("nothing runs that could read what is typed"));
    } else if (!str_empty(text)) {
        instance_type(running->instance, text, strlen(text), &error);
    }
    if (error.kind != ERROR_NONE) {
        reply_error(engine, command, &error);
    } else {
        reply_ok(engine, command, NULL);
    }
}

static void handle_stop(struct engine *engine, struct server_command *command)
{
    reply_ok(engine, command, NULL);
    // A build or verify that was stopped has no verdict: as a shell has it for an interrupt.
    engine_stop(engine, engine->mode == MODE_UP ? 0 : 130, NULL);
}

static int run(struct engine *engine, struct server_command *command, struct error *error)
{
    struct strlist argv = {0};
    bool ready = engine->mode == MODE_EXEC && engine->has_built && !engine->exec_running &&
                 engine->deployment.has_version;
    if (!ready || command->fd_count != 4) {
        return error_set(error, ERROR_USAGE, _("run: not now, or without its four descriptors"));
    }
    int result = words_from_fd(command->fds[3], &argv, error);
    if (result == 0 && argv.count == 0) {
        result = error_set(error, ERROR_USAGE, _("run: no command"));
    }
    if (result == 0) {
        engine->exec_client = command->client;
        engine->exec_id = command->id;
        str_replace(&engine->exec_term, json_get_string(command->arguments, "term"));
        bool terminal = json_get_bool(command->arguments, "terminal", false);
        result = running_start_command(engine, argv.items, command->fds, terminal, error) ? 0 : -1;
    }
    strlist_clear(&argv);
    return result;
}

static void handle_run(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (run(engine, command, &error) < 0) {
        reply_error(engine, command, &error);
    }
}

static void handle_signal(struct engine *engine, struct server_command *command)
{
    int64_t number = json_get_int(command->arguments, "number", 0);
    if (engine->exec_running && number > 0 && number < NSIG) {
        instance_signal(engine->exec_running->instance, (int)number);
    }
    reply_ok(engine, command, NULL);
}

void requests_exec_exited(struct engine *engine, int wait_status)
{
    struct cJSON *members = json_new_object();
    json_put_int(members, "status", wait_status);
    server_reply_ok(engine->server, engine->exec_client, engine->exec_id, members);
    engine_stop(engine, 0, NULL);
}

void requests_exec_failed(struct engine *engine, const struct error *error)
{
    if (engine->exec_client) {
        server_reply_error(engine->server, engine->exec_client, engine->exec_id, error);
        engine->exec_client = NULL;
        engine_stop(engine, error_kind_exit_code(error->kind), NULL);
    }
}

static void handle_environment(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    struct cJSON *members = engine_variables(engine, &error);
    if (members) {
        reply_ok(engine, command, members);
    } else {
        reply_error(engine, command, &error);
    }
}

static void handle_explain(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    const char *section = json_get_string(command->arguments, "section");
    bool reveal = json_get_bool(command->arguments, "reveal", false);
    struct cJSON *members = NULL;
    if (engine->mode != MODE_EXPLAIN) { // it may block
        error_set(&error, ERROR_USAGE, _("only for an engine that looks"));
    } else {
        members = explain_make(engine, section, reveal, &error);
    }
    if (members) {
        reply_ok(engine, command, members);
    } else {
        reply_error(engine, command, &error);
    }
}

static void handle_why(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    const char *path = json_get_string(command->arguments, "path");
    struct cJSON *answer = NULL;
    if (engine->mode != MODE_EXPLAIN || str_empty(path)) {
        error_set(&error, ERROR_USAGE, _("only for an engine that looks"));
    } else {
        answer = why_make(engine, path, &error);
    }
    if (!answer) {
        reply_error(engine, command, &error);
        return;
    }
    struct cJSON *members = json_new_object();
    json_put_tree(members, "why", answer);
    reply_ok(engine, command, members);
}

static void handle_requests(struct engine *engine, struct server_command *command)
{
    reply_ok(engine, command, traffic_list(engine->traffic, command->arguments));
}

static void handle_request(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    struct cJSON *members = traffic_show(engine->traffic, command->arguments, &error);
    if (members) {
        reply_ok(engine, command, members);
    } else {
        reply_error(engine, command, &error);
    }
}

static void handle_replay(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (traffic_replay(engine->traffic, command, &error) < 0) {
        reply_error(engine, command, &error);
    }
}

static void handle_cron(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    const char *expression = json_get_string(command->arguments, "expression");
    struct cJSON *members = timers_show(engine, expression, &error);
    if (members) {
        reply_ok(engine, command, members);
    } else {
        reply_error(engine, command, &error);
    }
}

static void handle_call(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    if (calling_begin(engine, command, &error) < 0) {
        reply_error(engine, command, &error);
    }
}

static void handle_unknown(struct engine *engine, struct server_command *command)
{
    struct error error = {0};
    error_set(&error, ERROR_USAGE, _("this engine does not know %s"), command_name(command->kind));
    reply_error(engine, command, &error);
}

typedef void (*request_fn)(struct engine *engine, struct server_command *command);

static const request_fn handlers[COMMAND__COUNT] = {
    [COMMAND_START] = handle_start,
    [COMMAND_HELLO] = handle_status,
    [COMMAND_STATUS] = handle_status,
    [COMMAND_RESTART] = handle_restart,
    [COMMAND_RELOAD] = handle_reload,
    [COMMAND_REBUILD] = handle_rebuild,
    [COMMAND_INSTALL_PYTHON] = handle_install_python,
    [COMMAND_CANCEL] = handle_cancel,
    [COMMAND_TYPE] = handle_type,
    [COMMAND_STOP] = handle_stop,
    [COMMAND_RUN] = handle_run,
    [COMMAND_SIGNAL] = handle_signal,
    [COMMAND_ENVIRONMENT] = handle_environment,
    [COMMAND_EXPLAIN] = handle_explain,
    [COMMAND_WHY] = handle_why,
    [COMMAND_REQUESTS] = handle_requests,
    [COMMAND_REQUEST] = handle_request,
    [COMMAND_REPLAY] = handle_replay,
    [COMMAND_CALL] = handle_call,
    [COMMAND_CRON] = handle_cron,
};

static bool needs_project(enum command_kind kind)
{
    return kind == COMMAND_RESTART || kind == COMMAND_RELOAD || kind == COMMAND_REBUILD ||
           kind == COMMAND_INSTALL_PYTHON || kind == COMMAND_CANCEL || kind == COMMAND_TYPE ||
           kind == COMMAND_REQUESTS || kind == COMMAND_REQUEST || kind == COMMAND_REPLAY ||
           kind == COMMAND_CALL;
}

void requests_on_command(void *context, struct server_command *command)
{
    struct engine *engine = context;
    struct error error = {0};
    if (command->kind != COMMAND_START && !engine->started) {
        error_set(&error, ERROR_USAGE, _("not started yet"));
    } else if (engine->stopping && command->kind != COMMAND_STOP) {
        error_set(&error, ERROR_CANCELLED, _("the engine is stopping"));
    } else if (needs_project(command->kind) && engine->mode != MODE_UP) {
        error_set(&error, ERROR_USAGE, _("only for a running `leanlocal up`"));
    }
    if (error.kind != ERROR_NONE) {
        reply_error(engine, command, &error);
        return;
    }
    request_fn handler = handlers[command->kind];
    (handler ? handler : handle_unknown)(engine, command);
}
