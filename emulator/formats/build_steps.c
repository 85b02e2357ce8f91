// The life of build steps; leanengine_yaml.c reads them.

#include <stdlib.h>

#include "emulator/formats/leanengine_yaml.h"

void build_steps_copy(struct build_steps *to, const struct build_steps *from)
{
    *to = (struct build_steps){.given = from->given, .count = from->count};
    to->items = mem_alloc(from->count * sizeof *to->items);
    for (size_t i = 0; i < from->count; i++) {
        to->items[i] = (struct build_step){.kind = from->items[i].kind,
                                           .text = str_dup(from->items[i].text),
                                           .line = from->items[i].line};
        strlist_copy(&to->items[i].files, &from->items[i].files);
    }
}

void build_steps_release(struct build_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        free(steps->items[i].text);
        strlist_clear(&steps->items[i].files);
    }
    free(steps->items);
    *steps = (struct build_steps){0};
}
