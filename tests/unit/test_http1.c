// The lexer, row by row of HTTP.md: each case is fed whole, byte by byte, and in two parts at every
// place; the result must be the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulator/formats/http1.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/buf.h"

#define H      "Host: a\r\n"
#define END    "\r\n"
#define GET    "GET / HTTP/1.1\r\n"
#define BIT(r) ((uint64_t)1 << HTTP1_RULE_##r)

static enum http1_progress feed_parts(struct http1_head *head, enum http1_policy policy,
                                      const char *bytes, size_t len, size_t first, size_t step)
{
    enum http1_progress progress = HTTP1_MORE;
    http1_head_init(head, policy, false);
    for (size_t at = first; progress == HTTP1_MORE; at += step) {
        // A fresh block of just that size: reading past it is the sanitizer's to find.
        size_t part = at < len ? at : len;
        auto_free char *copy = malloc(part ? part : 1);
        memcpy(copy, bytes, part);
        progress = http1_head_feed(head, copy, part);
        if (part == len) {
            break;
        }
    }
    return progress;
}

static void assert_same(const struct http1_head *a, const struct http1_head *b)
{
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->error_at, b->error_at);
    if (a->error) {
        return;
    }
    assert_int_equal(a->reported, b->reported);
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->body, b->body);
    assert_int_equal(a->content_length, b->content_length);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->field_count, b->field_count);
    for (unsigned i = 0; i < a->field_count; i++) {
        const struct http1_field *x = &a->fields[i], *y = &b->fields[i];
        assert_memory_equal(&x->name, &y->name, sizeof x->name);
        assert_memory_equal(&x->value, &y->value, sizeof x->value);
        assert_true(x->id == y->id && x->folded == y->folded && x->listed == y->listed);
    }
}

static enum http1_progress feed_all_ways(struct http1_head *head, enum http1_policy policy,
                                         const char *bytes, size_t len)
{
    enum http1_progress progress = feed_parts(head, policy, bytes, len, len, 1);
    struct http1_head other;
    assert_int_equal(feed_parts(&other, policy, bytes, len, 0, len > 2000 ? 97 : 1), progress);
    assert_same(head, &other);
    for (size_t at = 0; at < len && len <= 2000; at++) {
        assert_int_equal(feed_parts(&other, policy, bytes, len, at, len), progress);
        assert_same(head, &other);
    }
    return progress;
}

struct head_case {
    const char *row; // of HTTP.md; NULL: as the case before it
    const char *bytes;
    size_t len; // 0: strlen
    enum http1_rule error;
    uint64_t reported;
    enum http1_body body;
    int status; // refused client's
};
#define BYTES(text)   .bytes = text, .len = sizeof text - 1
#define REFUSED(r, s) .error = HTTP1_RULE_##r, .status = s

