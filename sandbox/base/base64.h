// What: base64 (RFC 4648 §4), for bytes that travel in JSON.
// Owns: what is returned is the caller's.
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

char *base64_encode(const char *bytes, size_t len);
// NUL-terminated too. NULL: not base64 (padding is needed, blanks are not allowed).
char *base64_decode(const char *text, size_t *ret_len);

#endif
