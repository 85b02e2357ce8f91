// Calls of cloud functions: what is sent, and what an answer means.
#include "tests/unit/unit.h"

#include "emulator/functions/call.h"
#include "emulator/functions/json_text.h"
#include "emulator/functions/sign.h"
#include "sandbox/base/cleanup.h"

#define WALL_MS INT64_C(1453014943466)

static const struct call_keys keys = {"ID", "KEY", "MASTER", "HOOK"};

// ---- JSON as it stands there ----

static void test_members(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; // NULL: none
    } rows[] = {
        {"{\"result\": 9007199254740993}", "9007199254740993"},
        {" {\"a\":{\"result\":1},\"result\" : \"x\" }", "\"x\""},
        {"{\"a\":\"}\\\"\",\"b\":[1,{\"c\":\"]\"}],\"result\":[1, 2 ]\n}", "[1, 2 ]"},
        {"{\"result\":{\"result\":2}}", "{\"result\":2}"},
        {"{\"result\":null,\"result\":2}", "null"},
        {"{\"result\":\"\\\\\"}", "\"\\\\\""},
        {"{}", NULL},
        {"{ }", NULL},
        {"[\"result\"]", NULL},
        {"\"result\"", NULL},
        {"{\"results\":1}", NULL},
        {"{\"a\":\"result\"}", NULL},
        {"{\"result\"", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *value = NULL;
        size_t len = 0;
        bool found = json_text_member(rows[i].text, strlen(rows[i].text), "result", &value, &len);
        auto_free char *text = found ? str_dup_len(value, len) : NULL;
        if (!str_equal(text, rows[i].value)) {
            fail_msg("%s: %s", rows[i].text, text);
        }
    }
}

static void test_one_member_more(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{}", "{\"m\":1}"},
        {" { } \n", " { \"m\":1}"},
        {"{\"a\":{}}", "{\"a\":{},\"m\":1}"},
        {"{\"a\":\"}\"} ", "{\"a\":\"}\",\"m\":1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *text = json_text_with(rows[i][0], "m", "1");
        assert_string_equal(text, rows[i][1]);
    }
}

static void test_readable(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\"\\u4f60\\u597D\"", "\"你好\""},
        {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\""},
        {"\"\\\\u4f60\\n\\u001b\\u0022\"", "\"\\\\u4f60\\n\\u001b\\u0022\""},
        {"\"\\ud83d\\u4f60 \\ude00\"", "\"\\ud83d你 \\ude00\""},
        {"\"\\u202e\\ufeff\\u009b\"", "\"\\u202e\\ufeff\\u009b\""}, // what hides or reorders
        {"{\n \"a\": 1\r\n}", "{  \"a\": 1  }"},
        {"\"\\", "\"\\"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *text = json_text_readable(rows[i][0], strlen(rows[i][0]));
        assert_string_equal(text, rows[i][1]);
        assert_null(strpbrk(text, "\r\n"));
    }
}

static void test_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool strict;
    } rows[] = {
        {"{\"a\": [1, \"b\\\"\\u12aF\\/\"]}\r\n\t", true},
        {"\"a\nb\"", false},
        {"\"\\x\"", false},
        {"\"\\u12g4\"", false},
        {"\"\\u12", false},
        {"\"\\", false},
        {"{\x1e}", false},
        {"\"\x7f 世\"", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(json_text_is_strict(rows[i].text, strlen(rows[i].text)), rows[i].strict);
    }
}

static void test_signatures(void **state)
{
    (void)state;
    auto_free char *app = sign_request("KEY", WALL_MS, NULL);
    auto_free char *master = sign_request("MASTER", WALL_MS, "master");
    auto_free char *hook = sign_hook("MASTER", "__before_for_Comment", WALL_MS);
    assert_string_equal(app, "9d6ee7cca6fe73d23fe26aa6da19defb,1453014943466");
    assert_string_equal(master, "a763054549c9d30e366ea781f3b3a462,1453014943466,master");
    assert_string_equal(hook, "1453014943466,a1e035fdcb3409e759acc1c3209baab5646aab97");
}

// ---- what is sent ----

struct sending {
    const char *name; // "--hook" in front of a hook's
    struct call_wish wish;
    const char *target, *body, *has, *lacks; // headers
};

static bool has_header(const struct call_request *request, const char *line)
{
    return strlist_contains(&request->headers, line);
}

static void make_function(const char *name, struct function *ret_function)
{
    if (str_starts_with(name, "--hook ")) {
        assert_true(function_hook_from_name(name + strlen("--hook "), ret_function));
    } else {
        function_plain(name, ret_function);
    }
}

