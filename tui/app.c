// State, keys, layout. Layouts: compact (little room: no frames), one pane, two columns (Logs left,
// Build and Health right); "z" gives one pane everything.
#include "tui/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/input.h"
#include "tui/status.h"

#define WIDE_COLS    140
#define WIDE_ROWS    20
#define COMPACT_COLS 60
#define COMPACT_ROWS 14

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

static const struct pane_ops *const panes[PANE__COUNT] = {
#define PANE(id, ops) [PANE_##id] = &(ops),
#include "tui/panes.def"
#undef PANE
};

const struct pane_ops *pane_get(enum pane_id id)
{
    return panes[id];
}

// ---- an empty log, until the journal is there ----

static void empty_range(void *context, uint64_t *ret_first, uint64_t *ret_last)
{
    (void)context;
    *ret_first = 1;
    *ret_last = 0;
}

static bool empty_read(void *context, uint64_t seq, struct journal_record *ret_record)
{
    (void)context;
    (void)seq;
    (void)ret_record;
    return false;
}

static const struct log_source empty_log = {.range = empty_range, .read = empty_read};

// ---- life ----

struct app *app_new(void)
{
    struct app *app = mem_alloc(sizeof *app);
    app->log = &empty_log;
    app->snapshot.healthy_ms = -1;
    for (int i = 0; i < PANE__COUNT; i++) {
        app->states[i] = panes[i]->init ? panes[i]->init() : NULL;
    }
    return app;
}

void app_free(struct app *app)
{
    if (!app) {
        return;
    }
    for (int i = 0; i < PANE__COUNT; i++) {
        if (panes[i]->release) {
            panes[i]->release(app->states[i]);
        }
    }
    free(app);
}

void app_set_log(struct app *app, const struct log_source *log)
{
    app->log = log;
}

const struct snapshot *app_get_snapshot(const struct app *app)
{
    return &app->snapshot;
}

void app_say(struct app *app, const char *message)
{
    snprintf(app->message, sizeof app->message, "%s", message);
}

bool app_is_ticking(const struct app *app)
{
    return snapshot_running_stage(&app->snapshot) != NULL;
}

// ---- what comes from the engine ----

static bool is_build_stage(const char *name)
{
    return strcmp(name, "detect") == 0 || strcmp(name, "python") == 0 ||
           strcmp(name, "install") == 0 || strcmp(name, "build") == 0;
}

// The pane that answers the question of the moment, until the person picks one.
static enum pane_id pane_of_moment(const struct snapshot *snapshot)
{
    const struct snapshot_stage *stage = snapshot_running_stage(snapshot);
    switch (snapshot->serving) {
    case SERVING_STARTING:
        return stage && is_build_stage(stage->name) ? PANE_BUILD : PANE_LOGS;
    case SERVING_FAILED:
        return is_build_stage(snapshot->failure_stage) ? PANE_BUILD : PANE_HEALTH;
    default:
        return PANE_LOGS;
    }
}

void app_snapshot(struct app *app, const struct snapshot *snapshot, int64_t wall_ms)
{
    app->snapshot = *snapshot;
    meters_sample(&app->meters, snapshot, wall_ms);
    if (!app->by_hand && app->focus != PANE_HELP) {
        app->focus = pane_of_moment(snapshot);
    }
}

void app_event(struct app *app, const struct event *event)
{
    if (event->stage && is_build_stage(event->stage)) {
        // The journal's own record of it is near; a flood of the app's lines behind it is not
        // walked through.
        app->build_seq = app->journal_last + 1000;
    }
}

void app_journal(struct app *app, uint64_t last_seq)
{
    app->journal_last = last_seq;
}

// ---- keys ----

static struct pane_model model_of(const struct app *app, const struct canvas *canvas,
                                  int64_t wall_ms)
{
    return (struct pane_model){
        .snapshot = &app->snapshot,
        .log = app->log,
        .build_seq = app->build_seq,
        .wall_ms = wall_ms,
        .compact = canvas && (canvas->cols < COMPACT_COLS || canvas->rows < COMPACT_ROWS),
    };
}

