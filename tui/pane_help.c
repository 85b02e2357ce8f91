// What: every key and what it does, made from keys.def.
#include "tui/pane.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/text.h"

#define KEYS_COLS 16

struct help_pane {
    int top;
    int rows;
};

static int line_count(void)
{
    size_t count;
    keymap_rows(&count);
    return (int)count;
}

static void clamp(struct help_pane *pane)
{
    int most = line_count() - pane->rows;
    pane->top = pane->top > most ? most : pane->top;
    pane->top = pane->top < 0 ? 0 : pane->top;
}

static void *init(void)
{
    return mem_alloc(sizeof(struct help_pane));
}

static void update(void *state, const struct pane_model *model, int cols, int rows)
{
    struct help_pane *pane = state;
    (void)model;
    (void)cols;
    pane->rows = rows;
    clamp(pane);
}

static unsigned on_key(void *state, const struct pane_model *model, enum action action,
                       const char **ret_message)
{
    struct help_pane *pane = state;
    (void)model;
    (void)ret_message;
    switch (action) {
    case ACTION_LINE_UP:
        pane->top--;
        break;
    case ACTION_LINE_DOWN:
        pane->top++;
        break;
    case ACTION_PAGE_UP:
        pane->top -= pane->rows;
        break;
    case ACTION_PAGE_DOWN:
        pane->top += pane->rows;
        break;
    case ACTION_TOP:
        pane->top = 0;
        break;
    case ACTION_BOTTOM:
        pane->top = line_count();
        break;
    default:
        break;
    }
    clamp(pane);
    return 0;
}

static void draw(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect)
{
    const struct help_pane *pane = state;
    (void)model;
    size_t count;
    const struct key_row *rows = keymap_rows(&count);
    int end = rect.col + rect.cols;
    for (int i = 0; i < rect.rows && pane->top + i < (int)count; i++) {
        const struct key_row *row = &rows[pane->top + i];
        canvas_text(canvas, rect.row + i, rect.col + 1, rect.col + KEYS_COLS, STYLE_KEY, row->keys);
        canvas_text_cut(canvas, rect.row + i, rect.col + KEYS_COLS, end, STYLE_NORMAL,
                        _(row->help));
    }
}

static const char *right_title(const void *state)
{
    const struct help_pane *pane = state;
    return pane->top + pane->rows < line_count() ? _("j more") : NULL;
}

const struct pane_ops pane_help = {
    .name = "help",
    .title = N_("Help"),
    .keymaps = KEYMAP_LINES,
    .init = init,
    .release = free,
    .update = update,
    .key = on_key,
    .draw = draw,
    .right_title = right_title,
};
