// Cloud functions: how the SDK lists them, what people call them, where each is called.
#include "tests/unit/unit.h"

#include "emulator/functions/kinds.h"
#include "emulator/functions/metadata.h"
#include "sandbox/base/cleanup.h"

// The SDK's list, once more and by hand: P-190, P-196, P-199.
static const struct {
    const char *listed, *name, *path;
    enum function_kind kind;
    enum function_limit limit;
    enum function_body body;
    const char *mark;
} facts[] = {
    {"hello", "hello", "hello", FUNCTION_PLAIN, FUNCTION_LIMIT_CALL, FUNCTION_BODY_PLAIN, NULL},
    {"__before_save_for_Comment", "Comment.beforeSave", "Comment/beforeSave", FUNCTION_BEFORE_SAVE,
     FUNCTION_LIMIT_BEFORE, FUNCTION_BODY_OBJECT, "__before"},
    {"__after_save_for__User", "_User.afterSave", "_User/afterSave", FUNCTION_AFTER_SAVE,
     FUNCTION_LIMIT_OTHER, FUNCTION_BODY_OBJECT, "__after"},
    {"__before_update_for_A", "A.beforeUpdate", "A/beforeUpdate", FUNCTION_BEFORE_UPDATE,
     FUNCTION_LIMIT_BEFORE, FUNCTION_BODY_OBJECT, "__before"},
    {"__after_update_for_A", "A.afterUpdate", "A/afterUpdate", FUNCTION_AFTER_UPDATE,
     FUNCTION_LIMIT_OTHER, FUNCTION_BODY_OBJECT, "__after"},
    {"__before_delete_for_A", "A.beforeDelete", "A/beforeDelete", FUNCTION_BEFORE_DELETE,
     FUNCTION_LIMIT_BEFORE, FUNCTION_BODY_OBJECT, "__before"},
    {"__after_delete_for_A", "A.afterDelete", "A/afterDelete", FUNCTION_AFTER_DELETE,
     FUNCTION_LIMIT_OTHER, FUNCTION_BODY_OBJECT, "__after"},
    {"__on_login__User", "_User.onLogin", "_User/onLogin", FUNCTION_ON_LOGIN, FUNCTION_LIMIT_OTHER,
     FUNCTION_BODY_OBJECT, NULL},
    {"__on_authdata__User", "_User.onAuthData", "_User/onAuthData", FUNCTION_ON_AUTH_DATA,
     FUNCTION_LIMIT_OTHER, FUNCTION_BODY_AUTH, NULL},
    {"__on_verified_sms", "onVerified.sms", "onVerified/sms", FUNCTION_ON_VERIFIED_SMS,
     FUNCTION_LIMIT_OTHER, FUNCTION_BODY_OBJECT, NULL},
    {"__on_verified_email", "onVerified.email", "onVerified/email", FUNCTION_ON_VERIFIED_EMAIL,
     FUNCTION_LIMIT_OTHER, FUNCTION_BODY_OBJECT, NULL},
    {"__on_complete_bigquery_job", "BigQuery.onComplete", "BigQuery/onComplete",
     FUNCTION_ON_COMPLETE, FUNCTION_LIMIT_OTHER, FUNCTION_BODY_PLAIN, NULL},
#define REALTIME(name)                                                                             \
    {                                                                                              \
        name, name, name, FUNCTION_REALTIME, FUNCTION_LIMIT_OTHER, FUNCTION_BODY_PLAIN, NULL       \
    }
    REALTIME("_messageReceived"),
    REALTIME("_receiversOffline"),
    REALTIME("_messageSent"),
    REALTIME("_messageUpdate"),
    REALTIME("_conversationStart"),
    REALTIME("_conversationStarted"),
    REALTIME("_conversationAdd"),
    REALTIME("_conversationAdded"),
    REALTIME("_conversationRemove"),
    REALTIME("_conversationRemoved"),
    REALTIME("_conversationUpdate"),
    REALTIME("_clientOnline"),
    REALTIME("_clientOffline"),
    REALTIME("_rtmClientSign"),
};

