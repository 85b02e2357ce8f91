// How the screen looks. Layouts: compact (little room: no frames), one pane, two columns (Logs
// left, Build and Health right); "z" gives one pane everything.
#include "tui/app_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/status.h"

#define WIDE_COLS 140
#define WIDE_ROWS 20

static void draw_pane(struct app *app, enum pane_id id, const struct pane_model *model,
                      struct canvas *canvas, struct rect rect, bool framed)
{
    const struct pane_ops *ops = pane_get(id);
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
    struct pane_model model = app_model(app, NULL, 0);
    const char *text;
    switch (app->dialog) {
    case DIALOG_SEARCH:
        return "/";
    case DIALOG_FILTER:
        return "&";
    default:
        return pane_get(app->focus)->prompt(app->states[app->focus], &model, &text);
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
    status_draw_footer(canvas, rows - 1, app_keymaps(app));
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
    status_draw_footer(canvas, rows - 1, app_keymaps(app));
}

void app_draw(struct app *app, struct canvas *canvas, int64_t wall_ms)
{
    struct pane_model model = app_model(app, canvas, wall_ms);
    canvas_clear(canvas);
    if (canvas->cols < APP_COLS_MIN || canvas->rows < APP_ROWS_MIN) {
        draw_too_small(canvas);
    } else if (model.compact) {
        draw_compact(app, &model, canvas);
    } else {
        draw_full(app, &model, canvas);
    }
}