static const struct head_case requests[] = {
    {.row = "a request", BYTES(GET H END)},
    {.row = "one empty line in front", BYTES("\r\n" GET H END)},
    {BYTES("GET / HTTP/1.0\r\n\r\n")},
    {BYTES("OPTIONS * HTTP/1.1\r\n" H END)},
    {.row = "an unknown method, a target as it is", BYTES("BREW /%20x?a=b HTTP/1.1\r\n" H END)},
    {BYTES("PATCH /\xe4\xbd\xa0 HTTP/1.1\r\n" H END)},
    {.row = "absolute form whose authority is the Host",
     BYTES("GET http://a/x HTTP/1.1\r\n" H END)},
    {BYTES("GET HTTP://A:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")},
    {BYTES("GET / HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n")},
    {.row = "values: blanks around, bytes above 7F", BYTES(GET H "X:\r\nY:\t v\t \r\n\r\n")},
    {BYTES(GET H "X: \x80\xff\t.\r\n\r\n")},
    {.row = "a body by its length",
     BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"),
     .body = HTTP1_BODY_LENGTH},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n")},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775807\r\n\r\n"),
     .body = HTTP1_BODY_LENGTH},
    {.row = "a chunked body, in any case",
     BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: CHUNKED\r\n\r\n"),
     .body = HTTP1_BODY_CHUNKED},
    {.row = "Content-Length with any Transfer-Encoding",
     BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
     REFUSED(LENGTH_CODING, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"),
     REFUSED(LENGTH_CODING, 400)},
    {.row = "two different Content-Length, or not one number",
     BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
     REFUSED(LENGTH_DIFFERS, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
     REFUSED(LENGTH_TWO, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n"), REFUSED(LENGTH_BAD, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n"), REFUSED(LENGTH_BAD, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n"), REFUSED(LENGTH_BAD, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n"), REFUSED(LENGTH_BAD, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: \r\n\r\n"), REFUSED(LENGTH_BAD, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n"),
     REFUSED(LENGTH_BAD, 400)},
    {BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n"),
     REFUSED(LENGTH_BAD, 400)},
    {.row = "Transfer-Encoding other than exactly chunked",
     BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"),
     REFUSED(CODING, 501)},
    {BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"), REFUSED(CODING, 501)},
    {BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n"),
     REFUSED(CODING, 501)},
    {BYTES("POST / HTTP/1.1\r\n" H
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
     REFUSED(CODING, 501)},
    {BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \r\n\r\n"), REFUSED(CODING, 501)},
    {.row = "Transfer-Encoding in HTTP/1.0",
     BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
     REFUSED(CODING_10, 400)},
    {.row = "blank before the colon, empty name, name no token",
     BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n"),
     REFUSED(NAME_BLANK, 400)},
    {.row = "controls in a value",
     BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\x0b"
           "chunked\r\n\r\n"),
     REFUSED(CONTROL, 400)},
    {.row = "blank before the colon, empty name, name no token",
     BYTES(GET H "A : b\r\n\r\n"),
     REFUSED(NAME_BLANK, 400)},
    {BYTES(GET H ": b\r\n\r\n"), REFUSED(NAME_EMPTY, 400)},
    {BYTES(GET H "A b: c\r\n\r\n"), REFUSED(NAME_TOKEN, 400)},
    {BYTES(GET H "A(b: c\r\n\r\n"), REFUSED(NAME_TOKEN, 400)},
    {BYTES(GET H "nocolon\r\n\r\n"), REFUSED(NAME_TOKEN, 400)},
    {BYTES(GET H "\x80: c\r\n\r\n"), REFUSED(NAME_TOKEN, 400)},
    {.row = "folded line", BYTES(GET H "A: b\r\n c\r\n\r\n"), REFUSED(FOLDED, 400)},
    {BYTES(GET " " H END), REFUSED(FOLDED, 400)},
    {.row = "bare LF as line end", BYTES("GET / HTTP/1.1\n" H END), REFUSED(BARE_LF, 400)},
    {BYTES(GET "Host: a\n\r\n"), REFUSED(BARE_LF, 400)},
    {BYTES(GET H "\n"), REFUSED(BARE_LF, 400)},
    {.row = "bare CR, NUL, other controls but TAB in a value",
     BYTES(GET H "A: b\rc\r\n\r\n"),
     REFUSED(BARE_CR, 400)},
    {BYTES(GET H "A: b\r\r\n\r\n"), REFUSED(BARE_CR, 400)},
    {BYTES(GET H "A: b\0c\r\n\r\n"), REFUSED(NUL, 400)},
    {BYTES(GET H "A: b\x01\r\n\r\n"), REFUSED(CONTROL, 400)},
    {BYTES(GET H "A: b\x7f\r\n\r\n"), REFUSED(CONTROL, 400)},
    {.row = "no Host in 1.1, two Host, Host with a bad character",
     BYTES(GET END),
     REFUSED(HOST_MISSING, 400)},
    {BYTES(GET H H END), REFUSED(HOST_TWO, 400)},
    {BYTES(GET "Host:\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: :80\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: .\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: [::1\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: a..b\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: a.:80\r\n\r\n")},
    {BYTES(GET "Host: a/b\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: u@a\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {BYTES(GET "Host: a b\r\n\r\n"), REFUSED(HOST_BAD, 400)},
    {.row = "absolute form whose authority differs from Host",
     BYTES("GET http://b/ HTTP/1.1\r\n" H END),
     REFUSED(HOST_DIFFERS, 400)},
    {.row = "what may stand once stands twice",
     BYTES(GET H "Authorization: a\r\nauthorization: a\r\n\r\n"),
     REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "Content-Range: a\r\nContent-Range: a\r\n\r\n"), REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "Expect: a\r\nExpect: a\r\n\r\n"), REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "If-Match: a\r\nIf-Match: a\r\n\r\n"), REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "If-Modified-Since: a\r\nIf-Modified-Since: a\r\n\r\n"), REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "If-None-Match: a\r\nIf-None-Match: a\r\n\r\n"), REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "If-Range: a\r\nIf-Range: a\r\n\r\n"), REFUSED(FIELD_TWO, 400)},
    {BYTES(GET H "If-Unmodified-Since: a\r\nIf-Unmodified-Since: a\r\n\r\n"),
     REFUSED(FIELD_TWO, 400)},
    {.row = "all else may stand twice",
     BYTES(GET H
           "Cookie: a\r\nCookie: b\r\nAccept: c\r\nAccept: d\r\nRange: e\r\nRange: f\r\n\r\n")},
    {.row = "the request line", BYTES("GET  / HTTP/1.1\r\n" H END), REFUSED(REQUEST_LINE, 400)},
    {BYTES(" GET / HTTP/1.1\r\n" H END), REFUSED(REQUEST_LINE, 400)},
    {BYTES("GET / HTTP/1.1 \r\n" H END), REFUSED(REQUEST_LINE, 400)},
    {BYTES("GET /a b HTTP/1.1\r\n" H END), REFUSED(REQUEST_LINE, 400)},
    {BYTES("GET / http/1.1\r\n" H END), REFUSED(REQUEST_LINE, 400)},
    {BYTES("\r\n\r\n" GET H END), REFUSED(REQUEST_LINE, 400)},
    {BYTES("G@T / HTTP/1.1\r\n" H END), REFUSED(METHOD, 400)},
    {BYTES("GET a HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET * HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET /\x01 HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET /#f HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET http://.:80/x HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET http:///x HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET http://u@a/ HTTP/1.1\r\n" H END), REFUSED(TARGET, 400)},
    {BYTES("GET /\0 HTTP/1.1\r\n" H END), REFUSED(NUL, 400)},
    {.row = "CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\n" H END), REFUSED(CONNECT, 405)},
    {.row = "HTTP/0.9, HTTP/2 preface, TLS hello", BYTES("GET /\r\n"), REFUSED(HTTP09, 400)},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), REFUSED(HTTP2, 400)},
    {BYTES("GET / HTTP/3.0\r\n" H END), REFUSED(VERSION, 400)},
    {BYTES("\x16\x03\x01\x02"), REFUSED(TLS, 400)},
};

