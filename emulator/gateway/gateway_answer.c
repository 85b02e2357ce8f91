// The gateway's own answers. Each names its rule, in the body and in X-Leanlocal-Rule, and the row
// of the limits table that it hit, so that nobody looks for the reason in the app.
#include "emulator/gateway/internal.h"

#include <stdio.h>
#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {301, "Moved Permanently"},   {400, "Bad Request"},
    {404, "Not Found"},           {405, "Method Not Allowed"},
    {408, "Request Timeout"},     {413, "Content Too Large"},
    {414, "URI Too Long"},        {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},     {502, "Bad Gateway"},
    {503, "Service Unavailable"}, {504, "Gateway Timeout"},
};

const char *gateway_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Error";
}

void gateway_notice(struct gateway *gateway, const char *upstream, const char *rule,
                    const char *text)
{
    if (gateway->options.on_notice) {
        gateway->options.on_notice(gateway->options.context, upstream, rule, text);
    }
}

// Each rule once per sender: the same mistake comes with every message.
void gateway_notice_bent(struct gateway *gateway, const char *upstream, uint64_t *noticed,
                         uint64_t reported)
{
    uint64_t fresh = reported & ~*noticed;
    *noticed |= fresh;
    for (int rule = 1; fresh && rule < HTTP1_RULE__COUNT; rule++) {
        if (fresh >> rule & 1) {
            gateway_notice(gateway, upstream, http1_rules[rule].source, _(http1_rules[rule].text));
        }
    }
}

// ---- writing ----

// Not what this URL allows, which only the app knows, but what the gateway lets through.
#define ALLOW      "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#define ALLOW_EDGE "GET, HEAD, POST, PUT, DELETE, OPTIONS"

static void print_head(const struct gateway_exchange *exchange, const struct gateway_reply *reply,
                       int body_len, struct buf *head)
{
    buf_addf(head,
             "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
             "Cache-Control: no-store\r\n",
             reply->status, gateway_reason(reply->status), body_len);
    if (*reply->rule) {
        buf_addf(head, "X-Leanlocal-Rule: %s\r\n", reply->rule);
    }
    if (reply->limit) {
        buf_addf(head, "X-Leanlocal-Limit: %s=%lld\r\n", reply->limit->name,
                 (long long)reply->limit->value);
    }
    if (reply->location) {
        buf_addf(head, "Location: %s\r\n", reply->location);
    }
    if (reply->status == 405) {
        buf_addf(head, "Allow: %s\r\n",
                 exchange->client->gateway->options.edge ? ALLOW_EDGE : ALLOW);
    }
    if (!exchange->keep_alive) {
        buf_adds(head, "Connection: close\r\n");
    } else if (!exchange->minor_1) {
        buf_adds(head, "Connection: keep-alive\r\n");
    }
    buf_adds(head, "\r\n");
}

static void put_answer(struct gateway_exchange *exchange, const struct gateway_reply *reply)
{
    struct gateway_client *client = exchange->client;
    struct buf head = {0};
    char body[2048];
    int body_len = snprintf(body, sizeof body, "leanlocal: %d %s: %s%s%s%s\n", reply->status,
                            gateway_reason(reply->status), reply->text, *reply->rule ? " (" : "",
                            reply->rule, *reply->rule ? ")" : "");
    if (body_len >= (int)sizeof body) {
        body_len = sizeof body - 1;
        body[body_len - 1] = '\n';
    }
    print_head(exchange, reply, body_len, &head);
    if (!gateway_block_need(client->gateway, &client->out, head.len + (size_t)body_len,
                            BLOCK_HEAD_MAX)) {
        exchange->keep_alive = false; // nothing can be said: the connection just ends
        buf_release(&head);
        return;
    }
    gateway_put(&client->out, head.data, head.len);
    gateway_capture(exchange, CAPTURE_RESPONSE_HEAD, head.data, head.len);
    buf_release(&head);
    if (!exchange->is_head) {
        gateway_put(&client->out, body, (size_t)body_len);
        gateway_capture(exchange, CAPTURE_RESPONSE_BODY, body, (size_t)body_len);
    }
    exchange->response_bytes += block_len(&client->out);
}