static void focus_pane(struct app *app, enum pane_id pane)
{
    app->focus = pane;
    app->by_hand = true;
}

static void toggle_help(struct app *app)
{
    if (app->focus == PANE_HELP) {
        app->focus = app->before_help;
    } else {
        app->before_help = app->focus;
        app->focus = PANE_HELP;
    }
}

static void open_dialog(struct app *app, enum dialog dialog)
{
    app->dialog = dialog;
    input_clear(&app->input);
}

// A pane speaks of lines of the log: Logs shows them.
static void jump(struct app *app, enum pane_id pane)
{
    struct pane_model model = model_of(app, NULL, 0);
    struct pane_place place;
    if (panes[pane]->place(app->states[pane], &place)) {
        const char *message = panes[PANE_LOGS]->jump(app->states[PANE_LOGS], &model, &place);
        focus_pane(app, PANE_LOGS);
        if (message) {
            app_say(app, message);
        }
    }
}

// What a pane's key or answer asks for, but for dialogs. Returns effects for the loop.
static unsigned apply_effects(struct app *app, enum pane_id pane, unsigned effects,
                              const char *message)
{
    if (effects & EFFECT_MESSAGE) {
        app_say(app, message);
    }
    if (effects & EFFECT_JUMP) {
        jump(app, pane);
    }
    if (effects & EFFECT_COPY) {
        app->copies = pane;
        return APP_COPY;
    }
    return 0;
}

static unsigned pane_action(struct app *app, enum action action)
{
    const struct pane_ops *ops = panes[app->focus];
    struct pane_model model = model_of(app, NULL, 0);
    const char *message = NULL;
    unsigned effects = ops->key ? ops->key(app->states[app->focus], &model, action, &message) : 0;
    if (effects & EFFECT_SEARCH && ops->search) {
        open_dialog(app, DIALOG_SEARCH);
    }
    if (effects & EFFECT_FILTER && ops->filter) {
        open_dialog(app, DIALOG_FILTER);
    }
    if (effects & EFFECT_PROMPT && ops->prompt) {
        const char *text;
        open_dialog(app, DIALOG_PROMPT);
        ops->prompt(app->states[app->focus], &model, &text);
        input_set(&app->input, text);
    }
    return apply_effects(app, app->focus, effects, message);
}

static unsigned apply_action(struct app *app, enum action action)
{
    const int cycle = PANE_HELP; // panes before Help take turns
    switch (action) {
    case ACTION_NEXT_PANE:
        focus_pane(app,
                   app->focus == PANE_HELP ? PANE_LOGS : (enum pane_id)((app->focus + 1) % cycle));
        return 0;
    case ACTION_PREVIOUS_PANE:
        focus_pane(app, (enum pane_id)((app->focus + cycle - 1) % cycle));
        return 0;
    case ACTION_PANE_1:
        focus_pane(app, PANE_LOGS);
        return 0;
    case ACTION_PANE_2:
        focus_pane(app, PANE_BUILD);
        return 0;
    case ACTION_PANE_3:
        focus_pane(app, PANE_HEALTH);
        return 0;
    case ACTION_PANE_4:
        focus_pane(app, PANE_REQUESTS);
        return 0;
    case ACTION_PANE_5:
        focus_pane(app, PANE_FUNCTIONS);
        return 0;
    case ACTION_ZOOM:
        app->zoomed = !app->zoomed;
        return 0;
    case ACTION_HELP:
        toggle_help(app);
        return 0;
    case ACTION_CANCEL:
        if (app->focus == PANE_HELP) {
            toggle_help(app);
            return 0;
        }
        break;
    case ACTION_RELOAD:
        return APP_RELOAD;
    case ACTION_RESTART:
        return APP_RESTART;
    case ACTION_EDIT:
        return APP_EDIT;
    case ACTION_INSTALL_PYTHON:
    case ACTION_INSTALL_OTHER:
        return APP_INSTALL_PYTHON;
    case ACTION_CANCEL_INSTALL:
        return APP_CANCEL_INSTALL;
    case ACTION_TYPE:
        focus_pane(app, PANE_LOGS);
        app->typing = true;
        return 0;
    case ACTION_REPAINT:
        return APP_REPAINT;
    case ACTION_SUSPEND:
        return APP_SUSPEND;
    case ACTION_QUIT:
        return APP_QUIT;
    default:
        break;
    }
    return pane_action(app, action);
}

