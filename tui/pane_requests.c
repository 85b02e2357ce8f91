// What: the requests through the balancer, newest last; Enter shows one.
// How: the list is asked for when the snapshot says that there is news; one request, a replay and a
//      curl command when a key wants them. Each kind is asked once at a time.
#include "tui/pane.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/curl_text.h"
#include "tui/request_list.h"
#include "tui/request_view.h"

#define ROWS_MAX      512 // of a window
#define TIME_COLS     8
#define STATUS_COLS   5
#define METHOD_COLS   7
#define MS_COLS       8
#define SOURCE_COLS   6
#define SIZE_COLS     6
#define RULE_COLS     8
#define RULE_COLS_MAX 13  // "RFC 9112 §5.1"
#define TARGET_COLS   24  // less: columns are left out
#define LOG_SLACK_MS  200 // the app's lines of a request may come that much later

enum question { ASK_LIST, ASK_SHOW, ASK_REPLAY, ASK_CURL, ASK__COUNT };

struct requests {
    struct request_list list;
    bool waits[ASK__COUNT];
    int64_t wanted[ASK__COUNT]; // ids that keys asked for; 0: none
    int64_t after_replay;       // to be chosen when it is in the list
    struct request_detail detail;
    bool shows; // the detail instead of the list
    struct request_view view;
    int view_cols, scroll, rows;
    char *copied;
    char message[320];
    const struct request_summary *window[ROWS_MAX];
    int window_count;
};

static void *init(void)
{
    struct requests *pane = mem_alloc(sizeof *pane);
    request_list_init(&pane->list);
    return pane;
}

static void release(void *state)
{
    struct requests *pane = state;
    request_list_release(&pane->list);
    request_detail_release(&pane->detail);
    request_view_release(&pane->view);
    free(pane->copied);
    free(pane);
}

// ---- asking the engine ----

static struct cJSON *question_of(const char *command, int64_t id)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "command", command);
    if (id) {
        json_put_int(object, "request", id);
    }
    return object;
}

static struct cJSON *ask(void *state, const struct pane_model *model, int *ret_question)
{
    static const char *const commands[] = {"requests", "request", "replay", "request"};
    struct requests *pane = state;
    pane->wanted[ASK_LIST] = model->snapshot->requests_last > pane->list.last;
    for (int i = 0; i < ASK__COUNT; i++) {
        if (!pane->wanted[i] || pane->waits[i]) {
            continue;
        }
        struct cJSON *object = question_of(commands[i], i == ASK_LIST ? 0 : pane->wanted[i]);
        if (i == ASK_LIST) {
            json_put_int(object, "since", pane->list.last);
        } else if (i == ASK_CURL) {
            json_put_bool(object, "reveal", true);
        }
        pane->waits[i] = true;
        pane->wanted[i] = 0;
        *ret_question = i;
        return object;
    }
    return NULL;
}

static unsigned say(struct requests *pane, const char **ret_message, const char *text)
{
    snprintf(pane->message, sizeof pane->message, "%.*s", (int)sizeof pane->message - 1, text);
    *ret_message = pane->message;
    return EFFECT_MESSAGE;
}

static void take_list(struct requests *pane, const struct cJSON *reply)
{
    request_list_take(&pane->list, reply);
    if (pane->after_replay && request_list_choose(&pane->list, pane->after_replay)) {
        pane->after_replay = 0;
    }
}

static void take_detail(struct requests *pane, const struct cJSON *reply)
{
    struct request_detail detail;
    if (request_detail_decode(json_get(reply, "request"), &detail)) {
        request_detail_release(&pane->detail);
        request_view_release(&pane->view);
        pane->detail = detail;
        pane->shows = true;
        pane->scroll = 0;
        pane->view_cols = 0;
    }
}

