// A client's connection: reads heads, one request at a time (what is pipelined waits in the buffer
// or in the kernel), and after the answer either begins anew or says good-bye without a reset
// (lingering).
#include "emulator/gateway/internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/i18n.h"

void gateway_client_new(struct gateway *gateway, int fd, const char *address, uint16_t port)
{
    struct gateway_client *client = calloc(1, sizeof *client);
    if (!client || gateway_watch(gateway, &client->endpoint, fd, ENDPOINT_CLIENT) < 0) {
        free(client);
        close(fd);
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->gateway = gateway;
    snprintf(client->address, sizeof client->address, "%s", address);
    client->port = port;
    client->endpoint.readable = true; // its request is usually there already
    client->endpoint.writable = true;
    client->next = gateway->clients;
    if (client->next) {
        client->next->previous = client;
    }
    gateway->clients = client;
    gateway->stats.connections++;
    gateway_deadline_set(gateway, &client->deadline, WAIT_HEADER);
    gateway_client_run(client);
}

void gateway_client_close(struct gateway_client *client, bool reset)
{
    struct gateway *gateway = client->gateway;
    if (client->endpoint.fd < 0) {
        return;
    }
    if (client->exchange) {
        gateway_exchange_abandon(client->exchange);
    }
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(client->endpoint.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    if (client->previous) {
        client->previous->next = client->next;
    } else {
        gateway->clients = client->next;
    }
    if (client->next) {
        client->next->previous = client->previous;
    }
    gateway_deadline_clear(&client->deadline);
    gateway_block_release(gateway, &client->in);
    gateway_block_release(gateway, &client->out);
    gateway_endpoint_close(gateway, &client->endpoint);
    gateway->stats.connections--;
    gateway_accept_resume(gateway);
}

// ---- good-bye ----

// Closing while the client still sends would be a reset, and the reset would take our answer with
// it.
static void linger(struct gateway_client *client)
{
    gateway_block_release(client->gateway, &client->in);
    while (client->endpoint.readable) {
        char waste[4096];
        struct gateway_block block = {.data = waste, .cap = sizeof waste};
        enum gateway_io io = gateway_receive(&client->endpoint, &block);
        if (io == IO_EOF || io == IO_ERROR) {
            gateway_client_close(client, false);
            return;
        }
        if (io == IO_AGAIN) {
            return;
        }
    }
}

static void good_bye(struct gateway_client *client, bool sends)
{
    if (!sends && block_len(&client->in) == 0 && !client->endpoint.readable) {
        gateway_client_close(client, false);
        return;
    }
    client->lingering = true;
    shutdown(client->endpoint.fd, SHUT_WR);
    gateway_deadline_set(client->gateway, &client->deadline, WAIT_LINGER);
}

void gateway_client_continue(struct gateway_client *client, bool keep_alive, bool sends)
{
    gateway_block_release(client->gateway, &client->out);
    if (!keep_alive) {
        good_bye(client, sends);
        return;
    }
    if (block_len(&client->in) == 0) {
        gateway_block_release(client->gateway, &client->in);
    }
    gateway_deadline_set(client->gateway, &client->deadline, WAIT_IDLE);
}

static void response_expired(struct gateway_exchange *exchange)
{
    enum limit_id limit = exchange->client->gateway->response_limit;
    bool half = !exchange->request_read && exchange->request_sent == block_len(&exchange->request);
    gateway_exchange_release(exchange, false);
    if (half) {
        gateway_answer_limit(exchange, 408, limit, _("the request body stopped arriving"), false);
        return;
    }
    char text[160];
    snprintf(text, sizeof text, _("the app did not answer within %g s"),
             (double)exchange->client->gateway->response_wait_ms / 1000);
    gateway_answer_limit(exchange, 504, limit, text, true);
    gateway_notice(exchange->client->gateway, exchange->upstream_name, exchange->rule, text);
}

static void websocket_expired(struct gateway_client *client)
{
    const struct limit_row *row = &limit_rows[LIMIT_INDEX_WEBSOCKET_IDLE_MS];
    char text[160];
    snprintf(text, sizeof text, _("a WebSocket was cut after %g s without data"),
             (double)client->gateway->websocket_wait_ms / 1000);
    gateway_notice(client->gateway, client->exchange ? client->exchange->upstream_name : "",
                   row->source, text);
    if (client->exchange) {
        client->exchange->rule = row->source;
    }
}

void gateway_client_expired(struct gateway_client *client, enum gateway_wait wait)
{
    struct gateway_exchange *exchange = client->exchange;
    switch (wait) {
    case WAIT_HEADER:
        if (exchange) {
            gateway_answer_limit(exchange, 408, LIMIT_INDEX_HEADER_WAIT_MS,
                                 _("the request head did not arrive in time"), false);
            gateway_client_run(client);
            return;
        }
        break;
    case WAIT_RESPONSE:
        if (!exchange) {
            break;
        }
        response_expired(exchange);
        gateway_client_run(client);
        return;
    case WAIT_WEBSOCKET:
        websocket_expired(client);
        break;
    case WAIT_IDLE:
    case WAIT_LINGER:
    case WAIT_NONE:
    case WAIT_POOL:
    case WAIT_STUCK:
    case WAIT_ACCEPT:
    case WAIT__COUNT:
        break;
    }
    gateway_client_close(client, false);
}

// ---- heads ----

static void feed_head(struct gateway_client *client)
{
    struct gateway_exchange *exchange = client->exchange;
    struct gateway_block *in = &client->in;
    enum http1_progress progress =
        http1_head_feed(&exchange->head, in->data + in->start, block_len(in));
    if (progress == HTTP1_FAILED) {
        exchange->request_bytes += block_len(in);
        gateway_capture(exchange, CAPTURE_REQUEST_HEAD, in->data + in->start, block_len(in));
        gateway_answer_rule(exchange, exchange->head.error);
    } else if (progress == HTTP1_DONE) {
        gateway_exchange_begin(exchange);
    }
}

// True: there are new bytes.
static bool receive_head(struct gateway_client *client)
{
    struct gateway_block *in = &client->in;
    if (!client->endpoint.readable) {
        return false;
    }
    if (!gateway_block_need(client->gateway, in, 1, BLOCK_HEAD_MAX)) {
        gateway_client_close(client, false);
        return false;
    }
    enum gateway_io io = gateway_receive(&client->endpoint, in);
    if (io == IO_EOF || io == IO_ERROR) {
        gateway_client_close(client, false);
        return false;
    }
    if (io == IO_AGAIN && block_len(in) == 0) {
        gateway_block_release(client->gateway, in);
    }
    return io == IO_DONE;
}

// True: the head's turn is over, the exchange is in another phase now.
static bool read_head(struct gateway_client *client)
{
    for (;;) {
        if (block_len(&client->in) && !client->exchange) {
            client->exchange = gateway_exchange_new(client);
            if (!client->exchange) {
                gateway_client_close(client, false);
                return false;
            }
            gateway_deadline_set(client->gateway, &client->deadline, WAIT_HEADER);
        }
        if (client->exchange) {
            feed_head(client);
            if (client->exchange->phase != PHASE_HEAD) {
                return true;
            }
        }
        if (!receive_head(client)) {
            return false;
        }
    }
}

void gateway_client_run(struct gateway_client *client)
{
    while (client->endpoint.fd >= 0) {
        if (client->lingering) {
            linger(client);
            return;
        }
        if (client->endpoint.broken && !client->exchange) {
            gateway_client_close(client, false);
            return;
        }
        if (!client->exchange || client->exchange->phase == PHASE_HEAD) {
            if (!read_head(client)) {
                return;
            }
        }
        struct gateway_exchange *exchange = client->exchange;
        gateway_exchange_pump(exchange);
        if (!exchange->over) {
            return;
        }
    }
}
