// The list of requests: what is taken, seen, chosen, and where the window stands; and clipboard's
// ways.
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "tui/clipboard.h"
#include "tui/request_list.h"
#include "tui/request_view.h"

// Requests [from, to]: GET /even or POST /odd; every fifth is a 500.
static void take(struct request_list *list, int from, int to)
{
    struct cJSON *reply = json_new_object();
    struct cJSON *requests = json_new_array();
    for (int id = from; id <= to; id++) {
        struct request_summary row = {.id = id, .status = id % 5 == 0 ? 500 : 200};
        snprintf(row.method, sizeof row.method, "%s", id % 2 ? "POST" : "GET");
        snprintf(row.target, sizeof row.target, "/%s/%d", id % 2 ? "odd" : "even", id);
        snprintf(row.instance, sizeof row.instance, "web1");
        json_push(requests, request_summary_encode(&row));
    }
    json_put_int(reply, "last", to);
    json_put_tree(reply, "requests", requests);
    request_list_take(list, reply);
    json_free(reply);
}

static void expect_window(struct request_list *list, int max, int64_t first, int64_t last,
                          int count)
{
    const struct request_summary *rows[100];
    assert_int_equal(request_list_window(list, max, rows), count);
    assert_int_equal(rows[0]->id, first);
    assert_int_equal(rows[count - 1]->id, last);
    bool holds = false;
    for (int i = 0; i < count; i++) {
        holds = holds || rows[i]->id == list->chosen;
    }
    assert_true(holds);
}

static void test_follow_and_move(void **unused)
{
    (void)unused;
    struct request_list list;
    const struct request_summary *rows[10];
    request_list_init(&list);
    assert_int_equal(request_list_window(&list, 10, rows), 0);
    assert_null(request_list_chosen(&list));
    request_list_move(&list, -1);
    take(&list, 1, 20);
    assert_int_equal(list.chosen, 20);
    expect_window(&list, 5, 16, 20, 5);
    take(&list, 21, 21);
    expect_window(&list, 5, 17, 21, 5);
    request_list_move(&list, -3);
    assert_int_equal(list.chosen, 18);
    assert_false(list.follow);
    expect_window(&list, 5, 17, 21, 5); // it is in view: nothing moves
    take(&list, 22, 30);
    expect_window(&list, 5, 17, 21, 5);
    request_list_move(&list, -2);
    expect_window(&list, 5, 16, 20, 5);
    request_list_move(&list, 6);
    expect_window(&list, 5, 18, 22, 5);
    request_list_move(&list, INT_MAX);
    assert_true(list.follow);
    expect_window(&list, 5, 26, 30, 5);
    request_list_move(&list, INT_MIN);
    expect_window(&list, 5, 1, 5, 5);
    expect_window(&list, 50, 1, 30, 30);
    request_list_release(&list);
}

static void test_the_oldest_go(void **unused)
{
    (void)unused;
    struct request_list list;
    request_list_init(&list);
    for (int from = 1; from < 2000; from += 100) {
        take(&list, from, from + 99);
    }
    assert_int_equal(list.count, REQUEST_ROWS_MAX);
    assert_int_equal(list.rows[0].id, 1501);
    request_list_move(&list, INT_MIN);
    assert_int_equal(list.chosen, 1501);
    take(&list, 2001, 2100); // the chosen one is there no more: the oldest that is
    assert_int_equal(list.chosen, 1601);
    take(&list, 4000, 4700); // more than there is room for, and a gap
    assert_int_equal(list.count, REQUEST_ROWS_MAX);
    request_list_release(&list);
}

static void test_filter_and_search(void **unused)
{
    (void)unused;
    struct request_list list;
    bool wrapped;
    request_list_init(&list);
    take(&list, 1, 30);
    request_list_filter(&list, "5xx");
    assert_int_equal(list.chosen, 30);
    expect_window(&list, 10, 5, 30, 6);
    request_list_filter(&list, "5xx post");
    assert_int_equal(list.chosen, 25);
    request_list_filter(&list, "500 get even");
    expect_window(&list, 10, 10, 30, 3);
    request_list_filter(&list, "nothing");
    assert_null(request_list_chosen(&list));
    request_list_filter(&list, NULL);
    assert_int_equal(list.chosen, 30);
    list.search = str_dup("odd 200");
    assert_true(request_list_search(&list, -1, &wrapped));
    assert_int_equal(list.chosen, 29);
    assert_true(request_list_search(&list, -1, &wrapped));
    assert_int_equal(list.chosen, 27);
    assert_false(wrapped);
    assert_true(request_list_search(&list, 1, &wrapped));
    assert_true(request_list_search(&list, 1, &wrapped));
    assert_true(wrapped);
    assert_int_equal(list.chosen, 1);
    str_replace(&list.search, "nowhere");
    assert_false(request_list_search(&list, -1, &wrapped));
    request_list_release(&list);
}