static unsigned take_curl(struct requests *pane, const struct pane_model *model,
                          const struct cJSON *reply, const char **ret_message)
{
    struct request_detail detail;
    struct error error = {0};
    if (!request_detail_decode(json_get(reply, "request"), &detail)) {
        return 0;
    }
    free(pane->copied);
    pane->copied = curl_text(&detail, model->snapshot->url, &error);
    request_detail_release(&detail);
    return pane->copied ? EFFECT_COPY : say(pane, ret_message, error.message);
}

static unsigned answer(void *state, const struct pane_model *model, int question,
                       const struct cJSON *reply, const char **ret_message)
{
    struct requests *pane = state;
    pane->waits[question] = false;
    if (!json_get_bool(reply, "ok", true)) {
        const char *text = json_get_string(json_get(reply, "error"), "message");
        return text ? say(pane, ret_message, text) : 0;
    }
    switch (question) {
    case ASK_LIST:
        take_list(pane, reply);
        return 0;
    case ASK_SHOW:
        take_detail(pane, reply);
        return 0;
    case ASK_CURL:
        return take_curl(pane, model, reply, ret_message);
    case ASK_REPLAY:
        pane->after_replay = json_get_int(reply, "request", 0);
        if (pane->shows) {
            pane->wanted[ASK_SHOW] = pane->after_replay;
        }
        snprintf(pane->message, sizeof pane->message, _("sent again: it is request %lld"),
                 (long long)pane->after_replay);
        *ret_message = pane->message;
        return EFFECT_MESSAGE;
    default:
        return 0;
    }
}

static const char *copy_text(void *state, const char **ret_what)
{
    struct requests *pane = state;
    *ret_what = _("curl command, with its real values");
    return pane->copied;
}

// ---- keys ----

// What keys are about: the one that is shown, else the chosen one. NULL: there is none.
static const struct request_summary *subject(const struct requests *pane)
{
    return pane->shows ? &pane->detail.summary : request_list_chosen(&pane->list);
}

static unsigned want(struct requests *pane, enum question question, const char **ret_message)
{
    const struct request_summary *row = subject(pane);
    if (!row) {
        *ret_message = _("no request yet");
        return EFFECT_MESSAGE;
    }
    pane->wanted[question] = row->id;
    return 0;
}

static void scroll_view(struct requests *pane, int rows)
{
    int max = pane->view.count > pane->rows ? pane->view.count - pane->rows : 0;
    int64_t at = (int64_t)pane->scroll + rows;
    pane->scroll = at < 0 ? 0 : at > max ? max : (int)at;
}

static void move(struct requests *pane, int rows)
{
    if (pane->shows) {
        scroll_view(pane, rows);
    } else {
        request_list_move(&pane->list, rows);
    }
}

static unsigned search_on(struct requests *pane, int step, const char **ret_message)
{
    bool wrapped;
    pane->shows = false;
    if (str_empty(pane->list.search)) {
        *ret_message = _("nothing to search for: / first");
    } else if (!request_list_search(&pane->list, step, &wrapped)) {
        *ret_message = _("not found");
    } else if (wrapped) {
        *ret_message = _("search went round the end");
    } else {
        return 0;
    }
    return EFFECT_MESSAGE;
}

static void cancel(struct requests *pane)
{
    if (pane->shows) {
        pane->shows = false;
        return;
    }
    str_replace(&pane->list.search, NULL);
    request_list_filter(&pane->list, NULL);
}

static void follow(struct requests *pane)
{
    pane->list.follow = !pane->list.follow;
    if (pane->list.follow) {
        request_list_move(&pane->list, INT_MAX);
    }
}

