// What: the world of the gateway's tests: gateway, client and a scripted upstream in one process,
// on one
//       loop. The test plays both sides by hand, so that every order of events can be had without
//       sleeping.
#ifndef TESTS_UNIT_GATEWAY_WORLD_H
#define TESTS_UNIT_GATEWAY_WORLD_H

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

// 127.77.X.1 is the gateway, .2 and .3 are the instances; X keeps tests apart that run side by
// side.
#define ADDRESS  (0x7F4D0001u + ((uint32_t)getpid() % 250 + 1) * 256)
#define UPSTREAM (ADDRESS + 1)
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
    int requests, drained, notices, woken;
    char drained_name[32], notice[512];
};

static inline void on_request(void *context, const struct gateway_request *request)
{
    struct world *w = context;
    w->requests++;
    w->last = *request;
    snprintf(w->last_method, sizeof w->last_method, "%s", request->method);
    snprintf(w->last_target, sizeof w->last_target, "%s", request->target);
    snprintf(w->last_upstream, sizeof w->last_upstream, "%s", request->upstream);
    snprintf(w->last_rule, sizeof w->last_rule, "%s", request->rule);
}

static inline void on_asleep(void *context)
{
    struct world *w = context;
    w->woken++;
}

static inline void on_drained(void *context, const char *name)
{
    struct world *w = context;
    w->drained++;
    snprintf(w->drained_name, sizeof w->drained_name, "%s", name);
}

static inline void on_notice(void *context, const char *name, const char *rule, const char *text)
{
    struct world *w = context;
    w->notices++;
    snprintf(w->notice, sizeof w->notice, "%s|%s|%s", name, rule, text);
}

static inline void on_tick(void *context)
{
    struct world *w = context;
    loop_exit(w->loop, 0);
}

// Lets the gateway work for a moment.
static inline void step(struct world *w)
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

static inline int keep(struct world *w, int fd)
{
    assert_true(fd >= 0);
    assert_true(w->fd_count < 32);
    w->fds[w->fd_count++] = fd;
    return fd;
}

static inline void shut(struct world *w, int fd)
{
    for (int i = 0; i < w->fd_count; i++) {
        if (w->fds[i] == fd) {
            w->fds[i] = w->fds[--w->fd_count];
        }
    }
    close(fd);
}

static inline void listen_upstream(struct world *w, int index)
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

static inline int setup(void **state)
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
        .on_asleep = on_asleep,
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

static inline int setup_one(void **state)
{
    setup(state);
    struct world *w = *state;
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    return 0;
}

static inline int teardown(void **state)
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

static inline int client(struct world *w)
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

static inline int accept_upstream(struct world *w, int index)
{
    int fd = -1;
    WAIT(w, (fd = accept4(w->listeners[index], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    return keep(w, fd);
}

static inline void say_bytes(struct world *w, int fd, const char *bytes, size_t len)
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

static inline void say(struct world *w, int fd, const char *text)
{
    say_bytes(w, fd, text, strlen(text));
}

enum { END_NONE, END_EOF, END_RESET };

// Reads what there is; returns how the stream stands.
static inline int drink(int fd, struct buf *into)
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
static inline const char *hear(struct world *w, int fd, const char *tail)
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
static inline int hear_end(struct world *w, int fd, const char **ret_text)
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

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("no \"%s\" in \"%s\"", part, text);
    }
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part)) {
        fail_msg("\"%s\" in \"%s\"", part, text);
    }
}

static inline size_t heap_pages(void)
{
    auto_fclose FILE *file = fopen("/proc/self/statm", "r");
    size_t size, resident;
    return fscanf(file, "%zu %zu", &size, &resident) == 2 ? resident : 0;
}

#define ONE(fn)  cmocka_unit_test_setup_teardown(fn, setup_one, teardown)
#define NONE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
