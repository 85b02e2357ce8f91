// State and keys of the screen; app_draw.c draws it.
#include "tui/app.h"

#include "tui/app_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define COMPACT_COLS 60
#define COMPACT_ROWS 14

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

struct pane_model app_model(const struct app *app, const struct canvas *canvas, int64_t wall_ms)
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
    struct pane_model model = app_model(app, NULL, 0);
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
    struct pane_model model = app_model(app, NULL, 0);
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
    struct pane_model model = app_model(app, NULL, 0);
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

unsigned app_keymaps(const struct app *app)
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
    return apply_action(app, keymap_action(app_keymaps(app), key));
}

// ---- what panes ask the engine ----

struct cJSON *app_ask(struct app *app)
{
    const struct pane_ops *ops = panes[app->focus];
    struct pane_model model = app_model(app, NULL, 0);
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
    struct pane_model model = app_model(app, NULL, 0);
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
