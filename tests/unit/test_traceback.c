// What an app's stderr says broke, as the status line shows it.
#include "tests/unit/unit.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_recognised),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests_name("traceback", tests, NULL, NULL);
}