static void check(const struct function *function, size_t i)
{
    if (function->kind != facts[i].kind || !str_equal(function->name, facts[i].name) ||
        !str_equal(function->path, facts[i].path)) {
        fail_msg("%s: kind %d, %s, %s", facts[i].listed, (int)function->kind, function->name,
                 function->path);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        struct function function = {0};
        function_from_listed(facts[i].listed, &function);
        check(&function, i);
        function_release(&function);
        bool is_hook = facts[i].kind != FUNCTION_PLAIN;
        assert_int_equal(function_is_hook(facts[i].kind), is_hook);
        assert_int_equal(function_hook_from_name(facts[i].name, &function), is_hook);
        if (is_hook) {
            check(&function, i);
            function_release(&function);
        }
        assert_int_equal(function_limit(facts[i].kind), facts[i].limit);
        assert_int_equal(function_body(facts[i].kind), facts[i].body);
        assert_true(str_equal(function_mark(facts[i].kind), facts[i].mark));
    }
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    static const char *const plain[] = {"__before_save_for_", "__on_login__Users", "before_save",
                                        "_clientonline",      "a.beforeSave",      "名"};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        struct function function = {0};
        function_from_listed(plain[i], &function);
        assert_int_equal(function.kind, FUNCTION_PLAIN);
        assert_string_equal(function.name, plain[i]);
        function_release(&function);
    }
    static const char *const no_hooks[] = {
        "",          "hello", "beforeSave", ".beforeSave", "Comment.beforesave", "User.onLogin",
        "onVerified"};
    for (size_t i = 0; i < ARRAY_LEN(no_hooks); i++) {
        struct function function = {0};
        assert_false(function_hook_from_name(no_hooks[i], &function));
    }
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum metadata_state state;
        const char *names, *failure;
    } rows[] = {
        {200, "{\"result\": [\"b\", \"__before_save_for_A\", \"a\", 3]}", METADATA_LISTED,
         "a b A.beforeSave ", ""},
        {200, "{\"result\": []}", METADATA_LISTED, "", ""},
        {404, "<html>", METADATA_NONE, "", ""},
        {200, "<html>", METADATA_FAILED, "", "not JSON"},
        {200, "[]", METADATA_FAILED, "", "no list under \"result\""},
        {200, "{\"result\": {}}", METADATA_FAILED, "", "no list under \"result\""},
        {401, "{\"code\": 401}", METADATA_FAILED, "", "status 401"},
        {302, "", METADATA_FAILED, "", "status 302"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metadata metadata = {0};
        metadata_read(rows[i].status, rows[i].body, strlen(rows[i].body), &metadata);
        auto_free char *names = str_dup("");
        for (size_t k = 0; k < metadata.count; k++) {
            char *more = str_printf("%s%s ", names, metadata.functions[k].name);
            free(names);
            names = more;
        }
        assert_int_equal(metadata.state, rows[i].state);
        assert_string_equal(names, rows[i].names);
        assert_string_equal(metadata.failure, rows[i].failure);
        metadata_release(&metadata);
    }
}

static void test_near_names(void **state)
{
    (void)state;
    static const char list[] = "{\"result\": [\"hello\", \"__before_save_for_Comment\"]}";
    struct metadata metadata = {0};
    metadata_read(200, list, strlen(list), &metadata);
    assert_non_null(metadata_find(&metadata, "hello"));
    assert_non_null(metadata_find(&metadata, "Comment.beforeSave"));
    assert_null(metadata_find(&metadata, "helo"));
    assert_string_equal(metadata_nearest(&metadata, "helo"), "hello");
    assert_string_equal(metadata_nearest(&metadata, "comment.beforeSave"), "Comment.beforeSave");
    assert_null(metadata_nearest(&metadata, "quite another"));
    metadata_release(&metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_near_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
