// The grammar of emulator/formats/dotenv.h, line by line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulator/formats/dotenv.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
        const char *value;
        int line;
    } rows[] = {
        {"A=b", "A", "b", 1},
        {"A=b\n", "A", "b", 1},
        {"A=b\r\n", "A", "b", 1},
        {"\xEF\xBB\xBF"
         "A=b",
         "A", "b", 1},
        {"\n# c\n  \t\nA=b", "A", "b", 4},
        {"  export \t A = b c  # why", "A", "b c", 1},
        {"export=x", "export", "x", 1},
        {"export =x", "export", "x", 1},
        {"exported=x", "exported", "x", 1},
        {"A=", "A", "", 1},
        {"A= # nothing", "A", "", 1},
        {"A=#x", "A", "#x", 1},
        {"A=a#b", "A", "a#b", 1},
        {"A=$HOME/${x}", "A", "$HOME/${x}", 1},
        {"A=a=b", "A", "a=b", 1},
        {"A=a\\nb", "A", "a\\nb", 1},
        {"A=it's", "A", "it's", 1},
        {"A=''", "A", "", 1},
        {"A='a \\n $b # c'  # d", "A", "a \\n $b # c", 1},
        {"A='two\r\nlines'", "A", "two\nlines", 1},
        {"A=\"a\\n\\t\\r\\\"\\\\\\$\\'\\x\"", "A", "a\n\t\r\"\\$'\\x", 1},
        {"A=\"two\nlines\"#c", "A", "two\nlines", 1},
        {"_a1=\xE4\xB8\xAD\xEF\xBF\xBD", "_a1", "\xE4\xB8\xAD\xEF\xBF\xBD", 1},
        {"A=`id` $(id)", "A", "`id` $(id)", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dotenv entries = {0};
        struct error error = {0};
        print_message("%s\n", rows[i].text);
        size_t len = strlen(rows[i].text);
        char *copy = malloc(len);
        memcpy(copy, rows[i].text, len);
        assert_int_equal(dotenv_parse(copy, len, ".env", &entries, &error), 0);
        free(copy);
        assert_int_equal(entries.count, 1);
        assert_string_equal(entries.items[0].name, rows[i].name);
        assert_string_equal(entries.items[0].value, rows[i].value);
        assert_int_equal(entries.items[0].line, rows[i].line);
        dotenv_release(&entries);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"A=b\nfoo\n", ".env:2: expected NAME=value"},
        {"1A=b", ".env:1: expected NAME=value"},
        {"A-B=c", ".env:1: expected NAME=value"},
        {"=c", ".env:1: expected NAME=value"},
        {"export A", ".env:1: expected NAME=value"},
        {"A=b\nB='x\n\n", ".env:2: the quote is never closed"},
        {"B=\"x\\\"", ".env:1: the quote is never closed"},
        {"A='x\ny' z", ".env:2: text after the closing quote"},
        {"\xE5=1", ".env:1: not UTF-8"},
        {"A=1\nB=\xFF", ".env:2: not UTF-8"},
        {"\xFF\xFE"
         "A",
         ".env:1: not UTF-8"},
        {"\xE4\xB8\xAD=1", ".env:1: expected NAME=value"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dotenv entries = {0};
        struct error error = {0};
        print_message("%s\n", rows[i].text);
        assert_int_equal(dotenv_parse(rows[i].text, strlen(rows[i].text), ".env", &entries, &error),
                         -1);
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_string_equal(error.message, rows[i].message);
        assert_int_equal(entries.count, 0);
    }
}

static void test_order_and_nul(void **state)
{
    (void)state;
    struct dotenv entries = {0};
    struct error error = {0};
    assert_int_equal(dotenv_parse("A=1\nB='\n'\nA=2\n", 14, "x", &entries, &error), 0);
    assert_int_equal(entries.count, 3);
    assert_string_equal(entries.items[2].value, "2");
    assert_int_equal(entries.items[2].line, 4);
    dotenv_release(&entries);
    assert_int_equal(dotenv_parse("A=1\nB=\0", 7, "x", &entries, &error), -1);
    assert_string_equal(error.message, "x:2: a NUL byte");
    assert_int_equal(dotenv_parse("", 0, "x", &entries, &error), 0);
    assert_int_equal(entries.count, 0);
}

static void test_bounds(void **state)
{
    (void)state;
    struct dotenv entries = {0};
    struct error error = {0};
    struct buf text = {0};
    for (int i = 0; i < 1000; i++) {
        buf_addf(&text, "A%d=x\n", i);
    }
    assert_int_equal(dotenv_parse(text.data, text.len, ".env", &entries, &error), 0);
    assert_int_equal(entries.count, 1000);
    dotenv_release(&entries);
    buf_adds(&text, "LAST=x\n");
    assert_int_equal(dotenv_parse(text.data, text.len, ".env", &entries, &error), -1);
    assert_string_equal(error.message, ".env:1001: more than 1000 variables");
    buf_release(&text);
    buf_adds(&text, "A=");
    while (text.len < (120 << 10) + 1) {
        buf_adds(&text, "x");
    }
    assert_int_equal(dotenv_parse(text.data, text.len, ".env", &entries, &error), 0);
    dotenv_release(&entries);
    buf_adds(&text, "x");
    assert_int_equal(dotenv_parse(text.data, text.len, ".env", &entries, &error), -1);
    assert_string_equal(error.message, ".env:1: a value larger than 120 KB");
    buf_release(&text);
    while (text.len < (256 << 10)) {
        buf_adds(&text, "#");
    }
    assert_int_equal(dotenv_parse(text.data, text.len, ".env", &entries, &error), 0);
    dotenv_release(&entries);
    buf_adds(&text, "x");
    assert_int_equal(dotenv_parse(text.data, text.len, ".env", &entries, &error), -1);
    assert_string_equal(error.message, ".env: larger than 256 KB");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_order_and_nul),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
