// .leanlocal.yaml: values by the rows of the command line, each mistake with its place.
#include "tests/unit/unit.h"

#include "emulator/control/project_options.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"

static const struct option_rule rules[] = {
    {"help", "", true},          {"port", "PORT=1..65535", false},      {"plain", "", false},
    {"env-file", "FILE", false}, {"region", "NAME=cn-n1|us-w1", false}, {"group", "NAME", false},
    {"bound", "SIZE", false},
};

static int read_file(const char *dir, const char *text, struct cJSON *options, struct error *error)
{
    unit_write(dir, PROJECT_OPTIONS_NAME, text);
    *error = (struct error){0};
    return project_options_read(dir, rules, ARRAY_LEN(rules), NULL, options, error);
}

static const struct {
    const char *text;
    const char *means;
} good[] = {
    {"", "{}"},
    {"# nothing\n", "{}"},
    {"~\n", "{}"},
    {"port: 3001\n", "{\"port\":3001}"},
    {"port: \"3001\"\n", "{\"port\":3001}"},
    {"\xEF\xBB\xBFport: 3001\r\n", "{\"port\":3001}"},
    {"plain: true\ngroup: 0x10\n", "{\"plain\":true,\"group\":\"0x10\"}"},
    {"plain: false\n", "{\"plain\":false}"},
    {"env-file: /etc/dev.env\n", "{\"env-file\":\"/etc/dev.env\"}"},
    {"region: us-w1\n", "{\"region\":\"us-w1\"}"},
    {"bound: 1234\n", "{\"bound\":1234}"},
    {"bound: 5G\n", "{\"bound\":5368709120}"},
    {"bound: 2K\n", "{\"bound\":2048}"},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct error error;
        struct cJSON *options = json_new_object();
        if (read_file(*state, good[i].text, options, &error) < 0) {
            fail_msg("%s: %s", good[i].text, error.message);
        }
        auto_free char *means = json_print(options);
        assert_string_equal(means, good[i].means);
        json_free(options);
    }
}

static const struct {
    const char *text;
    const char *says;
    const char *hint;
} wrong[] = {
    {"prot: 3001\n", ".leanlocal.yaml:1:1: unknown option \"prot\"", "did you mean port?"},
    {"\nenv_file: x\n", ".leanlocal.yaml:2:1: unknown option", "did you mean env-file?"},
    {"--port: 1\n", ".leanlocal.yaml:1:1: unknown option", "did you mean port?"},
    {"zzzzzzzz: 1\n", "unknown option", "leanlocal help up"},
    {"port: http\n", ".leanlocal.yaml:1:7: port: expected 1 to 65535, got \"http\"", ""},
    {"port: 0\n", "expected 1 to 65535", ""},
    {"port: [1]\n", ".leanlocal.yaml:1:7: port: expected one value", ""},
    {"port:\n", "port: expected one value", ""},
    {"plain: yes\n", ".leanlocal.yaml:1:8: plain: expected true or false", ""},
    {"plain:\n", "plain: expected true or false", ""},
    {"group: ''\n", ".leanlocal.yaml:1:8: group: needs a value", ""},
    {"region: us-w2\n", ".leanlocal.yaml:1:9: region: expected cn-n1 or us-w1", "us-w1"},
    {"bound: 5T\n", "a size such as", ""},
    {"bound: G\n", "a size such as", ""},
    {"bound: -1\n", "a size such as", ""},
    {"help: true\n", ".leanlocal.yaml:1:1: help: only on the command line", "remove"},
    {"persist: db.sqlite3\n", ".leanlocal.yaml:1:10: persist: expected a list", "db.sqlite3"},
    {"persist:\n", "persist: expected a list", "media/"},
    {"persist: [a, /etc]\n", ".leanlocal.yaml:1:14: persist: expected a path below", "media/"},
    {"persist: [../x]\n", ":1:11: persist: expected a path below", ""},
    {"persist: [a/../..]\n", ":1:11: persist: expected a path below", ""},
    {"persist: [.]\n", ":1:11: persist: expected a path below", ""},
    {"persist: [[a]]\n", ":1:11: persist: expected a path below", ""},
    {"persist: [media/, ./media//x]\n", ":1:19: persist: media/ and ./media//x: one lies", ""},
    {"persist: [a/b, a]\n", ":1:16: persist: a/b and a: one lies in the other", ""},
    {"persist: [a, a/]\n", "one lies in the other", ""},
    {"cron: 1\n", ".leanlocal.yaml:1:7: cron: expected a list of timers", "- {cron: "},
    {"cron: [x]\n", ".leanlocal.yaml:1:8: cron: expected a timer", ""},
    {"cron:\n  - {function: f}\n", ".leanlocal.yaml:2:5: cron: a timer needs", ""},
    {"cron:\n  - {cron: 0 0 9 * * *}\n", "a timer needs cron and function", ""},
    {"cron:\n  - {cron: 0 0 29 * * *, function: f}\n",
     ".leanlocal.yaml:2:12: cron: 0 0 29 * * *: column 5: hour: 29 is not 0 to 23", ""},
    {"cron:\n  - {cron: 0 9 * * *, function: f}\n", "six fields", "0 0 9 * * *"},
    {"cron:\n  - {cron: 0 0 9 * * *, functions: f}\n", ":2:25: cron: unknown key",
     "did you mean function?"},
    {"cron:\n  - {cron: 0 0 9 * * *, function: [f]}\n", "function: expected one value", ""},
    {"cron:\n  - {cron: 0 0 9 * * *, function: f, data: '[1]'}\n", "data: not a JSON object", ""},
    {"cron:\n  - {name: a, name: b}\n", "a key is given twice", ""},
    {"cron:\n  - {cron: 0 0 9 * * *, function: f}\n  - {cron: 0 0 8 * * *, function: f}\n",
     ".leanlocal.yaml:3:5: cron: two timers have one name", "name: "},
    {"port: 1\nport: 2\n", ".leanlocal.yaml:2:1: port: given twice, first on line 1", ""},
    {"- port\n", ".leanlocal.yaml:1:1: expected lines like", "colon"},
    {"port 3001\n", ".leanlocal.yaml:1:1: expected lines like", ""},
    {"[a]: 1\n", ".leanlocal.yaml:1:1: a key must be a text", ""},
    {"port: [\n", ".leanlocal.yaml:2:1: ", ""},
    {"port: \xff\n", ".leanlocal.yaml:1:7: not valid UTF-8", "UTF-8"},
    {"a: &x 1\nb: *x\n", ".leanlocal.yaml:2:4: aliases", ""},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct error error;
        struct cJSON *options = json_new_object();
        assert_int_equal(read_file(*state, wrong[i].text, options, &error), -1);
        assert_int_equal(error.kind, ERROR_USAGE);
        if (!strstr(error.message, wrong[i].says) || !strstr(error.hint, wrong[i].hint)) {
            fail_msg("%s: %s [%s]", wrong[i].text, error.message, error.hint);
        }
        json_free(options);
    }
}

