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

// One real line a row of troubles.def, in its order.
static const struct {
    const char *line;
    enum error_kind kind;
} troubles[] = {
    {"OSError: [Errno 28] No space left on device: '/opt/env/lib'", ERROR_HOST},
    {"ERROR: Disk quota exceeded (x)", ERROR_HOST},
    {"x86_64-linux-gnu-gcc: internal compiler error: Killed (program cc1)", ERROR_HOST},
    {"ERROR: MemoryError (x)", ERROR_PROJECT},
    {"ERROR: Temporary failure in name resolution (x)", ERROR_HOST},
    {"ERROR: Name or service not known (x)", ERROR_HOST},
    {"ERROR: No address associated with hostname (x)", ERROR_HOST},
    {"ERROR: Network is unreachable (x)", ERROR_HOST},
    {"WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError: Failed to "
     "establish a new connection: [Errno 113] No route to host'",
     ERROR_HOST},
    {"ERROR: ConnectTimeoutError (x)", ERROR_HOST},
    {"fatal: unable to access 'https://git.example/x/y.git/': Failed to connect to github.com port "
     "443: Connection refused",
     ERROR_HOST},
    {"ERROR: Read timed out (x)", ERROR_HOST},
    {"ERROR: ProxyError (x)", ERROR_HOST},
    {"ERROR: CERTIFICATE_VERIFY_FAILED (x)", ERROR_HOST},
    {"ERROR: HTTP error 401 (x)", ERROR_HOST},
    {"ERROR: HTTP error 403 (x)", ERROR_HOST},
    {"ERROR: HTTP error 5 (x)", ERROR_HOST},
    {"ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'o.txt'",
     ERROR_PROJECT},
    {"ERROR: looks like a filename, but the file does not exist (x)", ERROR_PROJECT},
    {"ERROR: file:///home/leanengine/app does not appear to be a Python project: neither "
     "'setup.py' nor 'pyproject.toml' found.",
     ERROR_PROJECT},
    {"ERROR: is not installable. File 'setup.py' not found (x)", ERROR_PROJECT},
    {"ERROR: is not a valid editable requirement (x)", ERROR_PROJECT},
    {"ERROR: ResolutionImpossible (x)", ERROR_PROJECT},
    {"ERROR: have conflicting dependencies (x)", ERROR_PROJECT},
    {"ERROR: Package 'leancloud' requires a different Python: 3.13.0 not in '<3.12'",
     ERROR_PROJECT},
    {"ERROR: Ignored the following versions that require a different python version: 1.22.0 "
     "Requires-Python >=3.7,<3.11",
     ERROR_PROJECT},
    {"ERROR: No matching distribution found for x==9", ERROR_PROJECT},
    {"ERROR: DO NOT MATCH THE HASHES (x)", ERROR_PROJECT},
    {"ERROR: In --require-hashes mode, all requirements must have (x)", ERROR_PROJECT},
    {"ERROR: Invalid requirement (x)", ERROR_PROJECT},
    {"ERROR: is not a supported wheel on this platform (x)", ERROR_PROJECT},
    {"error in suds setup command: use_2to3 is invalid.", ERROR_PROJECT},
    {"ERROR: No module named 'distutils' (x)", ERROR_PROJECT},
    {"yarl/_quoting.c:196:12: fatal error: longintrepr.h: No such file or directory",
     ERROR_PROJECT},
    {"ERROR: has no member named 'ob_shash' (x)", ERROR_PROJECT},
    {"ERROR: has no member named 'exc_type' (x)", ERROR_PROJECT},
    {"ERROR: too few arguments to function '_PyLong_AsByteArray' (x)", ERROR_PROJECT},
    {"ERROR: Python.h: No such file (x)", ERROR_HOST},
    {"unable to execute 'gcc': No such file or directory", ERROR_HOST},
    {"error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", ERROR_HOST},
    {"ERROR: g++' failed: No such file (x)", ERROR_HOST},
    {"ERROR: error: command 'cc' failed: No such file (x)", ERROR_HOST},
    {"ERROR: cannot find command 'git' (x)", ERROR_HOST},
    {"ERROR: Cannot find command 'git' (x)", ERROR_HOST},
    {"error: can't find Rust compiler", ERROR_HOST},
    {"ERROR: Cargo, the Rust package manager, is not installed (x)", ERROR_HOST},
    {"ERROR: CMake must be installed (x)", ERROR_HOST},
    {"ERROR: pg_config executable not found (x)", ERROR_HOST},
    {"ERROR: libpq-fe.h: No such file (x)", ERROR_HOST},
    {"/bin/sh: 1: mysql_config: not found", ERROR_HOST},
    {"ERROR: mysql_config not found (x)", ERROR_HOST},
    {"ERROR: Can not find valid pkg-config name (x)", ERROR_HOST},
    {"ERROR: mysql.h: No such file (x)", ERROR_HOST},
    {"Error: Please make sure the libxml2 and libxslt development packages are installed.",
     ERROR_HOST},
    {"ERROR: libxml/xmlversion.h: No such file (x)", ERROR_HOST},
    {"The headers or library files could not be found for jpeg,", ERROR_HOST},
    {"ERROR: could not be found for zlib (x)", ERROR_HOST},
    {"ERROR: zlib.h: No such file (x)", ERROR_HOST},
    {"ERROR: ffi.h: No such file (x)", ERROR_HOST},
    {"ERROR: openssl/opensslv.h: No such file (x)", ERROR_HOST},
    {"ERROR: openssl/ssl.h: No such file (x)", ERROR_HOST},
    {"__main__.ConfigurationError: Could not run curl-config: [Errno 2] No such file or directory: "
     "'curl-config'",
     ERROR_HOST},
    {"ERROR: gmp.h: No such file (x)", ERROR_HOST},
    {"ERROR: ldap.h: No such file (x)", ERROR_HOST},
    {"ERROR: lber.h: No such file (x)", ERROR_HOST},
    {"ERROR: ta_defs.h: No such file (x)", ERROR_HOST},
    {"src/main.c:3:10: fatal error: uuid/uuid.h: No such file or directory", ERROR_HOST},
    {"ERROR: No module named pip (x)", ERROR_HOST},
};

