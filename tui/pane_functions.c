// What: cloud functions, hooks and timers; Enter calls one, below them stands what came of it.
// How: the list comes with the snapshot. A call is a question to the engine, one at a time, as
//      `leanlocal call` would ask it; data is typed into the prompt line.
#include "tui/pane.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"

#define NAME_COLS_MIN 14
#define NAME_COLS_MAX 40
#define KIND_COLS     9
#define TIME_COLS     16

struct answer {
    char *title; // "hello  12 ms", "hello  P-199"
    char *text;  // the result as JSON, or what went wrong
    char *cloud, *hint;
    bool failed;
};

struct functions {
    int chosen, top, rows;
    bool wanted, waits;
    char *data;       // of the next call; as typed last
    char *asked_name; // of the call under way, or of the last one
    struct answer answer;
    char *search;
    char message[200];
};

static void *init(void)
{
    return mem_alloc(sizeof(struct functions));
}

static void clear_answer(struct answer *answer)
{
    free(answer->title);
    free(answer->text);
    free(answer->cloud);
    free(answer->hint);
    *answer = (struct answer){0};
}

static void release(void *state)
{
    struct functions *pane = state;
    clear_answer(&pane->answer);
    free(pane->data);
    free(pane->asked_name);
    free(pane->search);
    free(pane);
}

// ---- rows: functions and hooks, then timers ----

static int row_count(const struct snapshot *snapshot)
{
    return (int)(snapshot->function_count + snapshot->timer_count);
}

// NULL: it is a timer.
static const struct snapshot_function *function_at(const struct snapshot *snapshot, int row)
{
    return row < snapshot->function_count ? &snapshot->functions[row] : NULL;
}

// NULL: it is a function.
static const struct snapshot_timer *timer_at(const struct snapshot *snapshot, int row)
{
    int index = row - (int)snapshot->function_count;
    return index >= 0 && index < snapshot->timer_count ? &snapshot->timers[index] : NULL;
}

static const char *name_at(const struct snapshot *snapshot, int row)
{
    const struct snapshot_timer *timer = timer_at(snapshot, row);
    const struct snapshot_function *function = function_at(snapshot, row);
    return timer ? timer->name : function ? function->name : "";
}

static void move(struct functions *pane, const struct snapshot *snapshot, int rows)
{
    int64_t last = row_count(snapshot) - 1;
    int64_t at = (int64_t)pane->chosen + rows;
    at = at > last ? last : at;
    pane->chosen = at < 0 ? 0 : (int)at;
}

// ---- calling ----

static struct cJSON *ask(void *state, const struct pane_model *model, int *ret_question)
{
    struct functions *pane = state;
    if (!pane->wanted || pane->waits || row_count(model->snapshot) == 0) {
        return NULL;
    }
    const struct snapshot_function *function = function_at(model->snapshot, pane->chosen);
    struct cJSON *object = json_new_object();
    json_put_string(object, "command", "call");
    json_put_string(object, "name", name_at(model->snapshot, pane->chosen));
    json_put_bool(object, "timer", !function);
    json_put_bool(object, "hook", function && strcmp(function->kind, "hook") == 0);
    json_put_string(object, "data", function ? pane->data : NULL);
    str_replace(&pane->asked_name, name_at(model->snapshot, pane->chosen));
    clear_answer(&pane->answer);
    pane->wanted = false;
    pane->waits = true;
    *ret_question = 0;
    return object;
}

static char *plain(const char *text)
{
    return text ? text_plain(text, strlen(text)) : NULL;
}

static unsigned answer(void *state, const struct pane_model *model, int question,
                       const struct cJSON *reply, const char **ret_message)
{
    struct functions *pane = state;
    struct answer *got = &pane->answer;
    (void)model;
    (void)question;
    (void)ret_message;
    pane->waits = false;
    clear_answer(got);
    auto_free char *name = plain(pane->asked_name);
    got->failed = !json_get_bool(reply, "ok", true);
    if (got->failed) {
        const struct cJSON *error = json_get(reply, "error");
        auto_free char *rule = plain(json_get_string(error, "rule"));
        got->title = str_printf("%s  %s", name, rule ? rule : "");
        got->text = plain(json_get_string(error, "message"));
        got->cloud = plain(json_get_string(error, "cloud"));
        got->hint = plain(json_get_string(error, "hint"));
    } else {
        got->title = str_printf("%s  %lld ms", name, (long long)json_get_int(reply, "ms", 0));
        got->text = plain(json_get_string(reply, "result"));
    }
    return 0;
}

static const char *prompt(const void *state, const struct pane_model *model, const char **ret_text)
{
    const struct functions *pane = state;
    (void)model;
    *ret_text = str_empty(pane->data) ? "{}" : pane->data;
    return "JSON ";
}

static const char *enter(void *state, const struct pane_model *model, const char *text)
{
    struct functions *pane = state;
    (void)model;
    str_replace(&pane->data, str_empty(text) ? "{}" : text);
    pane->wanted = true;
    return NULL;
}

static const char *copy_text(void *state, const char **ret_what)
{
    struct functions *pane = state;
    *ret_what = _("result");
    return pane->answer.text;
}

