// The shell of the gateway: listening, the nested epoll, turns, and what gateway.h promises. The
// design is in internal.h; the protocol in HTTP.md.
//
// Why a nested epoll: the loop takes one event a turn (59 k/s tried), one epoll_wait here takes
// hundreds (437 k/s). A turn is bounded in time, so that the rest of the engine gets its own.
#include "emulator/gateway/gateway.h"

#include "emulator/gateway/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"

#define EVENTS_MAX  256
#define TURN_ROUNDS 16
#define TURN_MS     4
#define ACCEPTS_MAX 64
#define BACKLOG     4096
#define PORTS_TRIED 100
#define DESCRIPTORS (2 * CONNECTIONS_MAX + 512)

// ---- accepting ----

static void accept_events(struct gateway *gateway, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = &gateway->listener};
    if (gateway->accepting != on &&
        epoll_ctl(gateway->epoll_fd, EPOLL_CTL_MOD, gateway->listener.fd, &event) == 0) {
        gateway->accepting = on;
    }
}

void gateway_accept_resume(struct gateway *gateway)
{
    if (!gateway->accepting && gateway->listener.fd >= 0 &&
        gateway->accept_deadline.wait == WAIT_NONE &&
        gateway->stats.connections < CONNECTIONS_MAX) {
        accept_events(gateway, true);
    }
}

static void accept_clients(struct gateway *gateway)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        if (gateway->stats.connections >= CONNECTIONS_MAX) {
            accept_events(gateway, false); // the next one waits in the kernel
            return;
        }
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(gateway->listener.fd, (struct sockaddr *)&peer, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_debug("gateway: accept: %s", strerror(errno));
                accept_events(gateway, false);
                gateway_deadline_set(gateway, &gateway->accept_deadline, WAIT_ACCEPT);
            }
            if (errno == ECONNABORTED || errno == EINTR) {
                continue;
            }
            return;
        }
        char address[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &peer.sin_addr, address, sizeof address);
        gateway_client_new(gateway, fd, address, ntohs(peer.sin_port));
    }
}

// ---- turns ----

static void handle_event(struct gateway *gateway, struct gateway_endpoint *endpoint,
                         uint32_t events)
{
    if (endpoint->fd < 0) {
        return; // closed earlier in this round
    }
    if (endpoint->kind == ENDPOINT_LISTENER) {
        accept_clients(gateway);
        return;
    }
    endpoint->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    endpoint->writable |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    endpoint->ended |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    endpoint->broken |= (events & (EPOLLHUP | EPOLLERR)) != 0;
    if (endpoint->kind == ENDPOINT_CLIENT) {
        gateway_client_run((struct gateway_client *)endpoint);
        return;
    }
    struct gateway_conn *conn = (struct gateway_conn *)endpoint;
    if (conn->exchange) {
        gateway_client_run(conn->exchange->client);
    } else if (endpoint->ended || (events & EPOLLIN)) {
        gateway_conn_close(conn); // pooled, and the app closed it or talks out of turn
    }
}

static void reap(struct gateway *gateway)
{
    while (gateway->dead) {
        struct gateway_endpoint *endpoint = gateway->dead;
        gateway->dead = endpoint->next_dead;
        if (endpoint->kind != ENDPOINT_LISTENER) {
            free(endpoint);
        }
    }
    // An exchange on the list of those to be pumped again goes when that list has been walked.
    struct gateway_exchange *kept = NULL;
    while (gateway->dead_exchanges) {
        struct gateway_exchange *exchange = gateway->dead_exchanges;
        gateway->dead_exchanges = exchange->next_dead;
        if (exchange->again) {
            exchange->next_dead = kept;
            kept = exchange;
        } else {
            gateway_exchange_free(gateway, exchange);
        }
    }
    gateway->dead_exchanges = kept;
}