static void test_figures(void **unused)
{
    (void)unused;
    static const struct {
        int64_t us;
        const char *text;
    } times[] = {{0, "0.0 ms"},        {3140, "3.1 ms"},          {9949, "9.9 ms"},
                 {9950, "9 ms"},       {143000, "143 ms"},        {9999999, "9999 ms"},
                 {10000000, "10.0 s"}, {90000000000, "90000.0 s"}};
    static const struct {
        int64_t bytes;
        const char *text;
    } sizes[] = {{0, "0"},       {999, "999"},      {1000, "0.9K"},    {1843, "1.7K"},
                 {10240, "10K"}, {1 << 20, "1.0M"}, {5 << 20, "5.0M"}, {(int64_t)1 << 40, "1.0T"}};
    char text[32];
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        request_format_time(times[i].us, text, sizeof text);
        assert_string_equal(text, times[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        request_format_size(sizes[i].bytes, text, sizeof text);
        assert_string_equal(text, sizes[i].text);
    }
}

static void test_clipboard_sequence(void **unused)
{
    (void)unused;
    auto_free char *xterm = clipboard_sequence("foobar", 6, "xterm-256color", false);
    assert_string_equal(xterm, "\033]52;c;Zm9vYmFy\a");
    auto_free char *tmux = clipboard_sequence("foobar", 6, "screen-256color", true);
    assert_string_equal(tmux, "\033]52;c;Zm9vYmFy\a");
    auto_free char *screen = clipboard_sequence("foobar", 6, "screen", false);
    assert_string_equal(screen, "\033P\033]52;c;Zm9vYmFy\a\033\\");
    assert_null(clipboard_sequence("x", 1, "linux", false));
    assert_null(clipboard_sequence("x", 1, "dumb", false));
    assert_null(clipboard_sequence("x", 1, "", false));
    auto_free char *longer = mem_alloc(CLIPBOARD_TERMINAL_MAX + 1);
    assert_null(clipboard_sequence(longer, CLIPBOARD_TERMINAL_MAX + 1, "xterm", false));
}

// A desktop's tool first; one that fails, or is not there, is passed over; else a file, for us
// alone.
static void test_clipboard_ways(void **state)
{
    const char *dir = *state;
    auto_free char *tool = fs_join(dir, "xsel");
    auto_free char *script = str_printf("#!/bin/sh\n[ \"$*\" = '--clipboard --input' ] && "
                                        "exec /bin/cat > '%s/got'\n",
                                        dir);
    auto_free char *failing = fs_join(dir, "xclip");
    assert_int_equal(fs_write_atomic(tool, script, strlen(script), 0755, NULL), 0);
    assert_int_equal(fs_write_atomic(failing, "#!/bin/sh\nexit 1\n", 17, 0755, NULL), 0);
    setenv("PATH", dir, 1);
    setenv("DISPLAY", ":0", 1);
    unsetenv("WAYLAND_DISPLAY");
    setenv("XDG_STATE_HOME", dir, 1);
    auto_free char *word = clipboard_copy("what\0is copied", 14, false);
    assert_string_equal(word, "copied (xsel)");
    auto_free char *got_path = fs_join(dir, "got");
    size_t len;
    auto_free char *got = fs_read(got_path, 100, &len, NULL);
    assert_int_equal(len, 14);
    assert_memory_equal(got, "what\0is copied", 14);
    unsetenv("DISPLAY");
    auto_free char *other = clipboard_copy("secret", 6, false);
    assert_non_null(strstr(other, "copied.txt"));
    auto_free char *file = fs_join(dir, "leanlocal/copied.txt");
    auto_free char *kept = fs_read(file, 100, NULL, NULL);
    assert_string_equal(kept, "secret");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follow_and_move),
        cmocka_unit_test(test_the_oldest_go),
        cmocka_unit_test(test_filter_and_search),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_clipboard_sequence),
        cmocka_unit_test_setup_teardown(test_clipboard_ways, unit_make_dir, unit_remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
