// Pure: bytes of one pipe become lines. A line that is complete within one read is handed on from
// the caller's own bytes; only what is cut by the read's end is copied.
#include "emulator/logs/journal.h"

#include <stdlib.h>
#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

struct line_splitter {
    line_fn fn;
    void *context;
    bool continued; // the pending text follows a JOURNAL_PARTIAL record
    size_t len;
    char pending[JOURNAL_LINE_MAX + 1]; // one more: a \r whose \n is not here yet is not text
};

struct line_splitter *line_splitter_new(line_fn fn, void *context)
{
    struct line_splitter *splitter = mem_alloc(sizeof *splitter);
    splitter->fn = fn;
    splitter->context = context;
    return splitter;
}

// Characters, not bytes (P-120); a byte that is not UTF-8 counts as one.
static bool cloud_cuts(const char *text, size_t len)
{
    if (len <= (size_t)LIMIT_LOG_LINE_CHARACTERS) {
        return false;
    }
    size_t at = 0;
    for (size_t count = 0; at < len; count++) {
        if (count == (size_t)LIMIT_LOG_LINE_CHARACTERS) {
            return true;
        }
        uint32_t code;
        at += utf8_decode(text + at, len - at, &code);
    }
    return false;
}

// The longest prefix of <text, JOURNAL_LINE_MAX> that does not cut a UTF-8 sequence in two.
static size_t whole_characters(const char *text)
{
    for (size_t back = 1; back <= 3; back++) {
        unsigned char byte = (unsigned char)text[JOURNAL_LINE_MAX - back];
        if ((byte & 0xc0) == 0x80) {
            continue;
        }
        size_t want = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return want > back ? JOURNAL_LINE_MAX - back : JOURNAL_LINE_MAX;
    }
    return JOURNAL_LINE_MAX;
}

// One line without its newline, in as many records as it needs.
static size_t emit_pieces(struct line_splitter *splitter, const char *text, size_t len)
{
    size_t at = 0;
    while (len - at > JOURNAL_LINE_MAX) {
        size_t piece = whole_characters(text + at);
        splitter->fn(splitter->context, text + at, piece, JOURNAL_PARTIAL | JOURNAL_CLOUD_CUTS);
        splitter->continued = true;
        at += piece;
    }
    return at;
}

static void emit_line(struct line_splitter *splitter, const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\r') {
        len--;
    }
    size_t at = emit_pieces(splitter, text, len);
    unsigned flags =
        splitter->continued || cloud_cuts(text + at, len - at) ? JOURNAL_CLOUD_CUTS : 0;
    splitter->fn(splitter->context, text + at, len - at, flags);
    splitter->continued = false;
}

// Adds what fits, and passes on the first part of a line that grows too long.
static size_t add_pending(struct line_splitter *splitter, const char *bytes, size_t len)
{
    size_t room = sizeof splitter->pending - splitter->len;
    size_t taken = len < room ? len : room;
    memcpy(splitter->pending + splitter->len, bytes, taken);
    splitter->len += taken;
    bool full = splitter->len == sizeof splitter->pending;
    if (full && (taken < len || splitter->pending[JOURNAL_LINE_MAX] != '\r')) {
        size_t used = emit_pieces(splitter, splitter->pending, splitter->len);
        splitter->len -= used;
        memmove(splitter->pending, splitter->pending + used, splitter->len);
    }
    return taken;
}

void line_splitter_feed(struct line_splitter *splitter, const char *bytes, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t line = newline ? (size_t)(newline - bytes) : len;
        if (newline && splitter->len == 0) {
            emit_line(splitter, bytes, line);
        } else {
            for (size_t at = 0; at < line;) {
                at += add_pending(splitter, bytes + at, line - at);
            }
            if (newline) {
                size_t pending = splitter->len;
                splitter->len = 0;
                emit_line(splitter, splitter->pending, pending);
            }
        }
        size_t used = newline ? line + 1 : line;
        bytes += used;
        len -= used;
    }
}

void line_splitter_finish(struct line_splitter *splitter)
{
    if (splitter->len > 0 || splitter->continued) {
        size_t pending = splitter->len;
        splitter->len = 0;
        emit_line(splitter, splitter->pending, pending);
    }
}

void line_splitter_free(struct line_splitter *splitter)
{
    free(splitter);
}

bool line_limit_take(struct line_limit *limit, int64_t now_ms, unsigned per_minute)
{
    int64_t minute = now_ms / 60000;
    if (minute != limit->minute) {
        limit->minute = minute;
        limit->count = 0;
    }
    if (limit->count < per_minute) {
        limit->count++;
        return true;
    }
    limit->dropped++;
    return false;
}
