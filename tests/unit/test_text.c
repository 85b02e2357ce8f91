// Widths, and what bytes from outside may do to the terminal: nothing but colour.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/base/cleanup.h"
#include "tui/text.h"

static const struct {
    const char *bytes;
    const char *plain;
    const char *colored;
} rows[] = {
    {"", "", ""},
    {"plain", "plain", "plain"},
    {"\033[31mred\033[0m!", "red!", "\033[0;31mred\033[0m!"},
    {"\033[1;4;38;5;196mx", "x", "\033[0;1;4;91mx\033[0m"},
    {"\033[38;2;0;0;255mx", "x", "\033[0;94mx\033[0m"},
    {"\033[97;104mx\033[39;49my", "xy", "\033[0;97;104mx\033[0my"},
    {"\033[38;5mx", "x", "x"},                           // cut in the middle of a colour
    {"\033[2J\033[Ha\033[10;10Hb\033[Kc", "abc", "abc"}, // moves, erases
    {"a\033]0;title\ab", "ab", "ab"},                    // the window's title
    {"a\033]8;;http://x\033\\link\033]8;;\033\\b", "alinkb", "alinkb"},
    {"a\033Pq#0\033\\b", "ab", "ab"},   // sixel
    {"a\033_Gf=1\033\\b", "ab", "ab"},  // kitty graphics
    {"a\033[6nb\033[cb", "abb", "abb"}, // questions that a terminal would answer
    {"a\033(0b\033cc", "abc", "abc"},   // charset, reset
    {"a\033", "a^[", "a^["},
    {"a\033[31", "a^[[31", "a^[[31"}, // never finished
    {"a\033]0;x", "a^[]0;x", "a^[]0;x"},
    {"\033[?25lx", "x", "x"},
    {"\033[>4;2mx", "x", "x"}, // looks like a colour, is none
    {"a\bb\ac\177", "a^Hb^Gc^?", "a^Hb^Gc^?"},
    {"\302\2330m", "\357\277\2750m", "\357\277\2750m"}, // C1 control sequence introducer
    {"\233"
     "31m",
     "\357\277\27531m", "\357\277\27531m"},
    {"a\tb", "a       b", "a       b"},
    {"1234567\tb", "1234567 b", "1234567 b"},
    {"10%\r50%\r100%\r", "100%", "100%"}, // what a terminal would show in the end
    {"\xff\xfe", "\357\277\275\357\277\275", "\357\277\275\357\277\275"},
    {"evil\342\200\256txt", "eviltxt", "eviltxt"}, // right-to-left override
    {"e\314\201", "e\314\201", "e\314\201"},
    {"你好", "你好", "你好"},
};

static void test_neutralised(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *plain = text_plain(rows[i].bytes, strlen(rows[i].bytes));
        auto_free char *colored = text_colored(rows[i].bytes, strlen(rows[i].bytes));
        assert_string_equal(plain, rows[i].plain);
        assert_string_equal(colored, rows[i].colored);
    }
}

// Whatever comes in: nothing goes out but printable characters and our own SGR.
static void test_random_bytes(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 3000; round++) {
        char bytes[80];
        size_t len = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            static const char common[] = "\033\033[];:0123m?PX^_\\\a\r\t\302\233x";
            bytes[i] = rand() % 3 ? common[(size_t)rand() % (sizeof common - 1)] : (char)rand();
        }
        auto_free char *plain = text_plain(bytes, len);
        for (const char *c = plain; *c; c++) {
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7F);
        }
        auto_free char *colored = text_colored(bytes, len);
        for (const char *c = colored; *c; c++) {
            if (*c == '\033') {
                assert_int_equal(c[1], '[');
                c += 2 + strspn(c + 2, "0123456789;");
                assert_int_equal(*c, 'm');
            }
            assert_true((unsigned char)*c >= 0x20);
        }
    }
}

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(text_cols("abc"), 3);
    assert_int_equal(text_cols("你好"), 4);
    assert_int_equal(text_cols("e\314\201"), 1);
    assert_int_equal(text_cols("▁▂▃ ✓ ● …"), 9);
    assert_int_equal(text_fit("abc", 2), 2);
    assert_int_equal(text_fit("你好", 3), 3); // never half of the second
    assert_int_equal(text_fit("你好", 4), 6);
    assert_int_equal(text_fit("你好", 1), 0);
    assert_int_equal(text_fit("abc", 10), 3);
}

static void test_matches(void **state)
{
    (void)state;
    const char *line = "\033[31mKey\033[0mError: 名字";
    assert_true(text_matches(line, strlen(line), "keyerror"));
    assert_true(text_matches(line, strlen(line), "KeyError"));
    assert_false(text_matches(line, strlen(line), "KEYERROR"));
    assert_true(text_matches(line, strlen(line), "名"));
    assert_false(text_matches(line, strlen(line), "31m"));
    assert_false(text_matches("", 0, "x"));
}

int main(void)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neutralised),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
