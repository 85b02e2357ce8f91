// What: one command of the program as its function sees it: options, DIR, what stands behind `--`.
// Why: verbs.def and options.def are the only places that know names; parsing and help follow from
//      the rows.
// Order: command_parse() -> command_read_project_options() -> the verb's handler.
// Owns: command_release() frees all. Handlers return the exit code (DESIGN 2) and print errors
//      themselves through command_fail().
#ifndef TUI_COMMAND_H
#define TUI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"
#include "tui/client.h"

struct cJSON;

struct command {
    const char *name;
    struct cJSON *options; // given ones, by name: switches booleans, numbers numbers, others text
    struct strlist typed;  // names of those of the command line; the others are the project's
    char *dir;             // as typed; "."
    struct strlist words;  // the other arguments, in the order of the verb's row
    char **rest;           // behind `--`; NULL-terminated, not owned
    size_t rest_count;
};

typedef int (*command_fn)(struct command *command);

struct verb {
    const char *name;
    const char *arguments; // "[DIR] PATH", "ls|prune", "[DIR] -- CMD" (verbs.def)
    command_fn run;
    const char *help;
};
extern const struct verb verbs[];
extern const size_t verb_count;

// NULL: there is no such command.
const struct verb *verb_find(const char *name);

// Pure but for the look whether a first word is a directory. -1: wrong usage, ERROR_USAGE with a
// suggestion; *ret_verb is set then too, to what was understood. --help and --version are options
// like others: main.c looks for them.
int command_parse(int argc, char **argv, struct command *ret_command, const struct verb **ret_verb,
                  struct error *error);
// Adds what .leanlocal.yaml of command->dir sets, for commands that run a project.
int command_read_project_options(struct command *command, struct error *error);
void command_release(struct command *command);
bool command_flag(const struct command *command, const char *name);
const char *command_text(const struct command *command, const char *name); // NULL if not given

// help.c: the help of one command on stdout; of `up` with all commands.
void help_print(const struct verb *verb);

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
// The same for a command that needs one: the exit code, all is printed; 0: attached.
int command_attach(const struct command *command, struct engine_link *ret_link);
// Closes the connection and waits, with a limit, until an engine that we started has cleaned up.
void engine_link_end(struct engine_link *link);

#endif