// The same bytes from an app.
#define OK "HTTP/1.1 200 OK\r\n"
static const struct head_case responses[] = {
    {.row = "an answer and its body",
     BYTES(OK "Content-Length: 5\r\n\r\n"),
     .body = HTTP1_BODY_LENGTH},
    {BYTES(OK "Transfer-Encoding: chunked\r\n\r\n"), .body = HTTP1_BODY_CHUNKED},
    {BYTES(OK END), .body = HTTP1_BODY_UNTIL_CLOSE},
    {BYTES("HTTP/1.0 200\r\n\r\n"), .body = HTTP1_BODY_UNTIL_CLOSE},
    {BYTES("HTTP/1.1 200 \r\n\r\n"), .body = HTTP1_BODY_UNTIL_CLOSE},
    {.row = "204, 304 and 1xx have no body whatever they claim",
     BYTES("HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n"),
     .body = HTTP1_BODY_NONE},
    {BYTES("HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n"), .body = HTTP1_BODY_NONE},
    {BYTES("HTTP/1.1 100 C\r\n\r\n"), .body = HTTP1_BODY_NONE},
    {.row = "bare LF line ends: accepted, reported",
     BYTES("HTTP/1.1 200 OK\nContent-Length: 5\n\n"),
     .body = HTTP1_BODY_LENGTH,
     .reported = BIT(BARE_LF)},
    {.row = "Content-Length with chunked: chunked wins, reported",
     BYTES(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
     .body = HTTP1_BODY_CHUNKED,
     .reported = BIT(LENGTH_CODING)},
    {.row = "chunked in HTTP/1.0: accepted, reported",
     BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
     .body = HTTP1_BODY_CHUNKED,
     .reported = BIT(CODING_10)},
    {.row = "the same length twice: accepted, reported",
     BYTES(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
     .body = HTTP1_BODY_LENGTH,
     .reported = BIT(LENGTH_TWO)},
    {.row = "folded line: accepted, reported",
     BYTES(OK "A: b\r\n c\r\nContent-Length: 5\r\n\r\n"),
     .body = HTTP1_BODY_LENGTH,
     .reported = BIT(FOLDED)},
    {.row = "bad field name, control byte in a value: the field dropped, reported",
     BYTES(OK "A : b\r\nB\x80: c\r\n: d\r\nE: \x01\r\nContent-Length: 5\r\n\r\n"),
     .body = HTTP1_BODY_LENGTH,
     .reported = BIT(NAME_BLANK) | BIT(NAME_TOKEN) | BIT(NAME_EMPTY) | BIT(CONTROL)},
    {.row = "differing or malformed Content-Length: 502",
     BYTES(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
     REFUSED(LENGTH_DIFFERS, 0)},
    {BYTES(OK "Content-Length: 5, 5\r\n\r\n"), REFUSED(LENGTH_BAD, 0)},
    {BYTES(OK "Content-Length: x\r\n\r\n"), REFUSED(LENGTH_BAD, 0)},
    {.row = "other Transfer-Encoding: 502",
     BYTES(OK "Transfer-Encoding: gzip\r\n\r\n"),
     REFUSED(CODING, 0)},
    {.row = "NUL or bare CR in a field: 502", BYTES(OK "A: \0\r\n\r\n"), REFUSED(NUL, 0)},
    {BYTES(OK "A : b\0\r\n\r\n"), REFUSED(NUL, 0)},
    {BYTES(OK "A: b\rc\r\n\r\n"), REFUSED(BARE_CR, 0)},
    {.row = "status line unreadable: 502", BYTES("hello\r\n"), REFUSED(STATUS_LINE, 0)},
    {BYTES("\r\n" OK END), REFUSED(STATUS_LINE, 0)},
    {BYTES("HTTP/1.1 20 OK\r\n\r\n"), REFUSED(STATUS_LINE, 0)},
    {BYTES("HTTP/1.1 2000\r\n\r\n"), REFUSED(STATUS_LINE, 0)},
    {BYTES("HTTP/1.1 099 x\r\n\r\n"), REFUSED(STATUS_LINE, 0)},
    {BYTES("HTTP/2 200 OK\r\n\r\n"), REFUSED(STATUS_LINE, 0)},
};

static void check_case(const struct head_case *row, enum http1_policy policy)
{
    static const char *name;
    name = row->row ? row->row : name;
    struct http1_head head;
    enum http1_progress progress = feed_all_ways(&head, policy, row->bytes, row->len);
    bool same = head.error == row->error && (row->error || head.body == row->body) &&
                (row->error || head.reported == row->reported) &&
                progress == (row->error ? HTTP1_FAILED : HTTP1_DONE) &&
                (row->error || head.len == row->len) &&
                (!row->status || http1_rules[head.error].status == row->status);
    if (!same) {
        fail_msg("%s:\n%s\ngot %d, rule %s, body %d, reported %llx, len %u", name, row->bytes,
                 progress, http1_rules[head.error].name, head.body,
                 (unsigned long long)head.reported, head.len);
    }
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        check_case(&requests[i], HTTP1_CLIENT);
    }
}

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        check_case(&responses[i], HTTP1_APP);
    }
}

