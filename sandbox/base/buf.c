#include "sandbox/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

char *buf_reserve(struct buf *buf, size_t len)
{
    size_t need = buf->len + len;
    if (need < len || (buf->max && need > buf->max)) {
        return NULL;
    }
    if (need + 1 > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 64;
        while (cap < need + 1) {
            cap *= 2;
        }
        buf->data = mem_resize(buf->data, cap);
        buf->cap = cap;
    }
    buf->data[buf->len] = '\0'; // also when nothing follows: data is text from here on
    return buf->data + buf->len;
}

void buf_added(struct buf *buf, size_t len)
{
    buf->len += len;
    buf->data[buf->len] = '\0';
}

bool buf_add(struct buf *buf, const void *bytes, size_t len)
{
    char *room = buf_reserve(buf, len);
    if (!room) {
        return false;
    }
    if (len) {
        memcpy(room, bytes, len);
    }
    buf_added(buf, len);
    return true;
}

bool buf_adds(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

bool buf_addf(struct buf *buf, const char *format, ...)
{
    auto_free char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        abort();
    }
    return buf_add(buf, text, (size_t)len);
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
    } else {
        memmove(buf->data, buf->data + len, buf->len - len);
        buf->len -= len;
    }
    if (buf->data) {
        buf->data[buf->len] = '\0';
    }
}

char *buf_steal(struct buf *buf)
{
    char *data = buf->data ? buf->data : mem_alloc(1);
    *buf = (struct buf){.max = buf->max};
    return data;
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.max = buf->max};
}
