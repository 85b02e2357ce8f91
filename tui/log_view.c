// The place is held as (record, rows of it above the window): it survives new records, a resize and
// dropped segments. Following is no place at all: the window is laid out from the newest record
// upwards.
#include "tui/log_view.h"

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

struct log_row {
    uint64_t seq;
    int index; // of this row within its record
    int64_t wall_ms;
    enum journal_stream stream;
    unsigned flags;
    enum style style;
    char source[32];
    struct text_glyph *glyphs;
    int count;
};

struct row_list {
    struct log_row *rows;
    int count;
};

// ---- laying out one record ----

static int prefix_cols(const struct log_view *view)
{
    if (view->time_only) {
        return TIME_COLS + 1;
    }
    int source = view->compact ? 0 : view->source_cols + 1;
    return TIME_COLS + 1 + source + STREAM_COLS + (view->compact ? 1 : 2);
}

static void release_rows(struct log_row *rows, int count)
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
static bool read_line(struct log_view *view, const struct log_source *log, uint64_t seq,
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

static bool read_rows(struct log_view *view, const struct log_source *log, uint64_t seq,
                      struct row_list *list)
{
    struct journal_record record;
    struct log_line line;
    *list = (struct row_list){0};
    if (!read_line(view, log, seq, &record, &line)) {
        return false;
    }
    layout(view, &record, &line, list);
    free(line.text);
    return list->count > 0;
}

static void clear_window(struct log_view *view)
{
    release_rows(view->rows, view->row_count);
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
        if (read_rows(view, log, seq, &list)) {
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
        if (read_rows(view, log, seq, &list)) {
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

// ---- moving ----

// One row up: within the record, or to the last row of the one before that is shown here.
static bool step_up(struct log_view *view, const struct log_source *log, uint64_t first)
{
    if (view->top_skip > 0) {
        view->top_skip--;
        return true;
    }
    int budget = LOG_VIEW_WALK_MAX;
    for (uint64_t seq = view->top_seq; seq > first && budget-- > 0;) {
        struct row_list list;
        if (read_rows(view, log, --seq, &list)) {
            view->top_seq = seq;
            view->top_skip = list.count - 1;
            release_rows(list.rows, list.count);
            return true;
        }
    }
    return false;
}

static bool step_down(struct log_view *view, const struct log_source *log, uint64_t last)
{
    int budget = LOG_VIEW_WALK_MAX;
    for (uint64_t seq = view->top_seq; seq <= last && budget-- > 0; seq++) {
        struct row_list list;
        if (!read_rows(view, log, seq, &list)) {
            continue;
        }
        int count = list.count;
        release_rows(list.rows, list.count);
        if (seq > view->top_seq) {
            view->top_seq = seq;
            view->top_skip = 0;
            return true;
        }
        if (view->top_skip + 1 < count) {
            view->top_skip++;
            return true;
        }
    }
    return false;
}

static void scroll(struct log_view *view, const struct pane_model *model, int rows)
{
    uint64_t first, last;
    model->log->range(model->log->context, &first, &last);
    if (rows < 0) {
        view->follow = false;
    }
    for (; rows < 0 && step_up(view, model->log, first); rows++) {
    }
    for (; rows > 0 && !view->follow && step_down(view, model->log, last); rows--) {
    }
}

static void scroll_down(struct log_view *view, const struct pane_model *model, int rows)
{
    scroll(view, model, rows);
    log_view_update(view, model, 0, view->cols, view->max_rows);
    view->follow = view->follow || view->at_end; // arrived at the newest line
}

static void go_top(struct log_view *view)
{
    view->follow = false;
    view->top_seq = 1;
    view->top_skip = 0;
}

// ---- searching ----

static bool record_matches(struct log_view *view, const struct log_source *log, uint64_t seq)
{
    struct journal_record record;
    struct log_line line;
    if (!read_line(view, log, seq, &record, &line)) {
        return false;
    }
    const char *text = line.text ? line.text : record.text;
    bool found = text_matches(text, line.text ? strlen(line.text) : record.len, view->search);
    free(line.text);
    return found;
}

// Looks at records from `seq` in direction step (+1, -1) up to `end`, inclusive. 0: none.
static uint64_t find(struct log_view *view, const struct log_source *log, uint64_t seq,
                     uint64_t end, int step)
{
    for (int budget = LOG_VIEW_SEARCH_MAX; budget > 0; budget--) {
        if (seq == 0 || (step > 0 ? seq > end : seq < end)) {
            return 0;
        }
        if (record_matches(view, log, seq)) {
            return seq;
        }
        seq = step > 0 ? seq + 1 : seq - 1;
    }
    return 0;
}

static bool is_visible(const struct log_view *view, uint64_t seq)
{
    for (int i = 0; i < view->row_count; i++) {
        if (view->rows[i].seq == seq && view->rows[i].index == 0) {
            return true;
        }
    }
    return false;
}

static void show_match(struct log_view *view, const struct pane_model *model, uint64_t seq)
{
    view->match_seq = seq;
    view->follow = false;
    if (!is_visible(view, seq)) {
        view->top_seq = seq;
        view->top_skip = 0;
        scroll(view, model, -(view->max_rows / 3));
    }
}

static const char *search_from(struct log_view *view, const struct pane_model *model, int step)
{
    if (str_empty(view->search)) {
        return _("nothing to search for: / first");
    }
    uint64_t first, last;
    model->log->range(model->log->context, &first, &last);
    uint64_t bottom = view->row_count ? view->rows[view->row_count - 1].seq : last;
    uint64_t start = view->match_seq ? view->match_seq : bottom + 1;
    uint64_t found = step < 0 ? find(view, model->log, start - 1, first, -1)
                              : find(view, model->log, start + 1, last, 1);
    bool wrapped = found == 0;
    if (wrapped) {
        found = step < 0 ? find(view, model->log, last, start, -1)
                         : find(view, model->log, first, start, 1);
    }
    if (found == 0) {
        return _("not found");
    }
    show_match(view, model, found);
    return wrapped ? _("search went round the end") : NULL;
}

const char *log_view_search(struct log_view *view, const struct pane_model *model,
                            const char *pattern)
{
    str_replace(&view->search, pattern);
    view->match_seq = 0;
    return str_empty(pattern) ? NULL : search_from(view, model, -1);
}

// The first record that is not older: times in the journal do not fall, but for a clock that is
// set.
static uint64_t seq_at(const struct log_source *log, int64_t wall_ms)
{
    uint64_t low, high;
    log->range(log->context, &low, &high);
    high++;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct journal_record record;
        if (!log->read(log->context, middle, &record) || record.wall_ms < wall_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const char *log_view_jump(struct log_view *view, const struct pane_model *model,
                          const struct pane_place *place)
{
    uint64_t first, last;
    str_replace(&view->filter, NULL);
    model->log->range(model->log->context, &first, &last);
    uint64_t start = seq_at(model->log, place->from_ms);
    int budget = LOG_VIEW_WALK_MAX;
    for (uint64_t seq = start; seq <= last && budget-- > 0; seq++) {
        struct journal_record record;
        struct log_line line;
        if (!model->log->read(model->log->context, seq, &record) || record.wall_ms > place->to_ms) {
            break;
        }
        bool wanted = str_empty(place->source) || strcmp(record.source, place->source) == 0;
        if (wanted && read_line(view, model->log, seq, &record, &line)) {
            free(line.text);
            show_match(view, model, seq);
            return NULL;
        }
    }
    if (start < first || start > last) {
        return start > last && last ? _("nothing was logged since")
                                    : _("its lines are kept no more");
    }
    show_match(view, model, start);
    return _("its instance logged nothing meanwhile; this is the time");
}

void log_view_filter(struct log_view *view, const char *pattern)
{
    str_replace(&view->filter, str_empty(pattern) ? NULL : pattern);
    view->follow = true;
    view->match_seq = 0;
}

// ---- keys ----

static unsigned say(const char **ret_message, const char *message)
{
    *ret_message = message;
    return message ? EFFECT_MESSAGE : 0;
}

unsigned log_view_key(struct log_view *view, const struct pane_model *model, enum action action,
                      const char **ret_message)
{
    int page = view->max_rows > 2 ? view->max_rows - 2 : 1;
    switch (action) {
    case ACTION_LINE_UP:
        scroll(view, model, -1);
        return 0;
    case ACTION_LINE_DOWN:
        scroll_down(view, model, 1);
        return 0;
    case ACTION_PAGE_UP:
        scroll(view, model, -page);
        return 0;
    case ACTION_PAGE_DOWN:
        scroll_down(view, model, page);
        return 0;
    case ACTION_TOP:
        go_top(view);
        return 0;
    case ACTION_BOTTOM:
        view->follow = true;
        return 0;
    case ACTION_FOLLOW:
        view->follow = !view->follow;
        return 0;
    case ACTION_SEARCH:
        return EFFECT_SEARCH;
    case ACTION_SEARCH_NEXT:
        return say(ret_message, search_from(view, model, -1));
    case ACTION_SEARCH_BACK:
        return say(ret_message, search_from(view, model, 1));
    case ACTION_FILTER:
        return EFFECT_FILTER;
    case ACTION_CANCEL:
        str_replace(&view->search, NULL);
        view->match_seq = 0;
        if (view->filter) {
            log_view_filter(view, NULL);
        }
        return 0;
    default:
        return 0;
    }
}
