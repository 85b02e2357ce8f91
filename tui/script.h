// What: the test script mode: a file of lines that press keys, wait for something, and dump the
// screen. Why: tests drive the real client against a real engine, without sleeps and without a
// terminal. Lines:  keys TEXT               <Enter> <Tab> <Esc> <C-c> ... by name, "<lt>" for "<"
//         wait idle               nothing runs, everything that came is drawn, quiet for 100 ms
//         wait event NAME [TEXT]  an event of that kind whose JSON holds TEXT; counted from the
//         last wait event wait text TEXT          it stands on the screen wait gone TEXT it does
//         not limit SECONDS           of the waits that follow; default 10 resize COLSxROWS
//         headless only dump FILE               the screen as text quit                    the end,
//         without "stop" # ...                   nothing
// Order: script_open; script_event for each event; script_step once a turn after drawing;
// script_free. Owns: the script's text.
#ifndef TUI_SCRIPT_H
#define TUI_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/error.h"
#include "tui/canvas.h"

struct script;

enum script_want {
    SCRIPT_NOTHING, // a wait goes on: come again with the next turn
    SCRIPT_KEY,     // press .key
    SCRIPT_RESIZE,  // .cols, .rows
    SCRIPT_QUIT,    // "quit", or the last line
    SCRIPT_FAILED,  // *error says which wait, and what the screen was
};

struct script_step {
    enum script_want want;
    uint32_t key;
    int cols, rows;
};

// What a wait looks at.
struct script_view {
    const struct canvas *canvas; // as drawn last
    bool busy;                   // a stage runs, or something is not drawn yet
    int64_t quiet_ms;            // since the engine said anything
    int64_t now_ms;
};

struct script *script_open(const char *path, struct error *error);
void script_event(struct script *script, const struct cJSON *event);
struct script_step script_next(struct script *script, const struct script_view *view,
                               struct error *error);
void script_free(struct script *script);

#endif
