// The gateway's own answers. Each names its rule, in the body and in X-Leanlocal-Rule, so that
// nobody looks for the reason in the app.
#include "emulator/gateway/internal.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
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

void gateway_answer(struct gateway_exchange *exchange, int status, const char *rule,
                    const char *text, bool keep)
{
    struct gateway_client *client = exchange->client;
    struct gateway *gateway = client->gateway;
    char body[2048], head[512];
    int body_len =
        snprintf(body, sizeof body, "leanlocal: %d %s: %s%s%s%s\n", status, gateway_reason(status),
                 text, *rule ? " (" : "", rule, *rule ? ")" : "");
    if (body_len >= (int)sizeof body) {
        body_len = sizeof body - 1;
        body[body_len - 1] = '\n';
    }
    exchange->status = status;
    exchange->rule = rule;
    exchange->keep_alive = keep && exchange->keep_alive && exchange->request_read;
    exchange->lost = status >= 502;
    exchange->refused = !exchange->lost;
    exchange->phase = PHASE_ANSWER;
    const char *connection = !exchange->keep_alive ? "Connection: close\r\n"
                             : exchange->minor_1   ? ""
                                                   : "Connection: keep-alive\r\n";
    int head_len =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: %d\r\nCache-Control: no-store\r\n%s%s%s%s%s\r\n",
                 status, gateway_reason(status), body_len, *rule ? "X-Leanlocal-Rule: " : "", rule,
                 *rule ? "\r\n" : "", connection, status == 405 ? "Allow: *\r\n" : "");
    gateway_deadline_set(gateway, &client->deadline, WAIT_IDLE);
    if (!gateway_block_need(gateway, &client->out, (size_t)(head_len + body_len), BLOCK_HEAD_MAX)) {
        exchange->keep_alive = false;
        return; // nothing can be said: the connection just ends
    }
    gateway_put(&client->out, head, (size_t)head_len);
    if (!exchange->is_head) {
        gateway_put(&client->out, body, (size_t)body_len);
    }
    exchange->response_bytes += block_len(&client->out);
    if (*rule && exchange->refused) {
        gateway_notice(gateway, "", rule, text);
    }
}

void gateway_answer_rule(struct gateway_exchange *exchange, enum http1_rule rule)
{
    const struct http1_rule_row *row = &http1_rules[rule];
    gateway_answer(exchange, row->status, row->source, _(row->text), false);
}
