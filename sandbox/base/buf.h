// What: a growable run of bytes with a maximum that is given at birth.
// Why: every buffer in the program has a bound; what happens at the bound is the caller's policy.
// Owns: its bytes. Zeroed with a maximum is a valid empty buffer: `struct buf b = {.max = 4096}`.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; // always followed by a NUL byte when not NULL
    size_t len;
    size_t cap;
    size_t max; // bytes; 0 = no bound
};

// false: it would grow past max, nothing was added.
bool buf_add(struct buf *buf, const void *bytes, size_t len);
bool buf_adds(struct buf *buf, const char *text);
bool buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Room for at least len more bytes behind data + len; NULL at the bound. Follow with buf_added().
char *buf_reserve(struct buf *buf, size_t len);
void buf_added(struct buf *buf, size_t len);
// Drops the first len bytes.
void buf_consume(struct buf *buf, size_t len);
// The text, owned by the caller; the buffer is empty afterwards. Never NULL.
char *buf_steal(struct buf *buf);
void buf_release(struct buf *buf); // keeps max

#endif
