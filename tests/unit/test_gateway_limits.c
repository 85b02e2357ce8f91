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

// Which row of the limits table it was, and which field.
static void test_a_limit_is_named(void **state)
{
    struct world *w = *state;
    static char long_line[9000], many_fields[9 * 7500];
    memset(long_line, 'x', sizeof long_line - 1);
    for (int i = 0; i < 9; i++) {
        char *at = many_fields + strlen(many_fields);
        snprintf(at, 8, "A%d: ", i);
        memset(at + 4, 'y', 7400);
        strcpy(at + 7404, "\r\n");
    }
    const struct {
        const char *before, *middle, *limit, *text;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nX-Token: ", long_line, "HEADER_LINE_BYTES=8192",
         ": X-Token ("},
        {"GET /", long_line, "HEADER_LINE_BYTES=8192", "8 K ("},
        {"GET / HTTP/1.1\r\nHost: a\r\n", many_fields, "HEADER_TOTAL_BYTES=65536", "64 K: A8 ("},
        {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857601\r\n", "\r\n",
         "BODY_BYTES=104857600", "larger than 100 MB ("},
        {"GET / HTTP/1.1\r\nHost: a\r\nX-Bad : b\r\n", "\r\n", NULL, ": X-Bad ("},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, rows[i].before);
        say(w, c, rows[i].middle);
        const char *text = hear(w, c, ")\n");
        if (rows[i].limit) {
            char field[96];
            snprintf(field, sizeof field, "X-Leanlocal-Limit: %s\r\n", rows[i].limit);
            assert_has(text, field);
        } else {
            assert_has_not(text, "X-Leanlocal-Limit");
        }
        assert_has(text, "X-Leanlocal-Rule: ");
        assert_has(text, rows[i].text);
        assert_int_equal(w->notices, i + 1);
        shut(w, c);
    }
    assert_has(w->notice, "|400: a blank between a field's name and the colon: X-Bad");
}

// The last byte that is let through, and the first that is not.
static void test_limits_to_the_byte(void **state)
{
    struct world *w = *state;
    enum { LINE, URL, TOTAL, FIELDS, KINDS };
    static char text[70000];
    static const char *const refusals[KINDS] = {"431 ", "414 ", "431 ", "431 "};
    for (int kind = 0; kind < KINDS; kind++) {
        for (int over = 0; over < 2; over++) {
            struct buf request = {0};
            memset(text, 'x', sizeof text);
            buf_addf(&request, "GET /%.*s HTTP/1.1\r\nHost: a\r\n",
                     kind == URL ? 8192 - 16 + over : 0, text);
            if (kind == LINE) {
                buf_addf(&request, "A: %.*s\r\n", 8192 - 5 + over, text);
            }
            for (int i = 0; kind == FIELDS && i < 99 + over; i++) {
                buf_adds(&request, "A: b\r\n");
            }
            while (kind == TOTAL && request.len + 16 < 65536 - 2) {
                size_t left = 65536 - 2 - request.len;
                size_t line = left > 8192 + 32 ? 8192 : left + (size_t)over;
                buf_addf(&request, "A: %.*s\r\n", (int)line - 5, text);
            }
            buf_adds(&request, "\r\n");
            int c = client(w);
            say_bytes(w, c, request.data, request.len);
            if (over) {
                const char *answer = hear(w, c, ")\n");
                assert_has(answer, refusals[kind]);
            } else {
                int u = accept_upstream(w, 0);
                hear(w, u, "\r\n\r\n");
                say(w, u, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
                hear(w, c, "ok");
                shut(w, u);
            }
            shut(w, c);
            buf_release(&request);
        }
    }
}

// The hundred megabytes themselves are let through.
static void test_the_largest_body(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n");
    int u = accept_upstream(w, 0);
    assert_has(hear(w, u, "\r\n\r\n"), "Content-Length: 104857600\r\n");
}

// Ten thousand connections; the next one waits in the kernel and is served when one goes.
static void test_as_many_connections_as_allowed(void **state)
{
    struct world *w = *state;
    w->gateway->stats.connections = CONNECTIONS_MAX - 1;
    int c = client(w), d = client(w);
    say(w, c, GET);
    say(w, d, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    assert_int_equal(w->gateway->stats.connections, CONNECTIONS_MAX);
    assert_false(w->gateway->accepting);
    shut(w, c);
    hear(w, u, "\r\n\r\n"); // the other one's, on the pooled connection
    say(w, u, OK5);
    hear(w, d, "hello");
    w->gateway->stats.connections -= CONNECTIONS_MAX - 1;
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
    assert_true(gateway_idle_bytes() < 1024);
    assert_true(gateway_most_bytes() < 1 << 20);
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

// How long each wait is.
static void assert_lasts(const struct world *w, enum gateway_wait wait, int64_t ms)
{
    int64_t left_ms = w->gateway->queues[wait].next->at_ms - w->gateway->now_ms;
    assert_in_range(left_ms, ms - LIMIT_MS, ms);
}

static void test_lasting(void **state)
{
    struct world *w = *state;
    int c = client(w);
    WAIT(w, waits(w, WAIT_HEADER));
    assert_lasts(w, WAIT_HEADER, 60000);
    say(w, c, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    assert_lasts(w, WAIT_RESPONSE, 60000);
    say(w, u, OK5);
    hear(w, c, "hello");
    assert_lasts(w, WAIT_IDLE, 75000);
    say(w, c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    hear(w, c, "\r\n\r\n");
    assert_lasts(w, WAIT_WEBSOCKET, 60000);
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
        ONE(test_a_limit_is_named),
        ONE(test_limits_to_the_byte),
        ONE(test_the_largest_body),
        ONE(test_as_many_connections_as_allowed),
        ONE(test_lasting),
        ONE(test_refusals_name_their_rule),
        ONE(test_bad_chunks_never_complete_upstream),
        ONE(test_body_limit_while_streaming),
        NONE(test_port_in_use_names_the_owner),
        ONE(test_many_connections),
        ONE(test_no_answer_in_time),
        ONE(test_request_stops_arriving),
        ONE(test_idle_ends),
        ONE(test_websocket_idle_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
