// What: the values of options: what an option's row allows, and those that a project sets itself in
//       `.leanlocal.yaml` (same names as on the command line). Besides them two lists: `persist`,
//       paths of the app that `up` keeps (instance/kept.h), and `cron`, timers (project_timers.h).
// Why: everybody who works on a project gets the same port, region and env file without typing
//      them.
// Order: project_options_read() after the command line; what was given there stays (it is
//        stronger).
// Sources: DESIGN 2. The file is never part of the project: not uploaded, no reason to deploy.
// Owns: nothing; options is the caller's tree.
// Not: which options there are. Callers bring their rows (tui/options.def).
#ifndef EMULATOR_CONTROL_PROJECT_OPTIONS_H
#define EMULATOR_CONTROL_PROJECT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/base/error.h"

#define PROJECT_OPTIONS_NAME ".leanlocal.yaml"

struct cJSON;

struct option_rule {
    const char *name;
    const char *value; // "", "PORT=1..65535", "NAME=a|b", "FILE", "SIZE", "WORD" (options.def)
    bool command_line_only;
};

// Checks text by the rule and puts the value into options: a switch as a boolean, a number or SIZE
// as a number, a FILE absolute (relative ones below base, NULL: the working directory), else the
// text. -1, ERROR_USAGE: `<shown>: expected ..., got "..."`.
int option_put(struct cJSON *options, const struct option_rule *rule, const char *text,
               const char *base, const char *shown, struct error *error);

// Adds to options what project_dir's file sets and options has not yet; where `taken` says false
// the value is only checked (NULL: all are taken). No file: 0. Else ERROR_USAGE
// with `.leanlocal.yaml:line:column: reason` and a suggestion.
int project_options_read(const char *project_dir, const struct option_rule *rules, size_t count,
                         const bool *taken, struct cJSON *options, struct error *error);

#endif
