// What: "File "/home/leanengine/app/app.py", line 12" and "app.py:12:" -> a file of the project and
//       a line.
// Why: the editor has to open where it broke; the app sees other paths than the developer (DESIGN
//      9).
#ifndef TUI_LOCATION_H
#define TUI_LOCATION_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/pane.h"

struct location {
    char path[4096]; // absolute, below the project's directory
    int line;
};

// The place a line of text names, if that file exists in project_dir.
bool location_find(const char *text, size_t len, const char *project_dir,
                   struct location *ret_location);
// Where it broke last: the snapshot's failure, else the newest traceback in the log (its innermost
// frame inside the project).
bool location_of_trouble(const struct snapshot *snapshot, const struct log_source *log,
                         struct location *ret_location);
// The editor's arguments for that place, to be freed with strlist_clear(); through /bin/sh, because
// $EDITOR may hold options.
struct strlist;
void location_editor_argv(const char *editor, const struct location *location,
                          struct strlist *ret_argv);

#endif
