// What the gateway promises: framing both ways, swapping under requests, holding, draining,
// retries, streams.
#include "emulator/gateway/internal.h"
#include "tests/unit/gateway_world.h"

#include <sys/wait.h>

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

// Every byte in a packet of its own, both ways.
static void test_split_everywhere(void **state)
{
    struct world *w = *state;
    static const char request[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "2;x\r\nab\r\n0\r\nT: v\r\n\r\n";
    static const char response[] = "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\nA: b\r\n c\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n3;y=z\r\nabc\r\n0\r\n\r\n";
    int c = client(w);
    for (const char *at = request; *at; at++) {
        say_bytes(w, c, at, 1);
        step(w);
    }
    int u = accept_upstream(w, 0);
    assert_has(hear(w, u, "0\r\n\r\n"), "Transfer-Encoding: chunked\r\n");
    for (const char *at = response; *at; at++) {
        say_bytes(w, u, at, 1);
        step(w);
    }
    const char *text = hear(w, c, "0\r\n\r\n");
    assert_ptr_equal(strstr(text, "HTTP/1.1 200 OK\r\nA: b   c\r\n"), text);
    assert_has(text, "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
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

// P-162: a request that finds the app asleep is held and wakes it; forced to sleep it is refused.
static void test_asleep(void **state)
{
    struct world *w = *state;
    struct gateway_stats stats = {0};
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    gateway_set_upstreams(w->gateway, NULL, 0);
    gateway_set_sleep(w->gateway, GATEWAY_ASLEEP, NULL);
    gateway_refuse_held(w->gateway, true); // a save that failed meanwhile is no reason
    int c = client(w), d = client(w);
    say(w, c, GET);
    say(w, d, GET);
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.held == 2));
    assert_int_equal(w->woken, 2);
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    gateway_set_sleep(w->gateway, GATEWAY_AWAKE, NULL);
    int u = accept_upstream(w, 0), v = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, v, "\r\n\r\n");
    say(w, v, OK5);
    hear(w, c, "hello");
    hear(w, d, "hello");
    gateway_set_upstreams(w->gateway, NULL, 0);
    gateway_set_sleep(w->gateway, GATEWAY_FORCED, "forced to sleep");
    say(w, c, GET);
    const char *text = hear(w, c, "forced to sleep (P-162)\n");
    assert_has(text, "HTTP/1.1 503 ");
    assert_has(text, "X-Leanlocal-Rule: P-162\r\n");
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(w->woken, 2);
    gateway_set_sleep(w->gateway, GATEWAY_ASLEEP, NULL);
    say(w, d, GET); // allowed again
    WAIT(w, w->woken == 3);
    gateway_set_sleep(w->gateway, GATEWAY_AWAKE, NULL); // it could not be started
    hear(w, d, "\n");
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

// The app goes before its head, in the middle of it, or with more of a body gone than is kept.
static void test_gone_before_an_answer(void **state)
{
    struct world *w = *state;
    static char large[100000];
    memset(large, 'x', sizeof large - 1);
    static const struct {
        const char *request, *body, *answer;
        int tries;
    } rows[] = {
        {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "", "", 1},
        {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "", "HTTP/1.1 200 OK\r\nContent-", 1},
        {GET, "", "HTTP/1.1 200 OK\r\nContent-", 3},
        {GET, "", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", 1}, // that one has got through
        {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n", large, "", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, rows[i].request);
        say(w, c, rows[i].body);
        struct buf text = {0};
        buf_adds(&text, "");
        for (int try = 0; try < rows[i].tries; try++) {
            int u = accept_upstream(w, 0);
            struct buf got = {0};
            size_t body_len = strlen(rows[i].body);
            WAIT(w, (drink(u, &got), got.len > body_len && strstr(got.data, "\r\n\r\n") &&
                                         strlen(strstr(got.data, "\r\n\r\n") + 4) == body_len));
            buf_release(&got);
            say(w, u, rows[i].answer);
            shut(w, u);
        }
        WAIT(w, (drink(c, &text), strstr(text.data, "leanlocal: ")));
        assert_has(text.data, "HTTP/1.1 502 ");
        buf_release(&text);
        shut(w, c);
        assert_int_equal(accept(w->listeners[0], NULL, NULL), -1);
    }
}

// All tries together have the time of one (HTTP.md "Retry").
static void test_a_retry_gains_no_time(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    const struct gateway_deadline *waits = &w->gateway->queues[WAIT_RESPONSE];
    waits->next->at_ms -= 1000;
    int64_t due = waits->next->at_ms;
    shut(w, u);
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    assert_int_equal(waits->next->at_ms, due);
    say(w, u, OK5);
    hear(w, c, "hello");
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

// What the app sends behind the end of its answer (a body for HEAD) is no answer to the next one.
static void test_bytes_left_over(void **state)
{
    struct world *w = *state;
    int c = client(w);
    for (int i = 0; i < 2; i++) {
        say(w, c, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        say(w, u, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        hear(w, c, "\r\n\r\n");
        say(w, c, GET);
        hear(w, u, "\r\n\r\n"); // on the connection that was kept
        say(w, u, "hello" OK5);
        int v = accept_upstream(w, 0);
        hear(w, v, "\r\n\r\n");
        say(w, v, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngood");
        hear(w, c, "good");
        assert_int_equal(w->notices, 1); // once is enough
        assert_has(w->notice, "more bytes than its answer has");
        shut(w, u);
        shut(w, v);
    }
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
}

// An app that serves one connection at a time, and keeps it, must not be held by an idle one of
// ours.
static void test_serial_app_is_not_starved(void **state)
{
    struct world *w = *state;
    int c = client(w), d = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, d, GET);
    int v = accept_upstream(w, 0); // accepted by the kernel only, as far as the app is concerned
    hear(w, v, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    int64_t begin = clock_now_ms();
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
    assert_true(clock_now_ms() - begin < 600); // the pool alone would keep it for a second
    say(w, v, OK5);
    hear(w, d, "hello");
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
        // the head was fine, but no byte of it has left yet
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense",
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

// A child that was just cloned holds copies of all our sockets for a moment. What the gateway
// closes in that moment must be out of its epoll set too, or events name memory that is gone.
static void test_closed_while_a_child_holds_a_copy(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    int hold[2];
    assert_int_equal(pipe(hold), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(hold[0]);
    shutdown(c, SHUT_RDWR); // close() would not be the end: the child has a copy of ours as well
    WAIT(w, w->requests == 1);
    shutdown(u, SHUT_RDWR);
    for (int i = 0; i < 20; i++) {
        step(w); // stale registrations are level-triggered: they would be told at each look
    }
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.connections, 0);
    close(hold[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
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
    assert_true(SANITIZED || heap_pages() < before + 64);
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
    enum { TOTAL = 100 << 20, PIECE = 65536 };
    char head[96];
    snprintf(head, sizeof head, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", TOTAL);
    say(w, c, head);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    static char piece[PIECE];
    size_t before = heap_pages(), pushed = 0, idle = 0;
    while (pushed < TOTAL && idle < 20) {
        ssize_t sent = send(c, piece, PIECE, MSG_NOSIGNAL);
        pushed += sent > 0 ? (size_t)sent : 0;
        idle = sent > 0 ? 0 : idle + 1;
        step(w);
    }
    assert_true(pushed < 16 << 20); // only what the kernel's buffers hold
    assert_true(SANITIZED || heap_pages() < before + 64);
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
    assert_true(SANITIZED || heap_pages() < before + 256); // with our own buffers
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_request_and_answer),
        ONE(test_bodies_both_ways),
        ONE(test_split_everywhere),
        ONE(test_pipelined_in_order),
        NONE(test_held_then_released),
        NONE(test_refuse_held),
        NONE(test_asleep),
        ONE(test_swap_under_a_request),
        ONE(test_drain_of_an_idle_one),
        ONE(test_drain_closes_streams_only),
        NONE(test_round_robin_skips_the_refusing),
        NONE(test_retry),
        ONE(test_gone_before_an_answer),
        ONE(test_a_retry_gains_no_time),
        ONE(test_stale_pooled_connection),
        ONE(test_bytes_left_over),
        ONE(test_serial_app_is_not_starved),
        ONE(test_crash_in_the_body_aborts),
        ONE(test_unframeable_answers),
        ONE(test_streams_as_it_comes),
        ONE(test_client_gone_closes_upstream),
        ONE(test_closed_while_a_child_holds_a_copy),
        ONE(test_slow_reader_stops_the_writer),
        ONE(test_upload_with_back_pressure),
        ONE(test_expect_continue),
        ONE(test_websocket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
