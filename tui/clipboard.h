// What: text out of the program into the person's clipboard, by the first way that works.
// Why: a terminal's own selection takes frames and blanks with it; over ssh only the terminal
//      itself can reach the clipboard.
// Order, first wins: a tool of the desktop (wl-copy, xclip, xsel, clip.exe), the terminal (OSC 52),
//        a file. A word about which.
// Owns: nothing. What is copied may hold secrets: the file is 0600.
#ifndef TUI_CLIPBOARD_H
#define TUI_CLIPBOARD_H

#include <stdbool.h>
#include <stddef.h>

// What OSC 52 takes safely everywhere: xterm's limit, in bytes before base64.
#define CLIPBOARD_TERMINAL_MAX 74994

// terminal: standard output is one, and shows our screen. Says what became of it, in the user's
// language: "copied (wl-copy)". The caller's.
char *clipboard_copy(const char *text, size_t len, bool terminal);
// Pure: the sequence, wrapped for tmux and screen if `term` is theirs; NULL: too long, or that
// terminal knows no such thing. The caller's.
char *clipboard_sequence(const char *text, size_t len, const char *term, bool tmux);

#endif
