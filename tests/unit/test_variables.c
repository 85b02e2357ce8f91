// Each variable of the platform and each region, by name: the tables of emulator/environment.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/environment/environment.h"
#include "sandbox/base/cleanup.h"

static struct strlist shell;
static struct environment environment;

static int make(void **state)
{
    if (unit_make_dir(state) < 0) {
        return -1;
    }
    strlist_add(&shell, "LEANCLOUD_APP_ID=AbCdEfGhIj-gzGzoHsz");
    strlist_add(&shell, "LEANCLOUD_APP_KEY=key-of-the-shell");
    strlist_add(&shell, "LEANCLOUD_APP_MASTER_KEY=master-of-the-shell");
    strlist_add(&shell, "LEANCLOUD_APP_HOOK_KEY=hook-of-the-shell");
    strlist_add(&shell, "LEANCLOUD_APP_ANDX_KEY=andx-of-the-shell");
    strlist_add(&shell, "LEANCLOUD_API_SERVER=https://api.example");
    return 0;
}

static int release(void **state)
{
    strlist_clear(&shell);
    environment_release(&environment);
    environment = (struct environment){0};
    return unit_remove_dir(state);
}

static const char *instance = "web1";

static void build(const char *dir, const char *name, const char *region)
{
    struct environment_request request = {.project_dir = dir,
                                          .env_dir = dir,
                                          .project_id = "0123456789abcdef",
                                          .host_env = &shell,
                                          .environment = name,
                                          .region = region,
                                          .port = 3000,
                                          .version_tag = "20261122-101552",
                                          .instance = instance,
                                          .home = "/home/leanengine",
                                          .layer = "/opt/env"};
    struct error error = {0};
    environment_release(&environment);
    environment = (struct environment){0};
    if (environment_build(&request, &environment, NULL, &error) < 0) {
        fail_msg("%s", error.message);
    }
}

static const struct environment_variable *find(const char *name)
{
    for (size_t i = 0; i < environment.count; i++) {
        if (strcmp(environment.items[i].name, name) == 0) {
            return &environment.items[i];
        }
    }
    return NULL;
}

static const struct {
    const char *name;
    const char *value; // NULL: any that is not empty
    bool secret;
    const char *rule;
} facts[] = {
    {"LEANCLOUD_APP_ID", "AbCdEfGhIj-gzGzoHsz", false, "P-100a"},
    {"LEANCLOUD_APP_KEY", "key-of-the-shell", true, "P-100a"},
    {"LEANCLOUD_APP_MASTER_KEY", "master-of-the-shell", true, "P-100a"},
    {"LEANCLOUD_APP_ENV", "development", false, "P-100b"},
    {"LEANCLOUD_APP_PORT", "3000", false, "P-100c"},
    {"LEANCLOUD_API_SERVER", "https://api.example", false, "P-100d"},
    {"LEANCLOUD_APP_GROUP", "web", false, "P-100e"},
    {"LEANCLOUD_REGION", "CN", false, "P-100f"},
    {"LEANCLOUD_VERSION_TAG", "20261122-101552", false, "P-100g"},
    {"LEANCLOUD_APP_HOOK_KEY", "hook-of-the-shell", true, "P-101a"},
    {"LEANCLOUD_APP_DOMAIN", NULL, false, "P-101b"},
    {"LEANCLOUD_APP_INSTANCE", "web1", false, "P-101c"},
    {"LEANCLOUD_AVAILABLE_CPUS", "1", false, "P-101d"},
    {"LEANCLOUD_APP_PROD", "0", false, "P-101e"},
    {"LEANCLOUD_APP_ANDX_KEY", "andx-of-the-shell", true, "P-101f"},
    {"LEAN_CLI_HAVE_STAGING", "true", false, "P-102g"},
    {"LC_APP_ID", "AbCdEfGhIj-gzGzoHsz", false, "P-101g"},
    {"LC_APP_KEY", "key-of-the-shell", true, "P-101g"},
    {"LC_APP_MASTER_KEY", "master-of-the-shell", true, "P-101g"},
    {"LC_APP_PORT", "3000", false, "P-101g"},
    {"LC_APP_ENV", "development", false, "P-101g"},
    {"LC_API_SERVER", "https://api.example", false, "P-101g"},
};

static void each_variable_is_set_and_known_as_secret_or_not(void **state)
{
    build(*state, "development", NULL);
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        const struct environment_variable *found = find(facts[i].name);
        if (!found) {
            fail_msg("%s (%s) is not set", facts[i].name, facts[i].rule);
        }
        if (facts[i].value) {
            assert_string_equal(found->value, facts[i].value);
        }
        assert_string_not_equal(found->value, "");
        if (found->secret != facts[i].secret) {
            fail_msg("%s: is it a secret?", facts[i].name);
        }
        assert_string_equal(found->rule, facts[i].rule);
    }
}

// P-102a: it is enough that one of them could be overridden.
static void none_of_them_can_be_overridden(void **state)
{
    char text[4096];
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s=overridden\n", facts[i].name);
    }
    unit_write(*state, ".env", text);
    build(*state, "development", NULL);
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        assert_string_not_equal(find(facts[i].name)->value, "overridden");
    }
}

