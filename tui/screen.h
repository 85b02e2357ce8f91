// What: the terminal: a canvas goes out, keys come in. The only module that knows curses.
// Why: everything else stays pure; the terminal is restored whatever ends the program.
// Order: screen_open .. screen_show / screen_read_key .. screen_close. One at a time: a terminal is
//        one.
// Owns: the terminal's modes, and handlers of crash signals (SEGV, ABRT, BUS, FPE, ILL) that
//       restore it and raise again. Headless (script mode without a terminal): screen_open with
//       size, no curses at all.
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/base/error.h"
#include "tui/canvas.h"

struct screen_setup {
    bool color;
    bool headless;
    int cols, rows; // headless only
};

int screen_open(const struct screen_setup *setup, struct error *error);
void screen_close(void);
// The terminal's size now; also tells curses.
void screen_measure(int *ret_cols, int *ret_rows);
// Draws what differs from the last time. Blocks as long as the terminal does.
void screen_show(const struct canvas *canvas);
void screen_forget(void); // the next screen_show() draws everything
// The next key that is there; 0: none.
uint32_t screen_read_key(void);
// The terminal is gone (hang-up).
bool screen_is_gone(void);
// Gives the terminal back (editor, Ctrl-Z) and takes it again.
void screen_leave(void);
void screen_return(void);
// Async-signal-safe: the terminal's modes as they were, the ordinary screen, a visible cursor.
void screen_restore_in_handler(void);

#endif