static void finish_dialog(struct app *app)
{
    const struct pane_ops *ops = panes[app->focus];
    struct pane_model model = model_of(app, NULL, 0);
    const char *(*enter)(void *, const struct pane_model *, const char *) =
        app->dialog == DIALOG_SEARCH   ? ops->search
        : app->dialog == DIALOG_FILTER ? ops->filter
                                       : ops->enter;
    const char *message = enter(app->states[app->focus], &model, app->input.text);
    app->dialog = DIALOG_NONE;
    if (message) {
        app_say(app, message);
    }
}

static void dialog_key(struct app *app, uint32_t key)
{
    switch (input_key(&app->input, key)) {
    case INPUT_ENTERED:
        finish_dialog(app);
        break;
    case INPUT_CANCELLED:
        app->dialog = DIALOG_NONE;
        break;
    case INPUT_GOES_ON:
        break;
    }
}

static unsigned active_maps(const struct app *app)
{
    if (app->typing) {
        return KEYMAP_TYPING;
    }
    unsigned maps = KEYMAP_GLOBAL | panes[app->focus]->keymaps;
    maps |= app->snapshot.debug ? KEYMAP_DEBUG : 0;
    if (*app->snapshot.install_offer) {
        bool missing = strcmp(app->snapshot.failure_stage, "python") == 0;
        maps |= missing ? KEYMAP_MISSING : KEYMAP_OFFERED;
    }
    maps |= *app->snapshot.installing ? KEYMAP_INSTALLING : 0;
    return maps;
}

const char *app_typed(const struct app *app)
{
    return app->typed;
}

static unsigned typing_key(struct app *app, uint32_t key)
{
    if (keymap_action(KEYMAP_TYPING, key) == ACTION_STOP_TYPING) {
        app->typing = false;
        return 0;
    }
    if (keymap_action(KEYMAP_GLOBAL, key) == ACTION_SUSPEND) {
        return APP_SUSPEND; // it would stop the app for good
    }
    char bytes[8];
    size_t len = keymap_terminal_bytes(key, bytes);
    memcpy(app->typed, bytes, len);
    app->typed[len] = '\0';
    return APP_TYPE;
}

unsigned app_key(struct app *app, uint32_t key)
{
    app->message[0] = '\0';
    if (app->typing) {
        return typing_key(app, key);
    }
    if (app->dialog != DIALOG_NONE) {
        dialog_key(app, key);
        return 0;
    }
    return apply_action(app, keymap_action(active_maps(app), key));
}

// ---- what panes ask the engine ----

struct cJSON *app_ask(struct app *app)
{
    const struct pane_ops *ops = panes[app->focus];
    struct pane_model model = model_of(app, NULL, 0);
    for (size_t i = 0; ops->ask && i < ARRAY_LEN(app->questions); i++) {
        struct question *question = &app->questions[i];
        if (question->id == 0) {
            struct cJSON *command = ops->ask(app->states[app->focus], &model, &question->number);
            question->pane = app->focus;
            question->id = command ? -1 : 0;
            return command;
        }
    }
    return NULL;
}

static struct question *find_question(struct app *app, int64_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(app->questions); i++) {
        if (app->questions[i].id == id) {
            return &app->questions[i];
        }
    }
    return NULL;
}

