// What: text as it meets the screen: its width in columns, and bytes from outside made harmless.
// Why: logs, headers and file names hold any bytes. One function reads them for everybody: it keeps
//      colours (SGR) and neutralises the rest, so that an app's output can not move the cursor,
//      rename the window, answer queries or reorder a line (bidi controls).
// Owns: nothing; pure. Widths are wcwidth()'s, the same that ncurses uses: LC_CTYPE must be set.
// Sources: ECMA-48 §8.3.117 (SGR), §5.4 (control sequences), §5.6 (control strings); UAX #9 (bidi
//          controls).
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_style {
    uint8_t
        fg; // 0: default, 1..16: the ANSI colours; 256 and true colours become the nearest of these
    uint8_t bg;
    bool bold, dim, underline, reverse;
};

struct text_glyph {
    uint32_t code;
    int cols; // 0 (joins the cell before it), 1 or 2
    struct text_style style;
};

struct text_cursor {
    const char *bytes;
    size_t len;
    size_t at;
    int col; // columns given out so far: tabs need it
    struct text_style style;
    char pending[4]; // of a "^X" or a tab: what is still to be given out
    size_t pending_count;
};

// Of the line <bytes, len> a terminal would show what follows its last carriage return: so do we.
void text_begin(struct text_cursor *cursor, const char *bytes, size_t len);
bool text_next(struct text_cursor *cursor, struct text_glyph *ret_glyph);

// Columns of one code point: 0, 1 or 2; unprintable ones count 1 (they are shown as U+FFFD).
int text_code_cols(uint32_t code);
// Columns of valid UTF-8 text as it would be drawn.
int text_cols(const char *text);
// Bytes of text that fit into cols columns, never half of a wide character.
size_t text_fit(const char *text, int cols);
// The visible characters of a line as UTF-8, without colours; owned by the caller.
char *text_plain(const char *bytes, size_t len);
// The same with colours kept as SGR, reset at its end when any was used.
char *text_colored(const char *bytes, size_t len);
// Does the visible text hold pattern? Case counts only when the pattern has an upper case letter.
bool text_matches(const char *bytes, size_t len, const char *pattern);

#endif