static void release_held(struct gateway *gateway, struct gateway_side *side)
{
    if (!side->choice.count && gateway_side_holds(gateway, side)) {
        return;
    }
    while (side->held) {
        struct gateway_exchange *exchange = side->held;
        gateway_exchange_unlist(exchange);
        gateway->stats.held--;
        exchange->phase = PHASE_HEAD;
        gateway_exchange_dispatch(exchange);
        gateway_client_run(exchange->client);
    }
}

static void pump_again(struct gateway *gateway)
{
    struct gateway_exchange *list = gateway->again;
    gateway->again = NULL;
    while (list) {
        struct gateway_exchange *exchange = list;
        list = exchange->next_again;
        exchange->again = false;
        if (!exchange->over) {
            gateway_client_run(exchange->client);
        }
    }
}

static void report_drained(struct gateway *gateway)
{
    for (struct gateway_target *at = gateway->targets; at;) {
        if (!at->drain_wanted || at->in_flight) {
            at = at->next;
            continue;
        }
        char name[sizeof at->at.name];
        memcpy(name, at->at.name, sizeof name);
        at->drain_wanted = false;
        if (gateway->options.on_drained) {
            gateway->options.on_drained(gateway->options.context, name);
        }
        at = gateway->targets; // the callback may have changed the list
    }
    gateway_targets_sweep(gateway);
}

static void end_turn(struct gateway *gateway)
{
    reap(gateway);
    gateway_deadlines_arm(gateway);
}

static void on_defer(void *context)
{
    struct gateway *gateway = context;
    loop_source_free(gateway->defer);
    gateway->defer = NULL;
    gateway->now_ms = clock_now_ms();
    release_held(gateway, &gateway->production);
    release_held(gateway, &gateway->staging);
    pump_again(gateway);
    report_drained(gateway);
    end_turn(gateway);
}

void gateway_schedule(struct gateway *gateway)
{
    if (!gateway->defer) {
        gateway->defer = loop_add_defer(gateway->loop, on_defer, gateway);
    }
}

static void on_events(void *context, int fd, uint32_t epoll_events)
{
    (void)epoll_events;
    struct gateway *gateway = context;
    struct epoll_event events[EVENTS_MAX];
    int64_t begin_ms = clock_now_ms();
    for (int round = 0; round < TURN_ROUNDS; round++) {
        int count = epoll_wait(fd, events, EVENTS_MAX, 0);
        gateway->now_ms = clock_now_ms();
        for (int i = 0; i < count; i++) {
            handle_event(gateway, events[i].data.ptr, events[i].events);
        }
        reap(gateway);
        if (count <= 0 || gateway->now_ms - begin_ms >= TURN_MS) {
            break;
        }
    }
    end_turn(gateway);
}

// An app that serves one connection at a time sits on an idle one of ours while this request waits.
static void unstick(struct gateway_exchange *exchange)
{
    gateway_target_close_pool(exchange->upstream);
    gateway_deadline_set(exchange->client->gateway, &exchange->stuck, WAIT_STUCK);
}

static void on_timer(void *context)
{
    struct gateway *gateway = context;
    gateway->now_ms = clock_now_ms();
    gateway->timer_at_ms = 0;
    for (struct gateway_deadline *deadline; (deadline = gateway_deadline_take(gateway));) {
        enum gateway_wait wait = deadline->wait;
        gateway_deadline_clear(deadline);
        if (wait == WAIT_ACCEPT) {
            gateway_accept_resume(gateway);
        } else if (wait == WAIT_STUCK) {
            unstick((struct gateway_exchange *)((char *)deadline -
                                                offsetof(struct gateway_exchange, stuck)));
        } else if (wait == WAIT_POOL) {
            gateway_conn_close((struct gateway_conn *)((char *)deadline -
                                                       offsetof(struct gateway_conn, deadline)));
        } else {
            gateway_client_expired(
                (struct gateway_client *)((char *)deadline -
                                          offsetof(struct gateway_client, deadline)),
                wait);
        }
    }
    end_turn(gateway);
}

// ---- birth and death ----

static int listen_on(uint32_t address, uint16_t port, uint16_t *ret_port)
{
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(address),
        .sin_port = htons(port),
    };
    socklen_t len = sizeof name;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&name, &len) < 0) {
        return -1;
    }
    *ret_port = ntohs(name.sin_port);
    return steal_fd(&fd);
}

