// .python-version as pyenv reads it (P-50, P-51), and what the cloud cannot follow (P-41).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulator/formats/python_version.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

static char *read_all(const char *text, int *ret_first_line, struct error *error)
{
    struct python_version version = {0};
    struct diagnostics diagnostics = {0};
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int result = python_version_parse(copy, len, &version, &diagnostics, error);
    free(copy);
    char *joined = result < 0 ? NULL : str_dup("");
    for (size_t i = 0; i < version.count; i++) {
        char *longer = str_printf("%s%s%s", joined, i ? ":" : "", version.items[i].text);
        free(joined);
        joined = longer;
    }
    *ret_first_line = version.count ? version.items[0].line : 0;
    python_version_release(&version);
    diagnostics_clear(&diagnostics);
    return joined;
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *versions; // as `pyenv version-file-read` prints them
        int line;
    } rows[] = {
        {"3.10", "3.10", 1},
        {"3.10\n", "3.10", 1},
        {"3.10\r\n", "3.10", 1},
        {" \t3.10 what follows\n", "3.10", 1},
        {"# a\n\n\r\n3.9.18", "3.9.18", 4},
        {"3.11\n#x\n2.7\n", "3.11:2.7", 1},
        {"python-3.12.1", "3.12.1", 1},
        {"3", "3", 1},
        {"3.13.0rc1", "3.13.0rc1", 1},
        {"3.13t", "3.13t", 1},
        {"3.14-dev", "3.14-dev", 1},
        {"\r3.10\r3.11\n", "3.10", 1},
        {"", "", 0},
        {"#3.10\n", "", 0},
        {"\xEF\xBB\xBF"
         "3.10",
         "3.10", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int line;
        struct error error = {0};
        print_message("%s\n", rows[i].text);
        auto_free char *read = read_all(rows[i].text, &line, &error);
        assert_non_null(read);
        assert_string_equal(read, rows[i].versions);
        assert_int_equal(line, rows[i].line);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"pypy3.10-7.3.12", ".python-version:1: pypy3.10-7.3.12: the cloud has CPython only"},
        {"3.10\npypy", ".python-version:2: pypy: the cloud has CPython only"},
        {"miniconda3-4.7.12", "the cloud has CPython only"},
        {"../../../bin", "is a path"},
        {"..", "is a path"},
        {"/usr", "is a path"},
        {"3.10/envs/x", "is a path"},
        {"system", "means this computer's Python"},
        {"venv", "is not a CPython version"},
        {"3.x", "is not a CPython version"},
        {"3.", "is not a CPython version"},
        {"3.10.1.2", "is not a CPython version"},
        {"3.10,", "is not a CPython version"},
        {"v3.10", "is not a CPython version"},
        {"02.7", "is not a CPython version"},
        {"3.010", "is not a CPython version"},
        {"4.0", "Python 2.7 and 3 only"},
        {"30", "Python 2.7 and 3 only"},
        {"1.5", "Python 2.7 and 3 only"},
        {"2.6", "Python 2.7 and 3 only"},
        {"2.70", "Python 2.7 and 3 only"},
        {"3.10:3.11", "several versions stand on lines of their own"},
        {"\xFF", "is not a CPython version"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int line;
        struct error error = {0};
        print_message("%s\n", rows[i][0]);
        assert_null(read_all(rows[i][0], &line, &error));
        assert_int_equal(error.kind, ERROR_PROJECT);
        assert_non_null(strstr(error.message, rows[i][1]));
        assert_non_null(strstr(error.cloud, "We only support CPython")); // P-47
    }
    // A message is cut at a whole character.
    int line;
    struct error cut = {0};
    assert_null(
        read_all("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                 "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                 &line, &cut));
    auto_free char *valid = utf8_valid(cut.message, strlen(cut.message));
    assert_string_equal(valid, cut.message);
    char big[70];
    memset(big, '3', sizeof big);
    struct python_version version = {0};
    struct error error = {0};
    assert_int_equal(python_version_parse(big, sizeof big, &version, NULL, &error), -1);
    assert_int_equal(python_version_parse("3\0", 2, &version, NULL, &error), -1);
}

static void test_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        const char *prefix;
        bool matches;
    } rows[] = {
        {"3.10.13", "3.10", true},    {"3.10.13", "3.1", false},    {"3.10.13", "3", true},
        {"3.10.13", "3.10.13", true}, {"3.10.13", "3.10.1", false}, {"3.13.0rc1", "3.13", false},
        {"3.13.0t", "3.13", false},   {"3.14-dev", "3.14", false},  {"2.7.18", "3", false},
        {"3.13.0t", "3.13t", true},   {"3.13.0", "3.13t", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(python_version_has_prefix(rows[i].version, rows[i].prefix),
                         rows[i].matches);
    }
    assert_true(python_version_compare("3.9.18", "3.10.1") < 0);
    assert_true(python_version_compare("3.10.9", "3.10.13") < 0);
    assert_int_equal(python_version_compare("3.10", "3.10"), 0);
    assert_true(python_version_compare("3.13.9t", "3.13.10t") < 0);
}

static void test_runtime_txt(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"python-2.7", "2.7"}, {"python-3.5\n", "3.5"}, {"3.6.1\r\n", "3.6.1"}, {"", NULL},
        {"pypy-2.0", NULL},    {"nodejs", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *version = python_version_of_runtime_txt(rows[i][0], strlen(rows[i][0]));
        assert_true(str_equal(version, rows[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_runtime_txt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