static void some_are_there_at_times(void **state)
{
    build(*state, "production", NULL);
    assert_string_equal(find("LEANCLOUD_APP_PROD")->value, "1"); // P-101e
    assert_string_equal(find("LEANCLOUD_APP_INSTANCE")->value, "web1");
    assert_null(find("LEAN_CLI_HAVE_STAGING")); // P-102g: of the local start alone
    instance = NULL;                            // while building (P-28)
    build(*state, "production", NULL);
    instance = "web1";
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        bool of_start = strcmp(facts[i].name, "LEANCLOUD_APP_INSTANCE") == 0;
        bool local = strcmp(facts[i].name, "LEAN_CLI_HAVE_STAGING") == 0;
        assert_int_equal(find(facts[i].name) != NULL, !of_start && !local);
    }
    build(*state, "stage", "cn-tds1");
    assert_string_equal(find("LEANCLOUD_APP_ENV")->value, "stage");
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) { // P-101g: of one brand
        if (strncmp(facts[i].name, "LC_", 3) == 0) {
            assert_null(find(facts[i].name));
        }
    }
}

static void each_region_has_its_code_clock_and_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *code;
        long offset_s;
        const char *zone;
        const char *rule;
        const char *api;
        const char *suffix;
        bool legacy_names;
    } regions[] = {
        {"cn-n1", "CN", 8 * 3600, "Asia/Shanghai", "CST-8", "lc-cn-n1-shared.com", "-gzGzoHsz",
         true},
        {"cn-e1", "CN", 8 * 3600, "Asia/Shanghai", "CST-8", "lc-cn-e1-shared.com", "-9Nh9j0Va",
         true},
        {"us-w1", "US", 0, "UTC", "UTC0", "api.lncldglobal.com", "-MdYXbMMI", true},
        {"cn-tds1", "CN", 8 * 3600, "Asia/Shanghai", "CST-8", "cloud.tds1.tapapis.cn", "", false},
        {"ap-sg", "AP", 0, "UTC", "UTC0", "cloud.ap-sg.tapapis.com", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        assert_non_null(environment_region_code(regions[i].name));
        assert_string_equal(environment_region_code(regions[i].name), regions[i].code);
        assert_int_equal(environment_region_utc_offset_s(regions[i].name), regions[i].offset_s);
        assert_string_equal(environment_region_zone(regions[i].name), regions[i].zone);
        assert_string_equal(environment_region_rule(regions[i].name), regions[i].rule);
        assert_string_equal(environment_region_id_suffix(regions[i].name), regions[i].suffix);
        assert_int_equal(environment_region_has_legacy_names(regions[i].name),
                         regions[i].legacy_names);
        auto_free char *api = environment_region_api_server(regions[i].name, "AbCdEfGhIjKl");
        auto_free char *expected = str_printf("https://abcdefgh.%s", regions[i].api); // P-102k
        assert_string_equal(api, expected);
    }
    assert_string_equal(environment_region_names(), "cn-n1 cn-e1 us-w1 cn-tds1 ap-sg");
}

static void each_size_has_its_memory_and_processors(void **state)
{
    (void)state;
    static const struct instance_size sizes[] = {
        {"standard-512", 512, 1000, 1, true, false},
        {"standard-1024", 1024, 1000, 1, true, false},
        {"standard-2048", 2048, 1000, 1, true, false},
        {"standard-4096", 4096, 1000, 1, true, false},
        {"trial", 256, 500, 1, false, true},
    }; // P-170
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const struct instance_size *found = instance_size_find(sizes[i].name);
        assert_non_null(found);
        assert_int_equal(found->memory_mb, sizes[i].memory_mb);
        assert_int_equal(found->cpu_milli, sizes[i].cpu_milli);
        assert_int_equal(found->cpus, sizes[i].cpus);
        assert_int_equal(found->staging, sizes[i].staging);
        assert_int_equal(found->sleeps, sizes[i].sleeps);
    }
    assert_string_equal(instance_size_find(NULL)->name, "standard-512");
}

static void each_variable_of_a_database_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *kind;
        bool secret;
    } rows[] = {
        {"REDIS_URL_mycache", "Redis", true},          {"REDIS_HOST_mycache", "Redis", false},
        {"REDIS_PORT_mycache", "Redis", false},        {"REDIS_USER_mycache", "Redis", false},
        {"REDIS_PASSWORD_mycache", "Redis", true},     {"MYSQL_HOST_MYRDB", "MySQL", false},
        {"MYSQL_PORT_MYRDB", "MySQL", false},          {"MYSQL_ADMIN_USER_MYRDB", "MySQL", false},
        {"MYSQL_ADMIN_PASSWORD_MYRDB", "MySQL", true}, {"MONGODB_URL_x", "MongoDB", true},
    }; // P-210 to P-212
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_non_null(environment_database_of(rows[i].name));
        assert_string_equal(environment_database_of(rows[i].name), rows[i].kind);
        if (environment_looks_secret(rows[i].name, "x") != rows[i].secret) {
            fail_msg("%s: is it a secret?", rows[i].name);
        }
    }
    assert_null(environment_database_of("REDIS_URL_")); // P-213: a name has to follow
    assert_null(environment_database_of("MY_REDIS_URL_x"));
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(each_variable_is_set_and_known_as_secret_or_not),
        IN_DIR(none_of_them_can_be_overridden),
        IN_DIR(some_are_there_at_times),
        cmocka_unit_test(each_size_has_its_memory_and_processors),
        cmocka_unit_test(each_variable_of_a_database_is_known),
        cmocka_unit_test(each_region_has_its_code_clock_and_name),
    };
    return cmocka_run_group_tests_name("variables", tests, NULL, NULL);
}
