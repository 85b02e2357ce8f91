// One request and its answer: which upstream, which connection, what happens when that fails
// (HTTP.md "Retry"), and how it ends. The bytes themselves are moved by gateway_request.c and
// gateway_response.c.
#include "emulator/gateway/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

#define STATUS_CLIENT_GONE 499 // nobody gets it; nginx's number for the record

void gateway_exchange_list(struct gateway_exchange **list, struct gateway_exchange *exchange)
{
    exchange->list = list;
    exchange->previous = NULL;
    exchange->next = *list;
    if (*list) {
        (*list)->previous = exchange;
    }
    *list = exchange;
}

void gateway_exchange_unlist(struct gateway_exchange *exchange)
{
    if (!exchange->list) {
        return;
    }
    if (exchange->previous) {
        exchange->previous->next = exchange->next;
    } else {
        *exchange->list = exchange->next;
    }
    if (exchange->next) {
        exchange->next->previous = exchange->previous;
    }
    exchange->list = NULL;
    exchange->previous = exchange->next = NULL;
}

struct gateway_exchange *gateway_exchange_new(struct gateway_client *client)
{
    struct gateway *gateway = client->gateway;
    struct gateway_exchange *exchange =
        gateway->spare_exchange_count ? gateway->spare_exchanges[--gateway->spare_exchange_count]
                                      : malloc(sizeof *exchange);
    if (!exchange) {
        return NULL;
    }
    memset(exchange, 0, offsetof(struct gateway_exchange, head));
    http1_head_init(&exchange->head, gateway->options.lenient ? HTTP1_CLIENT_LENIENT : HTTP1_CLIENT,
                    false);
    exchange->client = client;
    exchange->side = &gateway->production;
    exchange->method = exchange->target = exchange->rule = "";
    exchange->start_us = clock_now_us();
    exchange->start_wall_ms = clock_wall_ms();
    gateway->stats.active++;
    return exchange;
}

void gateway_exchange_free(struct gateway *gateway, struct gateway_exchange *exchange)
{
    gateway_block_release(gateway, &exchange->request);
    gateway_gzip_free(gateway, exchange->gzip);
    if (exchange->record != exchange->record_inline) {
        free(exchange->record);
    }
    if (gateway->spare_exchange_count < SPARE_EXCHANGE_MAX) {
        gateway->spare_exchanges[gateway->spare_exchange_count++] = exchange;
    } else {
        free(exchange);
    }
}

// ---- begin ----

static bool take_record(struct gateway_exchange *exchange, const char *bytes)
{
    const struct http1_head *head = &exchange->head;
    size_t size = (size_t)head->method.len + head->target.len + 3;
    char *record = size <= sizeof exchange->record_inline ? exchange->record_inline : malloc(size);
    if (!record) {
        return false;
    }
    exchange->record = record;
    exchange->method = record;
    memcpy(record, bytes + head->method.at, head->method.len);
    record[head->method.len] = '\0';
    char *target = record + head->method.len + 1;
    exchange->target = target;
    target[http1_write_target(head, bytes, target)] = '\0';
    return true;
}

static bool take_facts(struct gateway_exchange *exchange, const char *bytes)
{
    const struct http1_head *head = &exchange->head;
    if (!take_record(exchange, bytes)) {
        return false;
    }
    exchange->is_head = strcmp(exchange->method, "HEAD") == 0;
    exchange->idempotent = http1_is_idempotent(exchange->method, head->method.len);
    exchange->minor_1 = head->minor == 1;
    exchange->keep_alive = head->keep_alive;
    exchange->expects = head->expect_continue;
    exchange->accepts_gzip = gateway_gzip_accepted(head, bytes);
    exchange->request_body = head->body;
    exchange->request_left = head->body == HTTP1_BODY_LENGTH ? head->content_length : 0;
    exchange->request_read = head->body == HTTP1_BODY_NONE;
    http1_chunks_init(&exchange->request_chunks, head->policy);
    const struct http1_field *upgrade = http1_head_find(head, HTTP1_UPGRADE);
    if (head->upgrade && exchange->request_read && upgrade->value.len < sizeof exchange->upgrade) {
        memcpy(exchange->upgrade, bytes + upgrade->value.at, upgrade->value.len);
    }
    return true;
}

