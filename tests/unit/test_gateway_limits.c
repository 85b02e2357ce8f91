// What the gateway refuses, by which rule; how long it waits; how much it holds.
#include "emulator/gateway/internal.h"
#include "tests/unit/gateway_world.h"

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

// ---- time: each kind of deadline is made due by hand ----

static void expire(struct world *w, enum gateway_wait wait)
{
    struct gateway_deadline *first = w->gateway->queues[wait].next;
    if (first == &w->gateway->queues[wait]) {
        fail_msg("nothing waits for %d", wait);
    }
    first->at_ms = 1;
    gateway_deadlines_arm(w->gateway);
}

static bool waits(const struct world *w, enum gateway_wait wait)
{
    return w->gateway->queues[wait].next != &w->gateway->queues[wait];
}

static void test_no_answer_in_time(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    expire(w, WAIT_RESPONSE);
    assert_has(hear(w, c, "(P-150)\n"), "HTTP/1.1 504 Gateway Timeout\r\n");
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
    assert_int_equal(w->last.status, 504);
    assert_string_equal(w->last_rule, "P-150");
    // Kept alive; and what has begun may take as long as it likes.
    say(w, c, GET);
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 200 OK\r\n\r\nx");
    hear(w, c, "x\r\n");
    assert_false(waits(w, WAIT_RESPONSE));
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 1);
}

static void test_request_stops_arriving(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "GET / HTTP/1.1\r\nHost:");
    struct gateway_stats stats = {0};
    WAIT(w, (gateway_get_stats(w->gateway, &stats), stats.active == 1));
    expire(w, WAIT_HEADER);
    assert_has(hear(w, c, "\n"), "HTTP/1.1 408 ");
    c = client(w);
    say(w, c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
    int u = accept_upstream(w, 0);
    hear(w, u, "half");
    expire(w, WAIT_RESPONSE);
    assert_has(hear(w, c, "\n"), "HTTP/1.1 408 ");
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
}

static void test_idle_ends(void **state)
{
    struct world *w = *state;
    int silent = client(w);
    WAIT(w, waits(w, WAIT_HEADER));
    expire(w, WAIT_HEADER);
    assert_int_equal(hear_end(w, silent, NULL), END_EOF);
    int c = client(w);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    expire(w, WAIT_POOL);
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
    expire(w, WAIT_IDLE);
    assert_int_equal(hear_end(w, c, NULL), END_EOF);
    // Nothing is left that could wake us.
    WAIT(w, w->gateway->timer_at_ms == 0);
    assert_int_equal(w->requests, 1);
}

static void test_websocket_idle_is_cut(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    hear(w, c, "\r\n\r\n");
    int64_t due = w->gateway->queues[WAIT_WEBSOCKET].next->at_ms;
    w->gateway->queues[WAIT_WEBSOCKET].next->at_ms -= 1000;
    say(w, c, "x"); // data starts the time anew
    hear(w, u, "x");
    assert_true(w->gateway->queues[WAIT_WEBSOCKET].next->at_ms >= due);
    expire(w, WAIT_WEBSOCKET);
    assert_int_equal(hear_end(w, c, NULL), END_EOF);
    assert_int_equal(hear_end(w, u, NULL), END_EOF);
    assert_string_equal(w->last_rule, "P-157");
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_refusals_name_their_rule),   ONE(test_bad_chunks_never_complete_upstream),
        ONE(test_body_limit_while_streaming), NONE(test_port_in_use_names_the_owner),
        ONE(test_many_connections),           ONE(test_no_answer_in_time),
        ONE(test_request_stops_arriving),     ONE(test_idle_ends),
        ONE(test_websocket_idle_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
