#include "sandbox/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *pointer)
{
    if (!pointer) {
        abort();
    }
    return pointer;
}

void *mem_alloc(size_t size)
{
    return must(calloc(1, size ? size : 1));
}

void *mem_resize(void *pointer, size_t size)
{
    return must(realloc(pointer, size ? size : 1));
}

char *str_dup(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}

char *str_dup_len(const char *bytes, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

char *str_vprintf(const char *format, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    return must(len < 0 ? NULL : text);
}

char *str_printf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = str_vprintf(format, args);
    va_end(args);
    return text;
}

void str_replace(char **slot, const char *text)
{
    char *copy = str_dup(text);
    free(*slot);
    *slot = copy;
}

bool str_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

bool str_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_empty(const char *text)
{
    return !text || !*text;
}

void strlist_take(struct strlist *list, char *text)
{
    // Grows by doubling at powers of two: no capacity field to keep true.
    size_t used = list->count + 1;
    if (!list->items || (used & (used - 1)) == 0) {
        list->items = mem_resize(list->items, (used + 1) * 2 * sizeof *list->items);
    }
    list->items[list->count++] = text;
    list->items[list->count] = NULL;
}

void strlist_add(struct strlist *list, const char *text)
{
    strlist_take(list, str_dup(text));
}

void strlist_addf(struct strlist *list, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strlist_take(list, str_vprintf(format, args));
    va_end(args);
}

bool strlist_contains(const struct strlist *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void strlist_copy(struct strlist *list, const struct strlist *from)
{
    for (size_t i = 0; i < from->count; i++) {
        strlist_add(list, from->items[i]);
    }
}

void strlist_clear(struct strlist *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct strlist){0};
}

static char **env_slot(const struct strlist *env, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < env->count; i++) {
        if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=') {
            return &env->items[i];
        }
    }
    return NULL;
}

const char *strlist_env_get(const struct strlist *env, const char *name)
{
    char **slot = env_slot(env, name);
    return slot ? *slot + strlen(name) + 1 : NULL;
}

void strlist_env_set(struct strlist *env, const char *name, const char *value)
{
    char **slot = env_slot(env, name);
    char *entry = str_printf("%s=%s", name, value);
    if (slot) {
        free(*slot);
        *slot = entry;
    } else {
        strlist_take(env, entry);
    }
}
