// What the gateway compresses, what it leaves alone, and that what it compresses is the same text.
#include "emulator/gateway/internal.h"
#include "tests/unit/gateway_world.h"

#include <zlib.h>

#define ASK  "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
#define LONG 1024

// The body behind a head, without chunks' framing.
static void take_chunks(const char *body, const char *end, struct buf *into)
{
    while (body < end) {
        char *data;
        size_t len = strtoul(body, &data, 16);
        if (len == 0) {
            return;
        }
        assert_true(data + 2 + len <= end);
        buf_add(into, data + 2, len);
        body = data + 2 + len + 2;
    }
}

// As much as can be read of it by now.
static void unzip(const struct buf *packed, struct buf *into)
{
    z_stream stream = {.next_in = (Bytef *)packed->data, .avail_in = (uInt)packed->len};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    int result = Z_OK;
    while (result == Z_OK) {
        char text[4096];
        stream.next_out = (Bytef *)text;
        stream.avail_out = sizeof text;
        result = inflate(&stream, Z_SYNC_FLUSH);
        buf_add(into, text, sizeof text - stream.avail_out);
        if (stream.avail_in == 0 && stream.avail_out) {
            break;
        }
    }
    inflateEnd(&stream);
    assert_true(result == Z_OK || result == Z_STREAM_END);
}

static void decode(const struct buf *answer, struct buf *into)
{
    const char *body = strstr(answer->data, "\r\n\r\n");
    assert_non_null(body);
    struct buf packed = {0};
    take_chunks(body + 4, answer->data + answer->len, &packed);
    buf_adds(into, "");
    if (packed.len) {
        unzip(&packed, into);
    }
    buf_release(&packed);
}

static void fill(char *text, size_t len)
{
    static const char words[] = "the quick brown fox ";
    for (size_t i = 0; i < len; i++) {
        text[i] = words[(i * 7 + i / 13) % (sizeof words - 1)];
    }
    text[len] = '\0';
}

// One exchange on fresh connections; the answer up to `tail`.
static void exchange(struct world *w, const char *request, const char *head, const char *body,
                     size_t body_len, const char *tail, struct buf *ret_answer)
{
    gateway_set_upstreams(w->gateway, NULL, 0);
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    int c = client(w);
    say(w, c, request);
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    say(w, u, head);
    say_bytes(w, u, body, body_len);
    buf_release(ret_answer);
    buf_adds(ret_answer, "");
    size_t len = strlen(tail);
    WAIT(w, (drink(c, ret_answer),
             ret_answer->len >= len &&
                 memcmp(ret_answer->data + ret_answer->len - len, tail, len) == 0));
    shut(w, c);
    shut(w, u);
    step(w);
}

#define TEXT_PLAIN "Content-Type: text/plain; charset=utf-8\r\n"

