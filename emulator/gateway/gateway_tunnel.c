// An upgraded connection: bytes both ways, nothing read into them; cut after 60 s without any
// (P-157).
#include "emulator/gateway/internal.h"

#include "sandbox/base/i18n.h"

struct way {
    struct gateway_endpoint *from, *to;
    struct gateway_block *block;
};

// One step of one way. *ret_ended: its source is at the end and everything has been passed on.
static bool move_one(struct gateway *gateway, struct way way, uint64_t *bytes, bool *ret_ended)
{
    bool moved = false;
    if (block_len(way.block) == 0 && way.from->readable) {
        if (!gateway_block_need(gateway, way.block, 1, BLOCK_HEAD_MAX)) {
            *ret_ended = true;
            return false;
        }
        enum gateway_io io = gateway_receive(way.from, way.block);
        if (io == IO_EOF || io == IO_ERROR) {
            *ret_ended = true;
            return false;
        }
        moved = io == IO_DONE;
    }
    if (block_len(way.block) && way.to->writable) {
        size_t sent = 0;
        enum gateway_io io =
            gateway_send(way.to, way.block->data + way.block->start, block_len(way.block), &sent);
        if (io == IO_ERROR) {
            *ret_ended = true;
            return false;
        }
        gateway_block_consume(way.block, sent);
        *bytes += sent;
        moved = moved || sent > 0;
    }
    return moved;
}

bool gateway_tunnel_move(struct gateway_exchange *exchange)
{
    struct gateway_client *client = exchange->client;
    struct gateway_conn *conn = exchange->conn;
    // The 101 first.
    if (block_len(&client->out)) {
        return gateway_response_write(exchange);
    }
    bool ended = false;
    bool moved =
        move_one(client->gateway, (struct way){&client->endpoint, &conn->endpoint, &client->in},
                 &exchange->request_bytes, &ended);
    moved = move_one(client->gateway, (struct way){&conn->endpoint, &client->endpoint, &conn->in},
                     &exchange->response_bytes, &ended) ||
            moved;
    if (moved) {
        gateway_deadline_set(client->gateway, &client->deadline, WAIT_WEBSOCKET);
        return true;
    }
    if (ended) {
        gateway_client_close(client, false);
        return true;
    }
    return false;
}