void app_asked(struct app *app, int64_t id)
{
    struct question *question = find_question(app, -1);
    if (question) {
        question->id = id;
    }
}

bool app_answer(struct app *app, int64_t id, const struct cJSON *reply, unsigned *ret_effects)
{
    struct question *question = id > 0 ? find_question(app, id) : NULL;
    if (!question) {
        return false;
    }
    struct pane_model model = model_of(app, NULL, 0);
    const char *message = NULL;
    enum pane_id pane = question->pane;
    question->id = 0;
    unsigned effects =
        panes[pane]->answer(app->states[pane], &model, question->number, reply, &message);
    *ret_effects = apply_effects(app, pane, effects, message);
    return true;
}

const char *app_copied(const struct app *app, const char **ret_what)
{
    const struct pane_ops *ops = panes[app->copies];
    return ops->copy_text ? ops->copy_text(app->states[app->copies], ret_what) : NULL;
}

// ---- drawing ----

static void draw_pane(struct app *app, enum pane_id id, const struct pane_model *model,
                      struct canvas *canvas, struct rect rect, bool framed)
{
    const struct pane_ops *ops = panes[id];
    void *state = app->states[id];
    struct rect inside = rect;
    if (framed) {
        inside = (struct rect){rect.row + 1, rect.col + 1, rect.rows - 2, rect.cols - 2};
    }
    if (ops->update) {
        ops->update(state, model, inside.cols, inside.rows);
    }
    if (framed) {
        auto_free char *title = id == PANE_HELP ? str_dup(_(ops->title))
                                                : str_printf("%d %s", (int)id + 1, _(ops->title));
        const char *right = ops->right_title ? ops->right_title(state) : NULL;
        canvas_frame(canvas, rect, title, right, id == app->focus);
    }
    ops->draw(state, model, canvas, inside);
}

static void draw_columns(struct app *app, const struct pane_model *model, struct canvas *canvas,
                         struct rect rect)
{
    int left = rect.cols * 3 / 5;
    int right = rect.cols - left;
    int upper = rect.rows / 2;
    // The right column has Build and Health; any other pane that has the focus takes Logs' place.
    bool right_has = app->focus == PANE_BUILD || app->focus == PANE_HEALTH;
    draw_pane(app, right_has ? PANE_LOGS : app->focus, model, canvas,
              (struct rect){rect.row, rect.col, rect.rows, left}, true);
    draw_pane(app, PANE_BUILD, model, canvas,
              (struct rect){rect.row, rect.col + left, upper, right}, true);
    draw_pane(app, PANE_HEALTH, model, canvas,
              (struct rect){rect.row + upper, rect.col + left, rect.rows - upper, right}, true);
}

static void draw_panes(struct app *app, const struct pane_model *model, struct canvas *canvas,
                       struct rect rect)
{
    bool wide = canvas->cols >= WIDE_COLS && canvas->rows >= WIDE_ROWS;
    if (wide && !app->zoomed && app->focus != PANE_HELP) {
        draw_columns(app, model, canvas, rect);
    } else {
        draw_pane(app, app->focus, model, canvas, rect, !model->compact);
    }
}

// --debug: the line that the app has not ended yet: its prompt, and what was typed behind it.
// false: there is none, and nobody types.
static bool draw_open_line(const struct app *app, struct canvas *canvas, int row)
{
    const char *prompt = app->snapshot.prompt;
    if (!*prompt && !app->typing) {
        return false;
    }
    auto_free char *line = text_plain(prompt, strlen(prompt));
    const char *text = line;
    int col = canvas_text(canvas, row, 1, canvas->cols, STYLE_KEY, app->typing ? "> " : "  ");
    int over = col + canvas_text_cols(canvas, text) - (canvas->cols - 2);
    if (over > 0) {
        text += text_fit(text, over + 1); // its end, where one types
    }
    col = canvas_text(canvas, row, col, canvas->cols, STYLE_INPUT, text);
    if (app->typing) {
        canvas->cursor_row = row;
        canvas->cursor_col = col;
    }
    return true;
}