static void test_requests(void **state)
{
    (void)state;
    static const struct sending rows[] = {
        {"hello", {0}, "/1.1/functions/hello", "{}", "X-LC-Key: KEY", "X-LC-Hook-Key: HOOK"},
        {"hello",
         {.data = " {\"n\": 9007199254740993}"},
         "/1.1/functions/hello",
         " {\"n\": 9007199254740993}",
         "X-LC-Id: ID",
         "X-LC-Session: "},
        {"hello",
         {.rpc = true},
         "/1.1/call/hello",
         "{}",
         "Content-Type: application/json; charset=utf-8",
         ""},
        {"hello",
         {.master = true},
         "/1.1/functions/hello",
         "{}",
         "X-LC-Key: MASTER,master",
         "X-LC-Key: KEY"},
        {"hello",
         {.sign = true},
         "/1.1/functions/hello",
         "{}",
         "X-LC-Sign: 9d6ee7cca6fe73d23fe26aa6da19defb,1453014943466",
         "X-LC-Key: KEY"},
        {"hello",
         {.sign = true, .master = true},
         "/1.1/functions/hello",
         "{}",
         "X-LC-Sign: a763054549c9d30e366ea781f3b3a462,1453014943466,master",
         "X-LC-Key: MASTER,master"},
        {"hello", {.session = "abc"}, "/1.1/functions/hello", "{}", "X-LC-Session: abc", ""},
        {"你 a/b?", {0}, "/1.1/functions/%E4%BD%A0%20a/b%3F", "{}", "X-LC-Id: ID", ""},
        {"--hook Comment.beforeSave",
         {.data = "{\"a\":1}"},
         "/1.1/functions/Comment/beforeSave",
         "{\"object\":{\"a\":1,\"__before\":\"1453014943466,"
         "a1e035fdcb3409e759acc1c3209baab5646aab97\"}}",
         "X-LC-Hook-Key: HOOK",
         ""},
        {"--hook Comment.beforeSave",
         {.data = "{\"__before\":\"mine\"}", .user = "{\"objectId\":\"u\"}"},
         "/1.1/functions/Comment/beforeSave",
         "{\"object\":{\"__before\":\"mine\"},\"user\":{\"objectId\":\"u\"}}",
         "X-LC-Hook-Key: HOOK",
         ""},
        {"--hook _User.onLogin",
         {0},
         "/1.1/functions/_User/onLogin",
         "{\"object\":{}}",
         "X-LC-Hook-Key: HOOK",
         ""},
        {"--hook onVerified.sms",
         {0},
         "/1.1/functions/onVerified/sms",
         "{\"object\":{}}",
         "X-LC-Hook-Key: HOOK",
         ""},
        {"--hook _User.onAuthData",
         {.data = "{\"weixin\":{}}"},
         "/1.1/functions/_User/onAuthData",
         "{\"authData\":{\"weixin\":{}}}",
         "X-LC-Hook-Key: HOOK",
         ""},
        {"--hook BigQuery.onComplete",
         {.data = "{\"status\":\"OK\"}"},
         "/1.1/functions/BigQuery/onComplete",
         "{\"status\":\"OK\"}",
         "X-LC-Hook-Key: HOOK",
         ""},
        {"--hook _messageReceived",
         {0},
         "/1.1/functions/_messageReceived",
         "{\"__sign\":\"1453014943466,ca653ce3d496f7887561a19e5fe4de506caba516\"}",
         "X-LC-Hook-Key: HOOK",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function function = {0};
        struct call_request request = {0};
        struct call_wish wish = rows[i].wish;
        make_function(rows[i].name, &function);
        wish.function = &function;
        assert_int_equal(call_compose(&wish, &keys, WALL_MS, &request, NULL), 0);
        if (!str_equal(request.target, rows[i].target) || !str_equal(request.body, rows[i].body) ||
            !has_header(&request, rows[i].has) || has_header(&request, rows[i].lacks)) {
            fail_msg("row %zu: %s %s", i, request.target, request.body);
        }
        call_request_release(&request);
        function_release(&function);
    }
}

static void test_requests_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct call_wish wish;
        const char *message; // its beginning
    } rows[] = {
        {"hello", {.data = "{'a': 1}"}, "--data:1:3: not valid JSON"},
        {"hello", {.data = "[1]"}, "--data: not a JSON object"},
        {"hello", {.data = "{\"a\": \"\n\"}"}, "--data: not valid JSON: a control"},
        {"hello", {.data = ""}, "--data:1:"},
        {"hello", {.user = "{}"}, "--user: only hooks"},
        {"hello", {.session = "a\r\nX-LC-Hook-Key: x"}, "--session: one line"},
        {"--hook _User.onAuthData", {.user = "{}"}, "--user: only hooks"},
        {"--hook A.beforeSave", {.user = "3"}, "--user: not a JSON object"},
        {"--hook A.beforeSave", {.rpc = true}, "--rpc: hooks"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function function = {0};
        struct call_request request = {0};
        struct call_wish wish = rows[i].wish;
        struct error error = {0};
        make_function(rows[i].name, &function);
        wish.function = &function;
        assert_int_equal(call_compose(&wish, &keys, WALL_MS, &request, &error), -1);
        assert_int_equal(error.kind, ERROR_USAGE);
        if (!str_starts_with(error.message, rows[i].message)) {
            fail_msg("row %zu: %s", i, error.message);
        }
        function_release(&function);
    }
}

