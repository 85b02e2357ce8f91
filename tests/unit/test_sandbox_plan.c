// Plans as text, compared with tests/sandbox/golden/*.txt; GENERATE=1 rewrites them. No privilege
// needed, and the same on every host.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox.h"

static const struct sandbox_bind binds[] = {
    {"/opt/pythons/3.11", "/opt/pythons/3.11", 0},
    {"/var/cache/layer", "/home/leanengine/.layer", 0},
    {"/var/persist/db", "/home/leanengine/app/db.sqlite3", SANDBOX_BIND_WRITABLE},
    {"/opt/maybe", "/opt/maybe", SANDBOX_BIND_OPTIONAL},
};
static const struct sandbox_file files[] = {
    {"/etc/localtime", "TZif", 4, 0644},
    {"/home/leanengine/.runner.py", "pass\n", 5, 0444},
    {"/etc/hosts", "127.0.0.1 localhost\n", 20, 0644},
    {"/home/leanengine/app/.env", "A=1\n", 4, 0600},
};
static const struct sandbox_symlink symlinks[] = {{"/etc/timezone", "localtime"}};

static const struct sandbox_spec spec = {
    .hostname = "web1",
    .user_name = "leanengine",
    .uid = 1000,
    .gid = 1000,
    .host_uid = 60001,
    .host_gid = 60001,
    .home = "/home/leanengine",
    .work_dir = "/home/leanengine/app",
    .writable_bytes = 1u << 30,
    .shm_bytes = 64u << 20,
    .binds = binds,
    .bind_count = ARRAY_LEN(binds),
    .files = files,
    .file_count = ARRAY_LEN(files),
    .symlinks = symlinks,
    .symlink_count = ARRAY_LEN(symlinks),
    .system_dirs = true,
    .broker = true,
    .address = 0x7f4d0301,
    .public_port = 3000,
    .actual_port = 3000,
    .private_dir = "/var/tmp/instance-1",
};

#define ALL                                                                                        \
    {                                                                                              \
        true, true, true, true, true, true                                                         \
    }
#define NONE                                                                                       \
    {                                                                                              \
        false, false, false, false, false, false                                                   \
    }

static const struct {
    const char *name;
    struct sandbox_host host;
    enum sandbox_level level;
} plans[] = {
    {"root", {.has = ALL, .is_root = true, .maps_ids = true}, SANDBOX_LEVEL_FULL},
    {"user", {.has = ALL}, SANDBOX_LEVEL_FULL},
    {"root-no-user-namespace",
     {.has = {false, true, true, true, true, true}, .is_root = true},
     SANDBOX_LEVEL_CONTAINER},
    {"user-masked-proc", {.has = {true, true, false, true, true, true}}, SANDBOX_LEVEL_CONTAINER},
    {"user-no-overlay-no-broker",
     {.has = {true, true, true, true, false, false}},
     SANDBOX_LEVEL_CONTAINER},
    {"root-none", {.has = NONE, .is_root = true}, SANDBOX_LEVEL_NONE},
    {"user-none-broker", {.has = {[SANDBOX_NOTIFY] = true}}, SANDBOX_LEVEL_NONE},
};

static void compare_golden(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/sandbox/golden/plan-%s.txt", TESTS_DIR, name);
    if (getenv("GENERATE")) {
        assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, NULL), 0);
        return;
    }
    auto_free char *expected = fs_read(path, 1 << 20, NULL, NULL);
    assert_non_null(expected);
    assert_string_equal(text, expected);
}

static void test_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        assert_int_equal(sandbox_host_level(&plans[i].host), plans[i].level);
        auto_free char *text = sandbox_plan_text(&spec, &plans[i].host);
        compare_golden(plans[i].name, text);
    }
}

static void test_app_never_runs_as_root(void **state)
{
    (void)state;
    struct sandbox_spec bad = spec;
    struct error error = {0};
    bad.host_uid = 0;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct plan *plan = plan_new(&bad, &plans[i].host, &error);
        assert_true(plans[i].host.is_root ? plan == NULL : plan != NULL);
        plan_free(plan);
    }
    assert_int_equal(error.kind, ERROR_HOST);
}

static size_t position(const struct plan *plan, enum plan_kind kind, const char *target)
{
    for (size_t i = 0; i < plan->count; i++) {
        const char *at = plan->ops[i].target;
        if (plan->ops[i].kind == kind && (!target || (at && strcmp(at, target) == 0))) {
            return i;
        }
    }
    fail_msg("no %s %s in the plan", plan_kind_name(kind), target ? target : "");
    return 0;
}

// The orders that the kernel or safety asks for.
static void test_order(void **state)
{
    (void)state;
    struct plan *plan = plan_new(&spec, &plans[0].host, NULL);
    size_t proc = position(plan, PLAN_PROC, NULL);
    assert_true(position(plan, PLAN_OPEN_SOURCES, NULL) < position(plan, PLAN_ROOT, NULL));
    assert_true(proc < position(plan, PLAN_DETACH, PLAN_HOST_ROOT));
    assert_true(proc < position(plan, PLAN_NO_USER_NAMESPACES, NULL));
    assert_true(position(plan, PLAN_NO_USER_NAMESPACES, NULL) <
                position(plan, PLAN_PROTECT, "/proc/sys"));
    // A link in the version must not lead a mount point to the host.
    assert_true(position(plan, PLAN_DETACH, PLAN_HOST_ROOT) <
                position(plan, PLAN_BIND, "/home/leanengine/app/db.sqlite3"));
    assert_true(position(plan, PLAN_NO_NEW_PRIVILEGES, NULL) < position(plan, PLAN_IDS, NULL));
    assert_true(position(plan, PLAN_IDS, NULL) < position(plan, PLAN_NO_CAPABILITIES, NULL));
    assert_true(position(plan, PLAN_NO_CAPABILITIES, NULL) < position(plan, PLAN_FILTER, NULL));
    assert_int_equal(position(plan, PLAN_DIE_WITH_INIT, NULL), plan->count - 1);
    for (size_t i = 1; i < plan->count; i++) {
        assert_true(plan->ops[i - 1].stage <= plan->ops[i].stage);
    }
    plan_free(plan);
}

static void test_map_path(void **state)
{
    (void)state;
    static const struct {
        size_t plan;
        const char *path;
        const char *expected;
    } rows[] = {
        {0, "/home/leanengine/app", "/home/leanengine/app"},
        {6, "/home/leanengine/app/x", "/var/tmp/instance-1/app/x"},
        {6, "/home/leanengine", "/var/tmp/instance-1"},
        {6, "/home/leanengine2", "/home/leanengine2"},
        {6, "/tmp", "/tmp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[256];
        struct plan *plan = plan_new(&spec, &plans[rows[i].plan].host, NULL);
        assert_true(plan_map_path(plan, rows[i].path, out, sizeof out));
        assert_string_equal(out, rows[i].expected);
        assert_false(plan_map_path(plan, rows[i].path, out, 3));
        plan_free(plan);
    }
}

// An operation's text is what an error shows: it must fit however long the paths are.
static void test_text_is_bounded(void **state)
{
    (void)state;
    char path[3000];
    char out[256];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    struct plan_op op = {.kind = PLAN_BIND, .target = path, .source = path, .flags = ~0u};
    plan_op_text(&op, out, sizeof out);
    assert_int_equal(strlen(out), sizeof out - 1);
    assert_memory_equal(out, "bind aaaa", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),         cmocka_unit_test(test_app_never_runs_as_root),
        cmocka_unit_test(test_order),           cmocka_unit_test(test_map_path),
        cmocka_unit_test(test_text_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
