// HTTP.md "Fields": what of a head goes on to the other side, and in which words. Each case is read
// again by the lexer: nothing may be left to report, and the framing must be what was meant.
#include "tests/unit/unit.h"

#include "emulator/formats/http1.h"
#include "sandbox/base/cleanup.h"

#define H  "Host: a\r\n"
#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *row; // of HTTP.md
    enum http1_policy policy;
    const char *head, *written;
    struct http1_onward onward;
} rows[] = {
    {"never forwarded, upwards", HTTP1_CLIENT,
     "GET /x HTTP/1.1\r\n" H "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
     "Proxy-Connection: a\r\nTE: gzip\r\nTrailer: b\r\nUpgrade: c\r\nProxy-Authorization: "
     "d\r\n\r\n",
     "GET /x HTTP/1.1\r\n" H "\r\n", .onward = {.own = ""}},
    {"never forwarded, downwards", HTTP1_APP,
     OK "Content-Length: 3\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
        "Proxy-Connection: a\r\nTE: trailers\r\nTrailer: b\r\nUpgrade: c\r\n"
        "Proxy-Authorization: d\r\n\r\n",
     OK "Content-Length: 3\r\n\r\n", .onward = {.body = HTTP1_BODY_LENGTH, .own = ""}},
    {"TE: trailers goes on", HTTP1_CLIENT, "GET / HTTP/1.1\r\n" H "Te: Trailers\r\n\r\n",
     "GET / HTTP/1.1\r\n" H "Te: Trailers\r\n\r\n", .onward = {.own = ""}},
    {"what Connection lists goes, but not what we frame by", HTTP1_CLIENT,
     "POST / HTTP/1.1\r\n" H "Connection: host, content-length, content-type, x\r\nX: 1\r\n"
     "Content-Type: t\r\nContent-Length: 2\r\n\r\n",
     "POST / HTTP/1.1\r\n" H "Content-Type: t\r\nContent-Length: 2\r\n\r\n",
     .onward = {.body = HTTP1_BODY_LENGTH, .own = ""}},
    {"set, replacing what the client sent; X-Forwarded-For unchanged", HTTP1_CLIENT,
     "GET / HTTP/1.1\r\n" H "X-Real-IP: 6\r\nX-Forwarded-Proto: s\r\nForwarded: f\r\n"
     "X-Forwarded-For: 7\r\n\r\n",
     "GET / HTTP/1.1\r\n" H "X-Forwarded-For: 7\r\nX-Real-IP: 1\r\n\r\n",
     .onward = {.without =
                    1u << HTTP1_X_REAL_IP | 1u << HTTP1_X_FORWARDED_PROTO | 1u << HTTP1_FORWARDED,
                .own = "X-Real-IP: 1\r\n"}},
    {"Host untouched", HTTP1_CLIENT, "GET http://A:1/x HTTP/1.1\r\nhOST: a:1\r\n\r\n",
     "GET /x HTTP/1.1\r\nhOST: a:1\r\n\r\n", .onward = {.own = ""}},
    {"1.0 without Host: the target's authority", HTTP1_CLIENT,
     "GET http://b:2?q HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
     "GET /?q HTTP/1.1\r\nHost: b:2\r\n\r\n", .onward = {.own = ""}},
    {"1.0 without Host and authority", HTTP1_CLIENT, "GET / HTTP/1.0\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", .onward = {.own = ""}},
    {"Upgrade when switching, upwards", HTTP1_CLIENT,
     "GET / HTTP/1.1\r\n" H "Connection: keep-alive, Upgrade\r\nUpgrade: ws\r\n\r\n",
     "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: ws\r\n\r\n",
     .onward = {.switching = true, .own = ""}},
    {"Upgrade when switching, downwards", HTTP1_APP,
     "HTTP/1.1 101 S\r\nUpgrade: ws\r\nConnection: Upgrade\r\n\r\n",
     "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n",
     .onward = {.switching = true, .own = ""}},
    {"chunked, upwards", HTTP1_CLIENT,
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n",
     "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
     .onward = {.body = HTTP1_BODY_CHUNKED, .own = ""}},
    {"a length is said in our words", HTTP1_CLIENT,
     "POST / HTTP/1.1\r\n" H "Content-length:\t007 \r\n\r\n",
     "POST / HTTP/1.1\r\n" H "Content-Length: 7\r\n\r\n",
     .onward = {.body = HTTP1_BODY_LENGTH, .own = ""}},
    {"Content-Length: 0 is said", HTTP1_CLIENT, "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n",
     "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", .onward = {.own = ""}},
    {"until close becomes chunked for 1.1", HTTP1_APP, "HTTP/1.0 200 OK\r\nDate: d\r\n\r\n",
     OK "Date: d\r\nTransfer-Encoding: chunked\r\n\r\n",
     .onward = {.body = HTTP1_BODY_CHUNKED, .own = ""}},
    {"and stays so for 1.0", HTTP1_APP, OK "Transfer-Encoding: chunked\r\n\r\n",
     OK "Connection: close\r\n\r\n",
     .onward = {.body = HTTP1_BODY_UNTIL_CLOSE, .own = "Connection: close\r\n"}},
    {"chunked wins, the length is dropped", HTTP1_APP,
     OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     OK "Transfer-Encoding: chunked\r\n\r\n", .onward = {.body = HTTP1_BODY_CHUNKED, .own = ""}},
    {"the same length twice", HTTP1_APP, OK "Content-Length: 5\r\nContent-Length: 05\r\n\r\n",
     OK "Content-Length: 5\r\n\r\n", .onward = {.body = HTTP1_BODY_LENGTH, .own = ""}},
    {"204 has no body whatever it claims", HTTP1_APP, "HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n",
     "HTTP/1.1 204 N\r\n\r\n", .onward = {.own = ""}},
    {"304 may say the length", HTTP1_APP, "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
     "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", .onward = {.own = ""}},
    {"1xx has neither", HTTP1_APP, "HTTP/1.1 103 E\r\nContent-Length: 5\r\nLink: l\r\n\r\n",
     "HTTP/1.1 103 E\r\nLink: l\r\n\r\n", .onward = {.own = ""}},
    {"bare LF, folded, a bad name, a control byte: normalised", HTTP1_APP,
     "HTTP/1.1 200\nA: b \n\t c\nB : x\nC: \x01\nServer: s\n\n",
     "HTTP/1.1 200 \r\nA: b  \t c\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n",
     .onward = {.body = HTTP1_BODY_CHUNKED, .own = ""}},
    {"a 1.0 request of a lenient gateway", HTTP1_CLIENT_LENIENT, "GET / HTTP/1.1\nHost: a\n\n",
     "GET / HTTP/1.1\r\nHost: a\r\n\r\n", .onward = {.own = ""}},
};