static void test_what_is_compressed(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *accept, *fields;
        size_t length;
        bool packed, varies;
    } rows[] = {
        {"gzip", TEXT_PLAIN, LONG, true, true},
        {"br, GZIP;q=0.5", "Content-Type: application/json\r\n", LONG, true, true},
        {"x-gzip", "Content-Type: Text/HTML\r\n", LONG, true, true},
        {"*", "Content-Type: image/svg+xml\r\n", LONG, true, true},
        {"deflate, *;q=0.1", "Content-Type: application/ld+json; a=b\r\n", LONG, true, true},
        {"gzip", "Content-Type: application/javascript\r\n", LONG, true, true},
        // not asked for
        {"", TEXT_PLAIN, LONG, false, true},
        {"br, deflate", TEXT_PLAIN, LONG, false, true},
        {"gzip;q=0", TEXT_PLAIN, LONG, false, true},
        {"gzip; q=0.000, *", TEXT_PLAIN, LONG, false, true},
        {"*;q=0", TEXT_PLAIN, LONG, false, true},
        {"gzipped, notgzip", TEXT_PLAIN, LONG, false, true},
        // not worth it, or not ours to change
        {"gzip", TEXT_PLAIN, LONG - 1, false, false},
        {"gzip", "", LONG, false, false},
        {"gzip", "Content-Type: image/png\r\n", LONG, false, false},
        {"gzip", "Content-Type: application/octet-stream\r\n", LONG, false, false},
        {"gzip", "Content-Type: text/event-stream\r\n", LONG, false, false},
        {"gzip", TEXT_PLAIN "Content-Encoding: br\r\n", LONG, false, false},
        {"gzip", TEXT_PLAIN "Cache-Control: max-age=1\r\nCache-Control: public, No-Transform\r\n",
         LONG, false, false},
        {"gzip", TEXT_PLAIN "Content-Range: bytes 0-1023/4096\r\n", LONG, false, false},
    };
    char body[LONG + 1];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char request[256], head[512];
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n%s%s%s\r\n",
                 *rows[i].accept ? "Accept-Encoding: " : "", rows[i].accept,
                 *rows[i].accept ? "\r\n" : "");
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n",
                 rows[i].fields, rows[i].length);
        fill(body, rows[i].length);
        struct buf answer = {0}, text = {0};
        exchange(w, request, head, body, rows[i].length,
                 rows[i].packed ? "\r\n0\r\n\r\n" : body + rows[i].length - 20, &answer);
        bool packed = strstr(answer.data, "Content-Encoding: gzip\r\n") != NULL;
        bool varies = strstr(answer.data, "Vary: Accept-Encoding\r\n") != NULL;
        if (packed != rows[i].packed || varies != rows[i].varies) {
            fail_msg("row %zu: %.300s", i, answer.data);
        }
        if (packed) {
            assert_has_not(answer.data, "Content-Length");
            assert_has(answer.data, "Transfer-Encoding: chunked\r\n");
            decode(&answer, &text);
            assert_string_equal(text.data, body);
            assert_true(answer.len < 600);
        }
        buf_release(&answer);
        buf_release(&text);
    }
}

// Who speaks 1.0 gets it plain, and so does who asks for the head alone.
static void test_what_never_is(void **state)
{
    struct world *w = *state;
    char body[LONG + 1];
    fill(body, LONG);
    struct buf answer = {0};
    exchange(w, "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n",
             "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "Content-Length: 1024\r\n\r\n", body, LONG,
             body + LONG - 20, &answer);
    assert_has(answer.data, "Content-Length: 1024\r\n");
    exchange(w, "HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
             "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "Content-Length: 1024\r\n\r\n", "", 0, "\r\n\r\n",
             &answer);
    assert_has(answer.data, "Content-Length: 1024\r\n");
    assert_has(answer.data, "Vary: Accept-Encoding\r\n");
    assert_has_not(answer.data, "Content-Encoding");
    exchange(w, ASK, "HTTP/1.1 206 Part\r\n" TEXT_PLAIN "Content-Length: 1024\r\n\r\n", body, LONG,
             body + LONG - 20, &answer);
    assert_has_not(answer.data, "Content-Encoding");
    exchange(w, ASK, "HTTP/1.1 304 Not\r\n" TEXT_PLAIN "ETag: \"x\"\r\n\r\n", "", 0, "\r\n\r\n",
             &answer);
    assert_has(answer.data, "ETag: \"x\"\r\n");
    buf_release(&answer);
}

static void test_what_the_head_says(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *fields, *has, *has_not;
    } rows[] = {
        {"ETag: \"v1\"\r\n", "ETag: W/\"v1\"\r\n", "ETag: \"v1\""},
        {"ETag: W/\"v1\"\r\n", "ETag: W/\"v1\"\r\n", "W/W/"},
        {"Accept-Ranges: bytes\r\n", "HTTP/1.1 200 OK\r\n", "Accept-Ranges"},
        {"Vary: Cookie\r\n", "Vary: Cookie\r\n", "nothing"},
        {"Vary: cookie, accept-encoding\r\n", "Vary: cookie", "Vary: Accept-Encoding"},
        {"Vary: *\r\n", "Vary: *\r\n", "Vary: Accept-Encoding"},
    };
    char body[LONG + 1];
    fill(body, LONG);
    struct buf answer = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char head[256];
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "%sContent-Length: 1024\r\n\r\n", rows[i].fields);
        exchange(w, ASK, head, body, LONG, "\r\n0\r\n\r\n", &answer);
        assert_has(answer.data, rows[i].has);
        assert_has_not(answer.data, rows[i].has_not);
    }
    buf_release(&answer);
}

