// The answer on its way to the client: the head rebuilt, the body re-framed (HTTP.md "Responses
// from the app"). What stands in the connection's buffer moves only as far as the client's buffer
// has room, and the socket is read only when that buffer is empty: a slow reader stops the writer.
#include "emulator/gateway/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

#define STREAM_TYPE "text/event-stream"

// ---- head ----

#define ORIGINALS_ONLY (1u << HTTP1_ETAG | 1u << HTTP1_ACCEPT_RANGES)

static bool put_head(struct gateway_exchange *exchange, const char *bytes)
{
    const struct http1_head *head = &exchange->head;
    struct gateway_block *out = &exchange->client->out;
    char own[512];
    bool interim = head->status < 200;
    int own_len = snprintf(own, sizeof own, "%s",
                           interim                 ? ""
                           : !exchange->keep_alive ? "Connection: close\r\n"
                           : !exchange->minor_1    ? "Connection: keep-alive\r\n"
                                                   : "");
    if (!interim) {
        gateway_gzip_print(exchange, bytes, own + own_len, sizeof own - (size_t)own_len);
    }
    const struct http1_onward onward = {
        .without = exchange->gzip ? ORIGINALS_ONLY : 0,
        .switching = head->status == 101,
        .body = exchange->out_chunked && !interim ? HTTP1_BODY_CHUNKED : HTTP1_BODY_UNTIL_CLOSE,
        .own = own,
    };
    size_t room = http1_write_room(head, onward.own);
    if (!gateway_block_need(exchange->client->gateway, out, room, 2 * BLOCK_HEAD_MAX)) {
        return false;
    }
    size_t len = http1_write(head, bytes, &onward, out->data + out->end);
    out->end += (uint32_t)len;
    exchange->response_bytes += len;
    exchange->response_begun = true;
    if (head->status >= 200 || head->status == 101) {
        gateway_capture(exchange, CAPTURE_RESPONSE_HEAD, out->data + out->end - len, len);
    }
    return true;
}

static void report_bent(struct gateway_exchange *exchange, uint64_t reported)
{
    gateway_notice_bent(exchange->client->gateway, exchange->upstream_name,
                        &exchange->upstream->noticed, reported);
}

// Behind its last answer on this connection the app has sent more than it said (a body for HEAD,
// say). That is no answer to this request, which gets a connection of its own; only what may be
// repeated goes on a used one.
static bool were_left_over(struct gateway_exchange *exchange, enum http1_rule rule)
{
    if (rule != HTTP1_RULE_STATUS_LINE || !exchange->conn->reused || exchange->response_begun) {
        return false;
    }
    if (!(exchange->upstream->noticed >> rule & 1)) {
        gateway_notice(exchange->client->gateway, exchange->upstream_name, "RFC 9112 §6.3",
                       _("the app sent more bytes than its answer has"));
    }
    exchange->upstream->noticed |= (uint64_t)1 << rule;
    http1_head_init(&exchange->head, HTTP1_APP, exchange->is_head); // as if none had come
    gateway_exchange_failed(exchange, FAILURE_CLOSED, "", "");
    return true;
}

static void malformed(struct gateway_exchange *exchange, enum http1_rule rule, uint32_t at)
{
    if (were_left_over(exchange, rule)) {
        return;
    }
    const struct http1_rule_row *row = &http1_rules[rule];
    const struct gateway_block *in = &exchange->conn->in;
    char text[384], name[48] = "";
    if (!exchange->response_head) {
        gateway_field_at(in->data + in->start, block_len(in), at, name, sizeof name);
    }
    snprintf(text, sizeof text, _("the app's answer cannot be read: %s (byte %u%s%s)"),
             _(row->text), at, *name ? ", " : "", name);
    gateway_notice(exchange->client->gateway, exchange->upstream_name, row->source, text);
    gateway_exchange_failed(exchange, FAILURE_MALFORMED, row->source, text);
}

static void frame(struct gateway_exchange *exchange, const char *bytes)
{
    const struct http1_head *head = &exchange->head;
    exchange->gzip_suits = gateway_gzip_suits(head, bytes);
    if (exchange->gzip_suits && exchange->accepts_gzip && head->body != HTTP1_BODY_NONE) {
        exchange->gzip = gateway_gzip_new(exchange->client->gateway);
    }
    bool unknown =
        head->body == HTTP1_BODY_CHUNKED || head->body == HTTP1_BODY_UNTIL_CLOSE || exchange->gzip;
    exchange->out_chunked = unknown && exchange->minor_1;
    if ((unknown && !exchange->minor_1) || !exchange->request_read) {
        exchange->keep_alive = false;
    }
    exchange->response_left = head->body == HTTP1_BODY_LENGTH ? head->content_length : 0;
    http1_chunks_init(&exchange->response_chunks, HTTP1_APP);
}

static bool is_event_stream(const struct http1_head *head, const char *bytes)
{
    const struct http1_field *type = http1_head_find(head, HTTP1_CONTENT_TYPE);
    return type && type->value.len >= strlen(STREAM_TYPE) &&
           strncasecmp(bytes + type->value.at, STREAM_TYPE, strlen(STREAM_TYPE)) == 0;
}

