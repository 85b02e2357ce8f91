// What: the app's output, and between it what happened (saves, versions, failures) as "---" lines.
#include "tui/pane.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/log_view.h"
#include "tui/plain.h"

// Events that belong among the app's lines. NULL: its sentence stands alone; a %s takes the
// sentence.
static const struct {
    enum event_kind kind;
    enum style style;
    const char *lead;
} shown[] = {
    {EVENT_SAVE, STYLE_NOTE, N_("save ")},       {EVENT_READY, STYLE_GOOD, N_("new version ")},
    {EVENT_FAILED, STYLE_BAD, N_("failed at ")}, {EVENT_NOTICE, STYLE_NOTE, NULL},
    {EVENT_GATEWAY, STYLE_NOTE, NULL},           {EVENT_DONE, STYLE_NOTE, NULL},
};

static bool accept_event(const struct event *event, struct log_line *line)
{
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        auto_free char *text = NULL;
        struct event said = *event;
        if (said.kind == EVENT_READY) {
            said.text = NULL; // the address stands on the status line
        } else if (said.cloud && strchr(said.cloud, '\n')) {
            said.cloud = NULL; // the app's own last lines, which stand above; Health has it whole
        }
        if (shown[i].kind == event->kind && plain_format_event(&said, &text)) {
            const char *lead = shown[i].lead ? _(shown[i].lead) : "";
            if (event->kind == EVENT_FAILED && str_empty(event->stage)) {
                lead = _("failed: ");
            }
            line->text = str_printf("%s%s", lead, text);
            line->style = shown[i].style;
            if (event->kind == EVENT_NOTICE && !str_empty(event->severity) &&
                !str_equal(event->severity, "note")) {
                line->style = str_equal(event->severity, "error") ? STYLE_BAD : STYLE_WARN;
            }
            return true;
        }
    }
    return false;
}

static bool accept(const struct journal_record *record, void *context, struct log_line *line)
{
    (void)context;
    if (record->stream == JOURNAL_OUT || record->stream == JOURNAL_ERR) {
        line->style = record->stream == JOURNAL_ERR ? STYLE_ERR : STYLE_NORMAL;
        return true;
    }
    if (record->stream != JOURNAL_EVENT) {
        return false;
    }
    struct cJSON *tree = json_parse(record->text, record->len, "journal", NULL);
    struct event event;
    bool accepted = false;
    if (tree && event_decode(tree, &event)) {
        accepted = accept_event(&event, line);
        event_release(&event);
    }
    json_free(tree);
    return accepted;
}

static void *init(void)
{
    struct log_view *view = mem_alloc(sizeof *view);
    log_view_init(view);
    view->accept = accept;
    return view;
}

static void release(void *state)
{
    log_view_release(state);
    free(state);
}

static void update(void *state, const struct pane_model *model, int cols, int rows)
{
    log_view_update(state, model, 0, cols, rows);
}

static unsigned on_key(void *state, const struct pane_model *model, enum action action,
                       const char **ret_message)
{
    return log_view_key(state, model, action, ret_message);
}

static void draw(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect)
{
    (void)model;
    log_view_draw(state, canvas, rect);
}

static const char *right_title(const void *state)
{
    const struct log_view *view = state;
    if (view->filter) {
        return view->filter;
    }
    return view->follow ? _("follow") : NULL;
}

static const char *search(void *state, const struct pane_model *model, const char *pattern)
{
    return log_view_search(state, model, pattern);
}

static const char *filter(void *state, const struct pane_model *model, const char *pattern)
{
    (void)model;
    log_view_filter(state, pattern);
    return NULL;
}

static const char *jump(void *state, const struct pane_model *model, const struct pane_place *place)
{
    return log_view_jump(state, model, place);
}

const struct pane_ops pane_logs = {
    .name = "logs",
    .title = N_("Logs"),
    .keymaps = KEYMAP_LINES | KEYMAP_FILTERS,
    .init = init,
    .release = release,
    .update = update,
    .key = on_key,
    .draw = draw,
    .right_title = right_title,
    .search = search,
    .filter = filter,
    .jump = jump,
};