// A megabyte that hardly compresses, and one that vanishes; in all three framings.
static void test_much_of_it(void **state)
{
    struct world *w = *state;
    enum { TOTAL = 1 << 20 };
    static char body[TOTAL + 1], chunked[TOTAL + 64];
    for (int kind = 0; kind < 2; kind++) {
        uint32_t seed = 1;
        for (size_t i = 0; i < TOTAL; i++) {
            seed = seed * 1664525 + 1013904223;
            body[i] = kind ? 'a' : (char)('!' + (seed >> 24) % 90);
        }
        int chunked_len = snprintf(chunked, sizeof chunked, "%x\r\n%s\r\n0\r\n\r\n", TOTAL, body);
        struct buf answer = {0}, text = {0};
        exchange(w, ASK, "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "Content-Length: 1048576\r\n\r\n", body,
                 TOTAL, "\r\n0\r\n\r\n", &answer);
        decode(&answer, &text);
        assert_int_equal(text.len, TOTAL);
        assert_memory_equal(text.data, body, TOTAL);
        buf_release(&text);
        exchange(w, ASK, "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "Transfer-Encoding: chunked\r\n\r\n",
                 chunked, (size_t)chunked_len, "\r\n0\r\n\r\n", &answer);
        decode(&answer, &text);
        assert_int_equal(text.len, TOTAL);
        assert_memory_equal(text.data, body, TOTAL);
        buf_release(&text);
        buf_release(&answer);
    }
    assert_int_equal(w->gateway->gzip_streams, 0);
}

// Until the app closes: what has come so far can be read at once, the end is the end, and an app
// that dies is not taken for one that has ended.
static void test_as_it_comes(void **state)
{
    struct world *w = *state;
    static const char *const framings[] = {"", "Transfer-Encoding: chunked\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(framings); i++) {
        int c = client(w);
        say(w, c, ASK);
        int u = accept_upstream(w, 0);
        hear(w, u, "\r\n\r\n");
        char head[128];
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "%s\r\n%s", framings[i],
                 i ? "5\r\nfirst\r\n" : "first");
        say(w, u, head);
        struct buf answer = {0}, text = {0};
        WAIT(w, (drink(c, &answer), answer.len && strstr(answer.data, "\r\n\r\n") &&
                                        (buf_release(&text), decode(&answer, &text),
                                         strcmp(text.data, "first") == 0)));
        say(w, u, i ? "6\r\nsecond\r\n" : "second");
        WAIT(w, (drink(c, &answer), buf_release(&text), decode(&answer, &text),
                 strcmp(text.data, "firstsecond") == 0));
        shut(w, u);
        int end = END_NONE;
        WAIT(w, (end = drink(c, &answer),
                 end || memcmp(answer.data + answer.len - 5, "0\r\n\r\n", 5) == 0));
        bool whole = memcmp(answer.data + answer.len - 5, "0\r\n\r\n", 5) == 0;
        assert_int_equal(whole, i == 0); // what is chunked has an end of its own
        buf_release(&answer);
        buf_release(&text);
        shut(w, c);
    }
}

static void test_only_so_many_at_a_time(void **state)
{
    struct world *w = *state;
    struct gateway_gzip *taken[65];
    size_t count = 0;
    while (count < ARRAY_LEN(taken) && (taken[count] = gateway_gzip_new(w->gateway))) {
        count++;
    }
    assert_int_equal(count, 64);
    char body[LONG + 1];
    fill(body, LONG);
    struct buf answer = {0};
    exchange(w, ASK, "HTTP/1.1 200 OK\r\n" TEXT_PLAIN "Content-Length: 1024\r\n\r\n", body, LONG,
             body + LONG - 20, &answer);
    assert_has(answer.data, "Content-Length: 1024\r\n");
    assert_has_not(answer.data, "Content-Encoding");
    while (count) {
        gateway_gzip_free(w->gateway, taken[--count]);
    }
    buf_release(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_what_is_compressed), ONE(test_what_never_is), ONE(test_what_the_head_says),
        ONE(test_much_of_it),         ONE(test_as_it_comes),   ONE(test_only_so_many_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
