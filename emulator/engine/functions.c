// The cloud functions of the version that serves: asked for after its start, as the cloud does to
// register them (P-106); what clients see of them.

#include "emulator/engine/functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"

#define COPY(field, text) snprintf(field, sizeof(field), "%s", (text) ? (text) : "")

// ---- asking ----

// P-106, P-112: whatever comes, the deployment has succeeded.
static void tell_cloud(struct engine *engine, const struct metadata *list)
{
    if (list->state == METADATA_LISTED) {
        announce_cloud(engine, TEXT_FUNCTIONS_UPDATED);
    } else if (list->state == METADATA_NONE) {
        announce_cloud(engine, TEXT_NO_FUNCTIONS);
    } else if (list->status < 200 || list->status > 299) { // else a page for whatever is asked
        announce_notice(engine, "note", "P-106", NULL, NULL,
                        _("no list of cloud functions: %s; the cloud goes on without"),
                        list->failure);
    }
}

static void on_metadata(void *context, struct metadata *metadata)
{
    struct engine *engine = context;
    metadata_free(steal(engine->functions->fetch));
    functions_take(engine, metadata);
    if (engine->mode == MODE_VERIFY && !engine->stopping) {
        tell_cloud(engine, &engine->functions->list);
        deployment_pass(engine);
    }
}

struct functions *functions_get(struct engine *engine, struct error *error)
{
    if (!engine->functions) {
        struct web *web = web_new(engine->loop, error);
        if (web) {
            engine->functions = mem_alloc(sizeof *engine->functions);
            engine->functions->web = web;
        }
    }
    return engine->functions;
}

void functions_take(struct engine *engine, struct metadata *metadata)
{
    struct functions *functions = functions_get(engine, NULL);
    if (functions) {
        metadata_release(&functions->list);
        functions->list = *metadata;
        *metadata = (struct metadata){0};
        touch(engine);
    }
}

static const char *variable(const struct environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->count; i++) {
        if (strcmp(environment->items[i].name, name) == 0) {
            return environment->items[i].value;
        }
    }
    return "";
}

int functions_keys(struct engine *engine, struct function_keys *ret_keys, struct error *error)
{
    struct environment environment = {0};
    if (engine_environment(engine, "", NULL, 0, NULL, &environment, NULL, error) < 0) {
        return -1;
    }
    *ret_keys = (struct function_keys){
        .app_id = str_dup(variable(&environment, "LEANCLOUD_APP_ID")),
        .app_key = str_dup(variable(&environment, "LEANCLOUD_APP_KEY")),
        .master_key = str_dup(variable(&environment, "LEANCLOUD_APP_MASTER_KEY")),
        .hook_key = str_dup(variable(&environment, "LEANCLOUD_APP_HOOK_KEY")),
    };
    environment_release(&environment);
    return 0;
}

void function_keys_release(struct function_keys *keys)
{
    free(keys->app_id);
    free(keys->app_key);
    free(keys->master_key);
    free(keys->hook_key);
    *keys = (struct function_keys){0};
}

static bool is_asked_for(const struct engine *engine)
{
    bool disabled = engine->project.yaml.functions_mode == FUNCTIONS_DISABLED;
    // --debug: the answer might have to pass a breakpoint.
    return (engine->mode == MODE_UP || engine->mode == MODE_VERIFY) && !disabled &&
           !engine->options.debug;
}

static int fetch(struct engine *engine, const struct running *running, struct error *error)
{
    struct function_keys keys = {0};
    if (functions_keys(engine, &keys, error) < 0) {
        return -1;
    }
    const struct metadata_options options = {
        .address = instance_address(running->instance),
        .port = instance_port(running->instance),
        .app_id = keys.app_id,
        .master_key = keys.master_key,
        .timeout_ms = engine->times.probe_timeout_ms,
        .context = engine,
        .on_metadata = on_metadata,
    };
    engine->functions->fetch = metadata_start(engine->functions->web, &options, error);
    function_keys_release(&keys);
    return engine->functions->fetch ? 0 : -1;
}

void functions_ask(struct engine *engine, const struct running *running)
{
    struct error error = {0};
    struct metadata unknown = {0};
    struct functions *functions = functions_get(engine, &error);
    if (!functions) {
        log_debug("functions: %s", error.message);
        return;
    }
    metadata_free(steal(functions->fetch));
    functions_take(engine, &unknown);
    if (is_asked_for(engine) && fetch(engine, running, &error) < 0) {
        log_debug("functions: %s", error.message);
    }
}

bool functions_is_asking(const struct engine *engine)
{
    return engine->functions && engine->functions->fetch;
}

void functions_release(struct engine *engine)
{
    struct functions *functions = steal(engine->functions);
    if (functions) {
        calling_release(functions);
        metadata_free(functions->fetch);
        web_free(functions->web);
        metadata_release(&functions->list);
        free(functions);
    }
}

// ---- the snapshot ----

static const char *state_name(const struct engine *engine, const struct metadata *list)
{
    static const char *const names[] = {
        [METADATA_UNKNOWN] = "",
        [METADATA_LISTED] = "listed",
        [METADATA_NONE] = "none",
        [METADATA_FAILED] = "failed",
    };
    bool disabled = engine->project.yaml.functions_mode == FUNCTIONS_DISABLED;
    return disabled ? "disabled" : names[list->state];
}

void functions_fill(const struct engine *engine, struct snapshot *out)
{
    if (!engine->functions) {
        return;
    }
    const struct metadata *list = &engine->functions->list;
    COPY(out->functions_state, state_name(engine, list));
    COPY(out->functions_note, list->failure);
    for (size_t i = 0; i < list->count && i < SNAPSHOT_FUNCTIONS; i++) {
        struct snapshot_function *row = &out->functions[out->function_count++];
        COPY(row->name, list->functions[i].name);
        COPY(row->kind, function_is_hook(list->functions[i].kind) ? "hook" : "function");
    }
}