static void test_timers(void **state)
{
    struct error error = {0};
    struct cJSON *options = json_new_object();
    assert_int_equal(read_file(*state,
                               "cron:\n  - {cron: 0 30 8 ? * MON-FRI, function: report}\n"
                               "  - name: nightly\n    cron: 0 0 3 * * *\n    function: clean\n"
                               "    data: '{\"days\": 7}'\n",
                               options, &error),
                     0);
    auto_free char *text = json_print(options);
    assert_string_equal(text, "{\"cron\":[{\"name\":\"report\",\"cron\":\"0 30 8 ? * MON-FRI\","
                              "\"function\":\"report\"},{\"name\":\"nightly\","
                              "\"cron\":\"0 0 3 * * *\",\"function\":\"clean\","
                              "\"data\":\"{\\\"days\\\": 7}\"}]}");
    json_free(options);
}

static void test_no_file(void **state)
{
    struct cJSON *options = json_new_object();
    assert_int_equal(project_options_read(*state, rules, ARRAY_LEN(rules), NULL, options, NULL), 0);
    assert_int_equal(json_count(options), 0);
    json_free(options);
}

static void test_too_large(void **state)
{
    struct error error;
    auto_free char *text = mem_alloc(70000);
    memset(text, '#', 69999);
    assert_int_equal(read_file(*state, text, NULL, &error), -1);
    assert_int_equal(error.kind, ERROR_USAGE);
}

static void test_command_line_is_stronger_but_the_file_is_checked(void **state)
{
    struct error error;
    struct cJSON *options = json_new_object();
    json_put_int(options, "port", 9);
    assert_int_equal(read_file(*state, "port: 3001\nplain: true\n", options, &error), 0);
    assert_int_equal(json_get_int(options, "port", 0), 9);
    assert_true(json_get_bool(options, "plain", false));
    assert_int_equal(read_file(*state, "port: x\n", options, &error), -1);
    json_free(options);
}

static void test_what_a_command_does_not_take_is_checked_only(void **state)
{
    struct error error = {0};
    const bool taken[ARRAY_LEN(rules)] = {false};
    struct cJSON *options = json_new_object();
    unit_write(*state, PROJECT_OPTIONS_NAME, "port: 3001\n");
    assert_int_equal(project_options_read(*state, rules, ARRAY_LEN(rules), taken, options, &error),
                     0);
    assert_int_equal(json_count(options), 0);
    unit_write(*state, PROJECT_OPTIONS_NAME, "port: no\n");
    assert_int_equal(project_options_read(*state, rules, ARRAY_LEN(rules), taken, options, &error),
                     -1);
    json_free(options);
}

static void test_files_are_relative_to_the_project(void **state)
{
    struct error error;
    struct cJSON *options = json_new_object();
    assert_int_equal(read_file(*state, "env-file: dev.env\n", options, &error), 0);
    auto_free char *path = fs_join(*state, "dev.env");
    assert_string_equal(json_get_string(options, "env-file"), path);
    json_free(options);
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, unit_make_dir, unit_remove_dir)
    const struct CMUnitTest tests[] = {
        IN_DIR(test_good),
        IN_DIR(test_wrong),
        IN_DIR(test_timers),
        IN_DIR(test_no_file),
        IN_DIR(test_too_large),
        IN_DIR(test_command_line_is_stronger_but_the_file_is_checked),
        IN_DIR(test_what_a_command_does_not_take_is_checked_only),
        IN_DIR(test_files_are_relative_to_the_project),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