#define TROUBLE(needle, kind, rule, reason, hint) +1 // how many
enum {
    TROUBLES = 0
#include "emulator/build/troubles.def"
};
#undef TROUBLE

static void test_each_known_trouble(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(troubles), TROUBLES);
    for (size_t i = 0; i < ARRAY_LEN(troubles); i++) {
        struct build_log log;
        struct error error = {0};
        build_log_init(&log);
        build_log_line(&log, "\x01step pip");
        build_log_line(&log, troubles[i].line);
        print_message("%s\n", troubles[i].line);
        assert_int_equal(log.trouble, i);
        build_log_line(&log, "\x01"
                             "failed 1 pip");
        build_log_failure(&log, "3.11.2", false, &error);
        assert_int_equal(error.kind, troubles[i].kind);
        assert_true(*error.hint);
        build_log_release(&log);
    }
}

static void test_doings(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *word; // NULL: nothing is known
    } rows[] = {
        {"Collecting flask", "index"},
        {"Looking in indexes: https://index.example/simple", "index"},
        {"  Downloading Django-4.2-py3-none-any.whl (8.0 MB)", "downloads"},
        {"  Cloning https://git.example/x/y.git to /tmp/pip-req", "git"},
        {"  Installing build dependencies: started", "be built"},
        {"  Getting requirements to build wheel: started", "its build needs"},
        {"  Preparing metadata (pyproject.toml): started", "metadata"},
        {"  Building wheel for gevent (pyproject.toml): started", "source"},
        {"    Running setup.py install for x: started", "source"},
        {"Installing collected packages: a, b", "copies"},
        {"WARNING: Retrying (Retry(total=4, connect=None)) Collecting", "again"},
        {"anything else", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct build_log log;
        build_log_init(&log);
        assert_null(build_log_doing(&log));
        build_log_line(&log, rows[i].line);
        const char *doing = build_log_doing(&log);
        if (rows[i].word) {
            assert_non_null(doing);
            assert_non_null(strstr(doing, rows[i].word));
        } else {
            assert_null(doing);
        }
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
        cmocka_unit_test(test_each_known_trouble),
        cmocka_unit_test(test_doings),
        cmocka_unit_test(test_sdk_on_a_new_python),
        cmocka_unit_test(test_conflicts_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
