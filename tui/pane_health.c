// What: why it is, or is not, healthy: rule, the cloud's own sentence, the way out; when it is
// tried or checked again; below them the last probes.
#include "tui/pane.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/text.h"

#define LABEL_COLS    9
#define PATH_COLS     20
#define PATH_COLS_MIN 6 // on narrow screens
#define NARROW_COLS   50
#define PROBE_COLS    60 // of a row with the full path, up to the verdict's end
#define TEXT_COLS_MIN 8  // less tells nothing

// Where a row of width cols ends: at a blank if one is near, never within a character.
static size_t row_length(const char *text, int cols)
{
    size_t line = strcspn(text, "\n");
    size_t fits = text_fit(text, cols);
    if (fits >= line) {
        return line;
    }
    for (size_t at = fits; at > fits / 2; at--) {
        if (text[at] == ' ') {
            return at;
        }
    }
    return fits ? fits : line;
}

// Draws text in rows of its own width below each other; returns the row behind the last.
static int draw_wrapped(struct canvas *canvas, struct rect area, enum style style, const char *text)
{
    int row = area.row;
    while (*text && row < area.row + area.rows) {
        size_t len = row_length(text, area.cols);
        auto_free char *line = str_dup_len(text, len);
        canvas_text(canvas, row++, area.col, area.col + area.cols, style, line);
        text += len;
        text += *text == ' ' || *text == '\n';
    }
    return row;
}

// "rule     P-105: ..."; returns the row behind it.
static int draw_reason(struct canvas *canvas, struct rect rect, int row, const char *label,
                       enum style style, const char *text)
{
    if (str_empty(text) || row >= rect.row + rect.rows) {
        return row;
    }
    canvas_text(canvas, row, rect.col, rect.col + LABEL_COLS, STYLE_STRONG, label);
    struct rect area = {row, rect.col + LABEL_COLS, rect.row + rect.rows - row,
                        rect.cols - LABEL_COLS};
    return draw_wrapped(canvas, area, style, text);
}

static int draw_failure(const struct snapshot *snapshot, struct canvas *canvas, struct rect rect,
                        int row)
{
    if (!*snapshot->failure) {
        return row;
    }
    auto_free char *rule = *snapshot->failure_rule
                               ? str_printf("%s: %s", snapshot->failure_rule, snapshot->failure)
                               : str_dup(snapshot->failure);
    const char *label = *snapshot->failure_rule ? _("rule") : _("why");
    row = draw_reason(canvas, rect, row, label, STYLE_BAD, rule);
    row = draw_reason(canvas, rect, row, _("cloud"), STYLE_NORMAL, snapshot->failure_cloud);
    row = draw_reason(canvas, rect, row, _("mend"), STYLE_GOOD, snapshot->failure_mend);
    return row + 1;
}

static char *loop_text(const struct snapshot *snapshot)
{
    char since[9], next[9];
    clock_format_hms(snapshot->crash_since_ms, since);
    clock_format_hms(snapshot->crash_next_ms, next);
    if (snapshot->crash_deaths == 0) {
        return str_printf(_("next try at %s, or with the next save"), next);
    }
    return str_printf(_("crash loop: %lld deaths since %s; next try at %s, or with the next save"),
                      (long long)snapshot->crash_deaths, since, next);
}

// Of who serves now; "" when it has not died as often as that.
static char *deaths_text(const struct snapshot *snapshot)
{
    char since[9];
    clock_format_hms(snapshot->crash_since_ms, since);
    return snapshot->crash_deaths > 0 ? str_printf(_("%lld deaths since %s before it"),
                                                   (long long)snapshot->crash_deaths, since)
                                      : str_dup("");
}

static const char *healthy_path(const struct snapshot *snapshot)
{
    for (int64_t i = snapshot->probe_count; i-- > 0;) {
        if (strcmp(snapshot->probes[i].verdict, "healthy") == 0) {
            return snapshot->probes[i].path;
        }
    }
    return NULL;
}

static char *checks_text(const struct snapshot *snapshot)
{
    char next[9];
    const char *path = healthy_path(snapshot);
    clock_format_hms(snapshot->check_next_ms, next);
    if (snapshot->check_failures > 0 && snapshot->check_failures >= snapshot->check_failures_max) {
        return str_printf(_("%lld checks failed in a row: it is being restarted; next at %s"),
                          (long long)snapshot->check_failures, next);
    }
    if (snapshot->check_failures > 0) {
        return str_printf(
            _("%lld of %lld checks failed in a row, then it is restarted; next at %s"),
            (long long)snapshot->check_failures, (long long)snapshot->check_failures_max, next);
    }
    return path ? str_printf(_("healthy by %s; next check at %s"), path, next)
                : str_printf(_("next check at %s"), next);
}

