#include "emulator/formats/dotenv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

struct scan {
    const char *at;
    const char *end;
    int line;
    const char *name;
    struct error *error;
};

static int fail(struct scan *scan, int line, const char *reason, const char *hint)
{
    error_set(scan->error, ERROR_USAGE, "%s:%d: %s", scan->name, line, reason);
    return hint ? error_set_hint(scan->error, "%s", hint) : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool at_line_end(const struct scan *scan)
{
    const char *at = scan->at;
    return at == scan->end || *at == '\n' ||
           (*at == '\r' && (at + 1 == scan->end || at[1] == '\n'));
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && is_blank(*scan->at)) {
        scan->at++;
    }
}

static void skip_comment(struct scan *scan)
{
    while (!at_line_end(scan)) {
        scan->at++;
    }
}

static void skip_newline(struct scan *scan)
{
    while (scan->at < scan->end && *scan->at++ != '\n') {
    }
    scan->line++;
}

static bool is_name_char(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && c >= '0' && c <= '9');
}

static size_t name_length(const struct scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && is_name_char(*at, at == scan->at)) {
        at++;
    }
    return (size_t)(at - scan->at);
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '"':
    case '\'':
    case '\\':
    case '$':
        return c;
    default:
        return '\0';
    }
}

// Behind the opening quote. CR LF inside becomes LF, as a text manifest's line ends do.
static int read_quoted(struct scan *scan, char quote, struct buf *value)
{
    int begun = scan->line;
    while (scan->at < scan->end && *scan->at != quote) {
        char c = *scan->at++;
        bool more = scan->at < scan->end;
        if (quote == '"' && c == '\\' && more && unescape(*scan->at)) {
            c = unescape(*scan->at++);
        } else if (c == '\r' && more && *scan->at == '\n') {
            continue;
        } else if (c == '\n') {
            scan->line++;
        }
        buf_add(value, &c, 1);
    }
    if (scan->at == scan->end) {
        return fail(scan, begun, _("the quote is never closed"), NULL);
    }
    scan->at++;
    skip_blanks(scan);
    if (!at_line_end(scan) && *scan->at != '#') {
        return fail(scan, scan->line, _("text after the closing quote"),
                    _("put the whole value in quotes, or none of it"));
    }
    return 0;
}

static void read_plain(struct scan *scan, struct buf *value)
{
    const char *start = scan->at;
    const char *last = start; // behind the last character that is not blank
    for (; !at_line_end(scan); scan->at++) {
        // A value may begin with '#' only where no blank is before it.
        if (*scan->at == '#' && is_blank(scan->at[-1])) {
            break;
        }
        if (!is_blank(*scan->at)) {
            last = scan->at + 1;
        }
    }
    buf_add(value, start, (size_t)(last - start));
}

static int read_value(struct scan *scan, struct buf *value)
{
    skip_blanks(scan);
    if (scan->at < scan->end && (*scan->at == '"' || *scan->at == '\'')) {
        char quote = *scan->at++;
        return read_quoted(scan, quote, value);
    }
    read_plain(scan, value);
    return 0;
}

static void skip_export(struct scan *scan)
{
    size_t len = name_length(scan);
    if (len == 6 && memcmp(scan->at, "export", 6) == 0 && scan->at + 6 < scan->end &&
        is_blank(scan->at[6])) {
        const char *kept = scan->at;
        scan->at += 6;
        skip_blanks(scan);
        if (scan->at < scan->end && *scan->at == '=') { // a variable named export
            scan->at = kept;
        }
    }
}

static int check_bounds(struct scan *scan, int line, size_t count, size_t len)
{
    auto_free char *reason = NULL;
    if (count == (size_t)LIMIT_ENV_FILE_VARIABLES) {
        reason = str_printf(_("more than %d variables"), (int)LIMIT_ENV_FILE_VARIABLES);
    } else if (len > (size_t)LIMIT_ENV_VALUE_KB << 10) {
        reason = str_printf(_("a value larger than %d KB"), (int)LIMIT_ENV_VALUE_KB);
    }
    return reason ? fail(scan, line, reason, _("put such data in a file of the project")) : 0;
}

static int read_entry(struct scan *scan, struct dotenv *entries)
{
    skip_export(scan);
    int line = scan->line;
    const char *name = scan->at;
    size_t name_len = name_length(scan);
    scan->at += name_len;
    skip_blanks(scan);
    if (name_len == 0 || scan->at == scan->end || *scan->at != '=') {
        return fail(scan, line, _("expected NAME=value"),
                    _("NAME is made of letters, digits and _, and does not begin with a digit"));
    }
    scan->at++;
    struct buf value = {0};
    if (read_value(scan, &value) < 0) {
        buf_release(&value);
        return -1;
    }
    if (check_bounds(scan, line, entries->count, name_len + value.len) < 0) {
        buf_release(&value);
        return -1;
    }
    entries->items = mem_resize(entries->items, (entries->count + 1) * sizeof *entries->items);
    entries->items[entries->count++] = (struct dotenv_entry){
        .name = str_dup_len(name, name_len), .value = buf_steal(&value), .line = line};
    return 0;
}

static int read_lines(struct scan *scan, struct dotenv *entries)
{
    while (scan->at < scan->end) {
        skip_blanks(scan);
        if (!at_line_end(scan) && *scan->at != '#' && read_entry(scan, entries) < 0) {
            return -1;
        }
        skip_comment(scan);
        skip_newline(scan);
    }
    return 0;
}

static int line_of(const char *bytes, const char *at)
{
    int line = 1;
    for (; bytes < at; bytes++) {
        line += *bytes == '\n';
    }
    return line;
}

// Where the first byte lies that is not UTF-8 text, NULL if there is none.
static const char *find_bad_byte(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t used = utf8_decode(bytes + at, len - at, &code);
        bool replaced =
            code == UTF8_REPLACEMENT && (used != 3 || memcmp(bytes + at, "\xEF\xBF\xBD", 3) != 0);
        if (replaced || code == 0) {
            return bytes + at;
        }
        at += used;
    }
    return NULL;
}

static int check_text(struct scan *scan, const char *bytes, size_t len)
{
    if (len > (size_t)LIMIT_ENV_FILE_KB << 10) {
        error_set(scan->error, ERROR_USAGE, _("%s: larger than %d KB"), scan->name,
                  (int)LIMIT_ENV_FILE_KB);
        return error_set_hint(scan->error, _("an env file holds variables only"));
    }
    const char *bad = find_bad_byte(bytes, len);
    if (bad) {
        return fail(scan, line_of(bytes, bad), *bad ? _("not UTF-8") : _("a NUL byte"),
                    _("save the file as UTF-8 text"));
    }
    return 0;
}

int dotenv_parse(const char *bytes, size_t len, const char *name, struct dotenv *ret_entries,
                 struct error *error)
{
    struct scan scan = {.at = bytes, .end = bytes + len, .line = 1, .name = name, .error = error};
    if (check_text(&scan, bytes, len) < 0) {
        return -1;
    }
    if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        scan.at += 3;
    }
    struct dotenv entries = {0};
    if (read_lines(&scan, &entries) < 0) {
        dotenv_release(&entries);
        return -1;
    }
    *ret_entries = entries;
    return 0;
}

void dotenv_release(struct dotenv *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].name);
        free(entries->items[i].value);
    }
    free(entries->items);
    *entries = (struct dotenv){0};
}
