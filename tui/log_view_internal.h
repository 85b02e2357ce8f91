// What: the rows of a window onto the journal, shared by log_view.c (laying out, drawing) and
//       log_move.c (scrolling, searching).
// Not: for anybody else.
#ifndef TUI_LOG_VIEW_INTERNAL_H
#define TUI_LOG_VIEW_INTERNAL_H

#include "tui/log_view.h"

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

void log_view_release_rows(struct log_row *rows, int count);
// The line that record seq makes here; false: none. line->text is the caller's.
bool log_view_read_line(struct log_view *view, const struct log_source *log, uint64_t seq,
                        struct journal_record *record, struct log_line *line);
// Its rows, the caller's; false: none.
bool log_view_read_rows(struct log_view *view, const struct log_source *log, uint64_t seq,
                        struct row_list *list);

#endif
