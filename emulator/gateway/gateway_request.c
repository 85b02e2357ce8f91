// The request on its way to the upstream: the head rebuilt (HTTP.md "Fields"), the body streamed
// through a bounded buffer. The buffer keeps what was sent as long as a second try may need it.
#include "emulator/gateway/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/i18n.h"

// ---- head ----

#define EDGE_NODE "192.0.2.1" // of the network for examples (RFC 5737)

// P-152: ours replace what the client sent.
#define REPLACED                                                                                   \
    (1u << HTTP1_X_LEANLOCAL_INSIDE | 1u << HTTP1_X_REAL_IP | 1u << HTTP1_X_FORWARDED_PROTO |      \
     1u << HTTP1_FORWARDED)

static const char *client_address(const struct gateway_client *client)
{
    const char *simulated = client->gateway->options.client_ip;
    return simulated ? simulated : client->address;
}

// RFC 7239 §6: an IPv6 address is quoted and in brackets.
#define FORWARDED    "Forwarded: for=%s%s%s;proto=%s\r\n"
#define FOR(address) strchr(address, ':') ? "\"[" : "", address, strchr(address, ':') ? "]\"" : ""

static uint32_t print_own(const struct gateway_exchange *exchange, char *out, size_t size)
{
    const char *address = client_address(exchange->client);
    const char *proto = exchange->client->gateway->options.https ? "https" : "http";
    snprintf(out, size, "X-Real-IP: %s\r\nX-Forwarded-Proto: %s\r\n" FORWARDED, address, proto,
             FOR(address), proto);
    return REPLACED;
}

// Behind an edge node the client's address is appended to X-Forwarded-For; the other fields
// describe the node, unless the client forged them: that is passed (P-152).
static uint32_t print_own_edge(const struct gateway_exchange *exchange, const char *bytes,
                               struct buf *own)
{
    const struct http1_head *head = &exchange->head;
    const char *proto = exchange->client->gateway->options.https ? "https" : "http";
    buf_adds(own, "X-Forwarded-For: ");
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (field->id == HTTP1_X_FORWARDED_FOR) {
            buf_addf(own, "%.*s, ", (int)field->value.len, bytes + field->value.at);
        }
    }
    buf_addf(own, "%s\r\n", client_address(exchange->client));
    if (!http1_head_find(head, HTTP1_X_REAL_IP)) {
        buf_addf(own, "X-Real-IP: %s\r\n", EDGE_NODE);
    }
    if (!http1_head_find(head, HTTP1_X_FORWARDED_PROTO)) {
        buf_addf(own, "X-Forwarded-Proto: %s\r\n", proto);
    }
    if (!http1_head_find(head, HTTP1_FORWARDED)) {
        buf_addf(own, FORWARDED, FOR(EDGE_NODE), proto);
    }
    return 1u << HTTP1_X_FORWARDED_FOR | 1u << HTTP1_X_LEANLOCAL_INSIDE;
}

static bool write_head(struct gateway_exchange *exchange, const char *bytes, uint32_t without,
                       const char *own)
{
    const struct http1_head *head = &exchange->head;
    struct gateway_block *out = &exchange->request;
    const struct http1_onward onward = {
        .without = without,
        .switching = *exchange->upgrade,
        .body = head->body,
        .own = own,
    };
    if (!gateway_block_need(exchange->client->gateway, out, http1_write_room(head, own),
                            BLOCK_REQUEST_MAX)) {
        return false;
    }
    out->end += (uint32_t)http1_write(head, bytes, &onward, out->data + out->end);
    return true;
}

bool gateway_request_build(struct gateway_exchange *exchange)
{
    const struct gateway_block *in = &exchange->client->in;
    const char *bytes = in->data + in->start;
    if (exchange->client->gateway->options.edge) {
        struct buf own = {0}; // as long as what clients forge
        uint32_t without = print_own_edge(exchange, bytes, &own);
        exchange->intact = write_head(exchange, bytes, without, own.data);
        buf_release(&own);
    } else {
        char own[320];
        uint32_t without = print_own(exchange, own, sizeof own);
        exchange->intact = write_head(exchange, bytes, without, own);
    }
    return exchange->intact;
}

// ---- body ----

// What was sent need not be kept any more: too much for a second try, or not to be repeated anyway.
static void forget_sent(struct gateway_exchange *exchange)
{
    struct gateway_block *block = &exchange->request;
    bool keep = exchange->intact && (exchange->idempotent || exchange->written == 0) &&
                exchange->request_total <= RETAIN_BYTES;
    if (!keep && exchange->request_sent) {
        exchange->intact = false;
        gateway_block_consume(block, exchange->request_sent);
        exchange->request_sent = 0;
    }
}

