#include "emulator/functions/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/nearest.h"

// ---- pure ----

static int compare(const void *left, const void *right)
{
    const struct function *a = left, *b = right;
    int hooks = (int)function_is_hook(a->kind) - (int)function_is_hook(b->kind);
    return hooks ? hooks : strcmp(a->name, b->name);
}

static void read_names(const struct cJSON *names, struct metadata *metadata)
{
    metadata->functions = mem_alloc((json_count(names) + 1) * sizeof metadata->functions[0]);
    for (const struct cJSON *item = json_first(names); item; item = json_next(item)) {
        const char *name = json_string(item);
        if (name) {
            function_from_listed(name, &metadata->functions[metadata->count++]);
        }
    }
    qsort(metadata->functions, metadata->count, sizeof metadata->functions[0], compare);
}

static void fail(struct metadata *metadata, const char *text)
{
    metadata->state = METADATA_FAILED;
    snprintf(metadata->failure, sizeof metadata->failure, "%s", text);
}

static void read_list(const char *bytes, size_t len, struct metadata *metadata)
{
    struct cJSON *tree = json_parse(bytes, len, METADATA_PATH, NULL);
    const struct cJSON *names = json_is_object(tree) ? json_get(tree, "result") : NULL;
    if (json_is_array(names)) {
        metadata->state = METADATA_LISTED;
        read_names(names, metadata);
    } else {
        fail(metadata, tree ? "no list under \"result\"" : "not JSON");
    }
    json_free(tree);
}

void metadata_read(int status, const char *bytes, size_t len, struct metadata *ret_metadata)
{
    *ret_metadata = (struct metadata){.status = status};
    if (status == 404) {
        ret_metadata->state = METADATA_NONE;
    } else if (status >= 200 && status < 300) {
        read_list(bytes, len, ret_metadata);
    } else {
        char text[32];
        snprintf(text, sizeof text, "status %d", status);
        fail(ret_metadata, text);
    }
}

void metadata_release(struct metadata *metadata)
{
    for (size_t i = 0; i < metadata->count; i++) {
        function_release(&metadata->functions[i]);
    }
    free(metadata->functions);
    *metadata = (struct metadata){0};
}

const struct function *metadata_find(const struct metadata *metadata, const char *name)
{
    for (size_t i = 0; i < metadata->count; i++) {
        if (strcmp(metadata->functions[i].name, name) == 0) {
            return &metadata->functions[i];
        }
    }
    return NULL;
}

static const char *name_of(const void *functions, size_t index)
{
    return ((const struct function *)functions)[index].name;
}

const char *metadata_nearest(const struct metadata *metadata, const char *name)
{
    return nearest_name(name, name_of, metadata->functions, metadata->count);
}

// ---- asking ----

struct metadata_fetch {
    struct web_call *call; // NULL: it has answered
    void *context;
    void (*on_metadata)(void *context, struct metadata *metadata);
};

static void on_answer(void *context, const struct web_answer *answer)
{
    struct metadata_fetch *fetch = context;
    struct metadata metadata = {.status = answer->status};
    fetch->call = NULL;
    if (!answer->is_complete) {
        fail(&metadata, answer->failure);
    } else if (answer->is_cut) {
        fail(&metadata, "the list is too long");
    } else {
        metadata_read(answer->status, answer->body, answer->body_len, &metadata);
    }
    fetch->on_metadata(fetch->context, &metadata); // may free fetch
    metadata_release(&metadata);
}

struct metadata_fetch *metadata_start(struct web *web, const struct metadata_options *options,
                                      struct error *error)
{
    struct metadata_fetch *fetch = mem_alloc(sizeof *fetch);
    fetch->context = options->context;
    fetch->on_metadata = options->on_metadata;
    auto_free char *id = str_printf("X-LC-Id: %s", options->app_id);
    auto_free char *key = str_printf("X-LC-Key: %s,master", options->master_key);
    const char *headers[] = {"Host: localhost",
                             "User-Agent: leanlocal/" LEANLOCAL_VERSION " (function list)", id, key,
                             NULL};
    const struct web_request request = {
        .address = options->address,
        .port = options->port,
        .target = METADATA_PATH,
        .headers = headers,
        .timeout_ms = options->timeout_ms,
        .answer_max = METADATA_BYTES,
        .context = fetch,
        .on_answer = on_answer,
    };
    fetch->call = web_ask(web, &request, error);
    if (!fetch->call) {
        free(fetch);
        return NULL;
    }
    return fetch;
}

void metadata_free(struct metadata_fetch *fetch)
{
    if (fetch) {
        web_cancel(fetch->call);
        free(fetch);
    }
}