void gateway_exchange_begin(struct gateway_exchange *exchange)
{
    struct gateway_client *client = exchange->client;
    const char *bytes = client->in.data + client->in.start;
    gateway_deadline_clear(&client->deadline);
    gateway_notice_bent(client->gateway, "", &client->gateway->noticed, exchange->head.reported);
    exchange->request_bytes += exchange->head.len;
    if (!take_facts(exchange, bytes)) {
        gateway_answer(exchange, 503, "", _("the gateway has no memory for this request"), false);
        return;
    }
    gateway_capture(exchange, CAPTURE_REQUEST_HEAD, bytes, exchange->head.len);
    bool answered = gateway_answer_before_app(exchange, bytes);
    if (!answered && !gateway_request_build(exchange)) {
        gateway_answer(exchange, 503, "", _("the gateway has no memory for this request"), false);
        return;
    }
    gateway_block_consume(&client->in, exchange->head.len);
    if (!answered) {
        gateway_exchange_dispatch(exchange);
    }
}

// ---- upstream ----

static void hold(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    exchange->phase = PHASE_HELD;
    gateway_exchange_list(&exchange->side->held, exchange);
    gateway->stats.held++;
    if (exchange->side == &gateway->staging) {
        gateway->options.on_staging_wanted(gateway->options.context);
    } else if (exchange->side->choice.asleep && gateway->options.on_asleep) {
        gateway->options.on_asleep(gateway->options.context);
    }
}

static void refuse(struct gateway_exchange *exchange, const char *rule, const char *text)
{
    gateway_answer(exchange, 503, rule, text, true);
    exchange->lost = false; // the platform's rule, nothing that went wrong here
    exchange->refused = true;
}

static void hold_or_refuse(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    bool staging = exchange->side == &gateway->staging;
    if (staging && !gateway->options.on_staging_wanted) {
        refuse(exchange, "P-160", _("there is no staging instance"));
    } else if (gateway_side_holds(gateway, exchange->side)) {
        hold(exchange);
    } else if (staging && gateway->staging_text) {
        refuse(exchange, gateway->staging_rule, gateway->staging_text);
    } else if (gateway->forced_text) {
        refuse(exchange, "P-162", gateway->forced_text);
    } else {
        gateway_answer(exchange, 503, "",
                       gateway->status_text ? gateway->status_text : _("no instance is running"),
                       true);
    }
}

static void connect_failed(struct gateway_exchange *exchange, struct gateway_target *target)
{
    int errnum = errno;
    if (errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOBUFS) {
        gateway_answer(exchange, 503, "", _("the gateway has no descriptor or memory left"), false);
        return;
    }
    snprintf(exchange->upstream_name, sizeof exchange->upstream_name, "%s", target->at.name);
    exchange->upstream = target;
    target->in_flight++;
    gateway_exchange_failed(exchange, FAILURE_CONNECT, "", strerror(errnum));
}

void gateway_exchange_dispatch(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    struct gateway_target *last =
        exchange->tries ? gateway_target_find(gateway, exchange->upstream_name) : NULL;
    struct gateway_target *target = gateway_target_choose(gateway, exchange->side, last);
    if (!target) {
        hold_or_refuse(exchange);
        return;
    }
    bool pooled = exchange->idempotent && exchange->request_read && !exchange->fresh_only;
    struct gateway_conn *conn = gateway_conn_get(target, pooled, gateway);
    if (!conn) {
        connect_failed(exchange, target);
        return;
    }
    conn->exchange = exchange;
    exchange->conn = conn;
    exchange->upstream = target;
    target->in_flight++;
    gateway_exchange_list(&target->exchanges, exchange);
    memcpy(exchange->upstream_name, target->at.name, sizeof exchange->upstream_name);
    if (gateway->options.on_begin) {
        gateway->options.on_begin(gateway->options.context, target->at.name);
    }
    exchange->phase = PHASE_PROXY;
    exchange->request_sent = 0;
    http1_head_init(&exchange->head, HTTP1_APP, exchange->is_head);
    if (!conn->reused) {
        gateway_deadline_set(gateway, &exchange->stuck, WAIT_STUCK);
    }
    if (exchange->client->deadline.wait != WAIT_RESPONSE) {
        gateway_deadline_set(gateway, &exchange->client->deadline, WAIT_RESPONSE);
    }
}