static unsigned on_key(void *state, const struct pane_model *model, enum action action,
                       const char **ret_message)
{
    struct requests *pane = state;
    int page = pane->rows > 2 ? pane->rows - 2 : 1;
    (void)model;
    switch (action) {
    case ACTION_LINE_UP:
        move(pane, -1);
        return 0;
    case ACTION_LINE_DOWN:
        move(pane, 1);
        return 0;
    case ACTION_PAGE_UP:
        move(pane, -page);
        return 0;
    case ACTION_PAGE_DOWN:
        move(pane, page);
        return 0;
    case ACTION_TOP:
        move(pane, -INT_MAX);
        return 0;
    case ACTION_BOTTOM:
        move(pane, INT_MAX);
        return 0;
    case ACTION_FOLLOW:
        follow(pane);
        return 0;
    case ACTION_SEARCH:
        return EFFECT_SEARCH;
    case ACTION_SEARCH_NEXT:
        return search_on(pane, -1, ret_message);
    case ACTION_SEARCH_BACK:
        return search_on(pane, 1, ret_message);
    case ACTION_FILTER:
        return EFFECT_FILTER;
    case ACTION_SHOW:
        return want(pane, ASK_SHOW, ret_message);
    case ACTION_REPLAY:
        return want(pane, ASK_REPLAY, ret_message);
    case ACTION_COPY_CURL:
        return want(pane, ASK_CURL, ret_message);
    case ACTION_LOG_LINES:
        if (!subject(pane)) {
            *ret_message = _("no request yet");
            return EFFECT_MESSAGE;
        }
        return EFFECT_JUMP;
    case ACTION_CANCEL:
        cancel(pane);
        return 0;
    default:
        return 0;
    }
}

static bool place(const void *state, struct pane_place *ret_place)
{
    const struct request_summary *row = subject(state);
    if (!row) {
        return false;
    }
    *ret_place = (struct pane_place){
        .from_ms = row->wall_ms,
        .to_ms = row->wall_ms + row->total_us / 1000 + LOG_SLACK_MS,
        .source = row->instance,
    };
    return true;
}

static const char *search(void *state, const struct pane_model *model, const char *pattern)
{
    struct requests *pane = state;
    const char *message = NULL;
    (void)model;
    str_replace(&pane->list.search, pattern);
    if (!str_empty(pattern)) {
        search_on(pane, -1, &message);
    }
    return message;
}

static const char *filter(void *state, const struct pane_model *model, const char *pattern)
{
    struct requests *pane = state;
    (void)model;
    pane->shows = false;
    request_list_filter(&pane->list, pattern);
    return NULL;
}

// ---- drawing ----

static void update(void *state, const struct pane_model *model, int cols, int rows)
{
    struct requests *pane = state;
    (void)model;
    pane->rows = rows;
    if (pane->shows && pane->view_cols != cols) {
        request_view_make(&pane->view, &pane->detail, cols);
        pane->view_cols = cols;
        scroll_view(pane, 0);
    }
    pane->window_count =
        request_list_window(&pane->list, rows < ROWS_MAX ? rows : ROWS_MAX, pane->window);
}

// Where the columns stand: what does not fit beside the target is left out, the least wanted first.
struct columns {
    int method, source, size, ms, rule; // 0: left out
};

static struct columns columns_of(int cols)
{
    int left = cols - (1 + TIME_COLS + 1 + STATUS_COLS + METHOD_COLS) - TARGET_COLS;
    struct columns columns = {.method = METHOD_COLS};
    int *const wanted[] = {&columns.ms, &columns.source, &columns.size, &columns.rule};
    static const int widths[] = {MS_COLS + 1, SOURCE_COLS + 1, SIZE_COLS + 1, RULE_COLS + 1};
    for (size_t i = 0; i < ARRAY_LEN(wanted) && left >= widths[i]; i++) {
        *wanted[i] = widths[i];
        left -= widths[i];
    }
    if (columns.rule && left >= RULE_COLS_MAX - RULE_COLS) {
        columns.rule = RULE_COLS_MAX + 1;
    }
    return columns;
}

static void draw_numbers(struct canvas *canvas, const struct request_summary *row,
                         const struct columns *columns, int line, int col)
{
    char text[32];
    if (columns->ms) {
        request_format_time(row->total_us, text, sizeof text);
        canvas_textf(canvas, line, col, col + columns->ms - 1, STYLE_DIM, "%*s", MS_COLS, text);
        col += columns->ms;
    }
    if (columns->source) {
        canvas_text(canvas, line, col, col + columns->source - 1, STYLE_DIM, row->instance);
        col += columns->source;
    }
    if (columns->size) {
        request_format_size(row->response_size, text, sizeof text);
        canvas_textf(canvas, line, col, col + columns->size - 1, STYLE_DIM, "%*s", SIZE_COLS, text);
    }
}

