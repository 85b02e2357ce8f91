// What an app's stderr says broke, as the status line shows it.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/instance/traceback.h"

#define ROOT "/home/leanengine/app"

struct row {
    const char *lines[10];
    const char *trouble;
};

static const struct row rows[] = {
    {{"Traceback (most recent call last):", "  File \"" ROOT "/app.py\", line 14, in index",
      "    return 1 / 0", "ZeroDivisionError: division by zero"},
     "app.py:14: ZeroDivisionError: division by zero"},
    {{"  File \"" ROOT "/app.py\", line 12", "    return = MARK", "           ^",
      "SyntaxError: invalid syntax"},
     "app.py:12: SyntaxError: invalid syntax"},
    // The deepest frame inside the project counts, not the library's.
    {{"Traceback (most recent call last):", "  File \"" ROOT "/a.py\", line 1, in <module>",
      "  File \"" ROOT "/pkg/b.py\", line 9, in f", "  File \"/opt/env/lib/x.py\", line 3, in g",
      "pkg.errors.Missing: no key"},
     "pkg/b.py:9: pkg.errors.Missing: no key"},
    // A frame of another directory whose name begins alike is not ours.
    {{"Traceback (most recent call last):", "  File \"" ROOT "2/x.py\", line 1, in <module>",
      "KeyError: 'A'"},
     "KeyError: 'A'"},
    {{"KeyError: without a traceback"}, ""},
    {{"Traceback (most recent call last):", "  File \"" ROOT "/a.py\", line 1, in <module>",
      "some note: not an exception"},
     ""},
    {{"Traceback (most recent call last):", "KeyboardInterrupt"}, "KeyboardInterrupt"},
};

static void rows_are_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct traceback traceback = {0};
        for (size_t line = 0; rows[i].lines[line]; line++) {
            traceback_feed(&traceback, ROOT, rows[i].lines[line], strlen(rows[i].lines[line]));
        }
        assert_string_equal(traceback.trouble, rows[i].trouble);
    }
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    struct traceback traceback = {0};
    char line[5000];
    memset(line, 'E', sizeof line);
    memcpy(line, "Traceback (most recent call last)", 33);
    traceback_feed(&traceback, ROOT, line, sizeof line);
    memset(line, 'E', sizeof line);
    traceback_feed(&traceback, ROOT, line, sizeof line);
    assert_int_equal(strlen(traceback.lines[1]), sizeof traceback.lines[1] - 1);
}

static void feed(struct traceback *traceback, const char *line)
{
    traceback_feed(traceback, ROOT, line, strlen(line));
}

static void feed_one(struct traceback *traceback, const char *exception)
{
    feed(traceback, "Traceback (most recent call last):");
    feed(traceback, "  File \"" ROOT "/a.py\", line 1, in <module>");
    feed(traceback, exception);
}

static bool holds(const struct traceback *traceback, const char *words)
{
    return memmem(traceback->text, traceback->text_len, words, strlen(words)) != NULL;
}

// The last one is kept whole, with those it is chained to, and nothing of what stands between.
static void the_text_is_kept(void **state)
{
    (void)state;
    static const char chain[] =
        "During handling of the above exception, another exception occurred:";
    struct traceback traceback = {0};
    feed_one(&traceback, "KeyError: 'old'");
    feed(&traceback, "[INFO] something else");
    feed_one(&traceback, "KeyError: 'first'");
    feed(&traceback, "");
    feed(&traceback, chain);
    feed(&traceback, "");
    feed_one(&traceback, "ValueError: second");
    feed(&traceback, "[INFO] worker exiting");
    assert_false(holds(&traceback, "old") || holds(&traceback, "[INFO]"));
    assert_true(holds(&traceback, "KeyError: 'first'\n") && holds(&traceback, chain));
    assert_true(holds(&traceback, "ValueError: second\n"));
    feed(&traceback, "  File \"" ROOT "/b.py\", line 3"); // a SyntaxError of 2.7
    feed(&traceback, "SyntaxError: invalid syntax");
    assert_false(holds(&traceback, "second"));
    assert_true(holds(&traceback, "b.py") && holds(&traceback, "SyntaxError"));
}

static void a_deep_one_keeps_its_end(void **state)
{
    (void)state;
    static struct traceback traceback;
    traceback = (struct traceback){0};
    feed(&traceback, "Traceback (most recent call last):");
    for (int i = 0; i < 2000; i++) {
        char line[200];
        snprintf(line, sizeof line, "  File \"" ROOT "/deep.py\", line %d, in f", i);
        feed(&traceback, line);
    }
    feed(&traceback, "RecursionError: maximum recursion depth exceeded");
    assert_true(traceback.text_len <= sizeof traceback.text);
    assert_true(holds(&traceback, "line 1999, in f\nRecursionError"));
    assert_false(holds(&traceback, "line 5, in f"));
    assert_true(str_starts_with(traceback.text, "  File ")); // whole lines
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_recognised),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(the_text_is_kept),
        cmocka_unit_test(a_deep_one_keeps_its_end),
    };
    return cmocka_run_group_tests_name("traceback", tests, NULL, NULL);
}
