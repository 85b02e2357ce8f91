// What: one command of the program as its function sees it: options, DIR, what stands behind `--`.
// Why: verbs.def and options.def are the only places that know names; parsing and help follow from
// the rows. Owns: command_release() frees all. Handlers return the exit code (DESIGN 2) and print
// errors themselves
//       through command_fail().
#ifndef TUI_COMMAND_H
#define TUI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/base/error.h"
#include "sandbox/base/process.h"
#include "tui/client.h"

struct cJSON;

struct command {
    const char *name;
    struct cJSON *options; // given ones, by long name: switches true, others text
    char *dir;             // as typed; "."
    char **rest;           // behind `--`; NULL-terminated, not owned
    size_t rest_count;
};

typedef int (*command_fn)(struct command *command);

struct verb {
    const char *name;
    const char *arguments;
    command_fn run;
    const char *help;
};
extern const struct verb verbs[];
extern const size_t verb_count;

// -1: help or an error has been printed, *ret_exit is the exit code.
int command_parse(int argc, char **argv, struct command *ret_command, const struct verb **ret_verb,
                  int *ret_exit);
void command_release(struct command *command);
bool command_flag(const struct command *command, const char *name);
const char *command_text(const struct command *command, const char *name); // NULL if not given

// Prints "leanlocal: message", the rule, the platform's sentence and the hint on stderr; returns
// the exit code.
int command_fail(const struct error *error);

// ---- the engine, from a command's side (engine_link.c) ----

struct engine_link {
    struct client *client;
    struct process process; // pid 0: attached to somebody else's engine
    bool detached;          // --detach: it stays when we go
};
// Starts an engine and sends "start". quiet: its stderr must not touch the screen.
int engine_link_start(struct engine_link *link, const struct command *command, const char *mode,
                      bool quiet, bool interactive, struct error *error);
// Attaches to the project's running engine. -1 with errnum ENOENT or ECONNREFUSED: there is none.
int engine_link_attach(struct engine_link *link, const struct command *command,
                       struct error *error);
// Closes the connection and waits, with a limit, until an engine that we started has cleaned up.
void engine_link_end(struct engine_link *link);

#endif
