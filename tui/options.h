// What: the program's options as rows, and what may stand behind each.
// Why: command line, help and `.leanlocal.yaml` read the same rows (DESIGN 2).
// Order: option_find() a name, option_check() a value's text; option_put() it among the others.
// Owns: nothing; the rows are constant. options.def holds them.
#ifndef TUI_OPTIONS_H
#define TUI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/control/project_options.h"
#include "sandbox/base/error.h"

struct cJSON;

enum option_group { // in the order of the help
    OPTION_GROUP_SERVING,
    OPTION_GROUP_PROJECT,
    OPTION_GROUP_BUILDING,
    OPTION_GROUP_OUTPUT,
    OPTION_GROUP_GENERAL,
    OPTION_GROUP__COUNT,
};

struct option_row {
    struct option_rule rule; // name, value, whether a project's file may set it
    int letter;              // 0: none
    const char *commands;
    enum option_group group;
    const char *help; // N_()
};
extern const struct option_row option_rows[];
extern const size_t option_row_count;

const char *option_group_title(enum option_group group); // translated
bool option_serves(const struct option_row *row, const char *command);
// NULL: command has none of that name.
const struct option_row *option_find(const char *name, size_t len, const char *command);
const struct option_row *option_find_letter(int letter, const char *command);
// Of all options that a user of command may have meant by name, the nearest; NULL: none.
const char *option_suggestion(const char *name, const char *command);
// The word that the help shows for the value: "PORT", "NAME"; "" for a switch. Owned by the caller.
char *option_value_word(const struct option_row *row);

#endif
