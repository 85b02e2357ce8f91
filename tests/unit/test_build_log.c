// What a build's lines mean: steps, the last step's output (P-67), known causes, conflicts (P-301).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulator/build/log.h"
#include "sandbox/base/cleanup.h"

static void test_lines(void **state)
{
    (void)state;
    struct build_log log;
    build_log_init(&log);
    assert_int_equal(build_log_line(&log, "\x01step pip install -r requirements.txt"),
                     BUILD_LINE_STEP);
    assert_int_equal(build_log_line(&log, "Collecting x"), BUILD_LINE_OUTPUT);
    assert_int_equal(build_log_line(&log, "\x01"
                                          "failed 2 pip"),
                     BUILD_LINE_HIDDEN);
    assert_true(log.failed);
    assert_int_equal(log.exit_code, 2);
    assert_string_equal(log.step, "pip install -r requirements.txt");
    build_log_release(&log);
}

static void test_only_the_last_step_is_shown(void **state)
{
    (void)state;
    struct build_log log;
    struct error error = {0};
    build_log_init(&log);
    build_log_line(&log, "\x01step one");
    build_log_line(&log, "ERROR: No matching distribution found for a");
    build_log_line(&log, "\x01step two");
    for (int i = 0; i < 40; i++) {
        auto_free char *line = str_printf("line %d", i);
        build_log_line(&log, line);
    }
    build_log_line(&log, "\x01"
                         "failed 9 two");
    build_log_failure(&log, "3.11.2", false, &error);
    assert_int_equal(error.kind, ERROR_PROJECT);
    assert_true(strncmp(error.message, "two: exit 9\nline 28\n", 20) == 0);
    assert_non_null(strstr(error.message, "line 39"));
    assert_null(strstr(error.message, "distribution"));
    assert_string_equal(error.rule, "P-67");
    assert_non_null(strstr(error.cloud, "'two'' returned a non-zero code: 9:"));
    build_log_release(&log);
}

static void test_causes(void **state)
{
    (void)state;
    static const struct {
        const char *lines[2];
        enum error_kind kind;
        const char *rule;
    } rows[] = {
        {{"ERROR: No matching distribution found for x==9"}, ERROR_PROJECT, ""},
        {{"ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'o.txt'"},
         ERROR_PROJECT,
         "P-72"},
        {{"Could not open requirements file: [Errno 2] No such file or directory: 'o.txt'"},
         ERROR_PROJECT,
         "P-72"},
        {{"ERROR: file:///home/leanengine/app does not appear to be a Python project: neither"},
         ERROR_PROJECT,
         "P-72"},
        {{"WARNING: Retrying ... Failed to establish a new connection: [Errno 111]",
          "ERROR: No matching distribution found for x"},
         ERROR_HOST,
         ""},
        {{"ERROR: ResolutionImpossible: for help visit"}, ERROR_PROJECT, ""},
        {{"OSError: [Errno 28] No space left on device"}, ERROR_HOST, ""},
        {{"fatal error: Python.h: No such file or directory"}, ERROR_HOST, ""},
        {{"something nobody knows"}, ERROR_PROJECT, "P-67"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct build_log log;
        struct error error = {0};
        build_log_init(&log);
        build_log_line(&log, "\x01step pip");
        for (size_t j = 0; j < 2 && rows[i].lines[j]; j++) {
            build_log_line(&log, rows[i].lines[j]);
        }
        build_log_line(&log, "\x01"
                             "failed 1 pip");
        build_log_failure(&log, "3.11.2", true, &error);
        print_message("%s\n", error.message);
        assert_int_equal(error.kind, rows[i].kind);
        assert_string_equal(error.rule, rows[i].rule);
        assert_true(*error.hint);
        build_log_release(&log);
    }
}

static void test_sdk_on_a_new_python(void **state)
{
    (void)state;
    struct build_log log;
    struct error error = {0};
    build_log_init(&log);
    build_log_line(&log, "\x01step pip");
    build_log_line(&log, "error: subprocess-exited-with-error");
    build_log_line(&log, "\x01"
                         "failed 1 pip");
    build_log_failure(&log, "3.12.1", true, &error);
    assert_string_equal(error.rule, "P-53");
    assert_non_null(strstr(error.hint, "3.11"));
    build_log_failure(&log, "3.11.7", true, &error);
    assert_string_equal(error.rule, "P-67");
    build_log_release(&log);
}

static void test_conflicts_once_each(void **state)
{
    (void)state;
    struct build_log log;
    struct diagnostics diagnostics = {0};
    build_log_init(&log);
    for (int i = 0; i < 3; i++) {
        build_log_line(&log, "\x01"
                             "conflict a 1.0 has requirement b<2, but you have b 2.0.");
    }
    build_log_conflicts(&log.conflicts, &diagnostics);
    assert_int_equal(diagnostics.count, 1);
    assert_string_equal(diagnostics.items[0].rule, "P-301");
    diagnostics_clear(&diagnostics);
    build_log_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_only_the_last_step_is_shown),
        cmocka_unit_test(test_causes),
        cmocka_unit_test(test_sdk_on_a_new_python),
        cmocka_unit_test(test_conflicts_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
