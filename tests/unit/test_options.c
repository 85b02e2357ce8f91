// Each option by its name: which commands take it, what may stand behind it, and whether a
// project's file may set it.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "sandbox/base/cleanup.h"
#include "tui/options.h"

static const struct {
    const char *name;
    int letter;
    const char *value; // the help's word; "" a switch
    const char *takes; // commands that take it
    const char * not ; // one that does not, or NULL
} facts[] = {
    {"help", 'h', "", "up verify build exec env status restart reload stop", NULL},
    {"version", 'V', "", "up verify build exec env", NULL},
    {"port", 'p', "PORT", "up", "verify"},
    {"host", 0, "ADDRESS", "up", "verify"},
    {"domain", 0, "NAMES", "up", "verify"},
    {"proto", 0, "NAME", "up", "verify"},
    {"https-redirect", 0, "", "up", "verify"},
    {"client-ip", 0, "ADDRESS", "up", "verify"},
    {"edge", 0, "", "up", "verify"},
    {"lenient-http", 0, "", "up", "verify"},
    {"instances", 0, "COUNT", "up", "verify"},
    {"drain", 0, "NAME", "up", "verify"},
    {"detach", 0, "", "up", "verify"},
    {"env", 0, "NAME", "up exec env build", "verify"},
    {"env-file", 0, "FILE", "up verify build exec env", "stop"},
    {"region", 0, "NAME", "up verify build exec env", "stop"},
    {"group", 0, "NAME", "up verify build exec env", "stop"},
    {"build-root", 0, "DIR", "up verify build exec env", "stop"},
    {"app-id", 0, "ID", "up verify build exec env explain", "stop"},
    {"size", 0, "NAME", "up verify build exec env explain", "stop"},
    {"leanignore", 0, "FILE", "up verify build exec env explain", "stop"},
    {"keep-modes", 0, "", "up verify build exec explain", "stop"},
    {"from", 0, "SOURCE", "up verify build exec why", "stop"},
    {"install-python", 0, "", "up verify build exec", "stop"},
    {"all", 0, "", "cache", "build"},
    {"max-size", 0, "SIZE", "cache", "build"},
    {"no-cache", 0, "", "up verify build exec", "stop"},
    {"build-logs", 0, "", "up verify build", "stop"},
    {"legacy-default", 0, "", "up verify build exec", "stop"},
    {"plain", 0, "", "up", "stop"},
    {"ascii", 0, "", "up", "stop"},
    {"format", 0, "NAME", "env", "stop"},
    {"format", 0, "NAME", "explain why cache doctor", "stop"},
    {"access", 0, "", "logs", "up"},
    {"limit", 'l', "N", "logs", "up"},
    {"follow", 'f', "", "logs", "up"},
    {"from", 0, "TIME", "logs", "stop"},
    {"to", 0, "TIME", "logs", "up"},
    {"format", 0, "NAME", "logs", "stop"},
    {"section", 0, "NAME", "explain", "env"},
    {"mask", 0, "", "env", "stop"},
    {"reveal", 0, "", "env", "stop"},
    {"script", 0, "FILE", "up", "stop"},
};

static void each_option_is_taken_where_it_belongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        char commands[128];
        snprintf(commands, sizeof commands, "%s", facts[i].takes);
        for (char *rest = commands, *command; (command = strsep(&rest, " "));) {
            const struct option_row *row =
                option_find(facts[i].name, strlen(facts[i].name), command);
            if (!row) {
                fail_msg("%s does not take --%s", command, facts[i].name);
            }
            auto_free char *word = option_value_word(row);
            assert_string_equal(word, facts[i].value);
            assert_int_equal(row->letter, facts[i].letter);
        }
        if (facts[i].not ) {
            assert_null(option_find(facts[i].name, strlen(facts[i].name), facts[i].not ));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_is_taken_where_it_belongs),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
