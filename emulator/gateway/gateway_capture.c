// What of a request and its answer is kept until on_request: heads, and the beginnings of bodies,
// one after the other in one buffer. Parts come in their order; what still comes of an earlier one
// (an app that answers before it has read all) is counted only. Costs a copy of some hundred bytes
// and no allocation: the buffer is one of the gateway's spare blocks.
#include "emulator/gateway/internal.h"

#define CAPTURE_BLOCK_MAX                                                                          \
    (2 * BLOCK_HEAD_MAX + GATEWAY_REQUEST_BODY_KEPT + GATEWAY_RESPONSE_BODY_KEPT)

static const size_t part_max[CAPTURE__COUNT] = {
    [CAPTURE_REQUEST_HEAD] = BLOCK_HEAD_MAX,
    [CAPTURE_REQUEST_BODY] = GATEWAY_REQUEST_BODY_KEPT,
    [CAPTURE_RESPONSE_HEAD] = BLOCK_HEAD_MAX,
    [CAPTURE_RESPONSE_BODY] = GATEWAY_RESPONSE_BODY_KEPT,
};

// Over all requests in flight a bound too: then what comes is counted only.
static bool make_room(struct gateway *gateway, struct gateway_block *block, size_t len)
{
    if (block->data && block->cap - block->end >= len) {
        return true;
    }
    if (gateway->captured_bytes + BLOCK_BYTES > CAPTURED_BYTES_MAX) {
        return false;
    }
    size_t before = block->cap;
    bool fits = gateway_block_need(gateway, block, len, CAPTURE_BLOCK_MAX);
    gateway->captured_bytes += block->cap - before;
    return fits;
}

void gateway_capture_bytes(struct gateway_exchange *exchange, enum gateway_part part,
                           const char *bytes, size_t len)
{
    struct gateway *gateway = exchange->client->gateway;
    struct gateway_capture *capture = &exchange->capture;
    uint64_t total = capture->total[part];
    capture->total[part] += len;
    // Once a byte is missing nothing that follows is kept.
    if (part < capture->part || capture->len[part] != total || total >= part_max[part]) {
        return;
    }
    size_t room = part_max[part] - (size_t)total;
    size_t kept = len < room ? len : room;
    capture->part = part;
    if (kept && make_room(gateway, &capture->block, kept)) {
        gateway_put(&capture->block, bytes, kept);
        capture->len[part] += (uint32_t)kept;
    }
}

void gateway_capture_fill(const struct gateway_exchange *exchange,
                          struct gateway_bytes parts[static CAPTURE__COUNT])
{
    const struct gateway_capture *capture = &exchange->capture;
    const char *at = capture->block.data;
    for (int part = 0; part < CAPTURE__COUNT; part++) {
        parts[part] = (struct gateway_bytes){at, capture->len[part], capture->total[part]};
        at = at ? at + capture->len[part] : NULL;
    }
}

void gateway_capture_release(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    gateway->captured_bytes -= exchange->capture.block.cap;
    gateway_block_release(gateway, &exchange->capture.block);
}
