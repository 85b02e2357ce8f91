// Where the editor opens: the app's paths mapped to the project's, and never outside it. And the
// search line's editing, which is as small.
#include "tests/unit/unit.h"

#include "sandbox/base/cleanup.h"
#include "tui/input.h"
#include "tui/keymap.h"
#include "tui/location.h"

static void test_lines(void **state)
{
    const char *dir = *state;
    static const struct {
        const char *text;
        const char *path; // NULL: none
        int line;
    } rows[] = {
        {"  File \"/home/leanengine/app/app.py\", line 12, in index", "app.py", 12},
        {"  File \"app.py\", line 3", "app.py", 3},
        {"  File \"/home/leanengine/app/pkg/views.py\", line 7, in x", "pkg/views.py", 7},
        {"app.py:12: SyntaxError: invalid syntax", "app.py", 12},
        {"start: pkg/views.py:4:9: oops", "pkg/views.py", 4},
        {"10:15:31 (app.py:5)", "app.py", 5},
        {"  File \"/usr/lib/python3/site.py\", line 12", NULL, 0},
        {"  File \"/home/leanengine/app/gone.py\", line 12", NULL, 0},
        {"  File \"/home/leanengine/app/../app.py\", line 12", NULL, 0},
        {"  File \"app.py\", line 0", NULL, 0},
        {"  File \"app.py\", line 99999999999999999999", NULL, 0},
        {"app.py: nothing", NULL, 0},
        {"http://localhost:3000", NULL, 0},
        {"", NULL, 0},
    };
    unit_write(dir, "app.py", "x");
    unit_write(dir, "pkg/views.py", "x");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct location location;
        bool found = location_find(rows[i].text, strlen(rows[i].text), dir, &location);
        if (found != (rows[i].path != NULL)) {
            fail_msg("%s: found %d", rows[i].text, found);
        }
        if (found) {
            auto_free char *path = fs_join(dir, rows[i].path);
            assert_string_equal(location.path, path);
            assert_int_equal(location.line, rows[i].line);
        }
    }
}

static void test_editors(void **state)
{
    (void)state;
    static const struct {
        const char *editor, *command;
    } rows[] = {
        {"vim", "vim \"+$2\" \"$1\""},
        {"/usr/bin/nano -w", "/usr/bin/nano -w \"+$2\" \"$1\""},
        {"code", "code -w -g \"$1:$2\""},
        {"something", "something \"$1\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct location location = {.path = "/tmp/a b.py", .line = 7};
        struct strlist argv = {0};
        location_editor_argv(rows[i].editor, &location, &argv);
        assert_string_equal(argv.items[2], rows[i].command);
        assert_string_equal(argv.items[4], "/tmp/a b.py");
        assert_string_equal(argv.items[5], "7");
        strlist_clear(&argv);
    }
}

static void test_input(void **state)
{
    (void)state;
    struct input input;
    input_clear(&input);
    const uint32_t keys[] = {'a', 0x597D, 'b', KEY_NAME_LEFT, KEY_NAME_LEFT, 'c'};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_int_equal(input_key(&input, keys[i]), INPUT_GOES_ON);
    }
    assert_string_equal(input.text, "ac好b");
    input_key(&input, KEY_NAME_DELETE);
    assert_string_equal(input.text, "acb");
    input_key(&input, KEY_NAME_END);
    input_key(&input, KEY_NAME_DELETE); // nothing there
    input_key(&input, KEY_NAME_RIGHT);
    input_key(&input, KEY_NAME_BACKSPACE);
    assert_string_equal(input.text, "ac");
    input_key(&input, ' ');
    input_key(&input, 'x');
    input_key(&input, 'W' & 0x1F);
    assert_string_equal(input.text, "ac ");
    assert_int_equal(input_key(&input, KEY_NAME_ENTER), INPUT_ENTERED);
    input_key(&input, 'U' & 0x1F);
    assert_string_equal(input.text, "");
    assert_int_equal(input_key(&input, KEY_NAME_BACKSPACE), INPUT_CANCELLED);
    for (int i = 0; i < 2 * INPUT_MAX; i++) {
        input_key(&input, 0x597D);
    }
    assert_true(input.len < INPUT_MAX);
    assert_int_equal(strlen(input.text), input.len);
}

static void test_keys(void **state)
{
    (void)state;
    assert_int_equal(keymap_key_from_name("C-c", 3), 3);
    assert_int_equal(keymap_key_from_name("Tab", 3), 9);
    assert_int_equal(keymap_key_from_name("好", 3), 0x597D);
    assert_int_equal(keymap_key_from_name("Nothing", 7), 0);
    size_t count;
    const struct key_row *rows = keymap_rows(&count);
    for (size_t i = 0; i < count; i++) {
        for (const char *at = rows[i].keys; *at;) { // every key of the table is reachable
            size_t len = strcspn(at, " ");
            uint32_t key = keymap_key_from_name(at, len);
            assert_int_not_equal(key, 0);
            assert_int_equal(keymap_action(KEYMAP_GLOBAL | rows[i].map, key), rows[i].action);
            static const uint32_t reserved[] = {1, 2, 17, 19}; // Ctrl-A B Q S
            for (size_t j = 0; j < ARRAY_LEN(reserved); j++) {
                assert_int_not_equal(key, reserved[j]);
            }
            at += len + (at[len] == ' ');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, unit_make_dir, unit_remove_dir),
        cmocka_unit_test(test_editors),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
