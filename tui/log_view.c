// The place is held as (record, rows of it above the window): it survives new records, a resize and
// dropped segments. Following is no place at all: the window is laid out from the newest record
// upwards.
#include "tui/log_view.h"

#include "tui/log_view_internal.h"

#include <stdlib.h>
#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"
#include "tui/text.h"

#define TIME_COLS       8
#define STREAM_COLS     3
#define SOURCE_COLS_MIN 4
#define SOURCE_COLS_MAX 12

// ---- laying out one record ----

static int prefix_cols(const struct log_view *view)
{
    if (view->time_only) {
        return TIME_COLS + 1;
    }
    int source = view->compact ? 0 : view->source_cols + 1;
    return TIME_COLS + 1 + source + STREAM_COLS + (view->compact ? 1 : 2);
}

void log_view_release_rows(struct log_row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        free(rows[i].glyphs);
    }
    free(rows);
}

static struct log_row *add_row(struct row_list *list, const struct log_row *head)
{
    list->rows = mem_resize(list->rows, (size_t)(list->count + 1) * sizeof *list->rows);
    struct log_row *row = &list->rows[list->count];
    *row = *head;
    row->index = list->count++;
    row->glyphs = NULL;
    row->count = 0;
    return row;
}

static void add_glyph(struct log_row *row, int capacity, const struct text_glyph *glyph)
{
    if (!row->glyphs) {
        row->glyphs = mem_alloc((size_t)capacity * sizeof *row->glyphs);
    }
    if (row->count < capacity) {
        row->glyphs[row->count++] = *glyph;
    }
}

// "  mend   write it": what does not fit stands below "write". 0 for what is not indented.
static int hanging_cols(const char *text, size_t len, int width)
{
    size_t at = 0;
    while (at < len && text[at] == ' ') {
        at++;
    }
    if (at == 0 || at == len) {
        return 0;
    }
    struct text_cursor cursor;
    struct text_glyph glyph;
    int col = 0;
    int blanks = 0;
    text_begin(&cursor, text, len);
    while (col < width / 3 && text_next(&cursor, &glyph)) {
        if (blanks >= 2 && col > (int)at && glyph.code != ' ') {
            return col;
        }
        blanks = glyph.code == ' ' ? blanks + 1 : 0;
        col += glyph.cols;
    }
    return (int)at < width / 3 ? (int)at : 0;
}

static int indent(struct log_row *row, int capacity, int cols)
{
    const struct text_glyph blank = {.code = ' ', .cols = 1};
    for (int i = 0; i < cols; i++) {
        add_glyph(row, capacity, &blank);
    }
    return cols;
}

// Our own sentences break at blanks: the last word moves to the next row. Returns the columns that
// moved.
static int move_last_word(struct log_row *from, struct log_row *to, int capacity)
{
    int at = from->count;
    while (at > 0 && from->glyphs[at - 1].code != ' ') {
        at--;
    }
    if (at <= from->count / 2 || at == from->count) {
        return 0;
    }
    int cols = 0;
    for (int i = at; i < from->count; i++) {
        add_glyph(to, capacity, &from->glyphs[i]);
        cols += from->glyphs[i].cols;
    }
    from->count = at;
    return cols;
}

static void layout_line(struct log_view *view, const struct log_row *head, const char *text,
                        size_t len, struct row_list *list)
{
    int width = view->cols - prefix_cols(view);
    width = width > 4 ? width : 4;
    int capacity = width * 2; // room for combining characters
    bool words = head->stream == JOURNAL_EVENT;
    int hanging = words ? hanging_cols(text, len, width) : 0;
    struct log_row *row = add_row(list, head);
    struct text_cursor cursor;
    struct text_glyph glyph;
    int col = 0;
    int count = 0;
    text_begin(&cursor, text, len);
    while (text_next(&cursor, &glyph)) {
        if (col + glyph.cols > width) {
            if (list->count >= LOG_VIEW_RECORD_ROWS) {
                return;
            }
            add_row(list, head);
            row = &list->rows[list->count - 1];
            col = indent(row, capacity, hanging);
            col += words ? move_last_word(row - 1, row, capacity) : 0;
        }
        if (++count > LIMIT_LOG_LINE_CHARACTERS && head->stream <= JOURNAL_ERR) {
            glyph.style.dim = true; // the cloud cuts it off
        }
        add_glyph(row, capacity, &glyph);
        col += glyph.cols;
    }
}

