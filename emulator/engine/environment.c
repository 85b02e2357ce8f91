// The variables as the engine hands them out: to instances and builds, to clients that ask, and
// what there is to say about them.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/staging.h"
#include "emulator/environment/environment.h"
#include "emulator/environment/identity.h"
#include "emulator/environment/offline_api.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

#define HOME "/home/leanengine"

// Told once: an app that calls while it is imported calls again and again.
static void on_offline_call(void *context, const char *call)
{
    struct engine *engine = context;
    if (!engine->offline_told) {
        engine->offline_told = true;
        announce_notice(engine, "deviation", "P-304", NULL,
                        _("to use a real app: eval \"$(lean env)\", or --app-id and its keys in "
                          ".env"),
                        _("the app calls the API server (%s); it is answered \"offline\", as the "
                          "app's id is invented"),
                        call);
    }
}

// Without one the address is closed, which is a failure as clear.
static const char *offline_url(struct engine *engine)
{
    bool runs_apps = engine->mode != MODE_ENV && engine->mode != MODE_EXPLAIN;
    if (!engine->offline_api && runs_apps) {
        engine->offline_api = offline_api_new(engine->loop, on_offline_call, engine, NULL);
    }
    return engine->offline_api ? offline_api_url(engine->offline_api) : NULL;
}

int engine_environment(struct engine *engine, const char *tag, const char *instance, uint16_t port,
                       const char *home, struct environment *ret_environment,
                       struct diagnostics *diagnostics, struct error *error)
{
    bool private_home = home && !engine->host.has[SANDBOX_MOUNT] && engine->mode != MODE_ENV;
    auto_free char *temporary = private_home ? fs_join(home, SANDBOX_PRIVATE_TMP) : NULL;
    const struct environment_request request = {
        .project_dir = engine->project.dir,
        .env_dir = engine->project.build_root,
        .project_id = engine->project.id,
        .host_env = &engine->host_env,
        .environment = staging_is_name(engine, instance) ? "stage" : engine->options.environment,
        .app_id = engine->options.app_id,
        .region = engine->options.region_option,
        .group = engine->options.group_option,
        .size = engine->options.size,
        .env_file = engine->options.env_file,
        .offline_api = offline_url(engine),
        .port = port ? port : (uint16_t)LIMIT_APP_PORT,
        .version_tag = tag,
        .instance = instance,
        .home = home,
        .layer = engine->has_built ? engine->built.layer_target : BUILD_LAYER_TARGET,
        .zone_variable = !engine->host.has[SANDBOX_MOUNT] && engine->mode != MODE_ENV,
        .temporary_dir = temporary,
    };
    return environment_build(&request, ret_environment, diagnostics, error);
}

int engine_locate(struct engine *engine, struct error *error)
{
    struct environment environment = {0};
    if (engine_environment(engine, "", NULL, 0, HOME, &environment, NULL, error) < 0) {
        return -1;
    }
    str_replace(&engine->options.region, environment.region);
    str_replace(&engine->options.group, environment.group);
    environment_release(&environment);
    return 0;
}

static int check_size(struct engine *engine, const char *name, struct error *error)
{
    engine->options.size = instance_size_find(name);
    if (!engine->options.size) {
        error_set(error, ERROR_USAGE, _("unknown size %s"), name);
        return error_set_hint(error, _("known sizes: %s"), instance_size_names());
    }
    if (!engine->options.size->staging && strcmp(engine->options.environment, "stage") == 0) {
        error_set(error, ERROR_USAGE, _("size %s has no staging environment"), name);
        error_set_hint(error, _("take another --size, or --env production"));
        return error_set_rule(error, "P-170", NULL);
    }
    return 0;
}

static int check_instances(const struct engine *engine, struct error *error)
{
    unsigned count = engine->options.instances;
    if (count < 1 || count > LIMIT_INSTANCES_MAX) {
        return error_set(error, ERROR_USAGE, _("--instances: expected 1 to %d"),
                         (int)LIMIT_INSTANCES_MAX);
    }
    if (count > 1 && engine->options.debug) {
        return error_set(error, ERROR_USAGE, _("--debug has one instance, not %u"), count);
    }
    if (count > 1 && !engine->options.size->staging) { // the trial size (P-170)
        error_set(error, ERROR_USAGE, _("a group of size %s has one instance, not %u"),
                  engine->options.size->name, count);
        return error_set_hint(error, _("--size standard-512 or larger"));
    }
    return 0;
}

int engine_check_options(struct engine *engine, const char *size, struct error *error)
{
    const struct engine_options *options = &engine->options;
    const struct identity_request wanted = {.app_id = options->app_id,
                                            .region = options->region_option,
                                            .group = options->group_option};
    if (identity_check_options(&wanted, error) < 0 || check_size(engine, size, error) < 0) {
        return -1;
    }
    return check_instances(engine, error);
}