// ---- what an answer means ----

#define LIST "{\"result\": [\"hello\", \"__before_save_for_A\"]}"

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct call_answer answer;
        const char *result;                // NULL: a failure
        const char *message, *hint, *rule; // parts of it
    } rows[] = {
        {"hello", {.status = 200, .body = "{\"result\": \"\\u4f60\"}"}, "\"你\"", "", "", ""},
        {"hello", {.status = 200, .body = "{\"result\": null}"}, "null", "", "", ""},
        {"--hook A.beforeSave",
         {.status = 200, .body = "{\"result\": 1}"},
         "{\"result\": 1}",
         "",
         "",
         ""},
        {"--hook A.beforeDelete", {.status = 200, .body = "{}"}, "{}", "", "", ""},
        {"--hook A.afterSave",
         {.status = 200, .body = "{\"result\":\"ok\"}"},
         "\"ok\"",
         "",
         "",
         ""},
        {"helo",
         {.status = 404,
          .body = "{\"code\": 404, \"error\": \"cloud func named 'helo' not found.\"}"},
         NULL,
         "helo: cloud func named 'helo' not found. (code 404, status 404)",
         "did you mean hello?",
         "P-193"},
        {"other",
         {.status = 404, .body = "{\"code\": 404, \"error\": \"x not found.\"}"},
         NULL,
         "other: ",
         "it has the functions hello",
         "P-193"},
        {"hello",
         {.status = 401, .body = "{\"code\": 401, \"error\": \"Unauthorized.\"}"},
         NULL,
         "Unauthorized.",
         "other keys",
         "P-194"},
        {"--hook A.beforeSave",
         {.status = 401, .body = "{\"code\": 401, \"error\": \"Unauthorized.\"}"},
         NULL,
         "Unauthorized.",
         "other keys",
         "P-195"},
        {"hello",
         {.status = 401, .body = "{\"code\": 401, \"error\": \"not for you\"}"},
         NULL,
         "not for you (code 401, status 401)",
         "own error",
         "P-193"},
        {"--hook A.beforeSave",
         {.status = 400, .body = "{\"code\": 1, \"error\": \"rude\"}"},
         NULL,
         "rude",
         "refused the object",
         "P-193"},
        {"hello",
         {.status = 500, .body = "{\"code\": 141, \"error\": \"had an error.\"}"},
         NULL,
         "code 141",
         "traceback",
         "P-193"},
        {"hello",
         {.status = 500, .body = "<h1>\nInternal"},
         NULL,
         "status 500 without JSON: <h1>",
         "log",
         "P-192"},
        {"hello",
         {.status = 200, .body = "hi"},
         NULL,
         "status 200 without JSON: hi",
         "Engine",
         "P-192"},
        {"hello",
         {.status = 302, .body = "", .location = "https://a/"},
         NULL,
         "status 302, to https://a/",
         "inside the Engine",
         "P-115"},
        {"hello",
         {.failure = "no answer within 15000 ms", .is_timeout = true, .limit_ms = 15000},
         NULL,
         "hello did not answer within 15.0 s",
         "background",
         "P-199"},
        {"hello",
         {.status = 200, .failure = "x", .is_timeout = true, .limit_ms = 3000},
         NULL,
         "within 3.0 s",
         "",
         "P-199"},
        {"hello", {.status = 200, .body = "{", .is_cut = true}, NULL, "more than 256 KB", "", ""},
        {"hello", {.failure = "Connection refused"}, NULL, "no answer: Connection refused", "", ""},
    };
    struct metadata list = {0};
    metadata_read(200, LIST, strlen(LIST), &list);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function function = {0};
        struct error error = {0};
        struct call_answer answer = rows[i].answer;
        answer.body = answer.body ? answer.body : "";
        answer.body_len = strlen(answer.body);
        answer.failure = answer.failure ? answer.failure : "";
        make_function(rows[i].name, &function);
        auto_free char *result = call_read(&function, &answer, &list, &error);
        if (!str_equal(result, rows[i].result) || !strstr(error.message, rows[i].message) ||
            !strstr(error.hint, rows[i].hint) || strcmp(error.rule, rows[i].rule) != 0) {
            fail_msg("row %zu: %s, %s; %s; %s", i, result, error.message, error.hint, error.rule);
        }
        assert_int_equal(error.kind, rows[i].result ? ERROR_NONE : ERROR_APP);
        function_release(&function);
    }
    metadata_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_one_member_more),
        cmocka_unit_test(test_readable),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_requests_that_are_refused),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
