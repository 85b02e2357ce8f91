// The gateway on real sockets: gateway, client and a scripted upstream in one process, on one loop.
// The test plays both sides by hand, so that every order of events can be had without sleeping.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator/gateway/gateway.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"

#define ADDRESS  0x7F4D3701u // 127.77.55.1: the gateway
#define UPSTREAM 0x7F4D3702u // 127.77.55.2 and 3: the instances
#define LIMIT_MS 5000
#define GET      "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK5      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1 // memory figures mean nothing
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

struct world {
    struct loop *loop;
    struct loop_source *tick;
    struct gateway *gateway;
    struct gateway_upstream upstreams[2];
    int listeners[2];
    int fds[32];
    int fd_count;
    struct gateway_request last; // of on_request; the strings below
    char last_target[256], last_upstream[32], last_rule[32], last_method[32];
    int requests, drained, notices;
    char drained_name[32], notice[512];
};

static void on_request(void *context, const struct gateway_request *request)
{
    struct world *w = context;
    w->requests++;
    w->last = *request;
    snprintf(w->last_method, sizeof w->last_method, "%s", request->method);
    snprintf(w->last_target, sizeof w->last_target, "%s", request->target);
    snprintf(w->last_upstream, sizeof w->last_upstream, "%s", request->upstream);
    snprintf(w->last_rule, sizeof w->last_rule, "%s", request->rule);
}

static void on_drained(void *context, const char *name)
{
    struct world *w = context;
    w->drained++;
    snprintf(w->drained_name, sizeof w->drained_name, "%s", name);
}

static void on_notice(void *context, const char *name, const char *rule, const char *text)
{
    struct world *w = context;
    w->notices++;
    snprintf(w->notice, sizeof w->notice, "%s|%s|%s", name, rule, text);
}

static void on_tick(void *context)
{
    struct world *w = context;
    loop_exit(w->loop, 0);
}

// Lets the gateway work for a moment.
static void step(struct world *w)
{
    loop_timer_restart(w->tick, 1);
    loop_run(w->loop);
}

#define WAIT(w, condition)                                                                         \
    do {                                                                                           \
        int64_t until_ = clock_now_ms() + LIMIT_MS;                                                \
        while (!(condition)) {                                                                     \
            if (clock_now_ms() > until_) {                                                         \
                fail_msg("line %d: waited in vain for %s", __LINE__, #condition);                  \
            }                                                                                      \
            step(w);                                                                               \
        }                                                                                          \
    } while (0)

static int keep(struct world *w, int fd)
{
    assert_true(fd >= 0);
    assert_true(w->fd_count < 32);
    w->fds[w->fd_count++] = fd;
    return fd;
}

static void shut(struct world *w, int fd)
{
    for (int i = 0; i < w->fd_count; i++) {
        if (w->fds[i] == fd) {
            w->fds[i] = w->fds[--w->fd_count];
        }
    }
    close(fd);
}

static void listen_upstream(struct world *w, int index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(UPSTREAM + (uint32_t)index),
        .sin_port = htons(w->upstreams[index].port),
    };
    socklen_t len = sizeof name;
    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    w->listeners[index] = fd;
    w->upstreams[index].address = UPSTREAM + (uint32_t)index;
    w->upstreams[index].port = ntohs(name.sin_port);
    snprintf(w->upstreams[index].name, 32, "web%d", index + 1);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->loop = loop_new(NULL);
    w->tick = loop_add_timer(w->loop, 1, on_tick, w);
    listen_upstream(w, 0);
    listen_upstream(w, 1);
    const struct gateway_options options = {
        .address = ADDRESS,
        .context = w,
        .on_request = on_request,
        .on_drained = on_drained,
        .on_notice = on_notice,
    };
    struct error error = {0};
    w->gateway = gateway_new(w->loop, &options, &error);
    if (!w->gateway) {
        fail_msg("%s", error.message);
    }
    *state = w;
    return 0;
}

static int setup_one(void **state)
{
    setup(state);
    struct world *w = *state;
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    gateway_free(w->gateway);
    for (int i = 0; i < w->fd_count; i++) {
        close(w->fds[i]);
    }
    for (int i = 0; i < 2; i++) {
        if (w->listeners[i] >= 0) {
            close(w->listeners[i]);
        }
    }
    loop_source_free(w->tick);
    loop_free(w->loop);
    free(w);
    return 0;
}