void gateway_exchange_release(struct gateway_exchange *exchange, bool reusable)
{
    struct gateway_target *target = exchange->upstream;
    struct gateway_conn *conn = exchange->conn;
    if (!target) {
        return;
    }
    if (conn) {
        conn->exchange = NULL;
        bool clean = target->current && !conn->endpoint.ended && !conn->endpoint.broken &&
                     !conn->send_failed && block_len(&conn->in) == 0;
        if (reusable && clean) {
            gateway_conn_put(conn);
        } else {
            gateway_conn_close(conn);
        }
    }
    gateway_deadline_clear(&exchange->stuck);
    exchange->conn = NULL;
    exchange->upstream = NULL;
    gateway_exchange_unlist(exchange);
    target->in_flight--;
    if (target->in_flight == 0 && !target->current) {
        gateway_schedule(exchange->client->gateway);
    }
}

static bool may_retry(const struct gateway_exchange *exchange, enum gateway_failure failure)
{
    return failure != FAILURE_MALFORMED && !exchange->response_begun && exchange->intact &&
           (exchange->written == 0 || exchange->idempotent) && exchange->tries < RETRIES_MAX;
}

static bool was_stale(const struct gateway_exchange *exchange, enum gateway_failure failure)
{
    return failure != FAILURE_MALFORMED && exchange->conn && exchange->conn->reused &&
           exchange->head.scanned == 0 && !exchange->response_begun && exchange->intact;
}

// An answer of which no byte has left yet was never begun.
static void take_back(struct gateway_exchange *exchange)
{
    struct gateway_block *out = &exchange->client->out;
    if (exchange->response_head && block_len(out) == exchange->response_bytes) {
        gateway_block_consume(out, block_len(out));
        gateway_gzip_free(exchange->client->gateway, exchange->gzip);
        exchange->gzip = NULL;
        exchange->response_bytes = 0;
        exchange->first_byte_us = 0;
        exchange->response_head = exchange->response_begun = exchange->endless = false;
    }
}

void gateway_exchange_failed(struct gateway_exchange *exchange, enum gateway_failure failure,
                             const char *rule, const char *text)
{
    struct gateway *gateway = exchange->client->gateway;
    take_back(exchange);
    bool stale = was_stale(exchange, failure);
    if (failure == FAILURE_CONNECT) {
        exchange->upstream->suspect_until_ms = gateway->now_ms + SUSPECT_MS;
    }
    gateway_exchange_release(exchange, false);
    if (stale || may_retry(exchange, failure)) {
        exchange->fresh_only = true;
        exchange->tries += !stale;
        gateway_exchange_dispatch(exchange);
        return;
    }
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s: %s", exchange->upstream_name, text);
    if (exchange->response_head) {
        exchange->lost = true;
        snprintf(exchange->reason, sizeof exchange->reason, "%s", text);
        if (failure != FAILURE_MALFORMED) { // that was said already
            gateway_notice(gateway, exchange->upstream_name, rule, text);
        }
        // Never as if complete: an answer that ends with the connection can only be cut by a reset.
        bool until_close = !exchange->out_chunked && exchange->head.body != HTTP1_BODY_LENGTH;
        gateway_client_close(exchange->client, until_close);
        return;
    }
    gateway_answer(exchange, 502, rule, sentence, true);
}

// ---- the end ----