static void layout(struct log_view *view, const struct journal_record *record,
                   const struct log_line *line, struct row_list *list)
{
    struct log_row head = {
        .seq = record->seq,
        .wall_ms = record->wall_ms,
        .stream = record->stream,
        .flags = record->flags,
        .style = line->style,
    };
    memcpy(head.source, record->source, sizeof head.source);
    if (!line->text) {
        layout_line(view, &head, record->text, record->len, list);
        return;
    }
    for (const char *at = line->text; *at && list->count < LOG_VIEW_RECORD_ROWS;) {
        size_t len = strcspn(at, "\n");
        layout_line(view, &head, at, len, list);
        at += len + (at[len] == '\n');
    }
}

// ---- reading ----

// The line that record seq makes here; false: none. line->text is the caller's.
bool log_view_read_line(struct log_view *view, const struct log_source *log, uint64_t seq,
                        struct journal_record *record, struct log_line *line)
{
    *line = (struct log_line){0};
    if (!log->read(log->context, seq, record) || !view->accept(record, view->context, line)) {
        return false;
    }
    const char *text = line->text ? line->text : record->text;
    size_t len = line->text ? strlen(line->text) : record->len;
    if (str_empty(view->filter) || text_matches(text, len, view->filter) ||
        strcmp(record->source, view->filter) == 0) {
        return true;
    }
    free(line->text);
    return false;
}

bool log_view_read_rows(struct log_view *view, const struct log_source *log, uint64_t seq,
                        struct row_list *list)
{
    struct journal_record record;
    struct log_line line;
    *list = (struct row_list){0};
    if (!log_view_read_line(view, log, seq, &record, &line)) {
        return false;
    }
    layout(view, &record, &line, list);
    free(line.text);
    return list->count > 0;
}

static void clear_window(struct log_view *view)
{
    log_view_release_rows(view->rows, view->row_count);
    view->rows = NULL;
    view->row_count = 0;
}

// Puts rows [from, to) of list at the window's front or back; the others are freed, and the list
// with them.
static void take_rows(struct log_view *view, struct row_list *list, int from, int to, bool front)
{
    int count = to - from;
    size_t total = (size_t)(view->row_count + count);
    view->rows = mem_resize(view->rows, (total ? total : 1) * sizeof *view->rows);
    int at = front ? 0 : view->row_count;
    memmove(view->rows + at + count, view->rows + at,
            (size_t)(view->row_count - at) * sizeof *view->rows);
    memcpy(view->rows + at, list->rows + from, (size_t)count * sizeof *view->rows);
    view->row_count += count;
    for (int i = 0; i < list->count; i++) {
        if (i < from || i >= to) {
            free(list->rows[i].glyphs);
        }
    }
    free(list->rows);
}

static void fill_upwards(struct log_view *view, const struct log_source *log, uint64_t first,
                         uint64_t end)
{
    int budget = LOG_VIEW_WALK_MAX;
    for (uint64_t seq = end; seq >= first && seq > 0 && budget-- > 0; seq--) {
        struct row_list list;
        if (view->row_count >= view->max_rows) {
            return;
        }
        if (log_view_read_rows(view, log, seq, &list)) {
            int room = view->max_rows - view->row_count;
            int from = list.count > room ? list.count - room : 0;
            take_rows(view, &list, from, list.count, true);
        }
    }
}

// Returns whether the window is full.
static bool fill_downwards(struct log_view *view, const struct log_source *log, uint64_t last)
{
    int budget = LOG_VIEW_WALK_MAX;
    int skip = view->top_skip;
    for (uint64_t seq = view->top_seq; seq <= last && budget-- > 0; seq++) {
        struct row_list list;
        if (log_view_read_rows(view, log, seq, &list)) {
            int room = view->max_rows - view->row_count;
            int from = skip < list.count ? skip : list.count - 1;
            int to = list.count - from > room ? from + room : list.count;
            take_rows(view, &list, from, to, false);
            skip = 0;
        }
        if (view->row_count >= view->max_rows) {
            return true;
        }
    }
    return false;
}

static void fill_window(struct log_view *view, const struct log_source *log, uint64_t end_hint)
{
    uint64_t first, last;
    clear_window(view);
    log->range(log->context, &first, &last);
    if (first > last || last == 0) {
        return;
    }
    if (!view->follow && view->top_seq < first) {
        view->top_seq = first; // its segment was dropped
        view->top_skip = 0;
    }
    view->at_end = view->follow || !fill_downwards(view, log, last);
    if (!view->at_end) {
        return;
    }
    clear_window(view);
    fill_upwards(view, log, first, end_hint && end_hint < last ? end_hint : last);
    if (view->row_count > 0) {
        view->top_seq = view->rows[0].seq;
        view->top_skip = view->rows[0].index;
    }
}

static int widest_source(const struct log_view *view)
{
    int widest = SOURCE_COLS_MIN;
    for (int i = 0; i < view->row_count; i++) {
        int cols = view->rows[i].stream == JOURNAL_EVENT ? 0 : text_cols(view->rows[i].source);
        widest = cols > widest ? cols : widest;
    }
    return widest < SOURCE_COLS_MAX ? widest : SOURCE_COLS_MAX;
}