static void take_interim(struct gateway_exchange *exchange, const char *bytes)
{
    struct http1_head *head = &exchange->head;
    if (++exchange->interim > INTERIM_MAX) {
        gateway_exchange_failed(exchange, FAILURE_MALFORMED, "RFC 9110 §15.2",
                                _("too many 1xx answers"));
        return;
    }
    uint32_t len = head->len;
    // 1.0 clients know no 1xx, and who did not ask for 100 did not wait for it.
    bool wanted = exchange->minor_1 && (head->status != 100 || exchange->expects);
    if (wanted && !put_head(exchange, bytes)) {
        gateway_client_close(exchange->client, false);
        return;
    }
    gateway_block_consume(&exchange->conn->in, len);
    http1_head_init(head, HTTP1_APP, exchange->is_head);
}

static void take_switch(struct gateway_exchange *exchange, const char *bytes)
{
    const struct http1_head *head = &exchange->head;
    const struct http1_field *upgrade = http1_head_find(head, HTTP1_UPGRADE);
    if (!*exchange->upgrade || !head->upgrade ||
        !http1_list_has(exchange->upgrade, strlen(exchange->upgrade), bytes + upgrade->value.at,
                        upgrade->value.len)) {
        gateway_exchange_failed(exchange, FAILURE_MALFORMED, "RFC 9110 §15.2.2",
                                _("101 without having been asked to switch to that protocol"));
        return;
    }
    struct gateway_client *client = exchange->client;
    if (!put_head(exchange, bytes)) {
        gateway_client_close(client, false);
        return;
    }
    exchange->status = 101;
    exchange->first_byte_us = clock_now_us();
    exchange->endless = true;
    exchange->keep_alive = false;
    exchange->phase = PHASE_TUNNEL;
    gateway_block_consume(&exchange->conn->in, head->len);
    gateway_deadline_set(client->gateway, &client->deadline, WAIT_WEBSOCKET);
}

static void take_final(struct gateway_exchange *exchange, const char *bytes)
{
    frame(exchange, bytes);
    if (!put_head(exchange, bytes)) {
        gateway_client_close(exchange->client, false);
        return;
    }
    exchange->response_head = true;
    exchange->status = exchange->head.status;
    exchange->first_byte_us = clock_now_us();
    exchange->endless = is_event_stream(&exchange->head, bytes);
    gateway_deadline_clear(&exchange->client->deadline);
    report_bent(exchange, exchange->head.reported);
    gateway_block_consume(&exchange->conn->in, exchange->head.len);
}

static bool take_head(struct gateway_exchange *exchange)
{
    struct gateway_block *in = &exchange->conn->in;
    const char *bytes = in->data + in->start;
    enum http1_progress progress = http1_head_feed(&exchange->head, bytes, block_len(in));
    if (progress == HTTP1_MORE) {
        return false;
    }
    gateway_deadline_clear(&exchange->stuck);
    if (progress == HTTP1_FAILED) {
        malformed(exchange, exchange->head.error, exchange->head.error_at);
    } else if (exchange->head.status == 101) {
        take_switch(exchange, bytes);
    } else if (exchange->head.status < 200) {
        take_interim(exchange, bytes);
    } else {
        take_final(exchange, bytes);
    }
    return true;
}

// ---- body ----

static void body_done(struct gateway_exchange *exchange)
{
    if (exchange->gzip && !gateway_gzip_finish(exchange)) {
        gateway_client_close(exchange->client, false);
        return;
    }
    gateway_gzip_free(exchange->client->gateway, exchange->gzip);
    exchange->gzip = NULL;
    if (exchange->out_chunked) {
        gateway_puts(&exchange->client->out, "0\r\n\r\n");
        exchange->response_bytes += 5;
    }
    report_bent(exchange, exchange->response_chunks.reported);
    bool all_sent =
        exchange->request_read && exchange->request_sent == block_len(&exchange->request);
    gateway_exchange_release(exchange, exchange->head.keep_alive && all_sent);
    exchange->keep_alive = exchange->keep_alive && exchange->request_read;
    exchange->phase = PHASE_ANSWER;
}

// False: the client had to be closed.
static bool put_data(struct gateway_exchange *exchange, size_t skip, size_t len)
{
    struct gateway_block *in = &exchange->conn->in;
    struct gateway_block *out = &exchange->client->out;
    const char *bytes = in->data + in->start + skip;
    exchange->response_total += len;
    gateway_capture(exchange, CAPTURE_RESPONSE_BODY, bytes, len); // before it is compressed
    if (exchange->gzip) {
        if (len && !gateway_gzip_put(exchange, bytes, len)) {
            gateway_client_close(exchange->client, false);
            return false;
        }
        gateway_block_consume(in, skip + len);
        return true;
    }
    size_t before = block_len(out);
    if (len && exchange->out_chunked) {
        gateway_put_chunk(out, bytes, len);
    } else {
        gateway_put(out, bytes, len);
    }
    exchange->response_bytes += block_len(out) - before;
    gateway_block_consume(in, skip + len);
    return true;
}