// --lenient-http bears with line ends, and with nothing else.
static void test_lenient_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (requests[i].error != HTTP1_RULE_BARE_LF) {
            check_case(&requests[i], HTTP1_CLIENT_LENIENT);
        }
    }
    struct head_case row = {.row = "bare LF under --lenient-http: accepted, reported",
                            BYTES("GET / HTTP/1.1\nHost: a\n\n"),
                            .reported = BIT(BARE_LF)};
    check_case(&row, HTTP1_CLIENT_LENIENT);
}

// Repeats a byte or a line until the wanted size; the head must end exactly at or one over a limit.
static void check_limit(const char *bytes, size_t len, enum http1_policy policy,
                        enum http1_rule error, int status)
{
    struct http1_head head;
    feed_all_ways(&head, policy, bytes, len);
    if (head.error != error || (error && http1_rules[error].status != status)) {
        fail_msg("policy %d, %zu bytes: rule %s, status %d", policy, len,
                 http1_rules[head.error].name, http1_rules[head.error].status);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *before, *unit, *after;
        size_t repeat;
        enum http1_rule error;
        int status;
    } rows[] = {
        {"GET /", "x", " HTTP/1.1\r\n" H END, 8192 - 16, HTTP1_RULE_NONE, 0},
        {"GET /", "x", " HTTP/1.1\r\n" H END, 8192 - 15, HTTP1_RULE_TARGET_LONG, 414},
        {"GET /", "x", "", 8192 - 6, HTTP1_RULE_NONE, 0},          // it may still end
        {"GET /", "x", "", 8192 - 5, HTTP1_RULE_TARGET_LONG, 414}, // it cannot end in time
        {GET H "A: ", "x", END END, 8192 - 5, HTTP1_RULE_NONE, 0},
        {GET H "A: ", "x", END END, 8192 - 4, HTTP1_RULE_LINE_LONG, 431},
        {GET H, "A: b\r\n", END, 99, HTTP1_RULE_NONE, 0},
        {GET H, "A: b\r\n", END, 100, HTTP1_RULE_FIELDS, 431},
        {"GET / HTTP/1.1\nHost: a\nA: ", "x", "\n\n", 8192 - 4, HTTP1_RULE_BARE_LF, 400},
        // an app's single lines are bounded by the head alone, its fields by our memory
        {OK "A: ", "x", END END, 9000, HTTP1_RULE_NONE, 0},
        {OK, "A: b\r\n", END, HTTP1_FIELDS_MAX, HTTP1_RULE_NONE, 0},
        {OK, "A: b\r\n", END, HTTP1_FIELDS_MAX + 1, HTTP1_RULE_FIELDS, 431},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text = {0};
        buf_adds(&text, rows[i].before);
        for (size_t n = 0; n < rows[i].repeat; n++) {
            buf_adds(&text, rows[i].unit);
        }
        buf_adds(&text, rows[i].after);
        if (memcmp(text.data, "HTTP", 4) == 0) {
            check_limit(text.data, text.len, HTTP1_APP, rows[i].error, rows[i].status);
        } else {
            bool borne = rows[i].error == HTTP1_RULE_BARE_LF;
            check_limit(text.data, text.len, HTTP1_CLIENT, rows[i].error, rows[i].status);
            check_limit(text.data, text.len, HTTP1_CLIENT_LENIENT,
                        borne ? HTTP1_RULE_NONE : rows[i].error, rows[i].status);
        }
        buf_release(&text);
    }
}

