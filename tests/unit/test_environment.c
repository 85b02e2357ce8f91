// The app's variables (P-100a to P-102m) and the region's clock (P-140 to P-142).
#include "tests/unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "emulator/environment/environment.h"

static struct strlist no_shell;

static struct environment_request request_for(const char *dir, const struct strlist *shell)
{
    return (struct environment_request){.project_dir = dir,
                                        .project_id = "0123456789abcdef",
                                        .host_env = shell,
                                        .environment = "development",
                                        .region = "cn-n1",
                                        .group = "web",
                                        .port = 3000,
                                        .version_tag = "20261122-101552",
                                        .instance = "web1",
                                        .home = "/home/leanengine",
                                        .layer = "/opt/env"};
}

static struct strlist build(const struct environment_request *request,
                            struct diagnostics *diagnostics)
{
    struct environment environment = {0};
    struct error error = {0};
    if (environment_build(request, &environment, diagnostics, &error) < 0) {
        fail_msg("%s", error.message);
    }
    struct strlist list = {0};
    environment_to_list(&environment, &list);
    environment_release(&environment);
    return list;
}

static void documented_variables_are_set(void **state)
{
    static const char *const expected[][2] = {
        {"LEANCLOUD_APP_ENV", "development"},         // P-100b
        {"LEANCLOUD_APP_PORT", "3000"},               // P-100c
        {"LEANCLOUD_APP_GROUP", "web"},               // P-100e
        {"LEANCLOUD_REGION", "CN"},                   // P-100f
        {"LEANCLOUD_VERSION_TAG", "20261122-101552"}, // P-100g
        {"LEANCLOUD_AVAILABLE_CPUS", "1"},            // P-93
        {"LC_APP_PORT", "3000"},                      // P-101g
        {"LEANCLOUD_APP_INSTANCE", "web1"},           // P-101c
        {"HOME", "/home/leanengine"},                 // P-132
        {"PYTHONUNBUFFERED", "1"},                    // P-126
        {"PATH", "/opt/env/bin:/usr/local/bin:/usr/bin:/bin"},
    };
    struct environment_request request = request_for(*state, &no_shell);
    struct strlist list = build(&request, NULL);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const char *got = strlist_env_get(&list, expected[i][0]);
        assert_non_null(got);
        assert_string_equal(got, expected[i][1]);
    }
    // P-102g: what the vendor's CLI does not set, we do not either.
    assert_null(strlist_env_get(&list, "PORT"));
    assert_null(strlist_env_get(&list, "NODE_ENV"));
    assert_null(strlist_env_get(&list, "TZ"));
    strlist_clear(&list);
}

static void shell_gives_identity_only(void **state)
{
    struct strlist shell = {0};
    strlist_add(&shell, "LEANCLOUD_APP_ID=mine");
    strlist_add(&shell, "LEANCLOUD_APP_PORT=9999");
    strlist_add(&shell, "SECRET_OF_THE_SHELL=1");
    struct environment_request request = request_for(*state, &shell);
    struct strlist list = build(&request, NULL);
    assert_string_equal(strlist_env_get(&list, "LEANCLOUD_APP_ID"), "mine");
    assert_string_equal(strlist_env_get(&list, "LC_APP_ID"), "mine");
    assert_string_equal(strlist_env_get(&list, "LEANCLOUD_APP_PORT"), "3000");
    assert_null(strlist_env_get(&list, "SECRET_OF_THE_SHELL"));
    strlist_clear(&list);
    strlist_clear(&shell);
}

static void invented_identity_is_stable_and_offline(void **state)
{
    struct environment_request request = request_for(*state, &no_shell);
    struct strlist first = build(&request, NULL);
    struct strlist second = build(&request, NULL);
    assert_string_equal(strlist_env_get(&first, "LEANCLOUD_APP_MASTER_KEY"),
                        strlist_env_get(&second, "LEANCLOUD_APP_MASTER_KEY"));
    // P-304: never a live service.
    assert_non_null(strstr(strlist_env_get(&first, "LEANCLOUD_API_SERVER"), "//127."));
    strlist_clear(&first);
    strlist_clear(&second);
}

static void env_file_beats_dotenv_and_built_ins_beat_both(void **state)
{
    unit_write(*state, ".env", "A=dotenv\nB=dotenv\nLEANCLOUD_REGION=XX\n");
    unit_write(*state, "more.env", "A=file\n");
    char *file = fs_join(*state, "more.env");
    struct environment_request request = request_for(*state, &no_shell);
    request.env_file = file;
    struct diagnostics diagnostics = {0};
    struct strlist list = build(&request, &diagnostics);
    assert_string_equal(strlist_env_get(&list, "A"), "file");
    assert_string_equal(strlist_env_get(&list, "B"), "dotenv");
    assert_string_equal(strlist_env_get(&list, "LEANCLOUD_REGION"), "CN"); // P-102a
    assert_int_equal(diagnostics.count, 1);
    assert_int_equal(diagnostics.items[0].line, 3);
    diagnostics_clear(&diagnostics);
    strlist_clear(&list);
    free(file);
}

static void bad_env_file_is_a_usage_error_with_its_line(void **state)
{
    unit_write(*state, ".env", "A=1\n2B=3\n");
    struct environment_request request = request_for(*state, &no_shell);
    struct environment environment = {0};
    struct error error = {0};
    assert_int_equal(environment_build(&request, &environment, NULL, &error), -1);
    assert_int_equal(error.kind, ERROR_USAGE);
    assert_non_null(strstr(error.message, ".env:2"));
}

static void zone_file_is_what_libc_reads(void **state)
{
    static const struct {
        const char *region;
        const char *code;
        const char *shown;
    } rows[] = {
        {"cn-n1", "CN", "1970-01-01 08:00 CST"}, {"cn-e1", "CN", "1970-01-01 08:00 CST"},
        {"us-w1", "US", "1970-01-01 00:00 UTC"}, {"cn-tds1", "CN", "1970-01-01 08:00 CST"},
        {"ap-sg", "AP", "1970-01-01 00:00 UTC"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const void *bytes;
        size_t len;
        char *path = fs_join(*state, rows[i].region); // one name each: libc keeps what it has read
        environment_region_localtime(rows[i].region, &bytes, &len);
        assert_int_equal(fs_write_atomic(path, bytes, len, 0644, NULL), 0);
        char *zone = str_printf(":%s", path);
        setenv("TZ", zone, 1);
        tzset();
        time_t epoch = 0;
        struct tm parts;
        char shown[64];
        localtime_r(&epoch, &parts);
        strftime(shown, sizeof shown, "%Y-%m-%d %H:%M %Z", &parts);
        assert_string_equal(shown, rows[i].shown);
        assert_string_equal(environment_region_code(rows[i].region), rows[i].code);
        free(zone);
        free(path);
    }
    unsetenv("TZ");
    assert_null(environment_region_code("mars"));
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, unit_make_dir, unit_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(documented_variables_are_set),
        IN_DIR(shell_gives_identity_only),
        IN_DIR(invented_identity_is_stable_and_offline),
        IN_DIR(env_file_beats_dotenv_and_built_ins_beat_both),
        IN_DIR(bad_env_file_is_a_usage_error_with_its_line),
        IN_DIR(zone_file_is_what_libc_reads),
    };
    return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