static int client(struct world *w)
{
    int fd = keep(w, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(ADDRESS),
        .sin_port = htons(gateway_port(w->gateway)),
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int accept_upstream(struct world *w, int index)
{
    int fd = -1;
    WAIT(w, (fd = accept4(w->listeners[index], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    return keep(w, fd);
}

static void say_bytes(struct world *w, int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            step(w);
            continue;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void say(struct world *w, int fd, const char *text)
{
    say_bytes(w, fd, text, strlen(text));
}

enum { END_NONE, END_EOF, END_RESET };

// Reads what there is; returns how the stream stands.
static int drink(int fd, struct buf *into)
{
    for (;;) {
        char bytes[65536];
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got > 0) {
            buf_add(into, bytes, (size_t)got);
            continue;
        }
        return got == 0 ? END_EOF : errno == EAGAIN ? END_NONE : END_RESET;
    }
}

// Waits until the text ends with `tail`; the text, to be freed by the next call of it.
static const char *hear(struct world *w, int fd, const char *tail)
{
    static struct buf text;
    buf_release(&text);
    buf_adds(&text, "");
    int64_t until = clock_now_ms() + LIMIT_MS;
    for (;;) {
        int end = drink(fd, &text);
        size_t len = strlen(tail);
        if (text.len >= len && memcmp(text.data + text.len - len, tail, len) == 0) {
            return text.data;
        }
        if (end != END_NONE || clock_now_ms() > until) {
            fail_msg("waited for \"%s\", got (end %d) \"%s\"", tail, end, text.data);
        }
        step(w);
    }
}

// Waits for the end of the stream; how it ended. What came before is in *ret_text (static).
static int hear_end(struct world *w, int fd, const char **ret_text)
{
    static struct buf text;
    buf_release(&text);
    buf_adds(&text, "");
    int end = END_NONE;
    WAIT(w, (end = drink(fd, &text)) != END_NONE);
    if (ret_text) {
        *ret_text = text.data;
    }
    return end;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("no \"%s\" in \"%s\"", part, text);
    }
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part)) {
        fail_msg("\"%s\" in \"%s\"", part, text);
    }
}

// ---- the plain way ----

static void test_request_and_answer(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c,
        "GET /x?y HTTP/1.1\r\nHost: app\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=evil\r\n"
        "X-Forwarded-Proto: https\r\nX-Forwarded-For: 7.7.7.7\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
        "Keep-Alive: 5\r\nTE: gzip\r\nProxy-Authorization: x\r\nAccept: */*\r\n\r\n");
    int u = accept_upstream(w, 0);
    const char *text = hear(w, u, "\r\n\r\n");
    assert_ptr_equal(strstr(text, "GET /x?y HTTP/1.1\r\nHost: app\r\n"), text);
    assert_has(text, "X-Real-IP: 127.0.0.1\r\n");
    assert_has(text, "X-Forwarded-Proto: http\r\n");
    assert_has(text, "Forwarded: for=127.0.0.1;proto=http\r\n");
    assert_has(text, "X-Forwarded-For: 7.7.7.7\r\n");
    assert_has(text, "Accept: */*\r\n");
    static const char *const gone[] = {"6.6.6.6",    "evil", "https", "X-Hop",
                                       "Keep-Alive", "TE",   "Proxy"};
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        assert_has_not(text, gone[i]);
    }
    say(w, u, "HTTP/1.1 201 Made\r\nServer: s\r\nKeep-Alive: 9\r\nContent-Length: 5\r\n\r\nhello");
    text = hear(w, c, "hello");
    assert_string_equal(text, "HTTP/1.1 201 Made\r\nServer: s\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(w->requests, 1);
    assert_string_equal(w->last_method, "GET");
    assert_string_equal(w->last_target, "/x?y");
    assert_string_equal(w->last_upstream, "web1");
    assert_int_equal(w->last.status, 201);
    // Kept alive on both sides.
    say(w, c, GET);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    assert_int_equal(w->requests, 2);
}

static void test_bodies_both_ways(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *request, *forwarded_tail, *response, *answer_tail;
        bool app_closes;
        int client_end;
    } rows[] = {
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "\r\n\r\nabc", OK5,
         "\r\n\r\nhello", false, END_NONE},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n"
         "0\r\nT: v\r\n\r\n",
         "\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", OK5, "\r\n\r\nhello", false, END_NONE},
        {GET, "\r\n\r\n",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
         "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, END_NONE},
        {GET, "\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello", "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         true, END_NONE},
        {"GET / HTTP/1.0\r\n\r\n", "\r\n\r\n",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n0\r\n\r\n",
         "close\r\n\r\nhello", false, END_EOF},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "\r\n\r\n", OK5,
         "Connection: keep-alive\r\n\r\nhello", false, END_NONE},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "Content-Length: 5\r\n\r\n", false,
         END_NONE},
        {GET, "\r\n\r\n", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n",
         false, END_NONE},
        {GET, "\r\n\r\n", "HTTP/1.1 304 Not\r\nETag: x\r\n\r\n", "ETag: x\r\n\r\n", false,
         END_NONE},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "\r\n\r\n", OK5,
         "close\r\n\r\nhello", false, END_EOF},
        {GET, "\r\n\r\n", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK5, "\r\n\r\nhello", false,
         END_NONE},
        // bent into shape
        {GET, "\r\n\r\n", "HTTP/1.1 200 OK\nA: b\r\n c\nContent-Length: 5\n\nhello",
         "A: b   c\r\nContent-Length: 5\r\n\r\nhello", false, END_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        gateway_set_upstreams(w->gateway, NULL, 0); // closes the pool: a fresh connection each
        gateway_set_upstreams(w->gateway, w->upstreams, 1);
        int c = client(w);
        say(w, c, rows[i].request);
        int u = accept_upstream(w, 0);
        hear(w, u, rows[i].forwarded_tail);
        say(w, u, rows[i].response);
        if (rows[i].app_closes) {
            shut(w, u);
        }
        hear(w, c, rows[i].answer_tail);
        if (rows[i].client_end) {
            assert_int_equal(hear_end(w, c, NULL), rows[i].client_end);
        } else {
            char byte;
            assert_int_equal(recv(c, &byte, 1, 0), -1);
        }
        WAIT(w, w->requests == (int)i + 1);
        shut(w, c);
        if (!rows[i].app_closes) {
            shut(w, u);
        }
    }
    assert_has(w->notice, "web1|");
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.active, 0);
}