static bool take_chunks(struct gateway_exchange *exchange, size_t len)
{
    struct gateway_block *in = &exchange->conn->in;
    size_t skip, data;
    enum http1_progress progress =
        http1_chunks_feed(&exchange->response_chunks, in->data + in->start, len, &skip, &data);
    if (progress == HTTP1_FAILED) {
        malformed(exchange, exchange->response_chunks.error, 0);
        return true;
    }
    if (put_data(exchange, skip, data) && progress == HTTP1_DONE) {
        body_done(exchange);
    }
    return true;
}

// One run of what has arrived into the client's buffer; also the end of a body.
static bool take_body(struct gateway_exchange *exchange)
{
    struct gateway_block *in = &exchange->conn->in;
    struct gateway_block *out = &exchange->client->out;
    enum http1_body body = exchange->head.body;
    if (body == HTTP1_BODY_NONE || (body == HTTP1_BODY_LENGTH && exchange->response_left == 0)) {
        body_done(exchange);
        return true;
    }
    size_t max = !exchange->gzip && out->cap > BLOCK_BYTES ? out->cap : BLOCK_BYTES;
    size_t room = gateway_block_room(out, max);
    if (block_len(in) == 0 || room <= 2 * CHUNK_FRAME) {
        return false;
    }
    if (!gateway_block_need(exchange->client->gateway, out, room, max)) {
        gateway_client_close(exchange->client, false);
        return true;
    }
    room -= 2 * CHUNK_FRAME; // the last chunk's frame, and the end of the body
    size_t len = block_len(in) < room ? block_len(in) : room;
    if (body == HTTP1_BODY_CHUNKED) {
        return take_chunks(exchange, len);
    }
    if (body == HTTP1_BODY_LENGTH) {
        len = len < exchange->response_left ? len : (size_t)exchange->response_left;
        exchange->response_left -= len;
    }
    put_data(exchange, 0, len);
    return true;
}

// ---- the connection ----

static void closed(struct gateway_exchange *exchange, enum gateway_io io)
{
    if (io == IO_EOF && exchange->response_head && exchange->head.body == HTTP1_BODY_UNTIL_CLOSE) {
        struct gateway_client *client = exchange->client;
        if (!gateway_block_need(client->gateway, &client->out, CHUNK_FRAME, 2 * BLOCK_HEAD_MAX)) {
            gateway_client_close(client, false);
            return;
        }
        body_done(exchange);
        return;
    }
    bool refused = io == IO_ERROR && errno == ECONNREFUSED;
    gateway_exchange_failed(exchange, refused ? FAILURE_CONNECT : FAILURE_CLOSED, "",
                            refused ? _("refuses the connection")
                            : exchange->response_head
                                ? _("the app closed the connection in the middle of its answer")
                                : _("the app closed the connection without an answer"));
}

static bool receive(struct gateway_exchange *exchange)
{
    struct gateway_conn *conn = exchange->conn;
    size_t max = exchange->response_head ? BLOCK_BYTES : BLOCK_HEAD_MAX;
    if (!gateway_block_need(conn->gateway, &conn->in, 1, max)) {
        gateway_exchange_failed(exchange, FAILURE_MALFORMED, "", _("no memory for its answer"));
        return true;
    }
    enum gateway_io io = gateway_receive(&conn->endpoint, &conn->in);
    if (io == IO_AGAIN) {
        return false;
    }
    if (io != IO_DONE) {
        closed(exchange, io);
    }
    return true;
}

// The app has no more for now. Of a length that is known the rest will follow; who sends without
// one may wait for an answer to what he has said.
static bool pauses(struct gateway_exchange *exchange)
{
    return !exchange->over && exchange->head.body != HTTP1_BODY_LENGTH &&
           gateway_gzip_flush(exchange);
}

bool gateway_response_read(struct gateway_exchange *exchange)
{
    struct gateway_conn *conn = exchange->conn;
    if (exchange->response_head) {
        if (take_body(exchange)) {
            return true;
        }
        // What is left is blocked by the client; the rest stays with the app.
        if (block_len(&conn->in)) {
            return false;
        }
        return (conn->endpoint.readable && receive(exchange)) || pauses(exchange);
    }
    if (block_len(&conn->in) && take_head(exchange)) {
        return true;
    }
    return conn->endpoint.readable && receive(exchange);
}

bool gateway_response_write(struct gateway_exchange *exchange)
{
    struct gateway_client *client = exchange->client;
    struct gateway_block *out = &client->out;
    if (block_len(out) == 0) {
        if (exchange->phase == PHASE_ANSWER) {
            gateway_exchange_end(exchange);
            return true;
        }
        return false;
    }
    if (!client->endpoint.writable) {
        return false;
    }
    size_t sent = 0;
    enum gateway_io io =
        gateway_send(&client->endpoint, out->data + out->start, block_len(out), &sent);
    if (io == IO_AGAIN) {
        return false;
    }
    if (io == IO_ERROR) {
        gateway_client_close(client, false);
        return true;
    }
    gateway_block_consume(out, sent);
    return true;
}
