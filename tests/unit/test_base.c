// sandbox/base: errors, UTF-8, JSON, buffers, strings.
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/error.h"
#include "sandbox/base/json.h"
#include "sandbox/base/process.h"
#include "sandbox/base/utf8.h"

static void error_keeps_whole_characters(void **state)
{
    (void)state;
    struct error error = {0};
    char text[2000];
    memset(text, 'a', sizeof text);
    memcpy(text + sizeof error.message - 2, "实例", 7);
    error_set(&error, ERROR_APP, "%s", text);
    // 1534 letters fit, then one byte is left: no half of a character may stand there.
    assert_int_equal(strlen(error.message), sizeof error.message - 2);
    assert_int_equal(error.message[strlen(error.message) - 1], 'a');
}

static void error_prefix_goes_before(void **state)
{
    (void)state;
    struct error error = {0};
    error_set_errno(&error, ERROR_SYSTEM, 2, "open %s", "x");
    error_prefix(&error, "%s: ", "layer");
    assert_string_equal(error.message, "layer: open x: No such file or directory");
    assert_int_equal(error.errnum, 2);
}

static void error_kinds_round_trip(void **state)
{
    (void)state;
    static const int codes[ERROR__COUNT] = {0, 1, 1, 2, 3, 3, 3}; // DESIGN 2
    for (int kind = 0; kind < ERROR__COUNT; kind++) {
        enum error_kind back = error_kind_from_name(error_kind_name((enum error_kind)kind));
        assert_int_equal(back, kind);
        assert_int_equal(error_kind_exit_code((enum error_kind)kind), codes[kind]);
    }
}

static void utf8_repairs_what_is_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } rows[] = {
        {"plain", 5, "plain"},
        {"\xe5\xae\x9e", 3, "实"},
        {"\xe5\xae", 2, "\xef\xbf\xbd"},             // cut
        {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"}, // overlong
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd"},         // surrogate
        {"a\xff"
         "b",
         3,
         "a\xef\xbf\xbd"
         "b"},
        {"a\0b", 3,
         "a\xef\xbf\xbd"
         "b"},
        {"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd"}, // beyond the last code point
        {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *got = utf8_valid(rows[i].in, rows[i].len);
        assert_string_equal(got, rows[i].out);
        free(got);
    }
}

static void json_says_where(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(json_parse("{\n \"a\": ?}", 10, "x.json", &error));
    assert_non_null(strstr(error.message, "x.json:2:"));
    assert_null(json_parse("{} {}", 5, "x", &error));
    struct cJSON *tree = json_parse("{\"n\": 1} \n", 10, "x", &error);
    assert_int_equal(json_get_int(tree, "n", 0), 1);
    assert_int_equal(json_get_int(tree, "N", 7), 7); // case counts
    json_free(tree);
}

static void json_keeps_large_numbers(void **state)
{
    (void)state;
    int64_t exact = ((int64_t)1 << 53) + 1;
    struct cJSON *object = json_new_object();
    json_put_int(object, "id", exact);
    char *text = json_print(object);
    struct cJSON *back = json_parse(text, strlen(text), "x", NULL);
    assert_int_equal(json_get_int(back, "id", 0), exact);
    json_free(back);
    json_free(object);
    free(text);
}

static void buf_stops_at_its_bound(void **state)
{
    (void)state;
    struct buf buf = {.max = 4};
    assert_true(buf_adds(&buf, "1234"));
    assert_false(buf_adds(&buf, "5"));
    assert_string_equal(buf.data, "1234");
    buf_consume(&buf, 3);
    assert_string_equal(buf.data, "4");
    buf_release(&buf);
}

// An empty file reads as "", whatever the memory held before.
static void empty_file_is_empty_text(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        char *dirty = malloc(16384 * 2);
        assert_non_null(dirty);
        memset(dirty, 'x', 16384 * 2);
        free(dirty);
        size_t len = 1;
        char *text = fs_read("/dev/null", 10, &len, NULL);
        assert_int_equal(len, 0);
        assert_string_equal(text, "");
        free(text);
    }
}