static void report(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    gateway->stats.active--;
    gateway->stats.requests += exchange->status != STATUS_CLIENT_GONE;
    gateway->stats.lost += exchange->lost;
    gateway->stats.refused += exchange->refused;
    if (!gateway->options.on_request) {
        return;
    }
    int64_t now_us = clock_now_us();
    struct gateway_request request = {
        .method = exchange->method,
        .target = exchange->target,
        .upstream = exchange->upstream_name,
        .rule = exchange->rule,
        .status = exchange->status,
        .start_wall_ms = exchange->start_wall_ms,
        .total_us = now_us - exchange->start_us,
        .first_byte_us =
            (exchange->first_byte_us ? exchange->first_byte_us : now_us) - exchange->start_us,
        .request_bytes = exchange->request_bytes,
        .response_bytes = exchange->response_bytes,
        .reason = exchange->reason,
        .retries = (unsigned)exchange->tries,
        .client = exchange->client->address,
        .client_port = exchange->client->port,
    };
    struct gateway_bytes parts[CAPTURE__COUNT];
    gateway_capture_fill(exchange, parts);
    if (!exchange->request_read && *exchange->method) { // what never came is missing, too
        parts[CAPTURE_REQUEST_BODY].total += exchange->request_left ? exchange->request_left : 1;
    }
    request.request_head = parts[CAPTURE_REQUEST_HEAD];
    request.request_body = parts[CAPTURE_REQUEST_BODY];
    request.response_head = parts[CAPTURE_RESPONSE_HEAD];
    request.response_body = parts[CAPTURE_RESPONSE_BODY];
    gateway->options.on_request(gateway->options.context, &request);
}

static void finish(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    if (exchange->phase == PHASE_HELD) {
        gateway->stats.held--;
        gateway_exchange_unlist(exchange);
    }
    gateway_exchange_release(exchange, false);
    exchange->over = true;
    exchange->client->exchange = NULL;
    exchange->next_dead = gateway->dead_exchanges;
    gateway->dead_exchanges = exchange;
    report(exchange);
    gateway_capture_release(exchange);
}

void gateway_exchange_abandon(struct gateway_exchange *exchange)
{
    if (exchange->phase != PHASE_TUNNEL && !exchange->lost && !exchange->cut) {
        exchange->status = STATUS_CLIENT_GONE;
    }
    finish(exchange);
}

void gateway_exchange_end(struct gateway_exchange *exchange)
{
    struct gateway_client *client = exchange->client;
    bool keep_alive = exchange->keep_alive && exchange->request_read;
    bool sends = !exchange->request_read;
    finish(exchange);
    gateway_client_continue(client, keep_alive, sends);
}

// ---- moving ----

static bool client_is_gone(struct gateway_client *client)
{
    if (client->endpoint.broken) {
        return true;
    }
    if (!client->endpoint.ended || block_len(&client->in)) {
        return false; // a pipelined request is still to be answered
    }
    char byte;
    return recv(client->endpoint.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool move(struct gateway_exchange *exchange)
{
    bool moved = false;
    if (exchange->phase == PHASE_TUNNEL) {
        return gateway_tunnel_move(exchange);
    }
    if (exchange->phase == PHASE_PROXY && !exchange->request_read) {
        moved = gateway_request_read(exchange);
    }
    if (exchange->phase == PHASE_PROXY && !exchange->over) {
        moved = gateway_request_write(exchange) || moved;
    }
    // As much as the client's buffer takes, then one write: head and body go in one segment. What
    // is compressed may never fill it.
    uint64_t until = exchange->response_total + 4 * BLOCK_BYTES;
    while (exchange->phase == PHASE_PROXY && !exchange->over && exchange->response_total < until &&
           gateway_response_read(exchange)) {
        moved = true;
    }
    if (!exchange->over) {
        moved = gateway_response_write(exchange) || moved;
    }
    return moved;
}

static void pump_later(struct gateway_exchange *exchange)
{
    struct gateway *gateway = exchange->client->gateway;
    if (!exchange->again) {
        exchange->again = true;
        exchange->next_again = gateway->again;
        gateway->again = exchange;
    }
    gateway_schedule(gateway);
}

void gateway_exchange_pump(struct gateway_exchange *exchange)
{
    uint64_t before = exchange->request_bytes + exchange->response_bytes + exchange->response_total;
    while (!exchange->over && move(exchange)) {
        if (!exchange->over &&
            exchange->request_bytes + exchange->response_bytes + exchange->response_total - before >
                TURN_BYTES) {
            pump_later(exchange);
            break;
        }
    }
    bool waits = exchange->phase == PHASE_PROXY || exchange->phase == PHASE_HELD;
    if (!exchange->over &&
        (exchange->client->endpoint.broken || (waits && client_is_gone(exchange->client)))) {
        gateway_client_close(exchange->client, false);
    }
}