// How much body the buffer may take now.
static size_t body_room(struct gateway_exchange *exchange)
{
    forget_sent(exchange);
    struct gateway_block *block = &exchange->request;
    bool keeps =
        exchange->intact && exchange->idempotent && exchange->request_total <= RETAIN_BYTES;
    size_t unsent = block_len(block) - exchange->request_sent;
    size_t room = unsent < BLOCK_BYTES ? BLOCK_BYTES - unsent : 0;
    size_t total = gateway_block_room(block, keeps ? BLOCK_REQUEST_MAX : (size_t)block->cap);
    room = room < total ? room : total;
    return room > CHUNK_FRAME ? room - CHUNK_FRAME : 0;
}

static void too_large(struct gateway_exchange *exchange)
{
    gateway_exchange_release(exchange, false);
    if (exchange->response_head) {
        gateway_client_close(exchange->client, false);
        return;
    }
    gateway_answer_too_large(exchange);
}

static void body_refused(struct gateway_exchange *exchange)
{
    gateway_exchange_release(exchange, false);
    if (exchange->response_head) {
        gateway_client_close(exchange->client, false);
        return;
    }
    gateway_answer_rule(exchange, exchange->request_chunks.error);
}

// One run of bytes from the client's buffer into the request's. False: nothing to do, or it is
// over.
static bool take_length(struct gateway_exchange *exchange, size_t room)
{
    struct gateway_block *in = &exchange->client->in;
    size_t len = block_len(in) < room ? block_len(in) : room;
    len = len < exchange->request_left ? len : (size_t)exchange->request_left;
    gateway_put(&exchange->request, in->data + in->start, len);
    gateway_capture(exchange, CAPTURE_REQUEST_BODY, in->data + in->start, len);
    gateway_block_consume(in, len);
    exchange->request_bytes += len;
    exchange->request_total += len;
    exchange->request_left -= len;
    exchange->request_read = exchange->request_left == 0;
    return true;
}

static bool take_chunks(struct gateway_exchange *exchange, size_t room)
{
    struct gateway_block *in = &exchange->client->in;
    size_t len = block_len(in) < room ? block_len(in) : room;
    size_t skip, data;
    enum http1_progress progress =
        http1_chunks_feed(&exchange->request_chunks, in->data + in->start, len, &skip, &data);
    if (progress == HTTP1_FAILED) {
        body_refused(exchange);
        return true;
    }
    if (data) {
        gateway_put_chunk(&exchange->request, in->data + in->start + skip, data);
        gateway_capture(exchange, CAPTURE_REQUEST_BODY, in->data + in->start + skip, data);
    }
    gateway_block_consume(in, skip + data);
    exchange->request_bytes += skip + data;
    exchange->request_total += data;
    if (progress == HTTP1_DONE) {
        gateway_puts(&exchange->request, "0\r\n\r\n");
        exchange->request_read = true;
    }
    if (gateway_body_is_too_large(exchange, exchange->request_total)) {
        too_large(exchange);
    }
    return true;
}

bool gateway_request_read(struct gateway_exchange *exchange)
{
    struct gateway_client *client = exchange->client;
    struct gateway *gateway = client->gateway;
    size_t room = body_room(exchange);
    if (room == 0) {
        return false;
    }
    if (block_len(&client->in) == 0) {
        if (!client->endpoint.readable) {
            return false;
        }
        if (!gateway_block_need(gateway, &client->in, 1, BLOCK_BYTES)) {
            gateway_client_close(client, false);
            return true;
        }
        enum gateway_io io = gateway_receive(&client->endpoint, &client->in);
        if (io == IO_EOF || io == IO_ERROR) {
            gateway_client_close(client, false); // in the middle of its own body
            return true;
        }
        if (io == IO_AGAIN) {
            return false;
        }
    }
    if (!gateway_block_need(gateway, &exchange->request, room + CHUNK_FRAME, BLOCK_REQUEST_MAX)) {
        gateway_client_close(client, false);
        return true;
    }
    if (client->deadline.wait == WAIT_RESPONSE) {
        gateway_deadline_set(gateway, &client->deadline, WAIT_RESPONSE);
    }
    return exchange->request_body == HTTP1_BODY_LENGTH ? take_length(exchange, room)
                                                       : take_chunks(exchange, room);
}

bool gateway_request_write(struct gateway_exchange *exchange)
{
    struct gateway_conn *conn = exchange->conn;
    struct gateway_block *block = &exchange->request;
    size_t len = block_len(block) - exchange->request_sent;
    if (len == 0 || !conn->endpoint.writable || conn->send_failed) {
        return false;
    }
    size_t sent = 0;
    enum gateway_io io = gateway_send(
        &conn->endpoint, block->data + block->start + exchange->request_sent, len, &sent);
    if (io == IO_AGAIN) {
        return false;
    }
    if (io == IO_ERROR) {
        if (exchange->written == 0 && errno == ECONNREFUSED) {
            gateway_exchange_failed(exchange, FAILURE_CONNECT, "", _("refuses the connection"));
            return true;
        }
        // It may have answered before it closed (a 413 of its own): that is still to be read.
        conn->send_failed = true;
        conn->endpoint.readable = true;
        return true;
    }
    exchange->request_sent += (uint32_t)sent;
    exchange->written += sent;
    return true;
}
