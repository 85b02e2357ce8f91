#include "sandbox/base/json.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/utf8.h"

#define EXACT_INTEGER ((int64_t)1 << 53)

struct cJSON *json_parse(const char *bytes, size_t len, const char *name, struct error *error)
{
    const char *end = NULL;
    struct cJSON *tree = cJSON_ParseWithLengthOpts(bytes, len, &end, false);
    size_t at = tree || end ? (size_t)(end - bytes) : 0;
    if (tree) {
        while (at < len && strchr(" \t\r\n", bytes[at]) && bytes[at]) {
            at++;
        }
        if (at == len) {
            return tree;
        }
        cJSON_Delete(tree);
    }
    int line = 1;
    int column = 1;
    for (size_t i = 0; i < at && i < len; i++) {
        column = bytes[i] == '\n' ? 1 : column + 1;
        line += bytes[i] == '\n';
    }
    error_set(error, ERROR_USAGE, "%s:%d:%d: not valid JSON", name, line, column);
    return NULL;
}

char *json_print(const struct cJSON *tree)
{
    return cJSON_PrintUnformatted(tree);
}

void json_free(struct cJSON *tree)
{
    cJSON_Delete(tree);
}

struct cJSON *json_new_object(void)
{
    return cJSON_CreateObject();
}

struct cJSON *json_new_array(void)
{
    return cJSON_CreateArray();
}

static struct cJSON *new_string(const char *text)
{
    auto_free char *valid = utf8_valid(text, strlen(text));
    return cJSON_CreateString(valid);
}

void json_put_string(struct cJSON *object, const char *name, const char *text)
{
    if (text) {
        cJSON_AddItemToObject(object, name, new_string(text));
    }
}

void json_put_int(struct cJSON *object, const char *name, int64_t value)
{
    if (value > -EXACT_INTEGER && value < EXACT_INTEGER) {
        cJSON_AddNumberToObject(object, name, (double)value);
    } else {
        auto_free char *text = str_printf("%lld", (long long)value);
        cJSON_AddStringToObject(object, name, text);
    }
}

void json_put_bool(struct cJSON *object, const char *name, bool value)
{
    cJSON_AddBoolToObject(object, name, value);
}

void json_put_tree(struct cJSON *object, const char *name, struct cJSON *tree)
{
    cJSON_AddItemToObject(object, name, tree);
}

void json_put_strings(struct cJSON *object, const char *name, const struct strlist *list)
{
    struct cJSON *array = json_new_array();
    for (size_t i = 0; i < list->count; i++) {
        json_push_string(array, list->items[i]);
    }
    json_put_tree(object, name, array);
}

void json_remove(struct cJSON *object, const char *name)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

void json_push(struct cJSON *array, struct cJSON *tree)
{
    cJSON_AddItemToArray(array, tree);
}

void json_push_string(struct cJSON *array, const char *text)
{
    cJSON_AddItemToArray(array, new_string(text));
}

const struct cJSON *json_get(const struct cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *json_string(const struct cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

const char *json_get_string(const struct cJSON *object, const char *name)
{
    return json_string(json_get(object, name));
}

int64_t json_get_int(const struct cJSON *object, const char *name, int64_t fallback)
{
    const struct cJSON *item = json_get(object, name);
    if (cJSON_IsNumber(item)) {
        double value = item->valuedouble;
        return value > -9.2e18 && value < 9.2e18 ? (int64_t)value : fallback;
    }
    if (cJSON_IsString(item) && *item->valuestring) {
        char *end;
        long long value = strtoll(item->valuestring, &end, 10);
        return *end ? fallback : value;
    }
    return fallback;
}

bool json_get_bool(const struct cJSON *object, const char *name, bool fallback)
{
    const struct cJSON *item = json_get(object, name);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

void json_get_strings(const struct cJSON *object, const char *name, struct strlist *list)
{
    const struct cJSON *array = json_get(object, name);
    for (const struct cJSON *item = json_first(array); item; item = json_next(item)) {
        if (json_string(item)) {
            strlist_add(list, json_string(item));
        }
    }
}

size_t json_count(const struct cJSON *array)
{
    return array ? (size_t)cJSON_GetArraySize(array) : 0;
}

const struct cJSON *json_first(const struct cJSON *array)
{
    return array ? array->child : NULL;
}

const struct cJSON *json_next(const struct cJSON *item)
{
    return item->next;
}

const char *json_name(const struct cJSON *item)
{
    return item->string;
}

bool json_is_object(const struct cJSON *item)
{
    return cJSON_IsObject(item);
}

bool json_is_array(const struct cJSON *item)
{
    return cJSON_IsArray(item);
}