// ---- what there is to say ----

static void append(char **text, const char *more)
{
    char *longer = str_printf("%s%s%s", *text, **text ? ", " : "", more);
    free(*text);
    *text = longer;
}

// What only a file of this machine sets is not in the cloud until somebody sets it there.
static void announce_console(struct engine *engine, const struct environment *environment)
{
    auto_free char *own = str_dup("");
    auto_free char *databases = str_dup("");
    for (size_t i = 0; i < environment->count; i++) {
        const struct environment_variable *item = &environment->items[i];
        if (item->kind == VARIABLE_CUSTOM) {
            append(environment_database_of(item->name) ? &databases : &own, item->name);
        }
    }
    if (*own) {
        announce_notice(engine, "note", "P-102b", NULL,
                        _("set them in the console, for the app's group, before you deploy"),
                        _("the cloud does not read env files; variables from there: %s"), own);
    }
    if (*databases) {
        announce_notice(engine, "note", "P-213", NULL,
                        _("bind the database to the group; do not set them in the console"),
                        _("the cloud sets these itself, by the database's name: %s"), databases);
    }
}

static void announce_variables(struct engine *engine, const struct environment *environment)
{
    if (engine->variables_told) {
        return;
    }
    engine->variables_told = true;
    if (environment->keys_invented && !environment->invented) {
        announce_notice(engine, "deviation", "P-100a", NULL,
                        _("give them: eval \"$(lean env)\", or in .env"),
                        _("the app's id is a real one, its keys are invented: the API server will "
                          "refuse them"));
    }
    if (engine->mode == MODE_VERIFY) {
        announce_console(engine, environment);
    }
}

int engine_check_variables(struct engine *engine, struct error *error)
{
    struct environment environment = {0};
    struct diagnostics diagnostics = {0};
    if (engine->mode == MODE_BUILD && !engine->project.yaml.expose_environments_on_build) {
        return 0;
    }
    int result = engine_environment(engine, engine->deployment.tag, NULL, 0, HOME, &environment,
                                    &diagnostics, error);
    if (result == 0) {
        announce_diagnostics(engine, TOLD_VARIABLES, &diagnostics);
        announce_variables(engine, &environment);
        environment_release(&environment);
    }
    diagnostics_clear(&diagnostics);
    return result;
}

// ---- for clients ----

static struct cJSON *variables_to_json(const struct environment *environment)
{
    struct cJSON *variables = json_new_array();
    for (size_t i = 0; i < environment->count; i++) {
        const struct environment_variable *item = &environment->items[i];
        struct cJSON *row = json_new_object();
        json_put_string(row, "name", item->name);
        json_put_string(row, "value", item->value);
        json_put_string(row, "source", item->source);
        json_put_string(row, "rule", item->rule);
        json_put_bool(row, "secret", item->secret);
        json_push(variables, row);
    }
    return variables;
}

static void add_notice(struct cJSON *notices, const char *text, const char *hint)
{
    auto_free char *line = hint ? str_printf("%s (%s)", text, hint) : str_dup(text);
    json_push_string(notices, line);
}

static struct cJSON *notices_to_json(const struct environment *environment,
                                     const struct diagnostics *diagnostics)
{
    struct cJSON *notices = json_new_array();
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        auto_free char *text = item->file
                                   ? str_printf("%s:%d: %s", item->file, item->line, item->text)
                                   : str_dup(item->text);
        add_notice(notices, text, item->hint);
    }
    if (environment->invented) {
        add_notice(notices, _("the app's id and keys are invented; nothing live is called"), NULL);
    } else if (environment->keys_invented) {
        add_notice(notices, _("keys of the app are invented"), NULL);
    }
    return notices;
}

struct cJSON *engine_variables(struct engine *engine, struct error *error)
{
    struct environment environment = {0};
    struct diagnostics diagnostics = {0};
    const struct running *serving = rollout_serving(engine);
    auto_free char *name = str_printf("%s1", engine->options.group);
    char tag[24];
    clock_format_tag(clock_wall_ms(), environment_region_utc_offset_s(engine->options.region), tag);
    int result =
        serving ? engine_environment(engine, serving->version.tag, instance_name(serving->instance),
                                     instance_public_port(serving->instance),
                                     instance_home(serving->instance), &environment, &diagnostics,
                                     error)
                : engine_environment(engine, tag, name, 0, HOME, &environment, &diagnostics, error);
    if (result < 0) {
        diagnostics_clear(&diagnostics);
        return NULL;
    }
    struct cJSON *members = json_new_object();
    json_put_tree(members, "variables", variables_to_json(&environment));
    json_put_tree(members, "notices", notices_to_json(&environment, &diagnostics));
    diagnostics_clear(&diagnostics);
    environment_release(&environment);
    return members;
}
