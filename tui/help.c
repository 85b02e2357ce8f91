// The help of each command, from the rows of verbs.def and options.def.

#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/options.h"

static void print_option(const struct option_row *row)
{
    auto_free char *word = option_value_word(row);
    auto_free char *name = str_printf("--%s%s%s", row->rule.name, *word ? " " : "", word);
    if (row->letter) {
        printf("  -%c, %-22s %s", row->letter, name, _(row->help));
    } else {
        printf("      %-22s %s", name, _(row->help));
    }
    const char *values = strchr(row->rule.value, '=');
    if (values && strchr(values, '|')) {
        const char *before = ": ";
        for (const char *at = values + 1; *at;) {
            size_t len = strcspn(at, "|");
            printf("%s%.*s", before, (int)len, at);
            at += len + (at[len] == '|');
            before = ", ";
        }
    }
    putchar('\n');
}

static void print_options(const char *command)
{
    for (int group = 0; group < OPTION_GROUP__COUNT; group++) {
        bool titled = false;
        for (size_t i = 0; i < option_row_count; i++) {
            if ((int)option_rows[i].group != group || !option_serves(&option_rows[i], command)) {
                continue;
            }
            if (!titled) {
                printf("\n%s:\n", option_group_title((enum option_group)group));
                titled = true;
            }
            print_option(&option_rows[i]);
        }
    }
}

static void print_commands(void)
{
    printf("\n%s\n", _("Commands:"));
    for (size_t i = 0; i < verb_count; i++) {
        auto_free char *usage = str_printf("%s %s", verbs[i].name, verbs[i].arguments);
        printf("  %-22s %s\n", usage, _(verbs[i].help));
    }
}

void help_print(const struct verb *verb)
{
    printf(_("Usage: leanlocal %s %s [options]\n"), verb->name, verb->arguments);
    printf("\n  %s\n", _(verb->help));
    if (verb == &verbs[0]) {
        print_commands();
    }
    print_options(verb->name);
    if (verb == &verbs[0]) {
        printf("\n%s\n",
               _("A project may set options in .leanlocal.yaml, by the same names: port: 3001"));
        printf("\n%s\n", _("Exit codes: 0 fine, 1 the cloud would refuse this project or the app "
                           "failed, 2 wrong usage, 3 the host lacks something."));
    }
}

int cmd_help(struct command *command)
{
    // An unknown name was refused by the parser.
    const struct verb *verb = command->words.count ? verb_find(command->words.items[0]) : &verbs[0];
    help_print(verb ? verb : &verbs[0]);
    return 0;
}