// What is going to happen, and when.
static int draw_outlook(const struct snapshot *snapshot, struct canvas *canvas, struct rect rect)
{
    int row = rect.row;
    if (snapshot->crash_next_ms > 0) {
        auto_free char *text = loop_text(snapshot);
        row = draw_reason(canvas, rect, row, _("try"), STYLE_BAD, text);
    }
    if (snapshot->check_next_ms > 0) {
        auto_free char *text = checks_text(snapshot);
        enum style style = snapshot->check_failures > 0 ? STYLE_WARN : STYLE_GOOD;
        row = draw_reason(canvas, rect, row, _("check"), style, text);
    }
    if (snapshot->crash_next_ms == 0) {
        auto_free char *deaths = deaths_text(snapshot);
        row = draw_reason(canvas, rect, row, "", STYLE_WARN, deaths);
    }
    return row > rect.row ? row + 1 : row;
}

static void describe_verdict(const struct snapshot_probe *probe, enum style *ret_style,
                             const char **ret_word)
{
    static const struct {
        const char *verdict;
        enum style style;
        const char *word;
    } verdicts[] = {
        {"healthy", STYLE_GOOD, N_("healthy")},
        {"not-yet", STYLE_WARN, N_("not yet")},
        {"failed", STYLE_BAD, N_("failed")},
        {"not-needed", STYLE_DIM, N_("not needed")}, // the other path was enough
    };
    *ret_style = STYLE_NORMAL;
    *ret_word = probe->verdict;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        if (strcmp(verdicts[i].verdict, probe->verdict) == 0) {
            *ret_style = verdicts[i].style;
            *ret_word = _(verdicts[i].word);
        }
    }
}

static void draw_probe(const struct snapshot_probe *probe, struct canvas *canvas, int row,
                       struct rect rect)
{
    int end = rect.col + rect.cols;
    char time[9];
    enum style style;
    const char *word;
    clock_format_hms(probe->wall_ms, time);
    describe_verdict(probe, &style, &word);
    canvas_text(canvas, row, rect.col, end, STYLE_DIM, time);
    int col = rect.col + 10;
    canvas_text(canvas, row, col, col + 6, STYLE_DIM, probe->instance);
    col += 7;
    int path_cols = rect.cols - (PROBE_COLS - PATH_COLS);
    path_cols = path_cols > PATH_COLS       ? PATH_COLS
                : path_cols < PATH_COLS_MIN ? PATH_COLS_MIN
                                            : path_cols;
    canvas_text_cut(canvas, row, col, col + path_cols, STYLE_NORMAL, probe->path);
    col += path_cols + 1;
    if (probe->status > 0) {
        canvas_textf(canvas, row, col, end, STYLE_NORMAL, "%3lld", (long long)probe->status);
    } else {
        canvas_text(canvas, row, col, end, STYLE_BAD, "  –");
    }
    col += 4;
    bool narrow = rect.cols < NARROW_COLS; // the verdict is worth more than its duration
    if (probe->ms >= 0 && probe->status > 0 && !narrow) {
        canvas_textf(canvas, row, col, end, STYLE_DIM, "%5lld ms", (long long)probe->ms);
    }
    col = canvas_text(canvas, row, narrow ? col : col + 10, end, style, word);
    if (*probe->text && col + 2 + TEXT_COLS_MIN <= end) {
        canvas_text_cut(canvas, row, col + 2, end, STYLE_DIM, probe->text);
    }
}

static void draw(const void *state, const struct pane_model *model, struct canvas *canvas,
                 struct rect rect)
{
    (void)state;
    const struct snapshot *snapshot = model->snapshot;
    int row = draw_outlook(snapshot, canvas, rect);
    row = draw_failure(snapshot, canvas, rect, row);
    int room = rect.row + rect.rows - row;
    int count = (int)snapshot->probe_count;
    if (count == 0 && room > 0) {
        canvas_text(canvas, row, rect.col, rect.col + rect.cols, STYLE_DIM,
                    _("no probe yet: it is asked as soon as it listens"));
        return;
    }
    for (int i = count > room ? count - room : 0; i < count && room > 0; i++) {
        draw_probe(&snapshot->probes[i], canvas, row++, rect);
    }
}

const struct pane_ops pane_health = {
    .name = "health",
    .title = N_("Health"),
    .draw = draw,
};
