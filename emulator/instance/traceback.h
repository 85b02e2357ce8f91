// What: follows a process' stderr line by line and remembers what it says broke. Pure.
// Why: "SyntaxError: invalid syntax in app.py:12" belongs on the status line, not only in the log.
// Owns: fixed buffers only.
#ifndef EMULATOR_INSTANCE_TRACEBACK_H
#define EMULATOR_INSTANCE_TRACEBACK_H

#include <stdbool.h>
#include <stddef.h>

#define TRACEBACK_LINES 8

struct traceback {
    char file[200]; // of the last frame inside the app's root, relative to it
    int line;
    bool open;         // between "Traceback" (or a File line) and the exception's line
    char trouble[480]; // "app.py:12: KeyError: 'name'", or "" so far
    char lines[TRACEBACK_LINES][240]; // last lines as they came, cut
    size_t line_count;                // in all
};

// app_root: "/home/leanengine/app".
void traceback_feed(struct traceback *traceback, const char *app_root, const char *text,
                    size_t len);

#endif
