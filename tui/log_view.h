// What: a window onto the journal: which records are seen, how they wrap, scrolling, following,
//       searching.
// Why: Logs and Build are the same window with different rules of what belongs there; memory holds
//      only the rows on screen, whatever the log's size.
// Order: log_view_update() with the size, then log_view_draw(); keys through log_view_key().
// Owns: the rows of the window.
// Bounds: one update or search step looks at LOG_VIEW_WALK_MAX records at most, so that a flood of
//         lines that are filtered away can not hold the screen.
#ifndef TUI_LOG_VIEW_H
#define TUI_LOG_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "tui/pane.h"

#define LOG_VIEW_WALK_MAX    20000
#define LOG_VIEW_SEARCH_MAX  200000
#define LOG_VIEW_RECORD_ROWS 200 // of one wrapped record; the rest is only counted

struct log_row;

struct log_line {
    enum style style;
    char *text; // heap, taken by the view: stands for the record's own text (events); may hold
                // several lines
};

struct log_view {
    // The pane's rule. false: the record is not shown here.
    bool (*accept)(const struct journal_record *record, void *context, struct log_line *line);
    void *context;
    bool time_only; // Build: no source and stream columns

    bool follow;
    uint64_t top_seq; // first row: this record ...
    int top_skip;     // ... without its first rows
    char *search;     // NULL: none
    char *filter;
    uint64_t match_seq; // the record the search stands on; 0: none

    struct log_row *rows; // the window
    int row_count;
    int cols, max_rows;
    int source_cols;
    bool compact;
    bool at_end; // the window shows the newest record
};

void log_view_init(struct log_view *view);
void log_view_release(struct log_view *view);
void log_view_update(struct log_view *view, const struct pane_model *model, uint64_t end_hint,
                     int cols, int rows);
void log_view_draw(const struct log_view *view, struct canvas *canvas, struct rect rect);
unsigned log_view_key(struct log_view *view, const struct pane_model *model, enum action action,
                      const char **ret_message);
const char *log_view_search(struct log_view *view, const struct pane_model *model,
                            const char *pattern);
// To the first line of place that is seen here, else to its time. Returns a message or NULL.
const char *log_view_jump(struct log_view *view, const struct pane_model *model,
                          const struct pane_place *place);
void log_view_filter(struct log_view *view, const char *pattern);

#endif