static void test_pipelined_in_order(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c,
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: "
        "1\r\n\r\nx"
        "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    int u = accept_upstream(w, 0);
    assert_has(hear(w, u, "\r\n\r\n"), "GET /1 ");
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    int v = accept_upstream(w, 0); // what is not idempotent gets a connection of its own
    assert_has(hear(w, v, "\r\n\r\nx"), "POST /2 ");
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
    say(w, v, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    assert_has(hear(w, v, "\r\n\r\n"), "GET /3 ");
    say(w, v, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
    const char *text = hear(w, c, "3");
    const char *one = strstr(text, "\r\n\r\n1"), *two = strstr(text, "\r\n\r\n2"),
               *three = strstr(text, "\r\n\r\n3");
    assert_true(one && two && three && one < two && two < three);
}

// ---- swapping, holding, draining ----

static void test_held_then_released(void **state)
{
    struct world *w = *state;
    int c = client(w), d = client(w);
    say(w, c, GET);
    say(w, d, GET);
    struct gateway_stats stats = {0};
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.held == 2));
    shut(w, d); // leaves while it waits
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.held == 1));
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.held, 0);
    assert_int_equal(stats.lost, 0);
    // Once there has been a version, nobody is held any more.
    gateway_set_upstreams(w->gateway, NULL, 0);
    say(w, c, GET);
    assert_has(hear(w, c, "running\n"), "HTTP/1.1 503 ");
}

