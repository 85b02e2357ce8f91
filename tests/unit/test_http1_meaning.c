// What a head that was read means to a gateway: its fields, whether the connection stays, lists.
#include "tests/unit/unit.h"

#include "emulator/formats/http1.h"
#include "sandbox/base/cleanup.h"

#define H   "Host: a\r\n"
#define END "\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define OK  "HTTP/1.1 200 OK\r\n"

static enum http1_progress feed(struct http1_head *head, enum http1_policy policy,
                                const char *bytes, size_t len)
{
    http1_head_init(head, policy, false);
    return http1_head_feed(head, bytes, len);
}

static void test_fields(void **state)
{
    (void)state;
    static const char text[] =
        "GET http://a:1?q HTTP/1.1\r\nhOST: a:1\r\nConnection: close, X-Hop ,upgrade\r\n"
        "X-Hop: 1\r\nUpgrade: WebSocket\r\nExpect: 100-Continue\r\nX-Empty:\r\n\r\nrest";
    struct http1_head head;
    assert_int_equal(feed(&head, HTTP1_CLIENT, text, sizeof text - 1), HTTP1_DONE);
    assert_int_equal(head.len, sizeof text - 1 - 4);
    assert_int_equal(head.field_count, 6);
    assert_memory_equal(text + head.method.at, "GET", head.method.len);
    assert_int_equal(head.target.len, 2);
    assert_memory_equal(text + head.target.at, "?q", 2);
    assert_memory_equal(text + head.authority.at, "a:1", 3);
    assert_false(head.keep_alive);
    assert_true(head.upgrade);
    assert_true(head.expect_continue);
    assert_true(head.fields[2].listed);
    assert_false(head.fields[0].listed);
    assert_int_equal(head.fields[5].value.len, 0);
    assert_ptr_equal(http1_head_find(&head, HTTP1_HOST), &head.fields[0]);
    assert_null(http1_head_find(&head, HTTP1_TE));
}

static void test_keep_alive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http1_policy policy;
        bool keep_alive;
    } rows[] = {
        {GET H END, HTTP1_CLIENT, true},
        {GET H "Connection: CLOSE\r\n\r\n", HTTP1_CLIENT, false},
        {"GET / HTTP/1.0\r\n\r\n", HTTP1_CLIENT, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP1_CLIENT, true},
        {OK "Content-Length: 1\r\n\r\n", HTTP1_APP, true},
        {OK "Content-Length: 1\r\nConnection: close\r\n\r\n", HTTP1_APP, false},
        {OK END, HTTP1_APP, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", HTTP1_APP, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http1_head head;
        feed(&head, rows[i].policy, rows[i].text, strlen(rows[i].text));
        assert_int_equal(head.keep_alive, rows[i].keep_alive);
    }
}

static void test_answer_to_head_has_no_body(void **state)
{
    (void)state;
    struct http1_head head;
    static const char text[] = OK "Content-Length: 5\r\n\r\n";
    http1_head_init(&head, HTTP1_APP, true);
    assert_int_equal(http1_head_feed(&head, text, sizeof text - 1), HTTP1_DONE);
    assert_int_equal(head.body, HTTP1_BODY_NONE);
    assert_true(head.has_length);
    assert_true(head.keep_alive);
}

static void test_list(void **state)
{
    (void)state;
    static const struct {
        const char *list, *token;
        bool has;
    } rows[] = {
        {"close", "close", true}, {" a ,\tClose\t, b", "close", true}, {"closed", "close", false},
        {"", "close", false},     {",,close,", "close", true},         {"a b", "b", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(http1_list_has(rows[i].list, strlen(rows[i].list), rows[i].token,
                                        strlen(rows[i].token)),
                         rows[i].has);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_answer_to_head_has_no_body),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests_name("http1_meaning", tests, NULL, NULL);
}
