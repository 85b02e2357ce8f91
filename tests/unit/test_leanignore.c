// .leanignore as the CLI reads it (P-220 to P-225), oddities first.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/formats/ignore_pattern.h"
#include "emulator/formats/leanignore.h"
#include "sandbox/base/cleanup.h"

static const struct {
    const char *rules;
    const char *path; // "/" at the end: a directory
    bool excluded;
    unsigned line;
} rows[] = {
    // names match any component
    {"venv", "venv/", true, 1},
    {"venv", "a/venv", true, 1},
    {"venv", "venv2", false, 0},
    {"venv", "a/venv/b.py", true, 1},
    {".git/", ".git/", true, 1},
    {".git/", ".git", false, 0},
    {".git/", ".git/config", true, 1},
    {"a\\*b", "a*b", true, 1},
    {"a\\*b", "axb", false, 0},
    // globs without "/" are not anchored at the start
    {"test*", "latest.json", true, 1},
    {"*.pyc", "a/b.pyc", true, 1},
    {"*.pyc", "a.pyc.txt", false, 0},
    {"a?c", "x/abc", true, 1},
    {"a?c", "a/c", true, 1}, // "." of the expression is any character
    {"[!a]b", "cb", true, 1},
    {"[!a]b", "ab", false, 0},
    {"[^a]b", "^b", true, 1},
    {"[^a]b", "cb", false, 0},
    {"[0-9].txt", "v1.txt", true, 1},
    {"\\d*.log", "x9y.log", true, 1}, // Go's digit
    {"a.c*", "abc", false, 0},
    {"*.*", ".", true, 1}, // even the root: nothing is uploaded
    {"*", ".", true, 1},
    {"*.js", ".", false, 0},
    // a pattern with "/" is the whole path
    {"/wsgi.py", "wsgi.py", false, 0},
    {"a/b", "a/b", true, 1},
    {"a/b", "x/a/b", false, 0},
    {"FE/*.*", "FE/a.js", true, 1},
    {"/FE/*.*", "FE/a.js", false, 0},
    {"a/*", "a/b/c", false, 0},
    {"a/*/c", "a/b/c", true, 1},
    {"a/[^b]", "a/c", true, 1},
    {"a/[!b]", "a/b", true, 1}, // "!" is a member here
    {"a/b/", "a/b/", true, 1},
    {"a/b/", "a/b", false, 0},
    // order, comments, blanks
    {"*.log\n!keep.log", "keep.log", false, 2},
    {"!keep.log\n*.log", "keep.log", true, 2},
    {"# x\n\n  \nb", "b", true, 4},
    {" #x", " #x", true, 1},
    {"b  \t", "b", true, 1},
    {"b\r\nc\r\n", "b", true, 1},
    {"b\r\nc\r\n", "c", true, 2},
    {"\xef\xbb\xbf"
     "b",
     "b", false, 0}, // a BOM is part of the first pattern
    {"\xe4\xb8\xad*", "\xe4\xb8\xad\xe6\x96\x87", true, 1},
    {LEANIGNORE_DEFAULT, "x/__pycache__/", true, 7},
    {LEANIGNORE_DEFAULT, ".venv/", false, 0},
    {LEANIGNORE_DEFAULT, "a/venv", true, 5},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error error = {0};
        struct leanignore *ignore = leanignore_parse(rows[i].rules, strlen(rows[i].rules), &error);
        if (!ignore) {
            fail_msg("%s: %s", rows[i].rules, error.message);
        }
        size_t len = strlen(rows[i].path);
        bool is_dir = strcmp(rows[i].path, ".") == 0 || rows[i].path[len - 1] == '/';
        auto_free char *path =
            str_dup_len(rows[i].path, len - (rows[i].path[len - 1] == '/' ? 1 : 0));
        unsigned line = 99;
        if (leanignore_excludes(ignore, path, is_dir, &line) != rows[i].excluded ||
            line != rows[i].line) {
            fail_msg("rules \"%s\", path \"%s\": not %s by line %u", rows[i].rules, rows[i].path,
                     rows[i].excluded ? "excluded" : "kept", rows[i].line);
        }
        leanignore_free(ignore);
    }
}

static void test_what_aborts_the_deploy(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        const char *message;
    } refused[] = {
        {"a\n\nb/**\n", "parseignore: pattern \"b/**\" uses the unsupported ** syntax on line 3"},
        {"!", "parseignore: pattern \"!\" is invalid on line 1"},
        {"/", "parseignore: pattern \"/\" is invalid on line 1"},
        {"a\n!/ \n", "parseignore: pattern \"!/ \" is invalid on line 2"},
        {"[z-a]*", "parseignore: invalid pattern \"[z-a]*\": error parsing regexp: invalid "
                   "character class range: `[z-a].*$` on line 1"},
        {"[!]", "parseignore: invalid pattern \"[!]\": error parsing regexp: missing closing ]: "
                "`[^]$` on line 1"},
        {"a/[", "parseignore: pattern \"a/[\": syntax error in pattern on line 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct error error = {0};
        assert_null(leanignore_parse(refused[i].rules, strlen(refused[i].rules), &error));
        assert_string_equal(error.message, refused[i].message);
        assert_int_equal(error.kind, ERROR_PROJECT);
        assert_string_equal(error.rule, "P-223");
    }
}

