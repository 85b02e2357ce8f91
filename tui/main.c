// leanlocal: one executable. A private first argument makes it one of its own helpers; else it is a
// command.

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "emulator/helpers.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "tui/command.h"
#include "tui/language.h"

// A closed 0, 1 or 2 would be taken by the next open(), and a stray message written into it.
static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            int opened = open("/dev/null", O_RDWR);
            if (opened != fd && opened > 2) {
                close(opened);
            }
        }
    }
}

int main(int argc, char **argv)
{
    open_standard_descriptors();
    language_init();
    if (argc > 1 && argv[1][0] == '@') {
        return helper_main(argc, argv);
    }
    log_open("client");
    struct command command;
    const struct verb *verb;
    struct error error = {0};
    if (command_parse(argc, argv, &command, &verb, &error) < 0) {
        int failed = command_fail(&error);
        fprintf(stderr, _("leanlocal: see `leanlocal %s --help`\n"), verb->name);
        return failed;
    }
    int code = 0;
    if (command_flag(&command, "help")) {
        help_print(verb);
    } else if (command_flag(&command, "version")) {
        printf("leanlocal %s\n", LEANLOCAL_VERSION);
    } else if (command_read_project_options(&command, &error) < 0) {
        code = command_fail(&error);
    } else {
        code = verb->run(&command);
    }
    command_release(&command);
    return code;
}
