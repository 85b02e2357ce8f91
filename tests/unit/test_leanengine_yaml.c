// leanengine.yaml: each row's values and errors with their place, suggestions, limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulator/formats/leanengine_yaml.h"
#include "emulator/formats/yaml_plain.h"
#include "sandbox/base/cleanup.h"

static struct leanengine_yaml yaml;
static struct diagnostics diagnostics;
static struct error error;

static int parse_bytes(const char *bytes, size_t len)
{
    leanengine_yaml_release(&yaml);
    diagnostics_clear(&diagnostics);
    error = (struct error){0};
    char *copy = malloc(len ? len : 1); // ends where the sanitizer watches
    memcpy(copy, bytes, len);
    int result = leanengine_yaml_parse(copy, len, &yaml, &diagnostics, &error);
    free(copy);
    return result;
}

static int parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static int teardown(void **state)
{
    (void)state;
    leanengine_yaml_release(&yaml);
    diagnostics_clear(&diagnostics);
    return 0;
}

static void test_all_keys(void **state)
{
    (void)state;
    assert_int_equal(parse("\xEF\xBB\xBF# all of them\r\n"
                           "runtime: python\r\n"
                           "run: $(npm bin)/serve -l ${LEANCLOUD_APP_PORT}\r\n"
                           "install:\r\n"
                           "  - require: [a.txt, vendor/]\r\n"
                           "  - {use: default}\r\n"
                           "  - echo hi\r\n"
                           "build: make\r\n"
                           "systemDependencies: [ffmpeg, imagemagick]\r\n"
                           "buildRoot: server\r\n"
                           "exposeEnvironmentsOnBuild: true\r\n"
                           "startupTimeout: 120\r\n"
                           "functionsMode: strict\r\n"),
                     0);
    assert_string_equal(yaml.runtime, "python");
    assert_string_equal(yaml.run, "$(npm bin)/serve -l ${LEANCLOUD_APP_PORT}");
    assert_int_equal(yaml.run_line, 3);
    assert_true(yaml.install.given);
    assert_int_equal(yaml.install.count, 3);
    assert_int_equal(yaml.install.items[0].kind, BUILD_STEP_REQUIRE);
    assert_string_equal(yaml.install.items[0].files.items[1], "vendor/");
    assert_int_equal(yaml.install.items[1].kind, BUILD_STEP_DEFAULT);
    assert_string_equal(yaml.install.items[2].text, "echo hi");
    assert_int_equal(yaml.install.items[2].line, 7);
    assert_string_equal(yaml.build.items[0].text, "make");
    assert_int_equal(yaml.system_dependencies.count, 2);
    assert_string_equal(yaml.build_root, "server");
    assert_true(yaml.expose_environments_on_build);
    assert_int_equal(yaml.startup_timeout_s, 120);
    assert_int_equal(yaml.functions_mode, FUNCTIONS_STRICT);
    assert_int_equal(diagnostics.count, 0);
}

static void test_defaults(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "\n", "# only a comment\n", "---\n", "{}", "null", "~"};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        assert_int_equal(parse(empty[i]), 0);
        assert_int_equal(yaml.startup_timeout_s, 30); // P-29
        assert_int_equal(yaml.functions_mode, FUNCTIONS_AUTO);
        assert_false(yaml.install.given);
        assert_null(yaml.run);
        assert_int_equal(diagnostics.count, 0);
    }
}

// A value that YAML 1.1 would make a number or a boolean stays the text it is.
static void test_scalars_stay_text(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        {"run: 3.10", "3.10"},
        {"run: on", "on"},
        {"run: 1_000", "1_000"},
        {"run: 'null'", "null"},
        {"run: \"a\\tb\"", "a\tb"},
        {"run: !!str true", "true"},
        {"run: |\n  a\n  b\n", "a\nb\n"},
        {"run: >\n  a\n  b\n", "a b\n"},
        {"run: a # why", "a"},
        {"run: a#b", "a#b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_int_equal(parse(values[i][0]), 0);
        assert_string_equal(yaml.run, values[i][1]);
    }
}

