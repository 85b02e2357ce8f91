// up: the full screen on a terminal, plain lines elsewhere; attaches when the project runs already.
// verify, build: one cold deployment; the same client, lines only.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "tui/app.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/plain.h"

static bool wants_screen(const struct command *command)
{
    const char *term = getenv("TERM");
    if (command_text(command, "script")) {
        return true;
    }
    return !command_flag(command, "plain") && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
           term && *term && strcmp(term, "dumb") != 0;
}

static int run_plain(struct client *client, const struct command *command, bool attached)
{
    const char *no_color = getenv("NO_COLOR");
    const struct plain_options options = {
        .build_output = command_flag(command, "build-logs"),
        .attached = attached,
        .color = isatty(STDOUT_FILENO) && !(no_color && *no_color),
    };
    return plain_run(client, &options);
}

int cmd_up(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    bool screen = wants_screen(command);
    bool attached = engine_link_attach(&link, command, &error) == 0;
    if (attached) {
        fprintf(stderr, "%s\n", _("leanlocal: attached; this project runs already"));
    } else if (error.kind == ERROR_USAGE ||
               engine_link_start(&link, command, "up", screen, screen, &error) < 0) {
        return command_fail(&error);
    }
    int code;
    attached = attached || link.detached; // leaving it does not end it
    if (screen) {
        const struct screen_options options = {.ascii = command_flag(command, "ascii"),
                                               .attached = attached,
                                               .script_path = command_text(command, "script")};
        code = screen_run(link.client, &options);
    } else {
        code = run_plain(link.client, command, attached);
    }
    engine_link_end(&link);
    return code;
}

static int run_once(struct command *command, const char *mode)
{
    struct error error = {0};
    struct engine_link link;
    if (engine_link_start(&link, command, mode, false, false, &error) < 0) {
        return command_fail(&error);
    }
    int code = run_plain(link.client, command, false);
    engine_link_end(&link);
    return code;
}

int cmd_verify(struct command *command)
{
    return run_once(command, "verify");
}

int cmd_build(struct command *command)
{
    return run_once(command, "build");
}
