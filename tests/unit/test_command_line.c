// The command line: what each form means, and what wrong usage is told.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "tui/command.h"
#include "tui/options.h"

#define WORDS 8

// DIR, words and options in one text: "up . port=3001 plain=true -- ls"
static char *describe(const struct command *command)
{
    char *text = str_printf("%s %s", command->name, command->dir);
    for (size_t i = 0; i < command->words.count; i++) {
        char *longer = str_printf("%s <%s>", text, command->words.items[i]);
        free(text);
        text = longer;
    }
    char *options = json_print(command->options);
    char *longer = str_printf("%s %s%s", text, options, command->rest ? " --" : "");
    free(text);
    free(options);
    text = longer;
    for (size_t i = 0; i < command->rest_count; i++) {
        longer = str_printf("%s %s", text, command->rest[i]);
        free(text);
        text = longer;
    }
    return text;
}

static int parse(const char *const *words, struct command *command, struct error *error)
{
    static char *argv[WORDS + 2]; // rest points into it
    memset(argv, 0, sizeof argv);
    argv[0] = (char *)(uintptr_t) "leanlocal";
    int argc = 1;
    for (; argc <= WORDS && words[argc - 1]; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    const struct verb *verb = NULL;
    *error = (struct error){0};
    int result = command_parse(argc, argv, command, &verb, error);
    assert_non_null(verb);
    return result;
}

static const struct {
    const char *words[WORDS];
    const char *means;
} good[] = {
    {{NULL}, "up . {}"},
    {{"up"}, "up . {}"},
    {{"/tmp"}, "up /tmp {}"},
    {{"/nonexistent"}, "up /nonexistent {}"},
    {{"--plain"}, "up . {\"plain\":true}"},
    {{"up", "--port", "3001"}, "up . {\"port\":3001}"},
    {{"up", "--port=3001", "here"}, "up here {\"port\":3001}"},
    {{"up", "here", "-p3001"}, "up here {\"port\":3001}"},
    {{"up", "-p", "1", "--port", "65535"}, "up . {\"port\":65535}"},
    {{"up", "--plain=false"}, "up . {\"plain\":false}"},
    {{"up", "--plain", "--plain=false"}, "up . {\"plain\":false}"},
    {{"up", "--", "--odd-name"}, "up --odd-name {}"},
    {{"up", "-"}, "up - {}"},
    {{"up", "--env", "stage"}, "up . {\"env\":\"stage\"}"},
    {{"up", "--env-file", "/a/b.env"}, "up . {\"env-file\":\"/a/b.env\"}"},
    {{"up", "--group=--odd"}, "up . {\"group\":\"--odd\"}"},
    {{"exec"}, "exec . {}"},
    {{"exec", "--"}, "exec . {} --"},
    {{"exec", "here", "--", "ls", "--help"}, "exec here {} -- ls --help"},
    {{"exec", "--", "sh", "--", "x"}, "exec . {} -- sh -- x"},
    {{"cache", "ls"}, "cache . <ls> {}"},
    {{"doctor", "--format", "json"}, "doctor . {\"format\":\"json\"}"},
    {{"why", "a.py"}, "why . <a.py> {}"},
    {{"why", "here", "a.py"}, "why here <a.py> {}"},
    {{"help"}, "help . {}"},
    {{"help", "exec"}, "help . <exec> {}"},
    {{"status", "-h"}, "status . {\"help\":true}"},
    {{"-hV"}, "up . {\"help\":true,\"version\":true}"},
    {{"build", "too", "many", "--help"}, "build . {\"help\":true}"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct command command;
        struct error error;
        if (parse(good[i].words, &command, &error) < 0) {
            fail_msg("%s: %s", good[i].means, error.message);
        }
        auto_free char *means = describe(&command);
        assert_string_equal(means, good[i].means);
        command_release(&command);
    }
}

static const struct {
    const char *words[WORDS];
    const char *says;
    const char *hint; // "" = none
} wrong[] = {
    {{"biuld"}, "neither a command nor a directory: biuld", "build"},
    {{"stauts"}, "stauts", "status"},
    {{"up", "--prot", "3"}, "unknown option --prot", "did you mean --port?"},
    {{"up", "--env_file", "x"}, "unknown option --env_file", "--env-file"},
    {{"up", "--legacy"}, "unknown option --legacy", "--legacy-default"},
    {{"up", "--zzzzzz"}, "unknown option --zzzzzz", ""},
    {{"up", "--zzzzzz=1"}, "unknown option --zzzzzz", ""},
    {{"up", "--="}, "unknown option --", ""},
    {{"up", "-x"}, "unknown option -x", ""},
    {{"build", "--plain"}, "build takes no option --plain", ""},
    {{"up", "--port"}, "--port needs a value: --port PORT", ""},
    {{"up", "--port", "--plain"}, "--port needs a value", ""},
    {{"up", "--port="}, "--port: needs a value", ""},
    {{"up", "--port", "0"}, "--port: expected 1 to 65535, got \"0\"", ""},
    {{"up", "--port", "65536"}, "expected 1 to 65535", ""},
    {{"up", "--port", "+3000"}, "expected 1 to 65535", ""},
    {{"up", "--port", "99999999999999999999"}, "expected 1 to 65535", ""},
    {{"up", "-p3x"}, "--port: expected 1 to 65535, got \"3x\"", ""},
    {{"up", "--plain=yes"}, "--plain: expected true or false", ""},
    {{"up", "--env", "prod"}, "--env: expected development, stage or production", ""},
    {{"up", "--env", "prodution"}, "got \"prodution\"", "did you mean production?"},
    {{"up", "--region", "cn_n1"}, "--region: expected cn-n1", "did you mean cn-n1?"},
    {{"up", "a", "b"}, "too many arguments: b", ""},
    {{"exec", "a", "ls"}, "too many arguments: ls", "put `--` before the command"},
    {{"help", "biuld"}, "no command biuld", "did you mean build?"},
    {{"cache", "prun"}, "cache: expected ls|prune, got \"prun\"", "did you mean prune?"},
    {{"cache", "x"}, "cache: expected ls|prune", ""},
    {{"cache"}, "cache needs more: leanlocal cache ls|prune", ""},
    {{"why"}, "why needs more: leanlocal why [DIR] PATH", ""},
    {{"why", "a", "b", "c"}, "too many arguments: c", ""},
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct command command;
        struct error error;
        assert_int_equal(parse(wrong[i].words, &command, &error), -1);
        assert_int_equal(error.kind, ERROR_USAGE);
        if (!strstr(error.message, wrong[i].says) ||
            (*wrong[i].hint ? !strstr(error.hint, wrong[i].hint) : *error.hint != '\0')) {
            fail_msg("%s: %s [%s]", wrong[i].says, error.message, error.hint);
        }
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        size_t serves = 0;
        for (size_t j = 0; j < verb_count; j++) {
            serves += option_serves(row, verbs[j].name);
            if (option_serves(row, verbs[j].name)) { // one row a name and command, letters too
                assert_ptr_equal(option_find(row->rule.name, strlen(row->rule.name), verbs[j].name),
                                 row);
                assert_true(!row->letter || option_find_letter(row->letter, verbs[j].name) == row);
            }
        }
        assert_true(serves > 0);
        assert_true(*row->help);
    }
    assert_false(option_serves(option_find("env", 3, "up"), "en"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