static void trees_are_removed_whole(void **state)
{
    unit_write(*state, "tree/a/b/file", "x");
    unit_write(*state, "tree/closed/file", "x");
    unit_write(*state, "outside", "kept");
    char *tree = fs_join(*state, "tree");
    char *closed = fs_join(*state, "tree/closed");
    char *link = fs_join(*state, "tree/link");
    char *outside = fs_join(*state, "outside");
    assert_int_equal(symlink("../outside", link), 0);
    assert_int_equal(chmod(closed, 0), 0);
    assert_int_equal(fs_remove_tree(tree, NULL), 0);
    assert_false(fs_exists(tree));
    assert_true(fs_exists(outside));                 // links are not followed
    assert_int_equal(fs_remove_tree(tree, NULL), 0); // missing is fine
    free(tree);
    free(closed);
    free(link);
    free(outside);
}

static void env_lists_replace(void **state)
{
    (void)state;
    struct strlist list = {0};
    for (int i = 0; i < 100; i++) {
        strlist_addf(&list, "N%d=%d", i, i);
    }
    strlist_env_set(&list, "N7", "seven");
    strlist_env_set(&list, "NEW", "1");
    assert_string_equal(strlist_env_get(&list, "N7"), "seven");
    assert_null(strlist_env_get(&list, "N"));
    assert_int_equal(list.count, 101);
    assert_null(list.items[101]);
    strlist_clear(&list);
}

static void tag_is_the_region_s_time(void **state)
{
    (void)state;
    char tag[16];
    clock_format_tag(1763805352000, 8 * 3600, tag); // P-62, P-140
    assert_string_equal(tag, "20251122-175552");
    clock_format_tag(1763805352000, 0, tag);
    assert_string_equal(tag, "20251122-095552");
}

static int capture(const char *script, int limit_ms, char **ret_output, struct error *error)
{
    char *const argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)script, NULL};
    return process_capture(argv, NULL, "/", 4096, limit_ms, ret_output, error);
}

// What it leaves running with its output open is not waited for.
static void capture_ends_with_the_command(void **state)
{
    (void)state;
    struct error error = {0};
    char *output = NULL;
    assert_int_equal(capture("echo it; exit 3", 10000, &output, &error), 3);
    assert_string_equal(output, "it\n");
    free(output);
    int64_t begun_ms = clock_now_ms();
    assert_int_equal(capture("sh -c 'kill -STOP $$' & echo $!", 10000, &output, &error), 0);
    assert_true(clock_now_ms() - begun_ms < 5000);
    assert_int_equal(kill((pid_t)atoi(output), SIGKILL), 0); // it was there until now
    free(output);
}

static void capture_has_a_limit(void **state)
{
    (void)state;
    struct error error = {0};
    char *output = NULL;
    assert_int_equal(capture("echo begun; kill -STOP $$", 100, &output, &error), -1);
    assert_int_equal(error.errnum, ETIMEDOUT);
    assert_null(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_keeps_whole_characters),
        cmocka_unit_test(error_prefix_goes_before),
        cmocka_unit_test(error_kinds_round_trip),
        cmocka_unit_test(utf8_repairs_what_is_invalid),
        cmocka_unit_test(json_says_where),
        cmocka_unit_test(json_keeps_large_numbers),
        cmocka_unit_test(buf_stops_at_its_bound),
        cmocka_unit_test(empty_file_is_empty_text),
        cmocka_unit_test_setup_teardown(trees_are_removed_whole, unit_make_dir, unit_remove_dir),
        cmocka_unit_test(env_lists_replace),
        cmocka_unit_test(tag_is_the_region_s_time),
        cmocka_unit_test(capture_ends_with_the_command),
        cmocka_unit_test(capture_has_a_limit),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
