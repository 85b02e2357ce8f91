// What: UTF-8 as it comes from outside, made safe.
// Why: log lines, headers and file names hold any bytes; JSON and the screen want valid UTF-8.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFD

// Decodes one code point of <bytes, len>, len > 0. Returns the bytes used (at least 1) and the code
// point, UTF8_REPLACEMENT for anything that is not valid (overlong, surrogate, cut).
size_t utf8_decode(const char *bytes, size_t len, uint32_t *ret_code);
// Writes up to 4 bytes, returns how many.
size_t utf8_encode(uint32_t code, char out[static 4]);
// A valid copy, invalid bytes replaced by U+FFFD, NUL bytes by U+FFFD too. Owned by the caller.
char *utf8_valid(const char *bytes, size_t len);

// A copy of at most max_bytes bytes that ends at a whole character. Owned by the caller.
char *utf8_cut(const char *text, size_t max_bytes);

#endif