static void test_refuse_held(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    struct gateway_stats stats = {0};
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.held == 1));
    gateway_set_status_text(w->gateway, "install failed: no such package");
    gateway_refuse_held(w->gateway, true);
    const char *text = hear(w, c, "no such package\n");
    assert_has(text, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_has_not(text, "Connection: close");
    say(w, c, GET); // new ones too
    hear(w, c, "no such package\n");
    gateway_refuse_held(w->gateway, false);
    say(w, c, GET); // and now it is held again
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.held == 1));
}

static void test_swap_under_a_request(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
    gateway_set_upstreams(w->gateway, &w->upstreams[1], 1);
    gateway_drain(w->gateway, "web1", false);
    hear(w, c, "first");
    assert_int_equal(gateway_in_flight(w->gateway, "web1"), 1);
    assert_int_equal(w->drained, 0);
    say(w, u, "-last");
    hear(w, c, "-last");
    WAIT(w, w->drained == 1);
    assert_string_equal(w->drained_name, "web1");
    assert_int_equal(gateway_in_flight(w->gateway, "web1"), 0);
    assert_int_equal(hear_end(w, u, NULL), END_EOF); // not pooled
    // The kept-alive client follows at its next request.
    say(w, c, GET);
    int v = accept_upstream(w, 1);
    hear(w, v, "\r\n\r\n");
    say(w, v, OK5);
    hear(w, c, "hello");
    assert_string_equal(w->last_upstream, "web2");
}

static void test_drain_of_an_idle_one(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    gateway_set_upstreams(w->gateway, &w->upstreams[1], 1);
    assert_int_equal(hear_end(w, u, NULL), END_EOF); // its pool is closed at once
    gateway_drain(w->gateway, "web1", false);
    assert_int_equal(w->drained, 0); // never from inside the call
    WAIT(w, w->drained == 1);
    step(w);
    assert_int_equal(w->drained, 1);
}

