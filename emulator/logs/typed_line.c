#include "emulator/logs/typed_line.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ESC '\033'
#define BEL '\a'

void typed_line_init(struct typed_line *line, typed_line_fn fn, void *context)
{
    line->fn = fn;
    line->context = context;
    line->len = line->at = line->sequence_len = 0;
}

// ---- the cursor ----

static bool is_inner(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80; // of a character of several bytes
}

static size_t next(const struct typed_line *line, size_t at)
{
    if (at < line->len) {
        for (at++; at < line->len && is_inner(line->text[at]); at++) {
        }
    }
    return at;
}

static size_t previous(const struct typed_line *line, size_t at)
{
    if (at > 0) {
        for (at--; at > 0 && is_inner(line->text[at]); at--) {
        }
    }
    return at;
}

static void move(struct typed_line *line, long characters)
{
    for (; characters < 0 && line->at > 0; characters++) {
        line->at = previous(line, line->at);
    }
    for (; characters > 0 && line->at < line->len; characters--) {
        line->at = next(line, line->at);
    }
}

// ---- the text ----

static void cut_out(struct typed_line *line, size_t from, size_t to)
{
    memmove(line->text + from, line->text + to, line->len - to);
    line->len -= to - from;
}

static void hand_on(struct typed_line *line)
{
    line->fn(line->context, line->text, line->len);
    line->len = line->at = 0;
}

static void insert(struct typed_line *line, const char *bytes, size_t len)
{
    if (line->len + len > TYPED_LINE_MAX) {
        hand_on(line);
    }
    memmove(line->text + line->at + len, line->text + line->at, line->len - line->at);
    memcpy(line->text + line->at, bytes, len);
    line->len += len;
    line->at += len;
}

// Over what stands there, as a terminal does.
static void put(struct typed_line *line, char byte)
{
    if (line->at < line->len && !is_inner(byte)) {
        cut_out(line, line->at, next(line, line->at));
    }
    insert(line, &byte, 1);
}

static void end_line(struct typed_line *line)
{
    line->text[line->len++] = '\n';
    hand_on(line);
}

// ---- escape sequences ----

static void erase(struct typed_line *line, long which)
{
    if (which == 2) {
        line->at = 0;
    }
    if (which != 1) {
        line->len = line->at;
    }
}

static void apply_sequence(struct typed_line *line)
{
    char final = line->sequence[line->sequence_len - 1];
    char *end;
    long number = strtol(line->sequence + 2, &end, 10); // the final byte stops it
    long count = number > 0 ? number : 1;
    size_t from = line->at;
    switch (final) {
    case 'm': // colours stay
        insert(line, line->sequence, line->sequence_len);
        break;
    case 'K':
        erase(line, number);
        break;
    case 'C':
        move(line, count);
        break;
    case 'D':
        move(line, -count);
        break;
    case 'P':
        move(line, count);
        cut_out(line, from, line->at);
        line->at = from;
        break;
    case '@':
        for (long i = 0; i < count && i < TYPED_SEQUENCE_MAX; i++) {
            insert(line, " ", 1);
        }
        line->at = from < line->at ? from : line->at;
        break;
    default: // bracketed paste and the like mean nothing to a log
        break;
    }
}

static bool is_complete(const struct typed_line *line)
{
    const char *sequence = line->sequence;
    unsigned char last = (unsigned char)sequence[line->sequence_len - 1];
    if (line->sequence_len < 2) {
        return false;
    }
    if (sequence[1] == ']') { // a title: up to BEL or ESC-backslash
        return last == BEL || (last == '\\' && sequence[line->sequence_len - 2] == ESC);
    }
    return sequence[1] != '[' || (line->sequence_len > 2 && last >= 0x40 && last <= 0x7e);
}

static void take_escaped(struct typed_line *line, char byte)
{
    if (line->sequence_len == TYPED_SEQUENCE_MAX) {
        line->sequence[TYPED_SEQUENCE_MAX - 2] = line->sequence[TYPED_SEQUENCE_MAX - 1];
        line->sequence_len--; // too long to mean anything; only its end counts
    }
    line->sequence[line->sequence_len++] = byte;
    if (byte == '\n') {
        line->sequence_len = 0; // no sequence holds one
        end_line(line);
    } else if (is_complete(line)) {
        if (line->sequence[1] == '[' && line->sequence_len < TYPED_SEQUENCE_MAX) {
            apply_sequence(line);
        }
        line->sequence_len = 0;
    }
}

// ---- bytes ----

static void take(struct typed_line *line, char byte)
{
    switch (byte) {
    case '\n':
        end_line(line);
        break;
    case '\r':
        line->at = 0;
        break;
    case '\b':
        move(line, -1);
        break;
    case BEL:
        break;
    case ESC:
        line->sequence[0] = ESC;
        line->sequence_len = 1;
        break;
    default:
        put(line, byte);
        break;
    }
}

void typed_line_feed(struct typed_line *line, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (line->sequence_len > 0) {
            take_escaped(line, bytes[i]);
        } else {
            take(line, bytes[i]);
        }
    }
}

void typed_line_finish(struct typed_line *line)
{
    line->sequence_len = 0;
    if (line->len > 0) {
        hand_on(line);
    }
}
