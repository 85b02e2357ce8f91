// What: the full-screen client: its state, what keys do to it, and how it is drawn; and the loop
//       that runs it.
// Why: state and drawing are pure, so that goldens and the script mode drive them without a
//      terminal.
// Order: screen_run() is all that commands call. Tests: app_init, app_snapshot/app_event, app_key,
//        app_draw.
// Owns: the panes' state. The client stays the caller's.
// Not: curses (screen.c alone), the engine's decisions.
#ifndef TUI_APP_H
#define TUI_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "tui/pane.h"

struct client;

struct screen_options {
    bool ascii;              // --ascii; also forced where the locale is not UTF-8
    bool no_color;           // --no-color; NO_COLOR is looked at here too
    bool attached;           // a second client of a running engine: quitting leaves it running
    const char *script_path; // test script mode (script.h); NULL: a person
};

// Runs until the engine ends or the person quits. Returns the DONE event's status; 0 after
// quitting; 3 when the engine vanished (said on stderr after the terminal is restored); 128+n for a
// signal; 4 when a script's wait failed (what it saw is on stderr). The caller has sent "start" or
// "hello".
int screen_run(struct client *client, const struct screen_options *options);

// ---- the pure part ----

enum app_effect { // bits: what a key asks of the loop
    APP_QUIT = 1,
    APP_RELOAD = 2,
    APP_RESTART = 4,
    APP_EDIT = 8,
    APP_SUSPEND = 16,
    APP_REPAINT = 32,
    APP_INSTALL_PYTHON = 64,
    APP_CANCEL_INSTALL = 128,
    APP_TYPE = 256, // app_typed() is for the app
    APP_COPY = 512, // app_copied() is for the clipboard
};

#define APP_COLS_MIN 30
#define APP_ROWS_MIN 6

struct app;
struct app *app_new(void);
void app_free(struct app *app);
// *log lives as long as the app.
void app_set_log(struct app *app, const struct log_source *log);
void app_snapshot(struct app *app, const struct snapshot *snapshot, int64_t wall_ms);
void app_event(struct app *app, const struct event *event);
void app_journal(struct app *app, uint64_t last_seq);
// Returns effects.
unsigned app_key(struct app *app, uint32_t key);
// What the last key sends to the app's terminal.
const char *app_typed(const struct app *app);
// What the pane with the focus wants of the engine; the caller sends it and tells its id by
// app_asked(). NULL: nothing.
struct cJSON *app_ask(struct app *app);
void app_asked(struct app *app, int64_t id);
// The reply of that id. false: nobody of the panes asked. *ret_effects: as of a key.
bool app_answer(struct app *app, int64_t id, const struct cJSON *reply, unsigned *ret_effects);
// The text that was last to be copied, and a word for it. NULL: none.
const char *app_copied(const struct app *app, const char **ret_what);
// A word in the summary's place until the next key.
void app_say(struct app *app, const char *message);
// The whole screen; wall_ms: now.
void app_draw(struct app *app, struct canvas *canvas, int64_t wall_ms);
const struct snapshot *app_get_snapshot(const struct app *app);
// Something on the screen counts time: draw again soon.
bool app_is_ticking(const struct app *app);

#endif
