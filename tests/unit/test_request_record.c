// The log of requests: what goes in comes out, the oldest go when room is wanted, secrets are
// masked, and what crosses the socket is read as it was written.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/control/request_wire.h"
#include "emulator/requests/mask.h"
#include "emulator/requests/record.h"
#include "sandbox/base/base64.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"

static struct request_bytes bytes_of(const char *text)
{
    return (struct request_bytes){text, strlen(text), strlen(text)};
}

static struct request_record simple(const char *target, const char *body)
{
    return (struct request_record){
        .method = "POST",
        .target = target,
        .instance = "web1",
        .status = 200,
        .request_head = bytes_of("POST / HTTP/1.1\r\nHost: app.example:3000 \r\n\r\n"),
        .request_body = bytes_of(body),
        .response_head = bytes_of("HTTP/1.1 200 OK\r\n\r\n"),
        .response_body = {"a\0b", 3, 10},
    };
}

static void test_round_trip(void **unused)
{
    (void)unused;
    struct request_log *log = request_log_new(1 << 20);
    uint64_t first, last;
    request_log_range(log, &first, &last);
    assert_true(first > last);
    assert_null(request_log_get(log, 1));
    struct request_record record = simple("/a?b", "hello");
    const struct request_record *added = request_log_add(log, &record);
    assert_int_equal(added->id, 1);
    assert_ptr_equal(request_log_get(log, 1), added);
    assert_string_equal(added->method, "POST");
    assert_string_equal(added->target, "/a?b");
    assert_string_equal(added->host, "app.example:3000");
    assert_string_equal(added->rule, ""); // was NULL
    assert_string_equal(added->request_body.bytes, "hello");
    assert_memory_equal(added->response_body.bytes, "a\0b", 4);
    assert_int_equal(added->response_body.total, 10);
    assert_true(request_is_whole(added));
    record.request_body.total++;
    assert_false(request_is_whole(request_log_add(log, &record)));
    request_log_free(log);
}

// Whatever the sizes: what is there is whole, ids have no gaps, and the area is what bounds it.
static void test_bounds(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {3000, 20000, 70000, 300000};
    char body[8192];
    memset(body, 'x', sizeof body);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct request_log *log = request_log_new(sizes[s]);
        unsigned seed = (unsigned)s + 1;
        for (uint64_t id = 1; id <= 3000; id++) {
            seed = seed * 1103515245 + 12345;
            char target[32];
            snprintf(target, sizeof target, "/%llu", (unsigned long long)id);
            struct request_record record = simple(target, "");
            size_t len = (seed >> 8) % (sizes[s] / 2 < sizeof body ? sizes[s] / 2 : sizeof body);
            record.request_body = (struct request_bytes){body, len, len};
            assert_non_null(request_log_add(log, &record));
            uint64_t first, last;
            request_log_range(log, &first, &last);
            assert_int_equal(last, id);
            assert_true(first >= 1 && first <= last);
            size_t held = 0;
            for (uint64_t at = first; at <= last; at++) {
                const struct request_record *kept = request_log_get(log, at);
                snprintf(target, sizeof target, "/%llu", (unsigned long long)at);
                assert_int_equal(kept->id, at);
                assert_string_equal(kept->target, target);
                assert_string_equal(kept->host, "app.example:3000");
                assert_int_equal(kept->request_body.bytes[kept->request_body.len], 0);
                held += kept->request_body.len;
            }
            assert_true(held < sizes[s]);
            assert_null(request_log_get(log, first - 1));
            assert_null(request_log_get(log, last + 1));
        }
        request_log_free(log);
    }
    // Larger than all the room there is: it is counted, and what was there has gone.
    struct request_log *log = request_log_new(1000);
    struct request_record record = simple("/", "");
    record.request_body = (struct request_bytes){body, sizeof body, sizeof body};
    assert_null(request_log_add(log, &record));
    uint64_t first, last;
    request_log_range(log, &first, &last);
    assert_int_equal(last, 1);
    assert_int_equal(first, 2);
    record = simple("/", "");
    assert_non_null(request_log_add(log, &record));
    request_log_free(log);
}

static void test_count_is_bounded_too(void **unused)
{
    (void)unused;
    struct request_log *log = request_log_new(REQUEST_LOG_BYTES);
    for (int i = 0; i < 10000; i++) {
        const struct request_record tiny = {.method = "GET"};
        assert_non_null(request_log_add(log, &tiny));
    }
    uint64_t first, last;
    request_log_range(log, &first, &last);
    assert_int_equal(last, 10000);
    assert_int_equal(last + 1 - first, 2048);
    request_log_free(log);
}

