// Chunked bodies, row by row of HTTP.md: each case is read whole, in two parts at every place, and
// byte by byte; the result must be the same.
#include "tests/unit/unit.h"

#include "emulator/formats/http1.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"

#define BYTES(text) .bytes = text, .len = sizeof text - 1
#define BOTH(r)     .client = HTTP1_RULE_##r, .app = HTTP1_RULE_##r

struct chunk_case {
    const char *row; // of HTTP.md; NULL: as the case before it
    const char *bytes;
    size_t len;
    enum http1_rule client, app; // what it fails with
    const char *data;            // when it does not
    size_t rest;                 // bytes behind the end
};

static const struct chunk_case chunk_cases[] = {
    {.row = "chunks; trailers are dropped", BYTES("0\r\n\r\n"), .data = ""},
    {BYTES("5\r\nhello\r\n0\r\n\r\nGET"), .data = "hello", .rest = 3},
    {BYTES("a\r\n0123456789\r\nB\r\n0123456789a\r\n000\r\n\r\n"), .data = "01234567890123456789a"},
    {BYTES("2;x=\"y\"\r\nab\r\n0;z\r\nA: b\r\nC:\r\n\r\n"), .data = "ab"},
    {.row = "chunk size 5x, 0x5, overflow, sign, blank inside",
     BYTES("5x\r\nhello\r\n0\r\n\r\n"),
     BOTH(CHUNK_SIZE)},
    {BYTES("0x5\r\nhello\r\n0\r\n\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES("+5\r\nhello\r\n0\r\n\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES("-5\r\nhello\r\n0\r\n\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES("\r\nhello\r\n0\r\n\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES(" 5\r\nhello\r\n0\r\n\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES("1 1\r\nhello\r\n0\r\n\r\n"), .client = HTTP1_RULE_CHUNK_BLANK,
     .app = HTTP1_RULE_CHUNK_SIZE},
    {BYTES("5 \r\nhello\r\n0\r\n\r\n"), .client = HTTP1_RULE_CHUNK_BLANK, .data = "hello"},
    {BYTES("8000000000000000\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES("10000000000000005\r\n"), BOTH(CHUNK_SIZE)},
    {BYTES("00000000000000005\r\n"), BOTH(CHUNK_SIZE)},
    {.row = "chunk garbage", BYTES("5\r\nhelloX\n0\r\n\r\n"), BOTH(CHUNK_END)},
    {BYTES("5\r\nhello\rX0\r\n\r\n"), BOTH(CHUNK_END)},
    {.row = "bare LF as line end",
     BYTES("5\nhello\n0\n\n"),
     .client = HTTP1_RULE_BARE_LF,
     .data = "hello"},
    {BYTES("5\r\nhello\n0\r\n\r\n"), .client = HTTP1_RULE_BARE_LF, .data = "hello"},
    {BYTES("5;a\nhello\r\n0\r\n\r\n"), .client = HTTP1_RULE_BARE_LF, .data = "hello"},
    {.row = "bare CR", BYTES("5\rhello\r\n0\r\n\r\n"), BOTH(BARE_CR)},
    {BYTES("5;a\rb\r\nhello\r\n0\r\n\r\n"), BOTH(BARE_CR)},
    {.row = "chunk extension with a control byte",
     BYTES("2;a\x01"
           "b\r\nab\r\n0\r\n\r\n"),
     .client = HTTP1_RULE_CHUNK_EXT_BYTE,
     .data = "ab"},
    {BYTES("2;a\x7f\r\nab\r\n0\r\n\r\n"), .client = HTTP1_RULE_CHUNK_EXT_BYTE, .data = "ab"},
    {BYTES("2;a\0\r\nab\r\n0\r\n\r\n"), BOTH(NUL)},
    {BYTES("0\r\nA: \0\r\n\r\n"), BOTH(NUL)},
    {.row = "trailers that are none",
     BYTES("0\r\nA b\r\n\r\n"),
     .client = HTTP1_RULE_TRAILER,
     .data = ""},
    {BYTES("0\r\nA: b\r\n c\r\n\r\n"), .client = HTTP1_RULE_TRAILER, .data = ""},
    {BYTES("0\r\nA: \x01\r\n\r\n"), .client = HTTP1_RULE_TRAILER, .data = ""},
    {BYTES("0\r\nA: b\n\r\n"), .client = HTTP1_RULE_BARE_LF, .data = ""},
    {BYTES("0\r\n\rX"), BOTH(BARE_CR)},
};

static enum http1_progress decode(struct http1_chunks *chunks, const char *bytes, size_t len,
                                  size_t first, size_t step, struct buf *data, size_t *ret_used)
{
    enum http1_progress progress = HTTP1_MORE;
    size_t at = 0;
    for (size_t end = first; progress == HTTP1_MORE; end += step) {
        size_t limit = end < len ? end : len;
        while (at < limit && progress == HTTP1_MORE) {
            size_t skip, got;
            progress = http1_chunks_feed(chunks, bytes + at, limit - at, &skip, &got);
            buf_add(data, bytes + at + skip, got);
            assert_true(skip + got > 0);
            at += skip + got;
        }
        if (limit == len) {
            break;
        }
    }
    *ret_used = at;
    return progress;
}

static void check_chunks(const struct chunk_case *row, enum http1_policy policy)
{
    static const char *name;
    name = row->row ? row->row : name;
    // --lenient-http bears with line ends, and with nothing else.
    bool borne = policy == HTTP1_CLIENT_LENIENT && row->client == HTTP1_RULE_BARE_LF;
    enum http1_rule want = policy == HTTP1_APP || borne ? row->app : row->client;
    for (size_t split = 0; split <= row->len + 1; split++) {
        bool bytewise = split == row->len + 1;
        struct http1_chunks chunks;
        struct buf data = {0};
        size_t used;
        http1_chunks_init(&chunks, policy);
        buf_adds(&data, "");
        enum http1_progress progress = decode(&chunks, row->bytes, row->len, bytewise ? 0 : split,
                                              bytewise ? 1 : row->len, &data, &used);
        if (chunks.error != want || (want && http1_rules[want].status != 400) ||
            progress != (want ? HTTP1_FAILED : HTTP1_DONE) ||
            (!want && (strcmp(data.data, row->data) != 0 || row->len - used != row->rest))) {
            fail_msg("%s:\n%s\nsplit %zu policy %d: progress %d, rule %s, data \"%s\"", name,
                     row->bytes, split, policy, progress, http1_rules[chunks.error].name,
                     data.data);
        }
        buf_release(&data);
    }
}

static void test_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(chunk_cases); i++) {
        check_chunks(&chunk_cases[i], HTTP1_CLIENT);
        check_chunks(&chunk_cases[i], HTTP1_CLIENT_LENIENT);
        check_chunks(&chunk_cases[i], HTTP1_APP);
    }
}

static void test_chunk_extensions_are_bounded_in_all(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct buf text = {0};
        for (int n = 0; n < 8; n++) {
            buf_adds(&text, "1;");
            size_t len = 128 + (size_t)(n == 7 ? over : 0);
            memset(buf_reserve(&text, len), 'e', len);
            buf_added(&text, len);
            buf_adds(&text, "\r\nx\r\n");
        }
        buf_adds(&text, "0\r\n\r\n");
        struct chunk_case row = {
            .row = "chunk extension over 1 K in all",
            .bytes = text.data,
            .len = text.len,
            .client = over ? HTTP1_RULE_CHUNK_EXT : HTTP1_RULE_NONE,
            .app = over ? HTTP1_RULE_CHUNK_EXT : HTTP1_RULE_NONE,
            .data = "xxxxxxxx",
        };
        for (int policy = 0; policy < HTTP1_POLICY__COUNT; policy++) {
            check_chunks(&row, (enum http1_policy)policy);
        }
        buf_release(&text);
    }
}

static void check_trailers(const struct buf *text, enum http1_policy policy, bool over)
{
    struct http1_chunks chunks;
    struct buf data = {0};
    size_t used;
    http1_chunks_init(&chunks, policy);
    decode(&chunks, text->data, text->len, text->len, 1, &data, &used);
    assert_int_equal(chunks.error, over ? HTTP1_RULE_TRAILER_LONG : HTTP1_RULE_NONE);
    assert_true(!over || http1_rules[chunks.error].status == 431);
    buf_release(&data);
}

static void test_trailers_are_bounded(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct buf text = {0};
        // What counts: the line without its LF, and the CR of the line that ends them all.
        size_t filling = (size_t)LIMIT_HEADER_TOTAL_BYTES - strlen("A:\r\r") + (size_t)over;
        buf_adds(&text, "0\r\nA:");
        memset(buf_reserve(&text, filling), 'x', filling);
        buf_added(&text, filling);
        buf_adds(&text, "\r\n\r\n");
        for (int policy = 0; policy < HTTP1_POLICY__COUNT; policy++) {
            check_trailers(&text, (enum http1_policy)policy, over);
        }
        buf_release(&text);
    }
}

// What is written is read again: sizes of all lengths, and the end.
static void test_written(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *size;
    } rows[] = {{0, "0"}, {1, "1"}, {15, "f"}, {16, "10"}, {255, "ff"}, {4096, "1000"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char bytes[4096], out[4096 + HTTP1_CHUNK_FRAME], wanted[16];
        memset(bytes, 'x', sizeof bytes);
        size_t len = http1_write_chunk(bytes, rows[i].len, out);
        int head = snprintf(wanted, sizeof wanted, "%s\r\n", rows[i].size);
        assert_int_equal(len, (size_t)head + rows[i].len + 2);
        assert_memory_equal(out, wanted, (size_t)head);
        assert_memory_equal(out + len - 2, "\r\n", 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunk_extensions_are_bounded_in_all),
        cmocka_unit_test(test_trailers_are_bounded),
        cmocka_unit_test(test_written),
    };
    return cmocka_run_group_tests_name("http1_chunks", tests, NULL, NULL);
}