// ---- keys ----

static unsigned say(const char **ret_message, const char *text)
{
    *ret_message = text;
    return EFFECT_MESSAGE;
}

static unsigned call_chosen(struct functions *pane, const struct snapshot *snapshot,
                            const char **ret_message)
{
    if (row_count(snapshot) == 0) {
        return say(ret_message, _("no cloud functions"));
    }
    if (pane->waits) {
        return say(ret_message, _("one call at a time: its answer is not there yet"));
    }
    if (function_at(snapshot, pane->chosen)) {
        return EFFECT_PROMPT;
    }
    pane->wanted = true;
    return 0;
}

static unsigned search_on(struct functions *pane, const struct snapshot *snapshot, int step,
                          const char **ret_message)
{
    int count = row_count(snapshot);
    if (str_empty(pane->search)) {
        return say(ret_message, _("nothing to search for: / first"));
    }
    for (int i = 1; i <= count; i++) {
        int row = ((pane->chosen + step * i) % count + count) % count;
        const char *name = name_at(snapshot, row);
        if (text_matches(name, strlen(name), pane->search)) {
            pane->chosen = row;
            return 0;
        }
    }
    return say(ret_message, _("not found"));
}

static unsigned on_key(void *state, const struct pane_model *model, enum action action,
                       const char **ret_message)
{
    struct functions *pane = state;
    int page = pane->rows > 2 ? pane->rows - 2 : 1;
    switch (action) {
    case ACTION_LINE_UP:
        move(pane, model->snapshot, -1);
        return 0;
    case ACTION_LINE_DOWN:
        move(pane, model->snapshot, 1);
        return 0;
    case ACTION_PAGE_UP:
        move(pane, model->snapshot, -page);
        return 0;
    case ACTION_PAGE_DOWN:
        move(pane, model->snapshot, page);
        return 0;
    case ACTION_TOP:
        move(pane, model->snapshot, -INT_MAX);
        return 0;
    case ACTION_BOTTOM:
        move(pane, model->snapshot, INT_MAX);
        return 0;
    case ACTION_CALL:
        return call_chosen(pane, model->snapshot, ret_message);
    case ACTION_COPY_RESULT:
        return pane->answer.text ? EFFECT_COPY : say(ret_message, _("no result yet"));
    case ACTION_SEARCH:
        return EFFECT_SEARCH;
    case ACTION_SEARCH_NEXT:
        return search_on(pane, model->snapshot, 1, ret_message);
    case ACTION_SEARCH_BACK:
        return search_on(pane, model->snapshot, -1, ret_message);
    case ACTION_CANCEL:
        clear_answer(&pane->answer);
        return 0;
    default:
        return 0;
    }
}

static const char *search(void *state, const struct pane_model *model, const char *pattern)
{
    struct functions *pane = state;
    const char *message = NULL;
    str_replace(&pane->search, pattern);
    if (!str_empty(pattern)) {
        search_on(pane, model->snapshot, 1, &message);
    }
    return message;
}

// ---- drawing ----

static bool has_answer(const struct functions *pane)
{
    return pane->waits || pane->answer.title;
}

static int list_rows(const struct functions *pane, int rows)
{
    return has_answer(pane) ? rows - rows / 2 : rows;
}

static void update(void *state, const struct pane_model *model, int cols, int rows)
{
    struct functions *pane = state;
    (void)cols;
    pane->rows = list_rows(pane, rows);
    move(pane, model->snapshot, 0); // the list may have become shorter
    if (pane->chosen < pane->top) {
        pane->top = pane->chosen;
    } else if (pane->chosen >= pane->top + pane->rows) {
        pane->top = pane->chosen - pane->rows + 1;
    }
}

static void draw_timer(const struct pane_model *model, struct canvas *canvas, int line, int col,
                       int end, const struct snapshot_timer *timer)
{
    char text[32];
    time_t local = timer->next_wall_ms / 1000 + model->snapshot->utc_offset_s;
    struct tm tm;
    gmtime_r(&local, &tm);
    strftime(text, sizeof text, "%m-%d %H:%M:%S", &tm);
    bool is_stopped = strcmp(timer->state, "stopped") == 0;
    canvas_text(canvas, line, col, end, is_stopped ? STYLE_BAD : STYLE_NORMAL,
                is_stopped ? _("stopped") : text);
    auto_free char *cron = plain(timer->cron);
    canvas_text_cut(canvas, line, col + TIME_COLS, end, STYLE_DIM, cron);
}