void log_view_update(struct log_view *view, const struct pane_model *model, uint64_t end_hint,
                     int cols, int rows)
{
    view->cols = cols;
    view->max_rows = rows > 0 ? rows : 1;
    view->compact = model->compact;
    view->source_cols = SOURCE_COLS_MIN;
    fill_window(view, model->log, end_hint);
    int widest = widest_source(view);
    if (!view->time_only && widest > view->source_cols) {
        view->source_cols = widest;
        fill_window(view, model->log, end_hint);
    }
}

void log_view_init(struct log_view *view)
{
    view->follow = true;
    view->source_cols = SOURCE_COLS_MIN;
}

void log_view_release(struct log_view *view)
{
    clear_window(view);
    free(view->search);
    free(view->filter);
}

// ---- drawing ----

static const char *stream_word(const struct log_row *row)
{
    switch (row->stream) {
    case JOURNAL_OUT:
        return "out";
    case JOURNAL_ERR:
        return "err";
    default:
        return "---";
    }
}

static void draw_prefix(const struct log_view *view, const struct log_row *row,
                        struct canvas *canvas, int line, int col, int end)
{
    char time[9];
    clock_format_hms(row->wall_ms, time);
    canvas_text(canvas, line, col, end, STYLE_DIM, time);
    if (view->time_only) {
        return;
    }
    col += TIME_COLS + 1;
    if (!view->compact) {
        if (row->stream != JOURNAL_EVENT) {
            canvas_text(canvas, line, col, col + view->source_cols, STYLE_DIM, row->source);
        }
        col += view->source_cols + 1;
    }
    canvas_text(canvas, line, col, end, row->style, stream_word(row));
}

// Highlights every occurrence of the search in the row's cells.
static void draw_matches(const struct log_view *view, const struct log_row *row,
                         struct canvas *canvas, int line, int col)
{
    size_t count = (size_t)row->count;
    auto_free int *columns = mem_alloc((count * 4 + 2) * sizeof *columns); // of each byte
    struct buf text = {0};
    for (int i = 0; i < row->count; i++) {
        char bytes[4];
        size_t used = utf8_encode(row->glyphs[i].code, bytes);
        for (size_t j = 0; j < used; j++) {
            columns[text.len + j] = col;
        }
        buf_add(&text, bytes, used);
        col += row->glyphs[i].cols;
    }
    columns[text.len] = col;
    auto_free char *plain = buf_steal(&text);
    size_t len = strlen(view->search);
    for (const char *at = plain; (at = strcasestr(at, view->search)) != NULL; at += len) {
        if (text_matches(at, len, view->search)) {
            canvas_restyle(canvas, line, columns[at - plain], columns[at - plain + (long)len],
                           STYLE_MATCH);
        }
    }
}

static void draw_row(const struct log_view *view, const struct log_row *row, struct canvas *canvas,
                     int line, int col, int end)
{
    bool dropped = row->flags & JOURNAL_CLOUD_DROPS;
    if (row->index == 0) {
        draw_prefix(view, row, canvas, line, col, end);
    }
    col += prefix_cols(view);
    int start = col;
    for (int i = 0; i < row->count; i++) {
        struct text_glyph glyph = row->glyphs[i];
        glyph.style.dim = glyph.style.dim || dropped;
        col = canvas_glyph(canvas, line, col, end, dropped ? STYLE_DIM : row->style, &glyph);
    }
    if (!str_empty(view->search)) {
        draw_matches(view, row, canvas, line, start);
    }
}

// Said once for a run of lines, at its first one.
static void draw_dropped_note(struct canvas *canvas, int line, int end)
{
    const char *note = _(" not in the cloud (P-120) ");
    int cols = canvas_text_cols(canvas, note);
    canvas_text(canvas, line, end - cols, end, STYLE_WARN, note);
}

void log_view_draw(const struct log_view *view, struct canvas *canvas, struct rect rect)
{
    bool dropped_before = false;
    int end = rect.col + rect.cols;
    for (int i = 0; i < view->row_count && i < rect.rows; i++) {
        const struct log_row *row = &view->rows[i];
        draw_row(view, row, canvas, rect.row + i, rect.col, end);
        bool dropped = row->flags & JOURNAL_CLOUD_DROPS;
        if (dropped && !dropped_before && !view->compact) {
            draw_dropped_note(canvas, rect.row + i, end);
        }
        dropped_before = dropped;
        if (view->match_seq == row->seq && row->index == 0) {
            canvas->cursor_row = rect.row + i;
            canvas->cursor_col = rect.col;
        }
    }
}
