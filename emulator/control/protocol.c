// Field tables drive both directions, so that a member can not be written and forgotten in reading.
// A field that holds its default is left out: an event in the journal is one short line.
#include "emulator/control/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

enum field_kind {
    FIELD_OWNED,   // char *: heap, NULL when not set
    FIELD_TEXT,    // char[size]
    FIELD_INT,     // int64_t
    FIELD_SERVING, // enum serving, by name
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    size_t size;
    int64_t fallback; // FIELD_INT: the value when the member is absent
};

#define FIELD(type, member) .name = #member, .offset = offsetof(struct type, member)
#define OWNED(type, member)                                                                        \
    {                                                                                              \
        FIELD(type, member), .kind = FIELD_OWNED                                                   \
    }
#define TEXT(type, member)                                                                         \
    {                                                                                              \
        FIELD(type, member), .kind = FIELD_TEXT, .size = sizeof(((struct type *)0)->member)        \
    }
#define INT(type, member)                                                                          \
    {                                                                                              \
        FIELD(type, member), .kind = FIELD_INT                                                     \
    }
#define INT_OR(type, member, or)                                                                   \
    {                                                                                              \
        FIELD(type, member), .kind = FIELD_INT, .fallback = (or)                                   \
    }

static const struct field event_fields[] = {
    INT(event, wall_ms),    OWNED(event, stage), OWNED(event, state),    OWNED(event, version),
    OWNED(event, instance), OWNED(event, path),  OWNED(event, severity), OWNED(event, text),
    OWNED(event, cloud),    OWNED(event, rule),  OWNED(event, mend),     INT_OR(event, ms, -1),
    INT(event, status),     INT(event, count),   INT(event, bytes),
};

static const struct field stage_fields[] = {
    TEXT(snapshot_stage, name),
    TEXT(snapshot_stage, state),
    INT_OR(snapshot_stage, ms, -1),
    TEXT(snapshot_stage, detail),
};

static const struct field instance_fields[] = {
    TEXT(snapshot_instance, name),
    TEXT(snapshot_instance, version),
    TEXT(snapshot_instance, state),
    INT_OR(snapshot_instance, cpu_permille, -1),
    INT(snapshot_instance, memory_bytes),
    INT(snapshot_instance, memory_limit_bytes),
    INT(snapshot_instance, disk_bytes),
    INT(snapshot_instance, disk_limit_bytes),
    INT(snapshot_instance, log_lines_minute),
    INT(snapshot_instance, log_limit_minute),
    TEXT(snapshot_instance, address),
    TEXT(snapshot_instance, asked),
};

static const struct field probe_fields[] = {
    INT(snapshot_probe, wall_ms), TEXT(snapshot_probe, instance), TEXT(snapshot_probe, path),
    INT(snapshot_probe, status),  INT_OR(snapshot_probe, ms, -1), TEXT(snapshot_probe, verdict),
    TEXT(snapshot_probe, text),
};

static const struct field function_fields[] = {
    TEXT(snapshot_function, name),
    TEXT(snapshot_function, kind),
};

static const struct field timer_fields[] = {
    TEXT(snapshot_timer, name),  TEXT(snapshot_timer, cron),        TEXT(snapshot_timer, function),
    TEXT(snapshot_timer, state), INT(snapshot_timer, next_wall_ms),
};

static const struct field snapshot_fields[] = {
    INT(snapshot, protocol),
    TEXT(snapshot, project),
    TEXT(snapshot, dir),
    TEXT(snapshot, build_root),
    TEXT(snapshot, url),
    TEXT(snapshot, journal_dir),
    {FIELD(snapshot, serving), .kind = FIELD_SERVING},
    INT_OR(snapshot, healthy_ms, -1),
    TEXT(snapshot, serving_version),
    TEXT(snapshot, try_version),
    TEXT(snapshot, failure),
    TEXT(snapshot, failure_stage),
    TEXT(snapshot, failure_rule),
    TEXT(snapshot, failure_cloud),
    TEXT(snapshot, failure_mend),
    INT(snapshot, failure_is_crash),
    TEXT(snapshot, python),
    TEXT(snapshot, environment),
    TEXT(snapshot, region),
    TEXT(snapshot, sandbox_level),
    INT(snapshot, crash_deaths),
    INT(snapshot, crash_since_ms),
    INT(snapshot, crash_next_ms),
    INT(snapshot, check_next_ms),
    INT(snapshot, check_failures),
    INT(snapshot, check_failures_max),
    INT(snapshot, saves),
    INT_OR(snapshot, last_reload_ms, -1),
    INT(snapshot, requests_lost),
    INT(snapshot, requests_total),
    INT(snapshot, requests_held),
    INT(snapshot, group_size),
    INT(snapshot, group_serving),
    INT(snapshot, requests_last),
    INT(snapshot, requests_per_second_x10),
    INT_OR(snapshot, latency_p50_us, -1),
    INT(snapshot, deviations),
    INT(snapshot, warnings),
    TEXT(snapshot, last_output),
    INT(snapshot, pip_collected),
    TEXT(snapshot, install_offer),
    TEXT(snapshot, installing),
    INT(snapshot, debug),
    TEXT(snapshot, prompt),
    TEXT(snapshot, functions_state),
    TEXT(snapshot, functions_note),
    INT(snapshot, utc_offset_s),
};

