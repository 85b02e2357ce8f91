// What: follows a process' stderr line by line and remembers what it says broke. Pure.
// Why: "SyntaxError: invalid syntax in app.py:12" belongs on the status line, not only in the log;
//      the whole of it tells the cause (emulator/blame).
// Owns: fixed buffers only.
#ifndef EMULATOR_INSTANCE_TRACEBACK_H
#define EMULATOR_INSTANCE_TRACEBACK_H

#include <stdbool.h>
#include <stddef.h>

#define TRACEBACK_LINES 8
#define TRACEBACK_BYTES 16384

struct traceback {
    char file[200]; // of the last frame inside the app's root, relative to it
    int line;
    bool open;         // between "Traceback" (or a File line) and the exception's line
    char trouble[480]; // "app.py:12: KeyError: 'name'", or "" so far
    char lines[TRACEBACK_LINES][240]; // last lines as they came, cut
    size_t line_count;                // in all
    char text[TRACEBACK_BYTES];       // the last traceback and those it is chained to; their end
    size_t text_len;
    bool chained; // the next one belongs to it
};

// app_root: "/home/leanengine/app".
void traceback_feed(struct traceback *traceback, const char *app_root, const char *text,
                    size_t len);

#endif
