// What: the build: its steps, and below them what pip and the build commands say ("b": steps only).
#include "tui/pane.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/log_view.h"
#include "tui/plain.h"

struct build_pane {
    struct log_view view; // first: the state is the view
    bool steps_only;
};

static bool is_build_event(const struct event *event)
{
    static const char *const stages[] = {"detect", "python", "install", "build"};
    if (event->kind == EVENT_NOTICE || event->kind == EVENT_CLOUD) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        if (str_equal(event->stage, stages[i])) {
            return event->kind == EVENT_STAGE || event->kind == EVENT_FAILED;
        }
    }
    return false;
}

static bool accept_event(const struct journal_record *record, struct log_line *line)
{
    struct cJSON *tree = json_parse(record->text, record->len, "journal", NULL);
    struct event event;
    bool accepted = false;
    if (tree && event_decode(tree, &event)) {
        accepted = is_build_event(&event) && plain_format_event(&event, &line->text);
        line->style = event.kind == EVENT_FAILED               ? STYLE_BAD
                      : str_equal(event.severity, "error")     ? STYLE_BAD
                      : str_equal(event.severity, "warning")   ? STYLE_WARN
                      : str_equal(event.severity, "deviation") ? STYLE_WARN
                                                               : STYLE_NORMAL;
        event_release(&event);
    }
    json_free(tree);
    return accepted;
}

// Output stands two columns in, below the step that says it.
static bool accept(const struct journal_record *record, void *context, struct log_line *line)
{
    const struct build_pane *pane = context;
    if (record->stream == JOURNAL_EVENT) {
        return accept_event(record, line);
    }
    if (record->stream != JOURNAL_BUILD || pane->steps_only) {
        return false;
    }
    auto_free char *text = str_dup_len(record->text, record->len);
    line->text = str_printf("  %s", text);
    line->style = STYLE_DIM;
    return true;
}

static void *init(void)
{
    struct build_pane *pane = mem_alloc(sizeof *pane);
    log_view_init(&pane->view);
    pane->view.accept = accept;
    pane->view.context = pane;
    pane->view.time_only = true;
    return pane;
}

static void release(void *state)
{
    struct build_pane *pane = state;
    log_view_release(&pane->view);
    free(pane);
}

static void update(void *state, const struct pane_model *model, int cols, int rows)
{
    struct build_pane *pane = state;
    log_view_update(&pane->view, model, model->build_seq, cols, rows);
}

static unsigned on_key(void *state, const struct pane_model *model, enum action action,
                       const char **ret_message)
{
    struct build_pane *pane = state;
    if (action == ACTION_ALL_OUTPUT) {
        pane->steps_only = !pane->steps_only;
        return 0;
    }
    return log_view_key(&pane->view, model, action, ret_message);
}

static void draw(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect)
{
    const struct build_pane *pane = state;
    (void)model;
    log_view_draw(&pane->view, canvas, rect);
}

static const char *right_title(const void *state)
{
    const struct build_pane *pane = state;
    return pane->steps_only ? _("b all output") : _("b steps only");
}

static const char *search(void *state, const struct pane_model *model, const char *pattern)
{
    struct build_pane *pane = state;
    return log_view_search(&pane->view, model, pattern);
}

const struct pane_ops pane_build = {
    .name = "build",
    .title = N_("Build"),
    .keymaps = KEYMAP_LINES | KEYMAP_BUILD,
    .init = init,
    .release = release,
    .update = update,
    .key = on_key,
    .draw = draw,
    .right_title = right_title,
    .search = search,
};