static void test_fields(void **unused)
{
    (void)unused;
    static const struct {
        const char *head, *name, *value; // NULL: there is none
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nX-Y:  b c \t\r\n\r\n", "x-y", "b c"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "hos", NULL},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "host", ""},
        {"GET / HTTP/1.1\nHost: bare\n\n", "Host", "bare"},
        {"host: not a field, but the first line", "x", NULL},
        {"", "host", NULL},
        {"GET / HTTP/1.1\r\nHost", "host", NULL},
        {"GET / HTTP/1.1\r\nHost: cut", "host", "cut"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_bytes head = bytes_of(rows[i].head);
        struct request_bytes value;
        assert_int_equal(request_head_field(&head, rows[i].name, &value), rows[i].value != NULL);
        if (rows[i].value) {
            assert_int_equal(value.len, strlen(rows[i].value));
            assert_memory_equal(value.bytes, rows[i].value, value.len);
        }
    }
}

static void test_masks(void **unused)
{
    (void)unused;
    static const char *const secret[] = {
        "Authorization", "cookie",      "Set-Cookie", "X-LC-Key",     "x-lc-session",
        "X-LC-Sign",     "X-Api-Token", "password",   "sessionToken", "Proxy-Authorization"};
    static const char *const shown[] = {
        "Host", "X-LC-Id", "User-Agent", "Content-Type", "keyboard", "Accept", ""};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        if (!mask_is_secret(secret[i], strlen(secret[i]))) {
            fail_msg("%s is shown", secret[i]);
        }
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (mask_is_secret(shown[i], strlen(shown[i]))) {
            fail_msg("%s is masked", shown[i]);
        }
    }
    static const struct {
        const char *before, *after;
    } heads[] = {
        {"GET /?a=1&token=abc HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n  folded\r\nX: y\r\n\r\n",
         "GET /?a=1&token=*** HTTP/1.1\r\nHost: a\r\nCookie: ***\r\nX: y\r\n\r\n"},
        {"GET / HTTP/1.1\r\nAuthorization:Basic eDp5\r\n\r\n",
         "GET / HTTP/1.1\r\nAuthorization: ***\r\n\r\n"},
        {"GET /cookie: HTTP/1.1\r\n", "GET /cookie: HTTP/1.1\r\n"},
        {"", ""},
        {"half a line", "half a line"},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t len;
        auto_free char *masked = mask_head(heads[i].before, strlen(heads[i].before), &len);
        assert_string_equal(masked, heads[i].after);
        assert_int_equal(len, strlen(masked));
    }
    static const struct {
        const char *before, *after;
    } targets[] = {
        {"/a", "/a"},
        {"/a?", "/a?"},
        {"/a?password=x", "/a?password=***"},
        {"/a?x=1&password=&y", "/a?x=1&password=***&y"},
        {"/a?token", "/a?token"},
        {"/a?token=1#token=2", "/a?token=***#token=2"},
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        auto_free char *masked = mask_target(targets[i].before);
        assert_string_equal(masked, targets[i].after);
    }
}

// Whatever stands in a head: no byte of it is read beyond its end, and what is masked is no longer
// there.
static void test_masks_of_any_bytes(void **unused)
{
    (void)unused;
    static const char pieces[] = "GET / HTTP\r\n:?&=;#Cookie:sid token\t\0\xff";
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char head[64];
        size_t len = (size_t)round % sizeof head;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            head[i] = pieces[(seed >> 16) % (sizeof pieces - 1)];
        }
        char *exact = mem_alloc(len ? len : 1);
        memcpy(exact, head, len);
        size_t masked_len;
        auto_free char *masked = mask_head(exact, len, &masked_len);
        struct request_bytes bytes = {exact, len, len};
        struct request_bytes value;
        if (request_head_field(&bytes, "cookie", &value)) {
            assert_true(value.bytes >= exact && value.bytes + value.len <= exact + len);
        }
        auto_free char *target = str_dup_len(exact, strnlen(exact, len));
        auto_free char *masked_target = mask_target(target);
        free(exact);
    }
    char *line = str_dup("GET / HTTP/1.1\r\nCookie: sid=tops3cret; token=tops3cret\r\n\r\n");
    size_t len;
    auto_free char *masked = mask_head(line, strlen(line), &len);
    assert_null(strstr(masked, "tops3cret"));
    free(line);
}

static void test_wire(void **unused)
{
    (void)unused;
    const struct request_summary before = {.id = 7,
                                           .replay_of = 3,
                                           .wall_ms = 1795342531042,
                                           .first_byte_us = 11,
                                           .total_us = 12,
                                           .request_size = 13,
                                           .response_size = (int64_t)1 << 55,
                                           .status = 404,
                                           .retries = 2,
                                           .method = "PUT",
                                           .target = "/\xe4\xbd\xa0",
                                           .host = "h",
                                           .instance = "web1",
                                           .rule = "P-150",
                                           .reason = "because",
                                           .client = "127.0.0.1"};
    struct cJSON *tree = request_summary_encode(&before);
    json_put_tree(tree, "request_head", request_part_encode("GET", 3, 3));
    json_put_tree(tree, "request_body", request_part_encode("a\0\xff", 3, 9));
    json_put_tree(tree, "response_body", request_part_encode("", 0, 5));
    auto_free char *text = json_print(tree);
    json_free(tree);
    tree = json_parse(text, strlen(text), "wire", NULL);
    struct request_detail detail;
    assert_true(request_detail_decode(tree, &detail));
    assert_memory_equal(&detail.summary, &before, sizeof before);
    assert_string_equal(detail.request_head.bytes, "GET");
    assert_int_equal(detail.request_body.len, 3);
    assert_memory_equal(detail.request_body.bytes, "a\0\xff", 4);
    assert_int_equal(detail.request_body.size, 9);
    assert_null(detail.response_head.bytes);
    assert_int_equal(detail.response_body.size, 5);
    request_detail_release(&detail);
    json_free(tree);
}

static void test_base64(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes, *text;
    } rows[] = {// RFC 4648 §10
                {"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len;
        auto_free char *text = base64_encode(rows[i].bytes, strlen(rows[i].bytes));
        auto_free char *bytes = base64_decode(rows[i].text, &len);
        assert_string_equal(text, rows[i].text);
        assert_string_equal(bytes, rows[i].bytes);
        assert_int_equal(len, strlen(rows[i].bytes));
    }
    static const char *const wrong[] = {"Z", "Zg", "Zg=", "Z===", "Zg==Zg==", "Z g=", "=", "===="};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t len;
        auto_free char *bytes = base64_decode(wrong[i], &len);
        if (bytes) {
            fail_msg("\"%s\" was read", wrong[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_count_is_bounded_too),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_masks_of_any_bytes),
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