static void test_drain_closes_streams_only(void **state)
{
    struct world *w = *state;
    int stream = client(w);
    say(w, stream, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; x\r\n\r\ndata: 1\n\n");
    hear(w, stream, "data: 1\n\n\r\n");
    int plain = client(w);
    say(w, plain, GET);
    int v = accept_upstream(w, 0);
    hear(w, v, "\r\n\r\n");
    gateway_set_upstreams(w->gateway, &w->upstreams[1], 1);
    gateway_drain(w->gateway, "web1", true);
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
    assert_int_equal(hear_end(w, stream, NULL), END_EOF);
    assert_int_equal(gateway_in_flight(w->gateway, "web1"), 1);
    say(w, v, OK5);
    hear(w, plain, "hello");
    WAIT(w, w->drained == 1);
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
}

static void test_round_robin_skips_the_refusing(void **state)
{
    struct world *w = *state;
    gateway_set_upstreams(w->gateway, w->upstreams, 2);
    int seen[2] = {0};
    for (int i = 0; i < 4; i++) {
        int c = client(w);
        say(w, c, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
        int u = accept_upstream(w, i % 2);
        hear(w, u, "\r\n\r\n");
        say(w, u, OK5);
        hear(w, c, "hello");
        WAIT(w, w->requests == i + 1);
        seen[w->last_upstream[3] - '1']++;
    }
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    close(w->listeners[0]);
    w->listeners[0] = -1;
    for (int i = 0; i < 3; i++) {
        int c = client(w);
        say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
        int u = accept_upstream(w, 1);
        hear(w, u, "\r\n\r\nab");
        say(w, u, OK5);
        hear(w, c, "hello");
    }
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    int c = client(w);
    say(w, c, GET);
    const char *text = hear(w, c, "\n");
    assert_has(text, "HTTP/1.1 502 ");
    assert_has(text, "web1: refuses the connection");
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 1);
}

// ---- when the app fails ----

static void test_retry(void **state)
{
    struct world *w = *state;
    gateway_set_upstreams(w->gateway, w->upstreams, 2);
    int c = client(w);
    say(w, c, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    for (int i = 0; i < 2; i++) {
        int u = accept_upstream(w, i);
        hear(w, u, "\r\n\r\nbody");
        shut(w, u);
    }
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\nbody");
    say(w, u, OK5);
    hear(w, c, "hello");
    // Three in all, then 502.
    say(w, c, GET);
    for (int i = 0; i < 3; i++) {
        u = accept_upstream(w, (i + 1) % 2);
        hear(w, u, "\r\n\r\n");
        shut(w, u);
    }
    const char *text = hear(w, c, "an answer\n");
    assert_has(text, "HTTP/1.1 502 ");
    // What is not idempotent is tried once.
    say(w, c, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    shut(w, u);
    assert_has(hear(w, c, "an answer\n"), "HTTP/1.1 502 ");
}

static void test_stale_pooled_connection(void **state)
{
    struct world *w = *state;
    int c = client(w);
    for (int i = 0; i < 3; i++) {
        // The app closes its side exactly when the next request comes in.
        say(w, c, GET);
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        say(w, u, OK5);
        hear(w, c, "hello");
        say(w, c, GET);
        hear(w, u, "\r\n\r\n");
        shut(w, u);
        u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        say(w, u, OK5);
        hear(w, c, "hello");
        shut(w, u);
        step(w); // so that it leaves the pool
    }
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
}

static void test_crash_in_the_body_aborts(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *request, *response;
        int end; // END_RESET where only that tells it from a whole answer
    } rows[] = {
        {GET, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", END_EOF},
        {GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", END_EOF},
        {"GET / HTTP/1.0\r\n\r\n",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", END_RESET},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, rows[i].request);
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        say(w, u, rows[i].response);
        struct buf text = {0};
        buf_adds(&text, "");
        WAIT(w, (drink(c, &text), strstr(text.data, "hello")));
        buf_release(&text);
        shut(w, u);
        const char *rest;
        assert_int_equal(hear_end(w, c, &rest), rows[i].end);
        assert_has_not(rest, "0\r\n\r\n");
        shut(w, c);
        struct gateway_stats stats;
        gateway_get_stats(w->gateway, &stats);
        assert_int_equal(stats.lost, i + 1);
    }
}

static void test_unframeable_answers(void **state)
{
    struct world *w = *state;
    static const char *const rows[] = {
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, GET);
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        say(w, u, rows[i]);
        const char *text = hear(w, c, "\n");
        assert_has(text, "HTTP/1.1 502 Bad Gateway\r\n");
        assert_has(text, "RFC 911");
        assert_int_equal(hear_end(w, u, NULL), END_EOF);
    }
    // A head without end.
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    static char huge[70000];
    memset(huge, 'x', sizeof huge - 1);
    say(w, u, "HTTP/1.1 200 OK\r\nA: ");
    say(w, u, huge);
    assert_has(hear(w, c, "\n"), "HTTP/1.1 502 ");
}

// ---- streaming ----

static void test_streams_as_it_comes(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    int u = accept_upstream(w, 0);
    hear(w, u, "3\r\none\r\n");
    say(w, c, "3\r\ntwo\r\n");
    hear(w, u, "3\r\ntwo\r\n");
    say(w, c, "0\r\n\r\n");
    hear(w, u, "0\r\n\r\n");
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    hear(w, c, "chunked\r\n\r\n");
    say(w, u, "data: 1\n\n");
    hear(w, c, "9\r\ndata: 1\n\n\r\n");
    say(w, u, "data: 2\n\n");
    hear(w, c, "9\r\ndata: 2\n\n\r\n");
    shut(w, u);
    hear(w, c, "0\r\n\r\n");
}

static void test_client_gone_closes_upstream(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 200 OK\r\n\r\nsome");
    hear(w, c, "some\r\n");
    shut(w, c);
    assert_int_not_equal(hear_end(w, u, NULL), END_NONE);
    WAIT(w, w->requests == 1);
    assert_int_equal(w->last.status, 499);
    // Before an answer, too.
    c = client(w);
    say(w, c, GET);
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    shut(w, c);
    hear_end(w, u, NULL);
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.connections, 0);
}

static size_t heap_pages(void)
{
    auto_fclose FILE *file = fopen("/proc/self/statm", "r");
    size_t size, resident;
    return fscanf(file, "%zu %zu", &size, &resident) == 2 ? resident : 0;
}

static void test_slow_reader_stops_the_writer(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    enum { TOTAL = 64 << 20, PIECE = 65536 };
    char head[64];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", TOTAL);
    say(w, u, head);
    static char piece[PIECE];
    size_t before = heap_pages(), pushed = 0, idle = 0;
    while (pushed < TOTAL && idle < 20) {
        ssize_t sent = send(u, piece, PIECE, MSG_NOSIGNAL);
        pushed += sent > 0 ? (size_t)sent : 0;
        idle = sent > 0 ? 0 : idle + 1;
        step(w);
    }
    assert_true(pushed < 16 << 20); // only what the kernel's buffers hold
    assert_true(SANITIZED || heap_pages() < before + 256);
    // And it all arrives once the client reads.
    size_t got = 0, left = TOTAL - pushed;
    int64_t until = clock_now_ms() + 4 * LIMIT_MS;
    while (got < TOTAL + strlen(head) && clock_now_ms() < until) {
        static char waste[1 << 18];
        ssize_t len;
        while ((len = recv(c, waste, sizeof waste, 0)) > 0) {
            got += (size_t)len;
        }
        assert_int_not_equal(len, 0);
        ssize_t sent = left ? send(u, piece, left < PIECE ? left : PIECE, MSG_NOSIGNAL) : 0;
        left -= sent > 0 ? (size_t)sent : 0;
        if (sent <= 0) {
            step(w);
        }
    }
    assert_int_equal(got, TOTAL + strlen(head));
}

static void test_upload_with_back_pressure(void **state)
{
    struct world *w = *state;
    int c = client(w);
    enum { TOTAL = 24 << 20, PIECE = 65536 };
    char head[96];
    snprintf(head, sizeof head, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", TOTAL);
    say(w, c, head);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    static char piece[PIECE];
    size_t pushed = 0, idle = 0;
    while (pushed < TOTAL && idle < 20) {
        ssize_t sent = send(c, piece, PIECE, MSG_NOSIGNAL);
        pushed += sent > 0 ? (size_t)sent : 0;
        idle = sent > 0 ? 0 : idle + 1;
        step(w);
    }
    assert_true(pushed < TOTAL);
    size_t got = 0;
    int64_t until = clock_now_ms() + 4 * LIMIT_MS;
    while (got < TOTAL && clock_now_ms() < until) {
        static char waste[1 << 18];
        ssize_t len = recv(u, waste, sizeof waste, 0);
        got += len > 0 ? (size_t)len : 0;
        size_t left = TOTAL - pushed;
        ssize_t sent = left ? send(c, piece, left < PIECE ? left : PIECE, MSG_NOSIGNAL) : 0;
        pushed += sent > 0 ? (size_t)sent : 0;
        if (len <= 0) {
            step(w);
        }
    }
    assert_int_equal(got, TOTAL);
    say(w, u, OK5);
    hear(w, c, "hello");
}

static void test_expect_continue(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    int u = accept_upstream(w, 0);
    assert_has(hear(w, u, "\r\n\r\n"), "Expect: 100-continue\r\n");
    say(w, u, "HTTP/1.1 100 Continue\r\n\r\n");
    hear(w, c, "HTTP/1.1 100 Continue\r\n\r\n");
    say(w, c, "abc");
    hear(w, u, "abc");
    say(w, u, OK5);
    hear(w, c, "hello");
    // The app refuses instead: its answer comes, and the connection ends because the body never
    // did.
    say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
    const char *text;
    assert_int_equal(hear_end(w, c, &text), END_EOF);
    assert_has(text, "HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // Our limit, at once and without the app.
    c = client(w);
    say(w, c,
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 104857601\r\n\r\n");
    assert_has(hear(w, c, "(P-150)\n"), "HTTP/1.1 413 ");
}

#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"     \
    "Sec-WebSocket-Key: k\r\n\r\n"
#define SWITCH                                                                                     \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: x\r\n\r\n"

static void test_websocket(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, UPGRADE "early");
    int u = accept_upstream(w, 0);
    const char *text = hear(w, u, "\r\n\r\n");
    assert_has(text, "Connection: upgrade\r\nUpgrade: websocket\r\n");
    assert_has(text, "Sec-WebSocket-Key: k\r\n");
    say(w, u, SWITCH "hi");
    text = hear(w, c, "hi");
    assert_has(text, "HTTP/1.1 101 Switching Protocols\r\n");
    assert_has(text, "Upgrade: WebSocket\r\n");
    assert_has(text, "Connection: upgrade\r\n");
    assert_has(text, "Sec-WebSocket-Accept: x\r\n");
    hear(w, u, "early");
    for (int i = 0; i < 3; i++) {
        char message[32];
        snprintf(message, sizeof message, "echo %d\r\n", i);
        say(w, c, message);
        hear(w, u, message);
        say(w, u, message);
        hear(w, c, message);
    }
    assert_int_equal(gateway_in_flight(w->gateway, "web1"), 1);
    say(w, u, "bye");
    shut(w, u);
    assert_int_equal(hear_end(w, c, &text), END_EOF);
    assert_string_equal(text, "bye");
    WAIT(w, w->requests == 1);
    assert_int_equal(w->last.status, 101);
    // An app that does not switch answers as always.
    c = client(w);
    say(w, c, UPGRADE);
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
}

// ---- refusals ----

static void test_refusals_name_their_rule(void **state)
{
    struct world *w = *state;
    static char long_line[9000], many_fields[2000];
    memset(long_line, 'x', sizeof long_line - 1);
    for (int i = 0; i < 101; i++) {
        strcat(many_fields, "A: b\r\n");
    }
    static const struct {
        const char *before, *middle, *after;
        const char *status, *rule;
    } rows[] = {
        {"GET /", long_line, " HTTP/1.1\r\nHost: a\r\n\r\n", "414 ", "P-150"},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: ", long_line, "\r\n\r\n", "431 ", "P-150"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", many_fields, "\r\n", "431 ", "[I]"},
        {"CONNECT a:1 HTTP/1.1\r\n", "", "Host: a\r\n\r\n", "405 ", "RFC 9110"},
        {"POST / HTTP/1.1\r\nHost: a\r\n", "Transfer-Encoding: gzip, chunked\r\n", "\r\n", "501 ",
         "RFC 9112"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857601\r\n", "", "\r\n", "413 ",
         "P-150"},
        {"GET /.well-known/acme-challenge/x HTTP/1.1\r\n", "", "Host: a\r\n\r\n", "404 ", "P-153"},
        {"\x16\x03\x01", "", "", "400 ", "TLS"},
        {"PRI * HTTP/2.0\r\n\r\n", "", "SM\r\n\r\n", "400 ", "HTTP/2"},
        {"GET /\r\n", "", "", "400 ", "HTTP/0.9"},
        // smuggling
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
         "0\r\n\r\n", GET, "400 ", "RFC 9112"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\n", "", "x",
         "400 ", "RFC 9112"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", "0\r\n\r\n", GET,
         "400 ", "RFC 9112"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0b"
         "chunked\r\n\r\n",
         "0\r\n\r\n", GET, "400 ", "RFC 9110"},
        {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "", "", "400 ", "RFC 9112"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "", "", "400 ", "RFC 9112"},
        {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "", "", "400 ", "RFC 9112"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, rows[i].before);
        say(w, c, rows[i].middle);
        say(w, c, rows[i].after);
        struct buf text = {0};
        buf_adds(&text, "");
        int end = END_NONE;
        WAIT(w, (end = drink(c, &text), strstr(text.data, "leanlocal: ") || end));
        char wanted[32];
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %s", rows[i].status);
        assert_ptr_equal(strstr(text.data, wanted), text.data);
        assert_has(text.data, rows[i].rule);
        bool keeps = rows[i].status[0] == '4' && rows[i].status[2] == '4' &&
                     rows[i].status[1] == '0'; // only the 404 is a well-formed exchange
        if (!keeps) {
            assert_has(text.data, "Connection: close\r\n");
            WAIT(w, end || (end = drink(c, &text)));
            assert_int_equal(end, END_EOF); // no reset: the answer is readable
        }
        buf_release(&text);
        shut(w, c);
        // Nothing of it reached the app.
        assert_int_equal(accept(w->listeners[0], NULL, NULL), -1);
    }
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.refused, ARRAY_LEN(rows));
    assert_int_equal(stats.lost, 0);
}

static void test_bad_chunks_never_complete_upstream(void **state)
{
    struct world *w = *state;
    static const char *const rows[] = {"5x\r\nhello", "0x5\r\nhello", "1 1\r\nh",
                                       "1\nh",        "1\r\nhXX",     "ffffffffffffffff\r\nh"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        say(w, c, rows[i]);
        const char *text = hear(w, c, "\n");
        assert_has(text, "HTTP/1.1 400 ");
        int end = hear_end(w, u, &text);
        assert_int_not_equal(end, END_NONE);
        assert_has_not(text, "0\r\n\r\n");
        shut(w, c);
        shut(w, u);
    }
}

static void test_body_limit_while_streaming(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, c, "7fffffff\r\n");
    static char piece[1 << 20];
    struct buf answer = {0};
    buf_adds(&answer, "");
    int64_t until = clock_now_ms() + 6 * LIMIT_MS;
    uint64_t pushed = 0;
    while (!strstr(answer.data, "\r\n\r\n") && clock_now_ms() < until) {
        ssize_t sent = send(c, piece, sizeof piece, MSG_NOSIGNAL);
        pushed += sent > 0 ? (uint64_t)sent : 0;
        static char waste[1 << 20];
        while (recv(u, waste, sizeof waste, 0) > 0) {
        }
        drink(c, &answer);
        step(w);
    }
    assert_has(answer.data, "HTTP/1.1 413 ");
    assert_true(pushed >= (uint64_t)LIMIT_BODY_BYTES);
    buf_release(&answer);
}

static void test_port_in_use_names_the_owner(void **state)
{
    struct world *w = *state;
    const struct gateway_options options = {.address = ADDRESS, .port = gateway_port(w->gateway)};
    struct error error = {0};
    assert_null(gateway_new(w->loop, &options, &error));
    assert_int_equal(error.kind, ERROR_HOST);
    char wanted[96];
    snprintf(wanted, sizeof wanted, "port %u is in use by pid %d (", options.port, (int)getpid());
    assert_has(error.message, wanted);
    assert_has(error.message, "test_gateway");
    assert_has(error.hint, "--port ");
}

static void test_many_connections(void **state)
{
    struct world *w = *state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    enum { COUNT = 2000 };
    if (limit.rlim_cur < 2 * COUNT + 100) {
        skip();
    }
    static int fds[COUNT];
    size_t before = heap_pages();
    struct gateway_stats stats = {0};
    for (int i = 0; i < COUNT; i++) {
        fds[i] = client(w);
        w->fd_count--;
        if (i % 64 == 63) {
            WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.connections == (unsigned)i + 1));
        }
    }
    // 2 K each, idle (HTTP.md "Bounds").
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.connections == COUNT));
    if (!SANITIZED) {
        assert_true((heap_pages() - before) * 4096 < COUNT * 2048ul);
    }
    say(w, fds[COUNT - 1], GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, fds[COUNT - 1], "hello");
    for (int i = 0; i < COUNT; i++) {
        close(fds[i]);
    }
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.connections == 0));
}

#define ONE(fn)  cmocka_unit_test_setup_teardown(fn, setup_one, teardown)
#define NONE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_request_and_answer),
        ONE(test_bodies_both_ways),
        ONE(test_pipelined_in_order),
        NONE(test_held_then_released),
        NONE(test_refuse_held),
        ONE(test_swap_under_a_request),
        ONE(test_drain_of_an_idle_one),
        ONE(test_drain_closes_streams_only),
        NONE(test_round_robin_skips_the_refusing),
        NONE(test_retry),
        ONE(test_stale_pooled_connection),
        ONE(test_crash_in_the_body_aborts),
        ONE(test_unframeable_answers),
        ONE(test_streams_as_it_comes),
        ONE(test_client_gone_closes_upstream),
        ONE(test_slow_reader_stops_the_writer),
        ONE(test_upload_with_back_pressure),
        ONE(test_expect_continue),
        ONE(test_websocket),
        ONE(test_refusals_name_their_rule),
        ONE(test_bad_chunks_never_complete_upstream),
        ONE(test_body_limit_while_streaming),
        NONE(test_port_in_use_names_the_owner),
        ONE(test_many_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
