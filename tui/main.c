// leanlocal: one executable. A private first argument makes it one of its own helpers; else it is a
// command.

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "emulator/helpers.h"
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
    int code;
    if (command_parse(argc, argv, &command, &verb, &code) < 0) {
        return code;
    }
    code = verb->run(&command);
    command_release(&command);
    return code;
}
