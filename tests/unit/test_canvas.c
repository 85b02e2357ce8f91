// Cells: wide characters are never split, marks have an ASCII form, frames close.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/base/cleanup.h"
#include "tui/canvas.h"

static void expect(const struct canvas *canvas, const char *text)
{
    auto_free char *dump = canvas_dump(canvas);
    assert_string_equal(dump, text);
}

static void test_text(void **state)
{
    (void)state;
    struct canvas canvas = {0};
    canvas_init(&canvas, 8, 1, false);
    assert_int_equal(canvas_text(&canvas, 0, 1, 8, STYLE_GOOD, "ab好c"), 6);
    expect(&canvas, " ab好c\n");
    assert_int_equal(canvas_cell(&canvas, 0, 4)->code, 0); // its right half
    assert_int_equal(canvas_cell(&canvas, 0, 1)->style, STYLE_GOOD);
    assert_null(canvas_cell(&canvas, 0, 8));

    // No room for both halves: neither.
    canvas_clear(&canvas);
    assert_int_equal(canvas_text(&canvas, 0, 0, 4, STYLE_NORMAL, "abc好d"), 4);
    expect(&canvas, "abc\n");

    // Overwriting one half takes the other away.
    canvas_clear(&canvas);
    canvas_text(&canvas, 0, 0, 8, STYLE_NORMAL, "好好好");
    canvas_text(&canvas, 0, 1, 2, STYLE_NORMAL, "x");
    expect(&canvas, " x好好\n");
    canvas_text(&canvas, 0, 2, 3, STYLE_NORMAL, "y");
    expect(&canvas, " xy 好\n");
    canvas_text(&canvas, 0, 3, 5, STYLE_NORMAL, "中");
    expect(&canvas, " xy中\n");
    canvas_release(&canvas);
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int end;
        bool ascii;
        const char *seen;
    } rows[] = {
        {"abcdef", 6, false, "abcdef\n"},    {"abcdefg", 6, false, "abcde…\n"},
        {"你好你好", 7, false, "你好你…\n"}, {"你好你好", 6, false, "你好 …\n"},
        {"abcdefg", 6, true, "abcd..\n"},    {"✓ a", 6, true, "ok a\n"},
        {"●▶–·✗", 8, true, "o>-.x\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct canvas canvas = {0};
        canvas_init(&canvas, 10, 1, rows[i].ascii);
        canvas_text_cut(&canvas, 0, 0, rows[i].end, STYLE_NORMAL, rows[i].text);
        expect(&canvas, rows[i].seen);
        canvas_release(&canvas);
    }
}

static void test_frame(void **state)
{
    (void)state;
    struct canvas canvas = {0};
    canvas_init(&canvas, 20, 3, false);
    struct rect inside = canvas_frame(&canvas, (struct rect){0, 0, 3, 20}, "1 日志", "跟随", true);
    assert_int_equal(inside.row, 1);
    assert_int_equal(inside.cols, 18);
    expect(&canvas, "┌ 1 日志 ──── 跟随 ┐\n│                  │\n└──────────────────┘\n");
    canvas_release(&canvas);

    canvas_init(&canvas, 14, 3, true);
    canvas_frame(&canvas, (struct rect){0, 0, 3, 14}, "a title too long", "right", true);
    expect(&canvas, "+ a title .. +\n|            |\n+------------+\n");
    canvas_release(&canvas);
}

static void test_outside_of_it(void **state)
{
    (void)state;
    struct canvas canvas = {0};
    canvas_init(&canvas, 4, 2, false);
    canvas_text(&canvas, 5, 0, 4, STYLE_NORMAL, "no");
    canvas_text(&canvas, -1, 0, 4, STYLE_NORMAL, "no");
    canvas_text(&canvas, 0, 3, 40, STYLE_NORMAL, "abcdef");
    canvas_frame(&canvas, (struct rect){0, 0, 9, 9}, "t", NULL, true);
    canvas_frame(&canvas, (struct rect){0, 0, 1, 1}, "t", "r", true);
    canvas_restyle(&canvas, 1, 0, 99, STYLE_MATCH);
    canvas_release(&canvas);
    canvas_init(&canvas, 0, -3, false); // becomes 1x1
    assert_int_equal(canvas.cols, 1);
    canvas_release(&canvas);
}

static void test_equal(void **state)
{
    (void)state;
    struct canvas a = {0};
    struct canvas b = {0};
    canvas_init(&a, 10, 2, false);
    assert_false(canvas_equal(&a, &b));
    canvas_init(&b, 10, 2, false);
    assert_true(canvas_equal(&a, &b));
    canvas_text(&a, 1, 1, 9, STYLE_NORMAL, "你x");
    assert_false(canvas_equal(&a, &b));
    canvas_text(&b, 1, 1, 9, STYLE_NORMAL, "你x");
    assert_true(canvas_equal(&a, &b));
    canvas_text(&b, 1, 1, 9, STYLE_BAD, "你x"); // the same text, another style
    assert_false(canvas_equal(&a, &b));
    assert_true(canvas_contains(&a, "你x"));
    assert_false(canvas_contains(&a, "xy"));
    canvas_release(&a);
    canvas_release(&b);
}

int main(void)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_frame), cmocka_unit_test(test_outside_of_it),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
