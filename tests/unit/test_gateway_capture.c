// What the gateway keeps of a request for its record: heads as they crossed the client's side,
// bodies without framing, both up to a bound.
#include "tests/unit/gateway_world.h"

struct copy {
    char bytes[4][256];
    struct gateway_bytes parts[4];
    char reason[256];
    unsigned retries;
    uint16_t port;
};
static struct copy seen;

static void on_captured(void *context, const struct gateway_request *request)
{
    on_request(context, request);
    const struct gateway_bytes parts[] = {request->request_head, request->request_body,
                                          request->response_head, request->response_body};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        seen.parts[i] = parts[i];
        size_t len = parts[i].len < 255 ? parts[i].len : 255;
        if (len) {
            memcpy(seen.bytes[i], parts[i].bytes, len);
        }
        seen.bytes[i][len] = '\0';
    }
    snprintf(seen.reason, sizeof seen.reason, "%s", request->reason);
    seen.retries = request->retries;
    seen.port = request->client_port;
}

static int setup_capture(void **state)
{
    setup(state);
    struct world *w = *state;
    gateway_free(w->gateway);
    const struct gateway_options options = {
        .address = ADDRESS, .capture = true, .context = w, .on_request = on_captured};
    w->gateway = gateway_new(w->loop, &options, NULL);
    assert_non_null(w->gateway);
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    return 0;
}

#define CAPTURE(fn) cmocka_unit_test_setup_teardown(fn, setup_capture, teardown)

static void expect(int part, const char *text)
{
    assert_string_equal(seen.bytes[part], text);
    assert_int_equal(seen.parts[part].total, strlen(text));
}

static void test_both_ways(void **state)
{
    struct world *w = *state;
    static const char head[] =
        "POST /a?b HTTP/1.1\r\nhOst: a\r\nX-Real-IP: 9.9.9.9\r\nTransfer-Encoding: chunked\r\n\r\n";
    int c = client(w);
    say(w, c, head);
    say(w, c, "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    int u = accept_upstream(w, 0);
    hear(w, u, "0\r\n\r\n");
    say(w, u,
        "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n0\r\n\r\n");
    hear(w, c, "0\r\n\r\n");
    WAIT(w, w->requests == 1);
    expect(0, head); // as it came
    expect(1, "abcde");
    expect(2, "HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect(3, "hello");
    assert_string_equal(seen.reason, "");
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    assert_int_equal(getsockname(c, (struct sockaddr *)&own, &len), 0);
    assert_int_equal(seen.port, ntohs(own.sin_port));
    // The next one on the connection begins anew.
    say(w, c, GET);
    hear(w, u, "\r\n\r\n");
    say(w, u, OK5);
    hear(w, c, "hello");
    WAIT(w, w->requests == 2);
    expect(0, GET);
    expect(1, "");
}

static void test_our_own_answers(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *request, *head, *rule, *reason;
    } rows[] = {
        {"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", NULL,
         NULL},
        {"GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a\r\n\r\n", "P-153", "acme"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int c = client(w);
        say(w, c, rows[i].request);
        WAIT(w, w->requests == (int)i + 1);
        expect(0, rows[i].head);
        assert_has(seen.bytes[2], "HTTP/1.1 4");
        assert_has(seen.bytes[3], "leanlocal: 4");
        assert_true(*seen.reason);
        if (rows[i].rule) {
            assert_string_equal(w->last_rule, rows[i].rule);
            assert_has(seen.reason, rows[i].reason);
        }
        shut(w, c);
    }
}

// Bodies beyond the bound are counted, not kept; memory does not grow with them.
static void test_bounds(void **state)
{
    struct world *w = *state;
    enum { SIZE = 300000 };
    auto_free char *body = malloc(SIZE);
    memset(body, 'x', SIZE);
    int c = client(w);
    char head[128];
    int len = snprintf(head, sizeof head, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                       SIZE);
    say_bytes(w, c, head, (size_t)len);
    struct buf got = {0};
    size_t sent = 0;
    int u = -1;
    while (got.len < SIZE + 1) {
        ssize_t more = sent < SIZE ? send(c, body + sent, SIZE - sent, MSG_NOSIGNAL) : 0;
        sent += more > 0 ? (size_t)more : 0;
        u = u < 0 ? accept_upstream(w, 0) : u;
        step(w);
        drink(u, &got);
    }
    buf_release(&got);
    len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    say_bytes(w, u, head, (size_t)len);
    size_t given = 0;
    WAIT(w, ({
             ssize_t more = given < SIZE ? send(u, body + given, SIZE - given, MSG_NOSIGNAL) : 0;
             given += more > 0 ? (size_t)more : 0;
             drink(c, &got);
             w->requests == 1;
         }));
    buf_release(&got);
    assert_int_equal(seen.parts[1].total, SIZE);
    assert_int_equal(seen.parts[1].len, GATEWAY_REQUEST_BODY_KEPT);
    assert_int_equal(seen.parts[3].total, SIZE);
    assert_int_equal(seen.parts[3].len, GATEWAY_RESPONSE_BODY_KEPT);
    assert_has(seen.bytes[2], "HTTP/1.1 200 OK");
}

// An app that answers before it has read: what of the request still comes is counted only.
static void test_answer_before_the_body(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    int u = accept_upstream(w, 0);
    hear(w, u, "abc");
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel");
    hear(w, c, "hel");
    say(w, c, "def");
    hear(w, u, "def");
    say(w, u, "loo");
    hear(w, c, "loo");
    WAIT(w, w->requests == 1);
    assert_string_equal(seen.bytes[1], "abc");
    assert_int_equal(seen.parts[1].total, 6);
    expect(3, "helloo");
}

// What a client announced and never sent is missing: nobody shall take the request for whole.
static void test_client_goes_in_its_body(void **state)
{
    struct world *w = *state;
    static const char *const framings[] = {"Content-Length: 9", "Transfer-Encoding: chunked"};
    for (int i = 0; i < 2; i++) {
        char head[128];
        snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", framings[i]);
        int c = client(w);
        say(w, c, head);
        say(w, c, i ? "3\r\nabc\r\n" : "abc");
        int u = accept_upstream(w, 0);
        hear(w, u, i ? "abc\r\n" : "abc");
        shut(w, c);
        WAIT(w, w->requests == i + 1);
        assert_int_equal(w->last.status, 499);
        assert_string_equal(seen.bytes[1], "abc");
        assert_int_equal(seen.parts[1].total, i ? 4 : 9);
        shut(w, u);
    }
}

static void test_retries_and_reasons(void **state)
{
    struct world *w = *state;
    int c = client(w);
    say(w, c, GET);
    for (int i = 0; i < 3; i++) {
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        shut(w, u);
    }
    WAIT(w, w->requests == 1);
    assert_int_equal(w->last.status, 502);
    assert_int_equal(seen.retries, 2);
    assert_has(seen.reason, "web1: the app closed the connection without an answer");
    expect(0, GET);
    // In the middle of its answer: the status is the app's, the reason says what became of it.
    int d = client(w);
    say(w, d, GET);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    hear(w, d, "hello");
    shut(w, u);
    WAIT(w, w->requests == 2);
    assert_int_equal(w->last.status, 200);
    assert_has(seen.reason, "in the middle of its answer");
    expect(3, "hello");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURE(test_both_ways),
        CAPTURE(test_our_own_answers),
        CAPTURE(test_bounds),
        CAPTURE(test_answer_before_the_body),
        CAPTURE(test_client_goes_in_its_body),
        CAPTURE(test_retries_and_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