void gateway_reply(struct gateway_exchange *exchange, const struct gateway_reply *reply)
{
    struct gateway_client *client = exchange->client;
    exchange->status = reply->status;
    exchange->rule = reply->rule;
    snprintf(exchange->reason, sizeof exchange->reason, "%s", reply->text);
    exchange->keep_alive = reply->keep && exchange->keep_alive && exchange->request_read;
    exchange->lost = reply->status >= 502;
    exchange->refused = reply->status >= 400 && !exchange->lost;
    exchange->phase = PHASE_ANSWER;
    gateway_deadline_set(client->gateway, &client->deadline, WAIT_IDLE);
    put_answer(exchange, reply);
    if (*reply->rule && exchange->refused) {
        char text[512];
        snprintf(text, sizeof text, "%.32s%s%.120s%s%d: %s", exchange->method,
                 *exchange->method ? " " : "", exchange->target, *exchange->method ? ": " : "",
                 reply->status, reply->text);
        gateway_notice(client->gateway, "", reply->rule, text);
    }
}

void gateway_answer(struct gateway_exchange *exchange, int status, const char *rule,
                    const char *text, bool keep)
{
    gateway_reply(exchange, &(struct gateway_reply){status, rule, text, .keep = keep});
}

void gateway_answer_limit(struct gateway_exchange *exchange, int status, enum limit_id limit,
                          const char *text, bool keep)
{
    const struct limit_row *row = &limit_rows[limit];
    gateway_reply(exchange,
                  &(struct gateway_reply){status, row->source, text, .limit = row, .keep = keep});
}

bool gateway_body_is_too_large(const struct gateway_exchange *exchange, uint64_t bytes)
{
    return bytes > (uint64_t)limit_rows[exchange->client->gateway->body_limit].value;
}

void gateway_answer_too_large(struct gateway_exchange *exchange)
{
    enum limit_id limit = exchange->client->gateway->body_limit;
    char text[160];
    snprintf(text, sizeof text, _("the request body is larger than %lld MB"),
             (long long)limit_rows[limit].value >> 20);
    gateway_answer_limit(exchange, 413, limit, text, false);
}

// ---- by a rule of the lexer ----

static const struct limit_row *limit_of(enum http1_rule rule)
{
    switch (rule) {
    case HTTP1_RULE_TARGET_LONG:
    case HTTP1_RULE_LINE_LONG:
        return &limit_rows[LIMIT_INDEX_HEADER_LINE_BYTES];
    case HTTP1_RULE_HEAD_LONG:
    case HTTP1_RULE_TRAILER_LONG:
        return &limit_rows[LIMIT_INDEX_HEADER_TOTAL_BYTES];
    case HTTP1_RULE_FIELDS:
        return &limit_rows[LIMIT_INDEX_HEADER_FIELDS];
    default:
        return NULL;
    }
}

void gateway_field_at(const char *bytes, size_t len, size_t at, char *ret_name, size_t size)
{
    size_t begin = at < len ? at : len;
    while (begin > 0 && bytes[begin - 1] != '\n') {
        begin--;
    }
    size_t end = begin;
    while (begin > 0 && end < len && bytes[end] > ' ' && bytes[end] != ':' && bytes[end] < 0x7F) {
        end++;
    }
    bool named = end > begin && end < len && (bytes[end] == ':' || bytes[end] == ' ');
    size_t name_len = named ? end - begin : 0;
    name_len = name_len < size - 1 ? name_len : size - 1;
    memcpy(ret_name, bytes + begin, name_len);
    ret_name[name_len] = '\0';
}

void gateway_answer_rule(struct gateway_exchange *exchange, enum http1_rule rule)
{
    const struct http1_rule_row *row = &http1_rules[rule];
    const struct gateway_block *in = &exchange->client->in;
    char name[48] = "", text[384];
    if (exchange->phase == PHASE_HEAD) {
        gateway_field_at(in->data + in->start, block_len(in), exchange->head.error_at, name,
                         sizeof name);
    }
    snprintf(text, sizeof text, "%s%s%s", _(row->text), *name ? ": " : "", name);
    gateway_reply(exchange,
                  &(struct gateway_reply){row->status, row->source, text, .limit = limit_of(rule)});
}
