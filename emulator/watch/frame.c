#include "emulator/watch/frame.h"

#include <string.h>

#define HEAD_SIZE (sizeof(uint32_t) + 1)

size_t frame_begin(struct buf *out, enum frame_type type)
{
    size_t begin = out->len;
    char head[HEAD_SIZE] = {0};
    head[sizeof(uint32_t)] = (char)type;
    buf_add(out, head, sizeof head);
    return begin;
}

void frame_end(struct buf *out, size_t begin)
{
    uint32_t len = (uint32_t)(out->len - begin - sizeof(uint32_t));
    memcpy(out->data + begin, &len, sizeof len);
}

void frame_add_number(struct buf *out, uint64_t number)
{
    buf_add(out, &number, sizeof number);
}

void frame_add_bytes(struct buf *out, const void *bytes, size_t len)
{
    uint32_t size = (uint32_t)len;
    buf_add(out, &size, sizeof size);
    buf_add(out, bytes, len);
}

void frame_add_text(struct buf *out, const char *text)
{
    frame_add_bytes(out, text ? text : "", text ? strlen(text) : 0);
}

void frame_add_list(struct buf *out, const struct strlist *list)
{
    frame_add_number(out, list->count);
    for (size_t i = 0; i < list->count; i++) {
        frame_add_text(out, list->items[i]);
    }
}

bool frame_next(const struct buf *in, struct frame *ret_frame, bool *ret_bad)
{
    *ret_bad = false;
    uint32_t len;
    if (in->len < HEAD_SIZE) {
        return false;
    }
    memcpy(&len, in->data, sizeof len);
    if (len < 1 || len > FRAME_MAX) {
        *ret_bad = true;
        return false;
    }
    if (in->len < sizeof len + len) {
        return false;
    }
    *ret_frame = (struct frame){
        .type = (enum frame_type)in->data[sizeof len],
        .at = in->data + HEAD_SIZE,
        .end = in->data + sizeof len + len,
    };
    return true;
}

void frame_drop(struct buf *in)
{
    uint32_t len;
    memcpy(&len, in->data, sizeof len);
    buf_consume(in, sizeof len + len);
}

static const char *take(struct frame *frame, size_t len)
{
    if (frame->bad || (size_t)(frame->end - frame->at) < len) {
        frame->bad = true;
        return NULL;
    }
    frame->at += len;
    return frame->at - len;
}

uint64_t frame_number(struct frame *frame)
{
    uint64_t number = 0;
    const char *bytes = take(frame, sizeof number);
    if (bytes) {
        memcpy(&number, bytes, sizeof number);
    }
    return number;
}

static const char *take_bytes(struct frame *frame, size_t *ret_len)
{
    uint32_t len = 0;
    const char *head = take(frame, sizeof len);
    if (head) {
        memcpy(&len, head, sizeof len);
    }
    *ret_len = len;
    const char *bytes = take(frame, len);
    if (!bytes) {
        *ret_len = 0;
    }
    return bytes;
}

char *frame_text(struct frame *frame)
{
    size_t len;
    const char *bytes = take_bytes(frame, &len);
    return str_dup_len(bytes ? bytes : "", len);
}

void frame_list(struct frame *frame, struct strlist *list)
{
    uint64_t count = frame_number(frame);
    for (uint64_t i = 0; i < count && !frame->bad; i++) {
        strlist_take(list, frame_text(frame));
    }
}

void frame_error(struct frame *frame, struct error *error)
{
    size_t len;
    const char *bytes = take_bytes(frame, &len);
    if (len == sizeof *error) {
        memcpy(error, bytes, len);
    } else {
        frame->bad = true;
    }
}
