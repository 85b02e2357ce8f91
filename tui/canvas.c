#include "tui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

// SCREENS.md: what stands for what where only ASCII can be shown.
static const struct {
    uint32_t code;
    const char *ascii;
} replacements[] = {
    {0x25CF, "o"},  // ●
    {0x2713, "ok"}, // ✓
    {0x2717, "x"},  // ✗
    {0x25B6, ">"},  // ▶
    {0x2013, "-"},  // –
    {0x00B7, "."},  // ·
    {0x2026, ".."}, // …
    {0x2500, "-"},  {0x2502, "|"}, {0x250C, "+"}, {0x2510, "+"},  {0x2514, "+"}, {0x2518, "+"},
    {0x2581, "_"},  {0x2582, "."}, {0x2583, ":"}, {0x2584, "-"},  {0x2585, "="}, {0x2586, "+"},
    {0x2587, "*"},  {0x2588, "#"}, {0x2591, "."}, {0x2192, "->"}, // →
    {0x21B3, ">"},                                                // ↳
};

static const char *ascii_for(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(replacements); i++) {
        if (replacements[i].code == code) {
            return replacements[i].ascii;
        }
    }
    return NULL;
}

void canvas_init(struct canvas *canvas, int cols, int rows, bool ascii)
{
    free(canvas->cells);
    *canvas = (struct canvas){
        .cols = cols > 0 ? cols : 1,
        .rows = rows > 0 ? rows : 1,
        .ascii = ascii,
    };
    canvas->cells = mem_alloc((size_t)canvas->cols * (size_t)canvas->rows * sizeof *canvas->cells);
    canvas_clear(canvas);
}