static void draw_row(const struct functions *pane, const struct pane_model *model,
                     struct canvas *canvas, int row, int line, struct rect rect)
{
    const struct snapshot_function *function = function_at(model->snapshot, row);
    const struct snapshot_timer *timer = timer_at(model->snapshot, row);
    bool is_hook = function && strcmp(function->kind, "hook") == 0;
    int end = rect.col + rect.cols;
    int name_cols = rect.cols * 2 / 5;
    name_cols = name_cols < NAME_COLS_MIN   ? NAME_COLS_MIN
                : name_cols > NAME_COLS_MAX ? NAME_COLS_MAX
                                            : name_cols;
    bool chosen = row == pane->chosen;
    auto_free char *name = plain(name_at(model->snapshot, row));
    canvas_text(canvas, line, rect.col, end, STYLE_KEY, chosen ? "▶" : " ");
    int col = rect.col + 2;
    canvas_text_cut(canvas, line, col, col + name_cols, chosen ? STYLE_STRONG : STYLE_NORMAL, name);
    col += name_cols + 1;
    canvas_text(canvas, line, col, end, STYLE_DIM,
                is_hook    ? _("hook")
                : function ? _("function")
                           : _("timer"));
    if (timer) {
        draw_timer(model, canvas, line, col + KIND_COLS, end, timer);
    }
    if (chosen) {
        canvas->cursor_row = line;
        canvas->cursor_col = rect.col;
    }
}

static const char *explain_state(const struct snapshot *snapshot)
{
    static const struct {
        const char *state, *text;
    } rows[] = {
        {"listed", N_("no cloud functions")},
        {"none", N_("no cloud functions: the app answers 404 for their list")},
        {"failed", N_("their list could not be read:")},
        {"disabled", N_("functionsMode is disabled: none in the cloud")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].state, snapshot->functions_state) == 0) {
            return _(rows[i].text);
        }
    }
    return snapshot->debug ? _("--debug: the app is not asked for its list")
                           : _("the app is asked for its list when it serves");
}

// Why there is no list.
static void draw_state(const struct pane_model *model, struct canvas *canvas, struct rect rect)
{
    const struct snapshot *snapshot = model->snapshot;
    const char *text = explain_state(snapshot);
    int end = rect.col + rect.cols;
    canvas_text_cut(canvas, rect.row, rect.col, end, STYLE_DIM, text);
    if (*snapshot->functions_note && rect.rows > 1) {
        canvas_text_cut(canvas, rect.row + 1, rect.col, end, STYLE_BAD, snapshot->functions_note);
    }
}

// In rows of the pane's width; returns the row behind the last.
static int draw_text(struct canvas *canvas, struct rect rect, int row, enum style style,
                     const char *text)
{
    for (; text && *text && row < rect.row + rect.rows; row++) {
        size_t line = strcspn(text, "\n");
        size_t fits = text_fit(text, rect.cols);
        size_t len = fits < line ? fits : line;
        len = len ? len : line;
        auto_free char *shown = str_dup_len(text, len);
        bool is_last = row == rect.row + rect.rows - 1;
        bool is_cut = is_last && text[len] && text[len] != '\n';
        canvas_text(canvas, row, rect.col, rect.col + rect.cols - (is_cut ? 1 : 0), style, shown);
        if (is_cut) {
            canvas_text(canvas, row, rect.col + rect.cols - 1, rect.col + rect.cols, STYLE_DIM,
                        "…");
        }
        text += len + (text[len] == '\n');
    }
    return row;
}

static void draw_answer(const struct functions *pane, struct canvas *canvas, struct rect rect)
{
    const struct answer *got = &pane->answer;
    int end = rect.col + rect.cols;
    if (pane->waits) {
        auto_free char *name = plain(pane->asked_name);
        auto_free char *text = str_printf(_("calling %s…"), name);
        canvas_text_cut(canvas, rect.row, rect.col, end, STYLE_BUSY, text);
        return;
    }
    enum style style = got->failed ? STYLE_BAD : STYLE_GOOD;
    int col = canvas_text(canvas, rect.row, rect.col, end, style, got->failed ? "✗ " : "✓ ");
    canvas_text_cut(canvas, rect.row, col, end, STYLE_STRONG, got->title);
    int row =
        draw_text(canvas, rect, rect.row + 1, got->failed ? STYLE_BAD : STYLE_NORMAL, got->text);
    row = draw_text(canvas, rect, row, STYLE_NORMAL, got->cloud);
    draw_text(canvas, rect, row, STYLE_GOOD, got->hint);
}

static void draw(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect)
{
    const struct functions *pane = state;
    int count = row_count(model->snapshot);
    int rows = list_rows(pane, rect.rows);
    if (model->snapshot->function_count == 0) {
        int line = rect.row + count - pane->top; // below the timers
        if (line >= rect.row && line < rect.row + rows) {
            draw_state(model, canvas,
                       (struct rect){line, rect.col, rect.row + rows - line, rect.cols});
        }
    }
    for (int i = 0; i < rows && pane->top + i < count; i++) {
        draw_row(pane, model, canvas, pane->top + i, rect.row + i, rect);
    }
    if (has_answer(pane)) {
        draw_answer(pane, canvas,
                    (struct rect){rect.row + rows, rect.col, rect.rows - rows, rect.cols});
    }
}

const struct pane_ops pane_functions = {
    .name = "functions",
    .title = N_("Functions"),
    .keymaps = KEYMAP_LINES | KEYMAP_FUNCTIONS,
    .init = init,
    .release = release,
    .update = update,
    .key = on_key,
    .draw = draw,
    .search = search,
    .ask = ask,
    .answer = answer,
    .copy_text = copy_text,
    .prompt = prompt,
    .enter = enter,
};
