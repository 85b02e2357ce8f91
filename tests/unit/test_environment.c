// The app's variables (P-100a to P-102m) and the region's clock (P-140 to P-142).
#include "tests/unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "emulator/environment/environment.h"
#include "emulator/environment/identity.h"

static struct strlist no_shell;

static struct environment_request request_for(const char *dir, const struct strlist *shell)
{
    return (struct environment_request){.project_dir = dir,
                                        .env_dir = dir,
                                        .project_id = "0123456789abcdef",
                                        .host_env = shell,
                                        .environment = "development",
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

static void expect(const struct strlist *list, const char *name, const char *value)
{
    const char *got = strlist_env_get(list, name);
    print_message("%s: %s\n", name, got ? got : "(none)");
    assert_true(str_equal(got, value));
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

// DESIGN 10: option > the shell > .leancloud > env files > invented.
static void identity_comes_from_the_strongest_source(void **state)
{
    struct strlist shell = {0};
    struct environment_request request = request_for(*state, &shell);
    char *file = fs_join(*state, "more.env");
    unit_write(*state, ".env", "LEANCLOUD_APP_ID=dotenv\nLEANCLOUD_APP_KEY=key-of-dotenv\n");
    struct strlist list = build(&request, NULL);
    expect(&list, "LEANCLOUD_APP_ID", "dotenv");
    expect(&list, "LEANCLOUD_APP_KEY", "key-of-dotenv");
    strlist_clear(&list);
    unit_write(*state, "more.env", "LEANCLOUD_APP_ID=file\n");
    request.env_file = file;
    list = build(&request, NULL);
    expect(&list, "LEANCLOUD_APP_ID", "file");
    assert_string_not_equal(strlist_env_get(&list, "LEANCLOUD_APP_KEY"), "key-of-dotenv");
    strlist_clear(&list);
    unit_write(*state, ".leancloud/current_app_id", "linked\n");
    unit_write(*state, ".leancloud/current_group", "worker\r\n");
    list = build(&request, NULL);
    expect(&list, "LEANCLOUD_APP_ID", "linked");
    expect(&list, "LEANCLOUD_APP_GROUP", "worker");
    strlist_clear(&list);
    strlist_add(&shell, "LEANCLOUD_APP_ID=shell");
    strlist_add(&shell, "LEANCLOUD_APP_MASTER_KEY=master-of-shell");
    list = build(&request, NULL);
    expect(&list, "LEANCLOUD_APP_ID", "shell");
    expect(&list, "LC_APP_MASTER_KEY", "master-of-shell");
    strlist_clear(&list);
    request.app_id = "option";
    request.group = "api";
    list = build(&request, NULL);
    expect(&list, "LEANCLOUD_APP_ID", "option");
    expect(&list, "LEANCLOUD_APP_GROUP", "api");
    // The shell's keys are another app's.
    assert_string_not_equal(strlist_env_get(&list, "LEANCLOUD_APP_MASTER_KEY"), "master-of-shell");
    strlist_clear(&list);
    strlist_clear(&shell);
    free(file);
}

static void region_is_a_name_or_a_code(void **state)
{
    static const struct {
        const char *option, *shell, *id;
        const char *code, *api;
    } rows[] = {
        {NULL, NULL, "ABCDEFGHij", "CN", "https://abcdefgh.lc-cn-n1-shared.com"},
        {NULL, "CN", "ABCDEFGHij", "CN", "https://abcdefgh.lc-cn-n1-shared.com"},
        {NULL, "US", "ABCDEFGHij", "US", "https://abcdefgh.api.lncldglobal.com"},
        {NULL, "AP", "ABCDEFGHij", "AP", "https://abcdefgh.cloud.ap-sg.tapapis.com"},
        {NULL, "cn-e1", "ABCDEFGHij", "CN", "https://abcdefgh.lc-cn-e1-shared.com"},
        {"cn-tds1", "US", "ABCDEFGHij", "CN", "https://abcdefgh.cloud.tds1.tapapis.cn"},
        {"cn-e1", NULL, "ABCDEFGHij", "CN", "https://abcdefgh.lc-cn-e1-shared.com"},
        {NULL, "mars", "ABCDEFGHij", "CN", "https://abcdefgh.lc-cn-n1-shared.com"},
        {NULL, NULL, "ABCDEFGHij-MdYXbMMI", "US", "https://abcdefgh.api.lncldglobal.com"},
        {NULL, "CN", "ABCDEFGHij-9Nh9j0Va", "CN", "https://abcdefgh.lc-cn-e1-shared.com"},
        {NULL, NULL, "a", "CN", "https://a.lc-cn-n1-shared.com"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strlist shell = {0};
        if (rows[i].shell) {
            char *entry = str_printf("LEANCLOUD_REGION=%s", rows[i].shell);
            strlist_take(&shell, entry);
        }
        struct environment_request request = request_for(*state, &shell);
        request.region = rows[i].option;
        request.app_id = rows[i].id;
        struct strlist list = build(&request, NULL);
        expect(&list, "LEANCLOUD_REGION", rows[i].code);
        expect(&list, "LEANCLOUD_API_SERVER", rows[i].api);
        strlist_clear(&list);
        strlist_clear(&shell);
    }
}

// P-102h: what the shell says of the API server holds.
static void api_server_of_the_shell_holds(void **state)
{
    struct strlist shell = {0};
    strlist_add(&shell, "LEANCLOUD_API_SERVER=http://localhost:8080");
    struct environment_request request = request_for(*state, &shell);
    struct strlist list = build(&request, NULL);
    expect(&list, "LEANCLOUD_API_SERVER", "http://localhost:8080");
    expect(&list, "LC_API_SERVER", "http://localhost:8080");
    strlist_clear(&list);
    strlist_clear(&shell);
}

static void when_decides_which_are_there(void **state)
{
    struct environment_request request = request_for(*state, &no_shell);
    struct strlist list = build(&request, NULL);
    expect(&list, "LEAN_CLI_HAVE_STAGING", "true");
    strlist_clear(&list);
    request.size = instance_size_find("trial"); // P-170: production only
    list = build(&request, NULL);
    expect(&list, "LEAN_CLI_HAVE_STAGING", "false");
    strlist_clear(&list);
    request.environment = "production";
    request.region = "ap-sg"; // P-101g: one brand only
    request.instance = "";
    list = build(&request, NULL);
    expect(&list, "LEAN_CLI_HAVE_STAGING", NULL);
    expect(&list, "LEANCLOUD_APP_PROD", "1");
    expect(&list, "LC_APP_ID", NULL);
    expect(&list, "LEANCLOUD_APP_INSTANCE", NULL);
    strlist_clear(&list);
}

static void lines_that_cannot_be_are_told_with_their_place(void **state)
{
    static const struct {
        const char *line;
        const char *rule;  // "": nothing is said
        const char *value; // of the variable then; NULL: none
    } rows[] = {
        {"LEANCLOUD_APP_PORT=8080", "P-102a", "3000"},
        {"LEANCLOUD_APP_PORT=3000", "", "3000"},
        {"LEANCLOUD_APP_ENV=stage", "P-102a", "development"},
        {"LC_APP_PORT=1", "P-102a", "3000"},
        {"LEANCLOUD_APP_ID=x", "", "x"},
        {"LEANCLOUD_REGION=cn-e1", "", "CN"},
        {"LEANCLOUD_REGION=mars", "P-102k", "CN"},
        {"LEANCLOUD_MINE=x", "P-102e", NULL},
        {"leancloud_mine=x", "P-102e", NULL},
        {"LEAN_CLI_X=x", "P-102e", NULL},
        {"NODE_ENV=production", "P-101h", NULL},
        {"redis_url_MYRDB=x", "P-213", "x"},
        {"Redis_Host_a=x", "P-213", "x"},
        {"REDIS_URL_myrdb=x", "", "x"},
        {"REDIS_URL=x", "", "x"},
        {"_MINE=x", "P-102c", "x"},
        {"PATH=/x", "-", "/opt/env/bin:/usr/local/bin:/usr/bin:/bin"},
        {"LANG=zh_CN.UTF-8", "", "zh_CN.UTF-8"},
        {"TZ=Asia/Tokyo", "", "Asia/Tokyo"},
        {"PORT=8080", "", "8080"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct diagnostics diagnostics = {0};
        struct environment_request request = request_for(*state, &no_shell);
        char *text = str_printf("\n\n%s\n", rows[i].line);
        char *name = str_dup_len(rows[i].line, strcspn(rows[i].line, "="));
        unit_write(*state, ".env", text);
        struct strlist list = build(&request, &diagnostics);
        expect(&list, name, rows[i].value);
        assert_int_equal(diagnostics.count, *rows[i].rule ? 1 : 0);
        if (diagnostics.count) {
            assert_int_equal(diagnostics.items[0].line, 3);
            assert_string_equal(diagnostics.items[0].file, ".env");
            assert_string_equal(diagnostics.items[0].rule ? diagnostics.items[0].rule : "-",
                                rows[i].rule);
        }
        diagnostics_clear(&diagnostics);
        strlist_clear(&list);
        free(text);
        free(name);
    }
}

static void secrets_are_told_by_name_and_by_value(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool secret;
    } rows[] = {
        {"API_KEY", "x", true},
        {"apiKey", "x", true},
        {"SECRETS_FILE", "x", true},
        {"DB_PASSWORD", "x", true},
        {"GITHUB_TOKEN", "x", true},
        {"SESSION_SALT", "x", true},
        {"SENTRY_DSN", "x", true},
        {"KEYBOARD", "x", false},
        {"AUTHOR", "x", false},
        {"HOME_URL", "https://example.com/a@b:c", false},
        {"CACHE", "redis://:pass@127.0.0.1:6379", true},
        {"CACHE", "redis://127.0.0.1:6379", false},
        {"PEM", "-----BEGIN RSA PRIVATE KEY-----\nx", true},
        {"REDIS_URL_mycache", "redis://127.0.0.1:6379", true}, // P-210, P-213
        {"REDIS_HOST_MYRDB", "127.0.0.1", false},
        {"MYSQL_ADMIN_PASSWORD_MYRDB", "x", true},
        {"REDIS_PASSWORD_a", "x", true},
        {"MONGODB_URL_a", "x", true},
        {"DEBUG", "1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s=%s\n", rows[i].name, rows[i].value);
        assert_int_equal(environment_looks_secret(rows[i].name, rows[i].value), rows[i].secret);
    }
    static const char *const databases[][2] = {
        {"REDIS_URL_a", "Redis"},
        {"REDIS_HOST_a", "Redis"},
        {"REDIS_PORT_a", "Redis"},
        {"REDIS_USER_a", "Redis"},
        {"REDIS_PASSWORD_a", "Redis"},
        {"MYSQL_HOST_A", "MySQL"},
        {"MYSQL_PORT_A", "MySQL"},
        {"MYSQL_ADMIN_USER_A", "MySQL"},
        {"MYSQL_ADMIN_PASSWORD_A", "MySQL"},
        {"MONGODB_URL_a", "MongoDB"},
    };
    for (size_t i = 0; i < sizeof databases / sizeof databases[0]; i++) {
        const char *kind = environment_database_of(databases[i][0]);
        assert_true(str_equal(kind, databases[i][1]));
    }
    assert_null(environment_database_of("REDIS_URL_")); // no database's name
    assert_null(environment_database_of("redis_url_a"));
}

static void sizes_are_rows(void **state)
{
    (void)state;
    static const struct instance_size rows[] = {
        {"standard-512", 512, 1000, 1, true, false},
        {"standard-1024", 1024, 1000, 1, true, false},
        {"standard-2048", 2048, 1000, 1, true, false},
        {"standard-4096", 4096, 1000, 1, true, false},
        {"trial", 256, 500, 1, false, true}, // P-170
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct instance_size *size = instance_size_find(rows[i].name);
        assert_non_null(size);
        assert_int_equal(size->memory_mb, rows[i].memory_mb);
        assert_int_equal(size->cpu_milli, rows[i].cpu_milli);
        assert_int_equal(size->staging, rows[i].staging);
        assert_int_equal(size->sleeps, rows[i].sleeps);
        assert_non_null(strstr(instance_size_names(), rows[i].name));
    }
    assert_string_equal(instance_size_find(NULL)->name, "standard-512");
    assert_null(instance_size_find("standard-768"));
}

static void options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct identity_request rows[] = {
        {.group = "../x"}, {.group = ""}, {.app_id = "a b"}, {.region = "mars"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {0};
        assert_int_equal(identity_check_options(&rows[i], &error), -1);
        assert_int_equal(error.kind, ERROR_USAGE);
    }
    const struct identity_request fine = {.group = "web-2", .app_id = "Ab_1-gz", .region = "ap-sg"};
    assert_int_equal(identity_check_options(&fine, NULL), 0);
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
        IN_DIR(identity_comes_from_the_strongest_source),
        IN_DIR(region_is_a_name_or_a_code),
        IN_DIR(api_server_of_the_shell_holds),
        IN_DIR(when_decides_which_are_there),
        IN_DIR(lines_that_cannot_be_are_told_with_their_place),
        cmocka_unit_test(secrets_are_told_by_name_and_by_value),
        cmocka_unit_test(sizes_are_rows),
        cmocka_unit_test(options_that_cannot_be_are_refused),
        IN_DIR(env_file_beats_dotenv_and_built_ins_beat_both),
        IN_DIR(bad_env_file_is_a_usage_error_with_its_line),
        IN_DIR(zone_file_is_what_libc_reads),
    };
    return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