void canvas_release(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

void canvas_clear(struct canvas *canvas)
{
    canvas->cursor_row = -1;
    canvas->cursor_col = 0;
    canvas_fill(canvas, (struct rect){0, 0, canvas->rows, canvas->cols}, STYLE_NORMAL, ' ');
}

static struct cell *cell_at(const struct canvas *canvas, int row, int col)
{
    if (row < 0 || col < 0 || row >= canvas->rows || col >= canvas->cols) {
        return NULL;
    }
    return &canvas->cells[(size_t)row * (size_t)canvas->cols + (size_t)col];
}

const struct cell *canvas_cell(const struct canvas *canvas, int row, int col)
{
    return cell_at(canvas, row, col);
}

// Writing over half of a wide character blanks its other half.
static void put_cell(struct canvas *canvas, int row, int col, struct cell cell)
{
    struct cell *at = cell_at(canvas, row, col);
    if (!at) {
        return;
    }
    struct cell *before = cell_at(canvas, row, col - 1);
    struct cell *after = cell_at(canvas, row, col + 1);
    if (at->code == 0 && cell.code != 0 && before) {
        before->code = ' ';
    }
    if (after && after->code == 0) {
        after->code = ' ';
    }
    *at = cell;
}

static void add_mark(struct canvas *canvas, int row, int col, uint32_t code)
{
    struct cell *at = cell_at(canvas, row, col - 1);
    if (at && at->code == 0) {
        at = cell_at(canvas, row, col - 2);
    }
    for (size_t i = 0; at && i < CELL_MARKS; i++) {
        if (at->marks[i] == 0) {
            at->marks[i] = code;
            return;
        }
    }
}

static int put_code(struct canvas *canvas, int row, int col, int end, enum style style,
                    const struct text_glyph *glyph)
{
    int limit = end < canvas->cols ? end : canvas->cols;
    if (glyph->cols == 0) {
        add_mark(canvas, row, col, glyph->code);
        return col;
    }
    if (col + glyph->cols > limit) {
        if (col < limit) {
            put_cell(canvas, row, col, (struct cell){.code = ' ', .style = (uint8_t)style});
        }
        return end;
    }
    struct cell cell = {.code = glyph->code, .style = (uint8_t)style, .own = glyph->style};
    put_cell(canvas, row, col, cell);
    if (glyph->cols == 2) {
        cell.code = 0;
        put_cell(canvas, row, col + 1, (struct cell){.code = ' '});
        *cell_at(canvas, row, col + 1) = cell;
    }
    return col + glyph->cols;
}

int canvas_glyph(struct canvas *canvas, int row, int col, int end, enum style style,
                 const struct text_glyph *glyph)
{
    const char *ascii = canvas->ascii && glyph->code >= 0x80 ? ascii_for(glyph->code) : NULL;
    if (!ascii) {
        return put_code(canvas, row, col, end, style, glyph);
    }
    for (; *ascii; ascii++) {
        struct text_glyph one = {.code = (uint32_t)*ascii, .cols = 1, .style = glyph->style};
        col = put_code(canvas, row, col, end, style, &one);
    }
    return col;
}

int canvas_text(struct canvas *canvas, int row, int col, int end, enum style style,
                const char *text)
{
    struct text_cursor cursor;
    struct text_glyph glyph;
    text_begin(&cursor, text, strlen(text));
    while (col < end && text_next(&cursor, &glyph)) {
        col = canvas_glyph(canvas, row, col, end, style, &glyph);
    }
    return col;
}

int canvas_textf(struct canvas *canvas, int row, int col, int end, enum style style,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    return canvas_text(canvas, row, col, end, style, text);
}

int canvas_text_cols(const struct canvas *canvas, const char *text)
{
    struct text_cursor cursor;
    struct text_glyph glyph;
    int cols = 0;
    text_begin(&cursor, text, strlen(text));
    while (text_next(&cursor, &glyph)) {
        const char *ascii = canvas->ascii && glyph.code >= 0x80 ? ascii_for(glyph.code) : NULL;
        cols += ascii ? (int)strlen(ascii) : glyph.cols;
    }
    return cols;
}

int canvas_text_cut(struct canvas *canvas, int row, int col, int end, enum style style,
                    const char *text)
{
    if (col + canvas_text_cols(canvas, text) <= end) {
        return canvas_text(canvas, row, col, end, style, text);
    }
    int more_cols = canvas_text_cols(canvas, "…");
    col = canvas_text(canvas, row, col, end - more_cols, style, text);
    return canvas_text(canvas, row, col < end - more_cols ? col : end - more_cols, end, style, "…");
}

void canvas_fill(struct canvas *canvas, struct rect rect, enum style style, uint32_t code)
{
    for (int row = rect.row; row < rect.row + rect.rows; row++) {
        for (int col = rect.col; col < rect.col + rect.cols; col++) {
            put_cell(canvas, row, col, (struct cell){.code = code, .style = (uint8_t)style});
        }
    }
}

void canvas_restyle(struct canvas *canvas, int row, int col, int end, enum style style)
{
    for (; col < end; col++) {
        struct cell *at = cell_at(canvas, row, col);
        if (at) {
            at->style = (uint8_t)style;
            at->own = (struct text_style){0};
        }
    }
}

static void horizontal(struct canvas *canvas, int row, int col, int end, enum style style)
{
    while (col < end) {
        col = canvas_text(canvas, row, col, end, style, "─");
    }
}

struct rect canvas_frame(struct canvas *canvas, struct rect rect, const char *title,
                         const char *right, bool focused)
{
    enum style line = STYLE_FRAME;
    int end = rect.col + rect.cols;
    int bottom = rect.row + rect.rows - 1;
    canvas_text(canvas, rect.row, rect.col, end, line, "┌");
    horizontal(canvas, rect.row, rect.col + 1, end - 1, line);
    canvas_text(canvas, rect.row, end - 1, end, line, "┐");
    for (int row = rect.row + 1; row < bottom; row++) {
        canvas_text(canvas, row, rect.col, end, line, "│");
        canvas_text(canvas, row, end - 1, end, line, "│");
    }
    canvas_text(canvas, bottom, rect.col, end, line, "└");
    horizontal(canvas, bottom, rect.col + 1, end - 1, line);
    canvas_text(canvas, bottom, end - 1, end, line, "┘");

    enum style head = focused ? STYLE_TITLE : STYLE_FRAME;
    int col = canvas_text(canvas, rect.row, rect.col + 1, end - 1, head, " ");
    col = canvas_text_cut(canvas, rect.row, col, end - 2, head, title);
    col = canvas_text(canvas, rect.row, col, end - 1, head, " ");
    int right_cols = right && *right ? canvas_text_cols(canvas, right) + 2 : 0;
    if (right_cols && end - 1 - right_cols > col) {
        int at = canvas_text(canvas, rect.row, end - 1 - right_cols, end - 1, line, " ");
        at = canvas_text(canvas, rect.row, at, end - 1, line, right);
        canvas_text(canvas, rect.row, at, end - 1, line, " ");
    }
    return (struct rect){rect.row + 1, rect.col + 1, rect.rows - 2, rect.cols - 2};
}

bool canvas_equal(const struct canvas *a, const struct canvas *b)
{
    if (!a->cells || !b->cells || a->cols != b->cols || a->rows != b->rows ||
        a->cursor_row != b->cursor_row || a->cursor_col != b->cursor_col) {
        return false;
    }
    size_t count = (size_t)a->cols * (size_t)a->rows;
    return memcmp(a->cells, b->cells, count * sizeof *a->cells) == 0;
}

static void dump_row(const struct canvas *canvas, int row, struct buf *out)
{
    size_t start = out->len;
    for (int col = 0; col < canvas->cols; col++) {
        const struct cell *cell = canvas_cell(canvas, row, col);
        if (cell->code == 0) {
            continue;
        }
        char bytes[4];
        buf_add(out, bytes, utf8_encode(cell->code, bytes));
        for (size_t i = 0; i < CELL_MARKS && cell->marks[i]; i++) {
            buf_add(out, bytes, utf8_encode(cell->marks[i], bytes));
        }
    }
    while (out->len > start && out->data[out->len - 1] == ' ') {
        out->len--;
    }
    buf_adds(out, "\n");
}

char *canvas_dump(const struct canvas *canvas)
{
    struct buf out = {0};
    for (int row = 0; row < canvas->rows; row++) {
        dump_row(canvas, row, &out);
    }
    return buf_steal(&out);
}

bool canvas_contains(const struct canvas *canvas, const char *text)
{
    auto_free char *all = canvas_dump(canvas);
    return strstr(all, text) != NULL;
}

_Static_assert(sizeof(struct cell) == 20, "cells are compared as bytes");
