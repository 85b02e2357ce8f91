// The instances and the connections to them. A pooled connection is used for idempotent requests
// only (a stale one can then be retried), and lives a second: an app that serves one connection at
// a time must not wait for us.
#include "emulator/gateway/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

struct gateway_target *gateway_target_find(const struct gateway *gateway, const char *name)
{
    struct gateway_target *found = NULL;
    for (struct gateway_target *at = gateway->targets; at; at = at->next) {
        // A name may have been given again; the one that is on its way out is meant then.
        if (strcmp(at->at.name, name) == 0 && (!found || found->current)) {
            found = at;
        }
    }
    return found;
}

struct gateway_target *gateway_target_choose(struct gateway *gateway, struct gateway_side *side,
                                             const struct gateway_target *not_this)
{
    size_t tried = CHOICE_NONE;
    for (size_t i = 0; i < side->choice.count; i++) {
        side->suspects[i] = side->current[i]->suspect_until_ms;
        tried = side->current[i] == not_this ? i : tried;
    }
    size_t taken = choice_take(&side->choice, side->suspects, tried, gateway->now_ms);
    return taken == CHOICE_NONE ? NULL : side->current[taken];
}

static bool same_place(const struct gateway_upstream *a, const struct gateway_upstream *b)
{
    return a->address == b->address && a->port == b->port && strcmp(a->name, b->name) == 0;
}

static struct gateway_target *target_for(struct gateway *gateway,
                                         const struct gateway_upstream *upstream)
{
    for (struct gateway_target *at = gateway->targets; at; at = at->next) {
        if (same_place(&at->at, upstream)) {
            return at;
        }
    }
    struct gateway_target *target = mem_alloc(sizeof *target);
    target->at = *upstream;
    target->next = gateway->targets;
    gateway->targets = target;
    return target;
}

static void set_side(struct gateway *gateway, struct gateway_side *side,
                     const struct gateway_upstream *upstreams, size_t count)
{
    for (struct gateway_target *at = gateway->targets; at; at = at->next) {
        at->current = at->current && at->side != side;
    }
    free(side->current);
    free(side->suspects);
    side->current = count ? mem_alloc(count * sizeof *side->current) : NULL;
    side->suspects = count ? mem_alloc(count * sizeof *side->suspects) : NULL;
    choice_set(&side->choice, count);
    for (size_t i = 0; i < count; i++) {
        struct gateway_target *target = target_for(gateway, &upstreams[i]);
        target->side = side;
        target->current = true;
        target->suspect_until_ms = 0;
        side->current[i] = target;
    }
    for (struct gateway_target *at = gateway->targets; at; at = at->next) {
        if (!at->current) {
            gateway_target_close_pool(at);
        }
    }
    gateway_schedule(gateway);
}

void gateway_set_upstreams(struct gateway *gateway, const struct gateway_upstream *upstreams,
                           size_t count)
{
    set_side(gateway, &gateway->production, upstreams, count);
}

void gateway_set_staging(struct gateway *gateway, const struct gateway_upstream *upstreams,
                         size_t count)
{
    set_side(gateway, &gateway->staging, upstreams, count);
    gateway->staging.choice.had = false; // it comes when it is asked for, again too
}

bool gateway_side_holds(const struct gateway *gateway, const struct gateway_side *side)
{
    const struct choice *production = &gateway->production.choice;
    // Without a version there is nothing that staging could be made of.
    bool hopeless = side == &gateway->staging && production->refused && !production->count;
    return choice_holds(&side->choice) && !hopeless;
}

void gateway_targets_sweep(struct gateway *gateway)
{
    struct gateway_target **link = &gateway->targets;
    while (*link) {
        struct gateway_target *target = *link;
        if (target->current || target->in_flight || target->drain_wanted || target->exchanges) {
            link = &target->next;
            continue;
        }
        *link = target->next;
        free(target);
    }
}

// ---- connections ----

void gateway_pool_remove(struct gateway_conn *conn)
{
    if (conn->previous) {
        conn->previous->next = conn->next;
    } else if (conn->upstream && conn->upstream->pool == conn) {
        conn->upstream->pool = conn->next;
    }
    if (conn->next) {
        conn->next->previous = conn->previous;
    }
    conn->previous = conn->next = NULL;
    gateway_deadline_clear(&conn->deadline);
}

void gateway_conn_close(struct gateway_conn *conn)
{
    gateway_pool_remove(conn);
    gateway_block_release(conn->gateway, &conn->in);
    gateway_endpoint_close(conn->gateway, &conn->endpoint);
}

void gateway_target_close_pool(struct gateway_target *target)
{
    while (target->pool) {
        gateway_conn_close(target->pool);
    }
}

void gateway_conn_put(struct gateway_conn *conn)
{
    gateway_block_release(conn->gateway, &conn->in);
    conn->exchange = NULL;
    conn->reused = true;
    conn->previous = NULL;
    conn->next = conn->upstream->pool;
    if (conn->next) {
        conn->next->previous = conn;
    }
    conn->upstream->pool = conn;
    gateway_deadline_set(conn->gateway, &conn->deadline, WAIT_POOL);
}

static struct gateway_conn *conn_new(struct gateway *gateway, struct gateway_target *target)
{
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct gateway_conn *conn = fd >= 0 ? calloc(1, sizeof *conn) : NULL;
    if (!conn) {
        return NULL;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(target->at.address),
        .sin_port = htons(target->at.port),
    };
    if ((connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) ||
        gateway_watch(gateway, &conn->endpoint, fd, ENDPOINT_CONN) < 0) {
        free(conn);
        return NULL;
    }
    (void)steal_fd(&fd);
    conn->gateway = gateway;
    conn->upstream = target;
    // On loopback the connection is usually there already: write at once and see.
    conn->endpoint.writable = true;
    return conn;
}

struct gateway_conn *gateway_conn_get(struct gateway_target *target, bool pooled,
                                      struct gateway *gateway)
{
    struct gateway_conn *conn = target->pool;
    if (!conn || !pooled) {
        // One idle connection less, so that an app that serves one at a time gets to this one.
        if (conn) {
            gateway_conn_close(conn);
        }
        return conn_new(gateway, target);
    }
    gateway_pool_remove(conn);
    return conn;
}
