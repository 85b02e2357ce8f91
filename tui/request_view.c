#include "tui/request_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"
#include "tui/text.h"

#define ROWS_MAX   4000
#define HEX_BYTES  256 // of a body that is no text
#define HEX_ROW    16
#define LABEL_COLS 10

// ---- words ----

const char *request_status_mark(int64_t status)
{
    static const char *const marks[] = {"?", "▶", "✓", "–", "!", "✗"};
    if (status == 499) {
        return "·"; // the client went away
    }
    int64_t class = status / 100;
    return marks[class >= 1 && class <= 5 ? class : 0];
}

enum style request_status_style(int64_t status)
{
    static const enum style styles[] = {STYLE_BAD,    STYLE_BUSY, STYLE_GOOD,
                                        STYLE_NORMAL, STYLE_WARN, STYLE_BAD};
    int64_t class = status / 100;
    if (status == 499) {
        return STYLE_DIM;
    }
    return styles[class >= 1 && class <= 5 ? class : 0];
}

void request_format_time(int64_t us, char *out, size_t size)
{
    if (us < 9950) {
        snprintf(out, size, "%lld.%lld ms", (long long)(us / 1000), (long long)(us % 1000 / 100));
    } else if (us < 10000000) {
        snprintf(out, size, "%lld ms", (long long)(us / 1000));
    } else {
        snprintf(out, size, "%lld.%lld s", (long long)(us / 1000000),
                 (long long)(us % 1000000 / 100000));
    }
}

void request_format_size(int64_t bytes, char *out, size_t size)
{
    static const char units[] = "KMGT";
    if (bytes < 1000) {
        snprintf(out, size, "%lld", (long long)bytes);
        return;
    }
    int unit = 0;
    int64_t tenths = bytes * 10 / 1024;
    while (tenths >= 10000 && units[unit + 1]) {
        tenths /= 1024;
        unit++;
    }
    if (tenths < 100) {
        snprintf(out, size, "%lld.%lld%c", (long long)(tenths / 10), (long long)(tenths % 10),
                 units[unit]);
    } else {
        snprintf(out, size, "%lld%c", (long long)(tenths / 10), units[unit]);
    }
}

// ---- rows ----

static void add_row(struct request_view *view, enum style style, char *text)
{
    if (view->count >= ROWS_MAX) {
        free(text);
        return;
    }
    view->rows = mem_resize(view->rows, (size_t)(view->count + 1) * sizeof *view->rows);
    view->rows[view->count++] = (struct request_row){style, text};
}

// What fits into a row; our own sentences break at a blank.
static size_t row_length(const char *text, int cols, bool words)
{
    size_t fits = text_fit(text, cols);
    for (size_t at = fits; words && text[fits] && at > fits / 2; at--) {
        if (text[at - 1] == ' ') {
            return at;
        }
    }
    return fits ? fits : strlen(text);
}

// One line of ours or from outside, in as many rows as it takes; what follows the first is
// indented.
static void add_line(struct request_view *view, enum style style, const char *lead,
                     const char *bytes, size_t len, int cols)
{
    auto_free char *plain = text_plain(bytes, len);
    bool words = text_cols(lead) >= LABEL_COLS;
    int lead_cols = text_cols(lead);
    int room = cols - lead_cols > 8 ? cols - lead_cols : 8;
    const char *at = plain;
    do {
        size_t fits = row_length(at, room, words);
        bool first = at == plain;
        add_row(view, style,
                first ? str_printf("%s%.*s", lead, (int)fits, at)
                      : str_printf("%*s%.*s", lead_cols, "", (int)fits, at));
        at += fits;
    } while (*at);
}

static void add_fact(struct request_view *view, enum style style, const char *label,
                     const char *text, int cols)
{
    if (str_empty(text)) {
        return;
    }
    int pad = LABEL_COLS - text_cols(label);
    auto_free char *lead = str_printf("%s%*s", label, pad > 1 ? pad : 1, "");
    add_line(view, style, lead, text, strlen(text), cols);
}

static void add_lines(struct request_view *view, enum style style, const char *lead,
                      const char *bytes, size_t len, int cols)
{
    for (size_t at = 0; at < len && view->count < ROWS_MAX;) {
        const char *newline = memchr(bytes + at, '\n', len - at);
        size_t end = newline ? (size_t)(newline - bytes) : len;
        size_t size = end - at;
        size -= size && bytes[at + size - 1] == '\r';
        add_line(view, style, lead, bytes + at, size, cols);
        at = end + 1;
    }
}

