// One pass over the lines. A traceback is "Traceback (most recent call last):", frames of two lines
// each, and the exception in column 0; before 3.x a SyntaxError may come without the first line. A
// second one belongs to the first only if one of Python's two sentences about chains is between.
#include "emulator/blame/trace.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

// ---- slices ----

struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

bool slice_equal(struct slice slice, const char *text)
{
    return slice.len == strlen(text) && memcmp(slice.at ? slice.at : "", text, slice.len) == 0;
}

bool slice_starts(struct slice slice, const char *prefix)
{
    size_t len = strlen(prefix);
    return slice.len >= len && len > 0 && memcmp(slice.at, prefix, len) == 0;
}

bool slice_ends(struct slice slice, const char *suffix)
{
    size_t len = strlen(suffix);
    return slice.len >= len && len > 0 && memcmp(slice.at + slice.len - len, suffix, len) == 0;
}

long slice_find(struct slice slice, const char *text)
{
    size_t len = strlen(text);
    const char *found = slice.len && len ? memmem(slice.at, slice.len, text, len) : NULL;
    return found ? (long)(found - slice.at) : -1;
}

struct slice slice_from(struct slice slice, size_t start)
{
    start = start < slice.len ? start : slice.len;
    return (struct slice){slice.at ? slice.at + start : NULL, slice.len - start};
}

bool slice_quoted(struct slice slice, size_t start, struct slice *ret_inner)
{
    for (size_t i = start; i < slice.len; i++) {
        char quote = slice.at[i];
        if (quote != '\'' && quote != '"') {
            continue;
        }
        const char *end = memchr(slice.at + i + 1, quote, slice.len - i - 1);
        if (!end) {
            return false;
        }
        *ret_inner = (struct slice){slice.at + i + 1, (size_t)(end - slice.at) - i - 1};
        return true;
    }
    return false;
}

struct slice slice_dotted(struct slice slice)
{
    size_t len = 0;
    while (len < slice.len && (isalnum((unsigned char)slice.at[len]) || slice.at[len] == '_' ||
                               slice.at[len] == '.' || (slice.at[len] & 0x80))) {
        len++;
    }
    return (struct slice){slice.at, len};
}

void slice_copy(struct slice slice, char *out, size_t size)
{
    size_t len = slice.len < size ? slice.len : size - 1;
    memcpy(out, slice.at ? slice.at : "", len);
    out[len] = '\0';
}

// ---- lines ----

static struct slice trimmed(struct slice line)
{
    while (line.len && isspace((unsigned char)*line.at)) {
        line = slice_from(line, 1);
    }
    while (line.len && isspace((unsigned char)line.at[line.len - 1])) {
        line.len--;
    }
    return line;
}

static bool is_chain(struct slice line)
{
    return slice_starts(line, "During handling of the above exception") ||
           slice_starts(line, "The above exception was the direct cause");
}

// `  File "/opt/env/x.py", line 12, in index`; without ", in" for a SyntaxError's place.
static bool take_frame(struct slice line, struct trace *trace)
{
    line = trimmed(line);
    if (!slice_starts(line, "File \"")) {
        return false;
    }
    line = slice_from(line, 6);
    long end = slice_find(line, "\", line ");
    if (end < 0) {
        return false;
    }
    if (trace->count == TRACE_FRAMES) {
        memmove(trace->frames, trace->frames + 1, (TRACE_FRAMES - 1) * sizeof trace->frames[0]);
        trace->count--;
    }
    struct trace_frame *frame = &trace->frames[trace->count++];
    *frame = (struct trace_frame){.path = {line.at, (size_t)end}};
    line = slice_from(line, (size_t)end + 8);
    for (; line.len && isdigit((unsigned char)*line.at); line = slice_from(line, 1)) {
        frame->line = frame->line < 10000000 ? frame->line * 10 + (*line.at - '0') : frame->line;
    }
    if (slice_starts(line, ", in ")) {
        frame->function = slice_from(line, 5);
    }
    return true;
}

static void take_code(struct slice line, struct trace *trace)
{
    struct trace_frame *frame = &trace->frames[trace->count - 1];
    if (!frame->code.len) {
        frame->code = trimmed(line);
    }
}

// `KeyError: 'name'`, `package.module.Error: text`, `KeyboardInterrupt`, `socket.gaierror: ...`.
static bool take_exception(struct slice line, struct trace *trace)
{
    struct slice name = slice_dotted(line);
    if (!name.len || (name.len < line.len && line.at[name.len] != ':')) {
        return false;
    }
    size_t start = name.len;
    while (start > 0 && name.at[start - 1] != '.') {
        start--;
    }
    bool capital = isupper((unsigned char)name.at[start < name.len ? start : 0]);
    if (start == name.len || (!capital && (start == 0 || name.len == line.len))) {
        return false;
    }
    trace->kind = slice_from(name, start);
    trace->message = trimmed(slice_from(line, name.len + 1));
    return true;
}

// ---- the whole ----

struct parser {
    struct trace trace; // being read
    bool open;          // its exception has not come yet
    bool chained;       // to the one before
};

static void keep(struct parser *parser, struct trace_chain *chain)
{
    if (!parser->chained) {
        chain->count = 0;
    }
    if (chain->count == TRACE_CHAIN) {
        memmove(chain->items, chain->items + 1, (TRACE_CHAIN - 1) * sizeof chain->items[0]);
        chain->count--;
    }
    chain->items[chain->count++] = parser->trace;
    parser->open = parser->chained = false;
}

static void take_line(struct parser *parser, struct slice line, struct trace_chain *chain)
{
    if (line.len && line.at[line.len - 1] == '\r') {
        line.len--;
    }
    if (slice_find(line, "Traceback (most recent call last)") >= 0) {
        parser->trace = (struct trace){.count = 0};
        parser->open = true;
    } else if (is_chain(line)) {
        parser->chained = true;
    } else if (take_frame(line, &parser->trace)) {
        parser->open = true;
    } else if (!parser->open) {
        parser->trace.count = 0; // so that a File line alone begins anew
    } else if (line.len && isspace((unsigned char)*line.at)) {
        if (parser->trace.count) {
            take_code(line, &parser->trace);
        }
    } else if (take_exception(line, &parser->trace)) {
        keep(parser, chain);
    }
}

bool trace_parse(const char *text, size_t len, struct trace_chain *ret_chain)
{
    struct parser parser = {.open = false};
    ret_chain->count = 0;
    while (len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t line_len = newline ? (size_t)(newline - text) : len;
        take_line(&parser, (struct slice){text, line_len}, ret_chain);
        size_t step = newline ? line_len + 1 : line_len;
        text += step;
        len -= step;
    }
    return ret_chain->count > 0;
}
