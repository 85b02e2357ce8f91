// Moving in a window onto the journal: by rows, by searching, to a time. Places are records, never
// rows of the screen.
#include "tui/log_view_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/text.h"

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
        if (log_view_read_rows(view, log, --seq, &list)) {
            view->top_seq = seq;
            view->top_skip = list.count - 1;
            log_view_release_rows(list.rows, list.count);
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
        if (!log_view_read_rows(view, log, seq, &list)) {
            continue;
        }
        int count = list.count;
        log_view_release_rows(list.rows, list.count);
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
    if (!log_view_read_line(view, log, seq, &record, &line)) {
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
        if (wanted && log_view_read_line(view, model->log, seq, &record, &line)) {
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