static void read_again(const char *row, enum http1_policy policy, const struct http1_onward *onward,
                       const char *bytes, size_t len)
{
    struct http1_head again;
    http1_head_init(&again, policy == HTTP1_APP ? HTTP1_APP : HTTP1_CLIENT, false);
    enum http1_progress progress = http1_head_feed(&again, bytes, len);
    if (progress != HTTP1_DONE || again.len != len || again.reported ||
        (again.body == HTTP1_BODY_CHUNKED) != (onward->body == HTTP1_BODY_CHUNKED)) {
        fail_msg("%s: read again: rule %s, body %d", row, http1_rules[again.error].name,
                 again.body);
    }
}

static void test_each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http1_head head;
        http1_head_init(&head, rows[i].policy, false);
        if (http1_head_feed(&head, rows[i].head, strlen(rows[i].head)) != HTTP1_DONE) {
            fail_msg("%s: %s", rows[i].row, http1_rules[head.error].name);
        }
        size_t room = http1_write_room(&head, rows[i].onward.own);
        auto_free char *out = calloc(1, room + 1); // the last byte is for the comparison alone
        size_t len = http1_write(&head, rows[i].head, &rows[i].onward, out);
        assert_in_range(len, 1, room);
        if (strcmp(out, rows[i].written) != 0) {
            fail_msg("%s: wrote\n%s", rows[i].row, out);
        }
        read_again(rows[i].row, rows[i].policy, &rows[i].onward, out, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row),
    };
    return cmocka_run_group_tests_name("http1_write", tests, NULL, NULL);
}