// The snapshot's arrays: each element is an object of its own table.
struct array_field {
    const char *name;
    size_t offset;
    size_t stride;
    size_t max;
    size_t count_offset; // int64_t; SIZE_MAX: always max elements
    const struct field *fields;
    size_t field_count;
};

#define ARRAY(member, type_fields, count)                                                          \
    {                                                                                              \
        .name = #member, .offset = offsetof(struct snapshot, member),                              \
        .stride = sizeof(((struct snapshot *)0)->member[0]),                                       \
        .max = ARRAY_LEN(((struct snapshot *)0)->member), .count_offset = (count),                 \
        .fields = (type_fields), .field_count = ARRAY_LEN(type_fields)                             \
    }

static const struct array_field snapshot_arrays[] = {
    ARRAY(stages, stage_fields, SIZE_MAX),
    ARRAY(instances, instance_fields, offsetof(struct snapshot, instance_count)),
    ARRAY(probes, probe_fields, offsetof(struct snapshot, probe_count)),
    ARRAY(functions, function_fields, offsetof(struct snapshot, function_count)),
    ARRAY(timers, timer_fields, offsetof(struct snapshot, timer_count)),
};

static const struct {
    const char *name;
    const char *prefix;
} event_names[EVENT__COUNT] = {
#define EVENT(id, name, prefix) [EVENT_##id] = {name, prefix},
#include "emulator/control/events.def"
#undef EVENT
};

static const char *const command_names[COMMAND__COUNT] = {
#define COMMAND(id, name) [COMMAND_##id] = name,
#include "emulator/control/commands.def"
#undef COMMAND
};

static const char *const serving_names[SERVING__COUNT] = {
    [SERVING_STARTING] = "starting", [SERVING_HEALTHY] = "healthy",
    [SERVING_KEEPING] = "keeping",   [SERVING_FAILED] = "failed",
    [SERVING_ASLEEP] = "asleep",     [SERVING_FORCED] = "forced to sleep",
    [SERVING_STOPPING] = "stopping",
};

const char *event_kind_name(enum event_kind kind)
{
    return kind < EVENT__COUNT ? event_names[kind].name : "unknown";
}

const char *event_kind_prefix(enum event_kind kind)
{
    return kind < EVENT__COUNT ? event_names[kind].prefix : "unknown";
}

const char *serving_name(enum serving serving)
{
    return serving < SERVING__COUNT ? serving_names[serving] : "unknown";
}

const char *command_name(enum command_kind kind)
{
    return kind < COMMAND__COUNT ? command_names[kind] : "unknown";
}

enum command_kind command_from_name(const char *name)
{
    for (size_t i = 0; name && i < COMMAND__COUNT; i++) {
        if (strcmp(command_names[i], name) == 0) {
            return (enum command_kind)i;
        }
    }
    return COMMAND__COUNT;
}

static enum serving serving_from_name(const char *name)
{
    for (size_t i = 0; name && i < SERVING__COUNT; i++) {
        if (strcmp(serving_names[i], name) == 0) {
            return (enum serving)i;
        }
    }
    return SERVING_STARTING;
}

// A copy cut at a character's boundary: half a character would be invalid UTF-8 on the screen.
static void copy_text(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
            len--;
        }
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

static void encode_field(struct cJSON *object, const struct field *field, const char *base)
{
    const void *at = base + field->offset;
    switch (field->kind) {
    case FIELD_OWNED:
        json_put_string(object, field->name, *(char *const *)at);
        break;
    case FIELD_TEXT:
        if (*(const char *)at) {
            json_put_string(object, field->name, at);
        }
        break;
    case FIELD_INT:
        if (*(const int64_t *)at != field->fallback) {
            json_put_int(object, field->name, *(const int64_t *)at);
        }
        break;
    case FIELD_SERVING:
        json_put_string(object, field->name, serving_name(*(const enum serving *)at));
        break;
    }
}

static void decode_field(const struct cJSON *object, const struct field *field, char *base)
{
    void *at = base + field->offset;
    const char *text = json_get_string(object, field->name);
    switch (field->kind) {
    case FIELD_OWNED:
        *(char **)at = str_dup(text);
        break;
    case FIELD_TEXT:
        copy_text(at, field->size, text ? text : "");
        break;
    case FIELD_INT:
        *(int64_t *)at = json_get_int(object, field->name, field->fallback);
        break;
    case FIELD_SERVING:
        *(enum serving *)at = serving_from_name(text);
        break;
    }
}

static void encode_fields(struct cJSON *object, const struct field *fields, size_t count,
                          const void *base)
{
    for (size_t i = 0; i < count; i++) {
        encode_field(object, &fields[i], base);
    }
}