// What is typed, or what has to be said, stands in the summary's place. false: neither.
static const char *dialog_label(const struct app *app)
{
    struct pane_model model = model_of(app, NULL, 0);
    const char *text;
    switch (app->dialog) {
    case DIALOG_SEARCH:
        return "/";
    case DIALOG_FILTER:
        return "&";
    default:
        return panes[app->focus]->prompt(app->states[app->focus], &model, &text);
    }
}

static bool draw_dialog(const struct app *app, struct canvas *canvas, int row)
{
    if (app->dialog == DIALOG_NONE && *app->message) {
        return canvas_text_cut(canvas, row, 1, canvas->cols, STYLE_STRONG, app->message) >= 0;
    }
    if (app->dialog == DIALOG_NONE) {
        return draw_open_line(app, canvas, row);
    }
    const char *label = dialog_label(app);
    auto_free char *before = str_dup_len(app->input.text, app->input.at);
    int col = canvas_text(canvas, row, 1, canvas->cols, STYLE_KEY, label);
    canvas->cursor_row = row;
    canvas->cursor_col = col + canvas_text_cols(canvas, before);
    // A long text shows its end, where one types.
    int over = canvas->cursor_col - (canvas->cols - 2);
    const char *text = app->input.text;
    if (over > 0) {
        text += text_fit(text, over + 1);
        auto_free char *shown = str_dup_len(text, (size_t)(app->input.text + app->input.at - text));
        canvas->cursor_col = col + canvas_text_cols(canvas, shown);
    }
    canvas_text(canvas, row, col, canvas->cols, STYLE_INPUT, text);
    return true;
}

static void draw_too_small(struct canvas *canvas)
{
    auto_free char *size =
        str_printf("%dx%d < %dx%d", canvas->cols, canvas->rows, APP_COLS_MIN, APP_ROWS_MIN);
    canvas_text(canvas, 0, 0, canvas->cols, STYLE_WARN, _("terminal too small"));
    canvas_text(canvas, 1, 0, canvas->cols, STYLE_NORMAL, size);
    canvas_text(canvas, 2, 0, canvas->cols, STYLE_NORMAL, _("the app goes on"));
}

static void draw_compact(struct app *app, const struct pane_model *model, struct canvas *canvas)
{
    int rows = canvas->rows;
    status_draw_serving(canvas, 0, model);
    draw_panes(app, model, canvas, (struct rect){1, 1, rows - 3, canvas->cols - 1});
    if (!draw_dialog(app, canvas, rows - 2)) {
        status_draw_compact_meters(canvas, rows - 2, model);
    }
    status_draw_footer(canvas, rows - 1, active_maps(app));
}

static void draw_full(struct app *app, const struct pane_model *model, struct canvas *canvas)
{
    int rows = canvas->rows;
    status_draw_serving(canvas, 0, model);
    status_draw_pipeline(canvas, 1, model);
    status_draw_meters(canvas, 2, model, &app->meters);
    draw_panes(app, model, canvas, (struct rect){3, 0, rows - 5, canvas->cols});
    if (!draw_dialog(app, canvas, rows - 2)) {
        status_draw_summary(canvas, rows - 2, model);
    }
    status_draw_footer(canvas, rows - 1, active_maps(app));
}

void app_draw(struct app *app, struct canvas *canvas, int64_t wall_ms)
{
    struct pane_model model = model_of(app, canvas, wall_ms);
    canvas_clear(canvas);
    if (canvas->cols < APP_COLS_MIN || canvas->rows < APP_ROWS_MIN) {
        draw_too_small(canvas);
    } else if (model.compact) {
        draw_compact(app, &model, canvas);
    } else {
        draw_full(app, &model, canvas);
    }
}
