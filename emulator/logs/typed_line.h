// What: what a program writes to a terminal, as lines: echoes, backspaces and prompts become the
//       line that one would see there; and that line while it is not ended yet.
// Why: a prompt ("(Pdb) ") has no newline and is what a person waits for; and the log holds lines,
//       not the way they were typed.
// Order: typed_line_feed() with all that is read, typed_line_finish() at the end.
// Owns: the open line, TYPED_LINE_MAX bytes; what grows longer is handed on in parts.
// Not: a terminal: one line, no columns; programs are told TERM=dumb. Pure.
// Sources: ECMA-48 (EL, CUF, CUB, DCH, ICH, SGR), what readline writes to a dumb terminal.
#ifndef EMULATOR_LOGS_TYPED_LINE_H
#define EMULATOR_LOGS_TYPED_LINE_H

#include <stddef.h>

#define TYPED_LINE_MAX     16384
#define TYPED_SEQUENCE_MAX 32

// A line with its newline, or a part of a long one without.
typedef void (*typed_line_fn)(void *context, const char *bytes, size_t len);

struct typed_line {
    typed_line_fn fn;
    void *context;
    char text[TYPED_LINE_MAX + 1]; // one more for the newline
    size_t len;
    size_t at; // the cursor, a byte offset at a character's beginning
    char sequence[TYPED_SEQUENCE_MAX];
    size_t sequence_len; // of an escape sequence that is not complete; 0: none
};

void typed_line_init(struct typed_line *line, typed_line_fn fn, void *context);
void typed_line_feed(struct typed_line *line, const char *bytes, size_t len);
// The last line, without a newline, if there is one.
void typed_line_finish(struct typed_line *line);

#endif
