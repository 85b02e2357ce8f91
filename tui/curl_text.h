// What: a recorded request as a curl command for a POSIX shell.
// Why: it has to do the very same again, from any terminal: real values (nothing is masked), no
//      fields of curl's own, the target as it was, no proxy.
// Owns: what is returned is the caller's. Pure.
// Bodies: text stands in the command; anything else comes through printf and a pipe, in octal,
// since
//         no shell word holds a NUL byte.
#ifndef TUI_CURL_TEXT_H
#define TUI_CURL_TEXT_H

#include "emulator/control/request_wire.h"
#include "sandbox/base/error.h"

// base: "http://localhost:3000". NULL with error: its head was not readable, or not all was kept.
char *curl_text(const struct request_detail *detail, const char *base, struct error *error);
// One word of a shell: quoted where it must be.
char *curl_quote(const char *text);

#endif