static void test_range(void **state)
{
    (void)state;
    char text[64];
    for (int seconds = 0; seconds < 140; seconds++) {
        snprintf(text, sizeof text, "startupTimeout: %d", seconds);
        bool good = seconds >= 15 && seconds <= 120; // P-29
        assert_int_equal(parse(text), good ? 0 : -1);
        assert_true(!good || yaml.startup_timeout_s == seconds);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
        const char *hint; // part of it
    } rows[] = {
        {"run: x\n\nstartupTimeout: 5m\n",
         "leanengine.yaml:3:17: startupTimeout: expected 15 to 120 seconds, got \"5m\"",
         "without a unit"},
        {"startupTimeout: '60'",
         "leanengine.yaml:1:17: startupTimeout: expected 15 to 120 seconds, "
         "got \"60\"",
         "without quotes"},
        {"startupTimeout: 999999999999999999999", "seconds, got", "whole number"},
        {"startupTimeout: 60.0", "got \"60.0\"", "whole number"},
        {"startupTimeout: -20", "got \"-20\"", ""},
        {"startupTimeout: [20]", "got a list", ""},
        {"exposeEnvironmentsOnBuild: yes", "expected true or false, got \"yes\"", "write true"},
        {"exposeEnvironmentsOnBuild: off", "expected true or false, got \"off\"", "write false"},
        {"exposeEnvironmentsOnBuild: 'true'", "expected true or false", "write true"},
        {"exposeEnvironmentsOnBuild: 1", "expected true or false, got \"1\"", ""},
        {"runtime: pyton", "leanengine.yaml:1:10: runtime: expected one of cpp, dotnet",
         "did you mean python?"},
        {"functionsMode: Strict", "expected one of strict, disabled", "did you mean strict?"},
        {"run: [a, b]", "leanengine.yaml:1:6: run: expected a text, got a list", ""},
        {"run: {a: b}", "run: expected a text, got a map", ""},
        {"systemDependencies: ffmpeg", "expected a list, got \"ffmpeg\"", ""},
        {"systemDependencies:\n - ffmpg\n", "leanengine.yaml:2:4:", "did you mean ffmpeg?"},
        {"install:\n - use: something\n", "expected use: default, got \"something\"", ""},
        {"install:\n - require: ../x\n", "is not a file of the project", "relative"},
        {"install:\n - require: [a, /etc/passwd]\n", "leanengine.yaml:2:17:", "relative"},
        {"install:\n - echo a: b\n", "expected a command", "quote a command"},
        {"install:\n - {use: default, require: [a]}\n", "expected a command", ""},
        {"install:\n - [a]\n", "got a list", ""},
        {"install:\n -\n", "expected a command", ""},
        {"run: a\nrun: b\n", "leanengine.yaml:2:1: run: given twice, first on line 1", ""},
        {"x: a\nx: b\n", "leanengine.yaml:2:1: x: given twice", ""},
        {"- a\n", "leanengine.yaml:1:1: expected lines like", ""},
        {"python wsgi.py", "leanengine.yaml:1:1: expected lines like", ""},
        {"? [a]\n: b\n", "a key must be a text", ""},
        {"run: a\n---\nrun: b\n", "leanengine.yaml:2:1: a second document", ""},
        {"a: &x 1\nrun: *x\n", "leanengine.yaml:2:6: aliases", "write the value again"},
        {"run:\n\tfoo", "leanengine.yaml:2:1:", "never with tabs"},
        {"run: 'a\n", "leanengine.yaml:2:1:", ""},
        {"run: a\n b: c\n", "leanengine.yaml:2:3:", ""},
        {"run: \"\\0\"", "a NUL character", ""},
        {"run: \x01", "leanengine.yaml:1:6: control characters", ""},
        {"run: a\nbuild: \xE4\xB8\xAD\xFF", "leanengine.yaml:2:9: not valid UTF-8", "UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i].text);
        assert_int_equal(parse(rows[i].text), -1);
        print_message("-> %s | %s\n", error.message, error.hint);
        assert_int_equal(error.kind, ERROR_PROJECT);
        assert_non_null(strstr(error.message, rows[i].message));
        assert_non_null(strstr(error.hint, rows[i].hint));
    }
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line, column;
        const char *said;
        const char *hint; // NULL: none
    } rows[] = {
        {"startup_timeout: 20", 1, 1, "unknown key \"startup_timeout\"",
         "did you mean startupTimeout?"},
        {"run: x\nbuidlRoot: a", 2, 1, "unknown key", "did you mean buildRoot?"},
        {"rnu: x", 1, 1, "unknown key", "did you mean run?"},
        {"Run: x", 1, 1, "unknown key", "did you mean run?"},
        {"instal: x", 1, 1, "unknown key", "did you mean install?"},
        {"banana: x", 1, 1, "unknown key", NULL},
        {"cmd: x", 1, 1, "cmd: was read by old", "remove the key"},
        {"extraPorts: []", 1, 1, "extraPorts: is not reproduced", "remove the key"},
        {"installDevDependencies: true", 1, 1, "for Node.js only", "remove the key"},
        {"run:\n", 1, 1, "run: has no value", NULL},
        {"build: [{use: default}]", 1, 15, "no default build command", "remove the step"},
        {"install: make", 1, 10, "pip installs nothing", "{use: default}"},
        {"install: []", 1, 10, "pip installs nothing", "{use: default}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i].text);
        assert_int_equal(parse(rows[i].text), 0);
        assert_int_equal(diagnostics.count, 1);
        const struct diagnostic *item = &diagnostics.items[0];
        assert_int_equal(item->severity, DIAGNOSTIC_WARNING);
        assert_string_equal(item->file, "leanengine.yaml");
        assert_int_equal(item->line, rows[i].line);
        assert_int_equal(item->column, rows[i].column);
        assert_non_null(strstr(item->text, rows[i].said));
        if (rows[i].hint) {
            assert_non_null(strstr(item->hint, rows[i].hint));
        } else {
            assert_null(item->hint);
        }
    }
}

static void test_quiet_installs(void **state)
{
    (void)state;
    assert_int_equal(parse("install: [{use: default}]"), 0);
    assert_int_equal(diagnostics.count, 0);
    assert_int_equal(parse("install: pip install -r requirements.txt"), 0);
    assert_int_equal(diagnostics.count, 0);
}

static void test_limits(void **state)
{
    (void)state;
    size_t big = 65536;
    char *text = malloc(big + 1);
    memset(text, '#', big + 1);
    assert_int_equal(parse_bytes(text, big), 0);
    assert_int_equal(parse_bytes(text, big + 1), -1);
    assert_non_null(strstr(error.message, "larger than 64 KB"));
    free(text);
    char deep[256];
    for (int depth = 31; depth <= 32; depth++) { // the map itself is one level
        int at = snprintf(deep, sizeof deep, "x: ");
        memset(deep + at, '[', (size_t)depth);
        memset(deep + at + depth, ']', (size_t)depth);
        assert_int_equal(parse_bytes(deep, (size_t)(at + 2 * depth)), depth == 31 ? 0 : -1);
    }
    assert_non_null(strstr(error.message, "deeper than 32"));
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < leanengine_yaml_key_count; i++) {
        const struct leanengine_yaml_key *row = &leanengine_yaml_keys[i];
        assert_true(*row->help && strncmp(row->rule, "P-", 2) == 0);
        char text[128];
        snprintf(text, sizeof text, "%s: {a: {b: c}}", row->name);
        bool unused = strcmp(row->type, "UNUSED") == 0;
        assert_int_equal(parse(text), unused ? 0 : -1);
    }
}