static void decode_fields(const struct cJSON *object, const struct field *fields, size_t count,
                          void *base)
{
    for (size_t i = 0; i < count; i++) {
        decode_field(object, &fields[i], base);
    }
}

struct cJSON *event_encode(const struct event *event)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "kind", event_kind_name(event->kind));
    encode_fields(object, event_fields, ARRAY_LEN(event_fields), event);
    return object;
}

bool event_decode(const struct cJSON *tree, struct event *ret_event)
{
    const char *kind = json_is_object(tree) ? json_get_string(tree, "kind") : NULL;
    for (size_t i = 0; kind && i < EVENT__COUNT; i++) {
        if (strcmp(event_names[i].name, kind) == 0) {
            *ret_event = (struct event){.kind = (enum event_kind)i};
            decode_fields(tree, event_fields, ARRAY_LEN(event_fields), ret_event);
            return true;
        }
    }
    return false;
}

void event_release(struct event *event)
{
    if (!event) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(event_fields); i++) {
        if (event_fields[i].kind == FIELD_OWNED) {
            char **slot = (char **)((char *)event + event_fields[i].offset);
            free(*slot);
            *slot = NULL;
        }
    }
}

static size_t array_count(const struct array_field *array, const struct snapshot *snapshot)
{
    if (array->count_offset == SIZE_MAX) {
        return array->max;
    }
    int64_t count = *(const int64_t *)((const char *)snapshot + array->count_offset);
    if (count < 0) {
        return 0;
    }
    return (size_t)count < array->max ? (size_t)count : array->max;
}

static void encode_array(struct cJSON *object, const struct array_field *array,
                         const struct snapshot *snapshot)
{
    struct cJSON *list = json_new_array();
    size_t count = array_count(array, snapshot);
    for (size_t i = 0; i < count; i++) {
        struct cJSON *element = json_new_object();
        const char *at = (const char *)snapshot + array->offset + i * array->stride;
        encode_fields(element, array->fields, array->field_count, at);
        json_push(list, element);
    }
    json_put_tree(object, array->name, list);
}

// More elements than we know room for are dropped from the front: the newest stand last.
static void decode_array(const struct cJSON *object, const struct array_field *array,
                         struct snapshot *snapshot)
{
    const struct cJSON *list = json_get(object, array->name);
    size_t total = json_is_array(list) ? json_count(list) : 0;
    size_t skip = total > array->max ? total - array->max : 0;
    size_t count = 0;
    for (const struct cJSON *item = total ? json_first(list) : NULL; item; item = json_next(item)) {
        if (skip > 0) {
            skip--;
            continue;
        }
        char *at = (char *)snapshot + array->offset + count * array->stride;
        decode_fields(item, array->fields, array->field_count, at);
        count++;
    }
    if (array->count_offset != SIZE_MAX) {
        *(int64_t *)((char *)snapshot + array->count_offset) = (int64_t)count;
    }
    for (size_t i = count; array->count_offset == SIZE_MAX && i < array->max; i++) {
        decode_fields(NULL, array->fields, array->field_count,
                      (char *)snapshot + array->offset + i * array->stride);
    }
}

struct cJSON *snapshot_encode(const struct snapshot *snapshot)
{
    struct cJSON *object = json_new_object();
    encode_fields(object, snapshot_fields, ARRAY_LEN(snapshot_fields), snapshot);
    for (size_t i = 0; i < ARRAY_LEN(snapshot_arrays); i++) {
        encode_array(object, &snapshot_arrays[i], snapshot);
    }
    return object;
}

bool snapshot_decode(const struct cJSON *tree, struct snapshot *ret_snapshot)
{
    if (!json_is_object(tree)) {
        return false;
    }
    memset(ret_snapshot, 0, sizeof *ret_snapshot);
    decode_fields(tree, snapshot_fields, ARRAY_LEN(snapshot_fields), ret_snapshot);
    for (size_t i = 0; i < ARRAY_LEN(snapshot_arrays); i++) {
        decode_array(tree, &snapshot_arrays[i], ret_snapshot);
    }
    return true;
}

static const struct field error_fields[] = {
    TEXT(error, where), TEXT(error, message), TEXT(error, hint),
    TEXT(error, rule),  TEXT(error, cloud),
};

struct cJSON *error_encode(const struct error *error)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "kind", error_kind_name(error->kind));
    if (error->errnum) {
        json_put_int(object, "errno", error->errnum);
    }
    encode_fields(object, error_fields, ARRAY_LEN(error_fields), error);
    return object;
}

void error_decode(const struct cJSON *tree, struct error *ret_error)
{
    memset(ret_error, 0, sizeof *ret_error);
    ret_error->kind = error_kind_from_name(json_get_string(tree, "kind"));
    int64_t errnum = json_get_int(tree, "errno", 0);
    ret_error->errnum = errnum > 0 && errnum < 4096 ? (int)errnum : 0;
    decode_fields(tree, error_fields, ARRAY_LEN(error_fields), ret_error);
}
