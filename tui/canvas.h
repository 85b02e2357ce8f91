// What: a rectangle of cells that panes draw into; and how it looks as text, for goldens and the
//       script mode.
// Why: draw functions stay pure; only screen.c knows a terminal. Wide characters are never split:
//      one that does not fit into the last column leaves a blank there. ASCII: with canvas.ascii
//      every mark and frame is replaced by one table (SCREENS.md): ● ✓ ✗ ▶ – · … become o ok x > -
//      . .. and frames +-|. Draw code and translations always say the Unicode form.
// Owns: its cells.
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/text.h"

// What a text means; screen.c's table says how it looks. State is never told by colour alone.
enum style {
    STYLE_NORMAL,
    STYLE_DIM,
    STYLE_STRONG,
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_BUSY, // something runs
    STYLE_FRAME,
    STYLE_TITLE,
    STYLE_KEY,   // a key's name in the footer
    STYLE_NOTE,  // our own lines among the app's
    STYLE_ERR,   // the app's stderr
    STYLE_MATCH, // found by a search
    STYLE_INPUT, // the line one types into
    STYLE__COUNT,
};

#define CELL_MARKS 2 // combining characters kept for one cell

struct cell {
    uint32_t code;              // 0: the right half of a wide cell
    uint32_t marks[CELL_MARKS]; // 0: none
    uint8_t style;              // enum style
    struct text_style own;      // the app's own colours, over style
    uint8_t unused;             // no hidden padding: cells are compared as bytes
};

struct canvas {
    int cols, rows;
    bool ascii;
    int cursor_row, cursor_col; // where the real cursor rests; row -1: nowhere special
    struct cell *cells;
};

struct rect {
    int row, col, rows, cols;
};

void canvas_init(struct canvas *canvas, int cols, int rows,
                 bool ascii); // zeroed or initialised before
void canvas_release(struct canvas *canvas);
void canvas_clear(struct canvas *canvas);
const struct cell *canvas_cell(const struct canvas *canvas, int row, int col);

// Draws valid UTF-8 (our own words) at (row, col) up to column end (exclusive); returns the column
// behind it.
int canvas_text(struct canvas *canvas, int row, int col, int end, enum style style,
                const char *text);
int canvas_textf(struct canvas *canvas, int row, int col, int end, enum style style,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));
// As canvas_text, but what does not fit ends in "…".
int canvas_text_cut(struct canvas *canvas, int row, int col, int end, enum style style,
                    const char *text);
// One glyph of outside text; returns the column behind it; end when it did not fit.
int canvas_glyph(struct canvas *canvas, int row, int col, int end, enum style style,
                 const struct text_glyph *glyph);
// Columns that canvas_text would use (in ASCII form the marks' replacements count).
int canvas_text_cols(const struct canvas *canvas, const char *text);
void canvas_fill(struct canvas *canvas, struct rect rect, enum style style, uint32_t code);
// Gives the cells a style, keeping their text (a search's match).
void canvas_restyle(struct canvas *canvas, int row, int col, int end, enum style style);
// A box with a title at its left and a word at its right; returns the inside.
struct rect canvas_frame(struct canvas *canvas, struct rect rect, const char *title,
                         const char *right, bool focused);

bool canvas_equal(const struct canvas *a, const struct canvas *b);
// Rows as UTF-8 lines, blanks at their ends dropped; owned by the caller.
char *canvas_dump(const struct canvas *canvas);
bool canvas_contains(const struct canvas *canvas, const char *text);

#endif