// What .gitignore would read otherwise: in any case, or as a file shows.
static void test_what_gitignore_reads_otherwise(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        int line; // 0: both read it alike
        const char *hint;
    } compared[] = {
        {"*.log\n.git/\nvenv\na/b\na/*.c\n!x\n", 0, ""},
        {"a\n/build\n", 2, "write build"},
        {"!/build/x\n", 1, "write !build/x"},
        {"a/[!b]\n", 1, "write a/[^b]"},
        {"\xef\xbb\xbf"
         "a\n",
         1, "byte order mark"},
        {"a\n*\n", 2, "name what"},
        {"[!a]b\n", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(compared); i++) {
        struct diagnostics diagnostics = {0};
        struct leanignore *ignore =
            leanignore_parse(compared[i].rules, strlen(compared[i].rules), NULL);
        leanignore_compare(ignore, ".leanignore", &diagnostics);
        if (diagnostics.count != (compared[i].line > 0) ||
            (diagnostics.count && (diagnostics.items[0].line != compared[i].line ||
                                   !strstr(diagnostics.items[0].hint, compared[i].hint)))) {
            fail_msg("%s: %zu words, %s", compared[i].rules, diagnostics.count,
                     diagnostics.count ? diagnostics.items[0].hint : "");
        }
        diagnostics_clear(&diagnostics);
        leanignore_free(ignore);
    }
    static const struct {
        const char *rule, *path;
        bool surprise;
    } hits[] = {
        {"test*", "tests", false},   {"test*", "latest.json", true}, {"test*", "a/test_b", false},
        {"a*.txt", "a/b.txt", true}, {"*.log", "x/y.log", false},    {"[ab]c/", "xac", true},
        {"[ab]c/", "ac", false},     {"name", "a/name", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
        struct leanignore *ignore = leanignore_parse(hits[i].rule, strlen(hits[i].rule), NULL);
        assert_true(leanignore_excludes(ignore, hits[i].path, true, NULL));
        if (leanignore_is_surprise(ignore, 1, hits[i].path, true) != hits[i].surprise) {
            fail_msg("%s, %s", hits[i].rule, hits[i].path);
        }
        leanignore_free(ignore);
    }
}

static void test_what_is_taken_back_further_than_in_gitignore(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *path;
        unsigned line;
        bool surprise;
    } hits[] = {
        {"*.log\n!a/", "a/x.log", 2, true},
        {"*.log\n!a/", "a/x.py", 2, false},
        {"*.log\n!keep.log", "a/keep.log", 2, false},
        {"*b\n!a*", "ab/b", 2, true},
        {"*b\n!a*", "a/ab", 2, false},
        {"*b\n!*b\n!a*", "ab/b", 3, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
        struct leanignore *ignore = leanignore_parse(hits[i].rules, strlen(hits[i].rules), NULL);
        unsigned line;
        assert_false(leanignore_excludes(ignore, hits[i].path, false, &line));
        if (line != hits[i].line ||
            leanignore_is_surprise(ignore, line, hits[i].path, false) != hits[i].surprise) {
            fail_msg("%s, %s: line %u", hits[i].rules, hits[i].path, line);
        }
        leanignore_free(ignore);
    }
}

static void test_the_scanner_stops_at_a_long_line(void **state)
{
    (void)state;
    for (size_t len = 65535; len <= 65536; len++) {
        auto_free char *rules = mem_alloc(len + 8);
        memset(rules, 'x', len);
        strcpy(rules + len, "\nb\n");
        struct leanignore *ignore = leanignore_parse(rules, len + 3, NULL);
        assert_non_null(ignore);
        assert_int_equal(leanignore_excludes(ignore, "b", false, NULL), len == 65535);
        leanignore_free(ignore);
    }
}

static void test_no_pattern_is_slow(void **state)
{
    (void)state;
    char pattern[200] = "";
    for (int i = 0; i < 40; i++) {
        strcat(pattern, "*a");
    }
    char path[2001];
    memset(path, 'a', 2000);
    path[2000] = '\0';
    strcpy(path + 1996, "b");
    struct leanignore *ignore = leanignore_parse(pattern, strlen(pattern), NULL);
    assert_false(leanignore_excludes(ignore, path, false, NULL)); // or ctest's limit ends it
    leanignore_free(ignore);
    assert_false(ignore_path_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ac", path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_what_aborts_the_deploy),
        cmocka_unit_test(test_what_gitignore_reads_otherwise),
        cmocka_unit_test(test_what_is_taken_back_further_than_in_gitignore),
        cmocka_unit_test(test_the_scanner_stops_at_a_long_line),
        cmocka_unit_test(test_no_pattern_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
