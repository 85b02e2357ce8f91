#include "emulator/formats/diagnostics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/base/mem.h"

// A project that warns more often than this has one problem, not a thousand.
#define DIAGNOSTICS_MAX 200

void diagnostics_add(struct diagnostics *list, enum diagnostic_severity severity, const char *file,
                     int line, int column, const char *rule, const char *hint, const char *format,
                     ...)
{
    if (!list || list->count >= DIAGNOSTICS_MAX) {
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    list->items = mem_resize(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = (struct diagnostic){
        .severity = severity,
        .file = str_dup(file),
        .line = line,
        .column = column,
        .rule = str_dup(rule),
        .text = str_dup(text),
        .hint = str_dup(hint),
    };
}

void diagnostics_clear(struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].file);
        free(list->items[i].rule);
        free(list->items[i].text);
        free(list->items[i].hint);
    }
    free(list->items);
    *list = (struct diagnostics){0};
}
