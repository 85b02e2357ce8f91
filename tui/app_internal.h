// What: the screen's one state, shared by app.c (keys, what the engine says) and app_draw.c (how it
//       looks).
// Not: for anybody else.
#ifndef TUI_APP_INTERNAL_H
#define TUI_APP_INTERNAL_H

#include "tui/app.h"
#include "tui/input.h"
#include "tui/status.h"

enum dialog {
    DIALOG_NONE,
    DIALOG_SEARCH,
    DIALOG_FILTER,
    DIALOG_PROMPT,
};

#define QUESTIONS_MAX 8

struct question { // of a pane, on its way to the engine
    int64_t id;   // 0: free; -1: not sent yet
    enum pane_id pane;
    int number;
};

struct app {
    struct snapshot snapshot;
    const struct log_source *log;
    uint64_t journal_last;
    uint64_t build_seq;
    struct meters meters;
    void *states[PANE__COUNT];
    enum pane_id focus;
    enum pane_id before_help;
    bool by_hand; // the person chose the pane: it stays
    bool zoomed;
    bool typing; // keys go to the app
    char typed[16];
    enum dialog dialog;
    struct input input;
    char message[256];
    struct question questions[QUESTIONS_MAX];
    enum pane_id copies; // whose copy_text it is
};

// What panes see of it. canvas NULL: it is not being drawn.
struct pane_model app_model(const struct app *app, const struct canvas *canvas, int64_t wall_ms);
// The maps whose keys do something now.
unsigned app_keymaps(const struct app *app);

#endif