static void draw_row(const struct requests *pane, struct canvas *canvas,
                     const struct request_summary *row, int line, struct rect rect)
{
    struct columns columns = columns_of(rect.cols);
    bool chosen = row->id == pane->list.chosen;
    enum style style = request_status_style(row->status);
    int end = rect.col + rect.cols;
    int col = rect.col;
    char time[9];
    clock_format_hms(row->wall_ms, time);
    canvas_text(canvas, line, col, end, STYLE_KEY, chosen ? "▶" : " ");
    canvas_text(canvas, line, ++col, end, STYLE_DIM, time);
    col += TIME_COLS + 1;
    canvas_text(canvas, line, col, end, style, request_status_mark(row->status));
    canvas_textf(canvas, line, col + (canvas->ascii ? 2 : 1), end, style, "%lld",
                 (long long)row->status);
    col += STATUS_COLS + canvas->ascii;
    canvas_text_cut(canvas, line, col, col + columns.method - 1, STYLE_NORMAL,
                    *row->method ? row->method : "?");
    col += columns.method;
    int numbers = columns.ms + columns.source + columns.size;
    draw_numbers(canvas, row, &columns, line, col);
    col += numbers;
    if (columns.rule && *row->rule) {
        end -= columns.rule;
        canvas_text_cut(canvas, line, end + 1, rect.col + rect.cols, style, row->rule);
    }
    if (row->replay_of) {
        col = canvas_textf(canvas, line, col, end, STYLE_NOTE, "▶%lld ", (long long)row->replay_of);
    }
    auto_free char *target = text_plain(row->target, strlen(row->target));
    canvas_text_cut(canvas, line, col, end, chosen ? STYLE_STRONG : STYLE_NORMAL,
                    *target ? target : row->reason);
    if (chosen) {
        canvas->cursor_row = line;
        canvas->cursor_col = rect.col;
    }
}

static void draw_view(const struct requests *pane, struct canvas *canvas, struct rect rect)
{
    for (int i = 0; i < rect.rows && pane->scroll + i < pane->view.count; i++) {
        const struct request_row *row = &pane->view.rows[pane->scroll + i];
        canvas_text(canvas, rect.row + i, rect.col, rect.col + rect.cols, row->style, row->text);
    }
    canvas->cursor_row = rect.row;
    canvas->cursor_col = rect.col;
}

static void draw(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect)
{
    const struct requests *pane = state;
    if (pane->shows) {
        draw_view(pane, canvas, rect);
        return;
    }
    if (pane->window_count == 0) {
        canvas_text_cut(canvas, rect.row, rect.col, rect.col + rect.cols, STYLE_DIM,
                        pane->list.filter                ? _("no request fits the filter")
                        : model->snapshot->requests_last ? "…"
                                                         : _("no request yet"));
    }
    for (int i = 0; i < pane->window_count && i < rect.rows; i++) {
        draw_row(pane, canvas, pane->window[i], rect.row + i, rect);
    }
}

static const char *right_title(const void *state)
{
    const struct requests *pane = state;
    if (pane->shows) {
        return _("Esc: the list");
    }
    if (pane->list.filter) {
        return pane->list.filter;
    }
    return pane->list.follow ? _("follow") : NULL;
}

const struct pane_ops pane_requests = {
    .name = "requests",
    .title = N_("Requests"),
    .keymaps = KEYMAP_LINES | KEYMAP_FILTERS | KEYMAP_REQUESTS,
    .init = init,
    .release = release,
    .update = update,
    .key = on_key,
    .draw = draw,
    .right_title = right_title,
    .search = search,
    .filter = filter,
    .ask = ask,
    .answer = answer,
    .copy_text = copy_text,
    .place = place,
};
