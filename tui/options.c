#include "tui/options.h"

#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/nearest.h"

#define COMMAND_LINE_ONLY 1

const struct option_row option_rows[] = {
#define OPTION(name, letter, value, commands, group, flags, help)                                  \
    {{name, value, ((flags)&COMMAND_LINE_ONLY) != 0}, letter, commands, OPTION_GROUP_##group, help},
#include "tui/options.def"
#undef OPTION
};
const size_t option_row_count = ARRAY_LEN(option_rows);

const char *option_group_title(enum option_group group)
{
    static const char *const titles[OPTION_GROUP__COUNT] = {
        [OPTION_GROUP_SERVING] = N_("Serving"),
        [OPTION_GROUP_PROJECT] = N_("The project in the cloud"),
        [OPTION_GROUP_BUILDING] = N_("Building"),
        [OPTION_GROUP_OUTPUT] = N_("Output"),
        [OPTION_GROUP_GENERAL] = N_("General"),
    };
    return _(titles[group]);
}

bool option_serves(const struct option_row *row, const char *command)
{
    size_t len = strlen(command);
    if (strcmp(row->commands, "*") == 0) {
        return true;
    }
    for (const char *at = row->commands; (at = strstr(at, command)); at += len) {
        bool begins = at == row->commands || at[-1] == ' ';
        if (begins && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

const struct option_row *option_find(const char *name, size_t len, const char *command)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (strlen(row->rule.name) == len && strncmp(row->rule.name, name, len) == 0 &&
            option_serves(row, command)) {
            return row;
        }
    }
    return NULL;
}

const struct option_row *option_find_letter(int letter, const char *command)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_rows[i].letter == letter && option_serves(&option_rows[i], command)) {
            return &option_rows[i];
        }
    }
    return NULL;
}

static const char *list_name(const void *list, size_t index)
{
    return ((const struct strlist *)list)->items[index];
}

// A beginning is a common habit; it is not taken (the next option would change its meaning), but
// understood.
const char *option_suggestion(const char *name, const char *command)
{
    struct strlist names = {0};
    const char *begins = NULL;
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_serves(&option_rows[i], command)) {
            strlist_add(&names, option_rows[i].rule.name);
            if (!begins && *name && str_starts_with(option_rows[i].rule.name, name)) {
                begins = option_rows[i].rule.name;
            }
        }
    }
    const char *near = nearest_name(name, list_name, &names, names.count);
    const struct option_row *row = near ? option_find(near, strlen(near), command) : NULL;
    strlist_clear(&names);
    return row ? row->rule.name : begins;
}

char *option_value_word(const struct option_row *row)
{
    return str_dup_len(row->rule.value, strcspn(row->rule.value, "="));
}