static unsigned free_port_near(uint32_t address, uint16_t port)
{
    for (unsigned other = port + 1u; other < port + 1u + PORTS_TRIED && other <= UINT16_MAX;
         other++) {
        uint16_t got;
        auto_close int fd = listen_on(address, (uint16_t)other, &got);
        if (fd >= 0) {
            return other;
        }
    }
    return 0;
}

static int set_listen_error(const struct gateway_options *options, int errnum, struct error *error)
{
    if (errnum != EADDRINUSE) {
        char address[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &(struct in_addr){htonl(options->address)}, address, sizeof address);
        return error_set_errno(error, ERROR_HOST, errnum, _("cannot listen on %s:%u"), address,
                               options->port);
    }
    auto_free char *owner = gateway_port_owner(options->address, options->port);
    if (owner) {
        error_set(error, ERROR_HOST, _("port %u is in use by %s"), options->port, owner);
    } else {
        error_set(error, ERROR_HOST, _("port %u is in use by another process"), options->port);
    }
    unsigned free_port = free_port_near(options->address, options->port);
    if (free_port) {
        return error_set_hint(error, _("end it, or use --port %u"), free_port);
    }
    return error_set_hint(error, _("end it, or choose another with --port"));
}

// Two descriptors a request; children get the limit they deserve from whoever starts them.
struct gateway *gateway_new(struct loop *loop, const struct gateway_options *options,
                            struct error *error)
{
    struct gateway *gateway = mem_alloc(sizeof *gateway);
    gateway->loop = loop;
    gateway->options = *options;
    gateway->production.choice.patient = options->patient;
    gateway->body_limit = options->edge ? LIMIT_INDEX_EDGE_BODY_BYTES : LIMIT_INDEX_BODY_BYTES;
    gateway->response_limit =
        options->edge ? LIMIT_INDEX_EDGE_RESPONSE_WAIT_MS : LIMIT_INDEX_RESPONSE_WAIT_MS;
    gateway->response_wait_ms = options->response_wait_ms
                                    ? options->response_wait_ms
                                    : limit_rows[gateway->response_limit].value;
    gateway->websocket_wait_ms =
        options->websocket_wait_ms ? options->websocket_wait_ms : LIMIT_WEBSOCKET_IDLE_MS;
    gateway->now_ms = clock_now_ms();
    gateway->listener.fd = -1;
    for (int wait = 0; wait < WAIT__COUNT; wait++) {
        gateway->queues[wait].next = gateway->queues[wait].previous = &gateway->queues[wait];
    }
    process_raise_descriptor_limit(DESCRIPTORS);
    gateway->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int fd = listen_on(options->address, options->port, &gateway->port);
    if (fd < 0) {
        set_listen_error(options, errno, error);
        goto fail;
    }
    gateway->accepting = true;
    gateway->listener.fd = fd;
    gateway->source = loop_add_fd(loop, gateway->epoll_fd, EPOLLIN, on_events, gateway);
    gateway->timer = loop_add_timer(loop, 0, on_timer, gateway);
    if (gateway_watch(gateway, &gateway->listener, fd, ENDPOINT_LISTENER) < 0 || !gateway->source ||
        !gateway->timer) {
        error_set_errno(error, ERROR_SYSTEM, errno, _("cannot watch the gateway's sockets"));
        goto fail;
    }
    loop_timer_stop(gateway->timer);
    return gateway;
fail:
    gateway_free(gateway);
    return NULL;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway) {
        return;
    }
    gateway->options.on_begin = NULL;
    gateway->options.on_request = NULL;
    gateway->options.on_asleep = NULL;
    gateway->options.on_staging_wanted = NULL;
    gateway->options.on_drained = NULL;
    gateway->options.on_notice = NULL;
    gateway_endpoint_close(gateway, &gateway->listener);
    while (gateway->clients) {
        gateway_client_close(gateway->clients, false);
    }
    for (struct gateway_target *at = gateway->targets; at; at = at->next) {
        gateway_target_close_pool(at);
        at->current = at->drain_wanted = false;
    }
    while (gateway->again) {
        gateway->again->again = false;
        gateway->again = gateway->again->next_again;
    }
    gateway_targets_sweep(gateway);
    reap(gateway);
    loop_source_free(gateway->source);
    loop_source_free(gateway->timer);
    loop_source_free(gateway->defer);
    if (gateway->epoll_fd >= 0) {
        close(gateway->epoll_fd);
    }
    while (gateway->spare_block_count) {
        free(gateway->spare_blocks[--gateway->spare_block_count]);
    }
    while (gateway->spare_exchange_count) {
        free(gateway->spare_exchanges[--gateway->spare_exchange_count]);
    }
    gateway_gzip_drop_spare(gateway);
    free(gateway->production.current);
    free(gateway->production.suspects);
    free(gateway->staging.current);
    free(gateway->staging.suspects);
    free(gateway->staging_text);
    free(gateway->status_text);
    free(gateway->forced_text);
    free(gateway);
}