static void test_head_limit(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        for (int side = 0; side < 2; side++) {
            struct buf text = {0};
            buf_adds(&text, side ? OK : GET H);
            for (int n = 0; n < 9; n++) {
                size_t line = n < 8 ? 8000 : LIMIT_HEADER_TOTAL_BYTES - text.len - 7 + (size_t)over;
                buf_adds(&text, "A: ");
                memset(buf_reserve(&text, line), 'x', line);
                buf_added(&text, line);
                buf_adds(&text, "\r\n");
            }
            buf_adds(&text, "\r\n");
            assert_int_equal(text.len, LIMIT_HEADER_TOTAL_BYTES + over);
            enum http1_rule error = over ? HTTP1_RULE_HEAD_LONG : HTTP1_RULE_NONE;
            check_limit(text.data, text.len, side ? HTTP1_APP : HTTP1_CLIENT, error, 431);
            check_limit(text.data, text.len, side ? HTTP1_APP : HTTP1_CLIENT_LENIENT, error, 431);
            buf_release(&text);
        }
    }
}

static void test_folded_value_spans_lines(void **state)
{
    (void)state;
    static const char text[] = OK "A: b \r\n\t c\r\n  \r\nB: d\r\n\r\n";
    struct http1_head head;
    assert_int_equal(feed_all_ways(&head, HTTP1_APP, text, sizeof text - 1), HTTP1_DONE);
    assert_int_equal(head.field_count, 2);
    assert_true(head.fields[0].folded);
    assert_int_equal(head.fields[0].value.len, strlen("b \r\n\t c"));
    assert_false(head.fields[1].folded);
    static const char late[] = OK "A:\r\n b\r\n\r\n"; // its first line is empty
    assert_int_equal(feed_all_ways(&head, HTTP1_APP, late, sizeof late - 1), HTTP1_DONE);
    assert_int_equal(head.fields[0].value.len, 1);
    assert_int_equal(late[head.fields[0].value.at], 'b');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_responses),
        cmocka_unit_test(test_lenient_client), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_head_limit),     cmocka_unit_test(test_folded_value_spans_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
