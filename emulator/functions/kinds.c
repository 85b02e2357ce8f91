#include "emulator/functions/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

struct kind_row {
    enum function_kind kind;
    const char *shown;  // a class hook's is behind "Class."
    const char *listed; // a class hook's is before the class
    const char *path;   // NULL: a hook of classes
    enum function_limit limit;
    enum function_body body;
};

static const struct kind_row rows[] = {
#define CLASS_HOOK(id, hook, listed, limit)                                                        \
    {FUNCTION_##id, hook, listed, NULL, FUNCTION_LIMIT_##limit, FUNCTION_BODY_OBJECT},
#define ONE_HOOK(id, shown, listed, path, limit, body)                                             \
    {FUNCTION_##id, shown, listed, path, FUNCTION_LIMIT_##limit, FUNCTION_BODY_##body},
#define REALTIME_HOOK(name)
#include "emulator/functions/kinds.def"
#undef CLASS_HOOK
#undef ONE_HOOK
#undef REALTIME_HOOK
};

static const char *const realtime_names[] = {
#define CLASS_HOOK(id, hook, listed, limit)
#define ONE_HOOK(id, shown, listed, path, limit, body)
#define REALTIME_HOOK(name) name,
#include "emulator/functions/kinds.def"
#undef CLASS_HOOK
#undef ONE_HOOK
#undef REALTIME_HOOK
};

static const char forms[] =
#define CLASS_HOOK(id, hook, listed, limit)            "Class." hook " "
#define ONE_HOOK(id, shown, listed, path, limit, body) shown " "
#define REALTIME_HOOK(name)
#include "emulator/functions/kinds.def"
#undef CLASS_HOOK
#undef ONE_HOOK
#undef REALTIME_HOOK
    "_messageReceived …";

static const struct kind_row *row_of(enum function_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].kind == kind) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool is_realtime(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(realtime_names); i++) {
        if (strcmp(realtime_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void make_hook(const struct kind_row *row, const char *class_name, size_t len,
                      struct function *ret_function)
{
    if (row->path) {
        *ret_function = (struct function){row->kind, str_dup(row->shown), str_dup(row->path)};
        return;
    }
    *ret_function = (struct function){
        row->kind,
        str_printf("%.*s.%s", (int)len, class_name, row->shown),
        str_printf("%.*s/%s", (int)len, class_name, row->shown),
    };
}

void function_plain(const char *name, struct function *ret_function)
{
    *ret_function = (struct function){FUNCTION_PLAIN, str_dup(name), str_dup(name)};
}

static void make_realtime(const char *name, struct function *ret_function)
{
    function_plain(name, ret_function);
    ret_function->kind = FUNCTION_REALTIME;
}

void function_from_listed(const char *listed, struct function *ret_function)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct kind_row *row = &rows[i];
        const char *class_name = listed + strlen(row->listed);
        if (row->path ? strcmp(listed, row->listed) == 0
                      : str_starts_with(listed, row->listed) && *class_name) {
            make_hook(row, class_name, strlen(class_name), ret_function);
            return;
        }
    }
    if (is_realtime(listed)) {
        make_realtime(listed, ret_function);
    } else {
        function_plain(listed, ret_function);
    }
}

bool function_hook_from_name(const char *name, struct function *ret_function)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct kind_row *row = &rows[i];
        if (row->path ? strcmp(name, row->shown) == 0
                      : dot && dot > name && strcmp(dot + 1, row->shown) == 0) {
            make_hook(row, name, dot ? (size_t)(dot - name) : 0, ret_function);
            return true;
        }
    }
    if (!is_realtime(name)) {
        return false;
    }
    make_realtime(name, ret_function);
    return true;
}

void function_release(struct function *function)
{
    free(function->name);
    free(function->path);
    *function = (struct function){0};
}

bool function_is_hook(enum function_kind kind)
{
    return kind != FUNCTION_PLAIN;
}

enum function_body function_body(enum function_kind kind)
{
    const struct kind_row *row = row_of(kind);
    return row ? row->body : FUNCTION_BODY_PLAIN;
}

const char *function_mark(enum function_kind kind)
{
    const struct kind_row *row = row_of(kind);
    if (!row || row->path) {
        return NULL;
    }
    return str_starts_with(row->listed, "__before") ? "__before" : "__after";
}

enum function_limit function_limit(enum function_kind kind)
{
    const struct kind_row *row = row_of(kind);
    if (kind == FUNCTION_PLAIN) {
        return FUNCTION_LIMIT_CALL;
    }
    return row ? row->limit : FUNCTION_LIMIT_OTHER;
}

const char *function_hook_forms(void)
{
    return forms;
}