// ---- the rest of the promise ----

uint16_t gateway_port(const struct gateway *gateway)
{
    return gateway->port;
}

void gateway_set_status_text(struct gateway *gateway, const char *text)
{
    str_replace(&gateway->status_text, text);
}

void gateway_refuse_held(struct gateway *gateway, bool refuse)
{
    gateway->production.choice.refused = refuse;
    if (refuse) {
        gateway_schedule(gateway);
    }
}

void gateway_refuse_staging(struct gateway *gateway, const char *rule, const char *text)
{
    gateway->staging.choice.refused = text;
    gateway->staging_rule = rule;
    str_replace(&gateway->staging_text, text);
    gateway_schedule(gateway);
}

void gateway_set_sleep(struct gateway *gateway, enum gateway_sleep sleep, const char *text)
{
    gateway->production.choice.asleep = sleep == GATEWAY_ASLEEP;
    str_replace(&gateway->forced_text, sleep == GATEWAY_FORCED ? text : NULL);
    gateway_schedule(gateway);
}

unsigned gateway_in_flight(const struct gateway *gateway, const char *upstream_name)
{
    const struct gateway_target *target = gateway_target_find(gateway, upstream_name);
    return target ? target->in_flight : 0;
}

static void close_endless(struct gateway_target *target)
{
    for (struct gateway_exchange *at = target->exchanges; at;) {
        struct gateway_exchange *next = at->next;
        if (at->endless) {
            at->cut = true;
            gateway_client_close(at->client, false);
        }
        at = next;
    }
}

void gateway_drain(struct gateway *gateway, const char *upstream_name, bool close_streams)
{
    struct gateway_target *target = gateway_target_find(gateway, upstream_name);
    if (!target) {
        // Swept already: nothing is in flight. Told at the next turn, as promised.
        target = mem_alloc(sizeof *target);
        snprintf(target->at.name, sizeof target->at.name, "%s", upstream_name);
        target->next = gateway->targets;
        gateway->targets = target;
    }
    target->drain_wanted = true;
    if (close_streams) {
        close_endless(target);
    }
    gateway_schedule(gateway);
}

size_t gateway_idle_bytes(void)
{
    return sizeof(struct gateway_client);
}

size_t gateway_most_bytes(void)
{
    size_t buffers = BLOCK_HEAD_MAX       // from the client
                     + 2 * BLOCK_HEAD_MAX // to it
                     + BLOCK_REQUEST_MAX  // to the app
                     + BLOCK_HEAD_MAX;    // from it
    return sizeof(struct gateway_client) + sizeof(struct gateway_exchange) +
           sizeof(struct gateway_conn) + (size_t)LIMIT_HEADER_LINE_BYTES + GZIP_BYTES + buffers;
}

void gateway_get_stats(const struct gateway *gateway, struct gateway_stats *ret_stats)
{
    *ret_stats = gateway->stats;
}
