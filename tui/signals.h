// What: signals as bytes on a pipe, for the two loops of tui/. Why handlers and not a signalfd: a
//       client blocked in a write to a stuck terminal or pipe must still end on SIGTERM; a handler
//       runs there, a signalfd waits for ever.
// Order: signals_open, poll signals_fd(), signals_take() until 0, signals_close.
// Owns: process-wide handlers between open and close; the old ones come back.
#ifndef TUI_SIGNALS_H
#define TUI_SIGNALS_H

#include <stddef.h>

// `urgent` runs inside the handler, async-signal-safe only; may be NULL.
int signals_open(const int *numbers, size_t count, void (*urgent)(int number));
int signals_fd(void);
int signals_take(void);
void signals_close(void);

#endif