static void test_what_other_readers_take_a_plain_text_for(void **state)
{
    (void)state;
    static const struct {
        enum yaml_plain kind;
        const char *texts[24];
    } rows[] = {
        {YAML_PLAIN_BOOLEAN, {"on", "Off", "YES", "n", "y", "true", "False"}},
        {YAML_PLAIN_NUMBER,
         {"0", "-1", "+3", "3.10", "3.", ".5", "1e3", "1.5E-7", "1_000", "0x1F", "0o17", "0b11",
          "017", "1:30", "1:30:00", "1:30.5", ".inf", "-.INF", ".nan"}},
        {YAML_PLAIN_DATE, {"2026-11-26", "2026-11-26T10:00:00Z", "2026-11-26 10:00"}},
        {YAML_PLAIN_TEXT, {"",         "-",           "+",   ".",   "..",  "one", "1a", "1.2.3",
                           "3.11-dev", "1e",          "1e+", "0x",  "0xg", "0b2", "1:", ":1",
                           "2026-1-1", "2026-11-26x", "ye",  "1 2", "_1",  "e3"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t j = 0; rows[i].texts[j]; j++) {
            if (yaml_plain_kind(rows[i].texts[j]) != rows[i].kind) {
                fail_msg("%s: %d", rows[i].texts[j], yaml_plain_kind(rows[i].texts[j]));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_other_readers_take_a_plain_text_for),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_scalars_stay_text),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_quiet_installs),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
