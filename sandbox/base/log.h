// What: our own diagnostics, for the people who work on leanlocal. Off unless LEANLOCAL_DEBUG names
//       a file; never the terminal (the screen owns it).
// Not: what the user should know; that is an event.
#ifndef BASE_LOG_H
#define BASE_LOG_H

// Opens the sink named by LEANLOCAL_DEBUG, if any. `role` ("engine", "screen") is put on every
// line.
void log_open(const char *role);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