static void add_hex(struct request_view *view, const struct request_part *body)
{
    for (size_t at = 0; at < body->len && at < HEX_BYTES; at += HEX_ROW) {
        struct buf row = {0};
        buf_addf(&row, "  %04zx ", at);
        for (size_t i = at; i < at + HEX_ROW && i < body->len; i++) {
            buf_addf(&row, " %02x", (unsigned char)body->bytes[i]);
        }
        add_row(view, STYLE_NORMAL, buf_steal(&row));
    }
}

static bool is_text(const struct request_part *body)
{
    auto_free char *valid = utf8_valid(body->bytes, body->len);
    size_t len = strlen(valid);
    // A cut body may end within a character.
    return len + 4 >= body->len &&
           memcmp(valid, body->bytes, body->len < 4 ? 0 : body->len - 4) == 0 &&
           (body->len >= 4 || strncmp(valid, body->bytes, body->len) == 0);
}

static void add_body(struct request_view *view, const struct request_part *body, int cols)
{
    if (body->len && is_text(body)) {
        add_lines(view, STYLE_NORMAL, "  ", body->bytes, body->len, cols);
    } else if (body->len) {
        add_hex(view, body);
    }
    size_t shown = body->len && !is_text(body) && body->len > HEX_BYTES ? HEX_BYTES : body->len;
    if ((int64_t)shown < body->size) {
        add_row(view, STYLE_DIM,
                str_printf(_("  … %zu of %lld bytes"), shown, (long long)body->size));
    }
}

static void add_message(struct request_view *view, const char *lead,
                        const struct request_part *head, const struct request_part *body, int cols)
{
    size_t len = head->len;
    while (len && (head->bytes[len - 1] == '\n' || head->bytes[len - 1] == '\r')) {
        len--;
    }
    if (len) {
        add_row(view, STYLE_NORMAL, str_dup(""));
        add_lines(view, STYLE_DIM, lead, head->bytes, len, cols);
    }
    add_body(view, body, cols);
}

static void add_times(struct request_view *view, const struct request_summary *row, int cols)
{
    char hms[9], first[24], total[24];
    clock_format_hms(row->wall_ms, hms);
    request_format_time(row->first_byte_us, first, sizeof first);
    request_format_time(row->total_us, total, sizeof total);
    auto_free char *text = str_printf(_("%s.%03d; first byte after %s, all after %s"), hms,
                                      (int)(row->wall_ms % 1000), first, total);
    add_fact(view, STYLE_NORMAL, _("time"), text, cols);
}

static void add_facts(struct request_view *view, const struct request_summary *row, int cols)
{
    auto_free char *title = str_printf("%s%s%s", row->method, *row->method ? " " : "", row->target);
    auto_free char *status =
        str_printf("%s %lld", request_status_mark(row->status), (long long)row->status);
    auto_free char *rule =
        str_printf("%s%s%s", row->rule, *row->rule && *row->reason ? ": " : "", row->reason);
    auto_free char *replay =
        row->replay_of ? str_printf(_("request %lld, sent again"), (long long)row->replay_of)
                       : NULL;
    auto_free char *retries = row->retries ? str_printf("%s, %s %lld", row->instance, _("retries"),
                                                        (long long)row->retries)
                                           : NULL;
    auto_free char *sizes = str_printf(_("%lld bytes in, %lld out, with heads"),
                                       (long long)row->request_size, (long long)row->response_size);
    auto_free char *number = str_printf("%lld", (long long)row->id);
    add_fact(view, STYLE_STRONG, number, *title ? title : _("(its head could not be read)"), cols);
    add_fact(view, request_status_style(row->status), _("status"), status, cols);
    add_fact(view, row->status >= 500 ? STYLE_BAD : STYLE_WARN, *row->rule ? _("rule") : _("why"),
             rule, cols);
    add_fact(view, STYLE_NORMAL, _("replay of"), replay, cols);
    add_times(view, row, cols);
    add_fact(view, STYLE_NORMAL, _("instance"), retries ? retries : row->instance, cols);
    add_fact(view, STYLE_NORMAL, _("client"), row->client, cols);
    add_fact(view, STYLE_NORMAL, _("sizes"), sizes, cols);
}

void request_view_make(struct request_view *view, const struct request_detail *detail, int cols)
{
    request_view_release(view);
    add_facts(view, &detail->summary, cols);
    add_message(view, "> ", &detail->request_head, &detail->request_body, cols);
    add_message(view, "< ", &detail->response_head, &detail->response_body, cols);
}

void request_view_release(struct request_view *view)
{
    for (int i = 0; i < view->count; i++) {
        free(view->rows[i].text);
    }
    free(view->rows);
    *view = (struct request_view){0};
}
