// What: a pane: one struct of operations, one file, one row in panes.def.
// Why: panes know the model and a canvas, nothing of each other, of curses or of the socket. What a
//      key changes outside the pane comes back as effect bits, which one place (app.c, app_loop.c)
//      applies.
// Order: init; then for every frame in which it is visible: update (may read the log for the rows
//        that will be seen), draw (pure); key whenever it is focused; release.
// Owns: its state.
#ifndef TUI_PANE_H
#define TUI_PANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/control/protocol.h"
#include "emulator/logs/journal.h"
#include "tui/canvas.h"
#include "tui/keymap.h"

// Where log records come from: the journal's files, or a table in tests.
struct log_source {
    void *context;
    void (*range)(void *context, uint64_t *ret_first, uint64_t *ret_last);
    bool (*read)(void *context, uint64_t seq, struct journal_record *ret_record);
};

struct pane_model {
    const struct snapshot *snapshot; // never NULL
    const struct log_source *log;    // never NULL
    uint64_t build_seq;              // near the newest build record, as far as known; 0: not known
    int64_t wall_ms;                 // now, for durations of what runs
    bool compact;                    // little room: leave out what can be left out
};

enum pane_effect {      // bits
    EFFECT_MESSAGE = 1, // *ret_message has something to say
    EFFECT_SEARCH = 2,  // open the search line
    EFFECT_FILTER = 4,  // open the filter line
    EFFECT_COPY = 8,    // copy_text has something for the clipboard
    EFFECT_JUMP = 16,   // Logs shall show place
    EFFECT_PROMPT = 32, // open the prompt line
};

struct pane_place { // lines of the log: of that source, within these times
    int64_t from_ms, to_ms;
    const char *source; // "": any
};

struct pane_ops {
    const char *name;  // stable
    const char *title; // for _()
    unsigned keymaps;  // bits of enum keymap besides GLOBAL
    // Only draw is needed; the others may be NULL.
    void *(*init)(void);
    void (*release)(void *state);
    void (*update)(void *state, const struct pane_model *model, int cols, int rows);
    // Returns effects. *ret_message is constant text in the user's language.
    unsigned (*key)(void *state, const struct pane_model *model, enum action action,
                    const char **ret_message);
    void (*draw)(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect);
    const char *(*right_title)(const void *state);
    // The search or filter line was entered. Returns a message or NULL.
    const char *(*search)(void *state, const struct pane_model *model, const char *pattern);
    const char *(*filter)(void *state, const struct pane_model *model, const char *pattern);
    // For EFFECT_PROMPT: what stands in front of the line, and in it at first.
    const char *(*prompt)(const void *state, const struct pane_model *model, const char **ret_text);
    // The prompt line was entered. Returns a message or NULL.
    const char *(*enter)(void *state, const struct pane_model *model, const char *text);
    // What it wants to know of the engine now: a command, asked while the pane has the focus, and
    // a number of its own that comes back with the reply. NULL: nothing.
    struct cJSON *(*ask)(void *state, const struct pane_model *model, int *ret_question);
    // Returns effects, as key does.
    unsigned (*answer)(void *state, const struct pane_model *model, int question,
                       const struct cJSON *reply, const char **ret_message);
    // For EFFECT_COPY: the text, the state's; *ret_what names it in a word.
    const char *(*copy_text)(void *state, const char **ret_what);
    bool (*place)(const void *state, struct pane_place *ret_place); // for EFFECT_JUMP
    // Goes there. Returns a message or NULL.
    const char *(*jump)(void *state, const struct pane_model *model,
                        const struct pane_place *place);
};

enum pane_id {
#define PANE(id, ops) PANE_##id,
#include "tui/panes.def"
#undef PANE
    PANE__COUNT,
};

#define PANE(id, ops) extern const struct pane_ops ops;
#include "tui/panes.def"
#undef PANE

const struct pane_ops *pane_get(enum pane_id id);

#endif
