// What: carries out the operations of a plan, one stage at a time, in the process that they are
//       about.
// Why: everything the sandbox does to a process is one row of operations.def and one function, here
//      or, what builds its root, in child_root.h.
// Order: init: PLAN_BUILD, PLAN_GO; the command's process: PLAN_COMMAND.
// Not: allocation or locks: these functions run in a forked copy and make system calls only
//       (copying a version, in init, is the exception; our process has one thread, so malloc works
//       there).
#ifndef SANDBOX_CHILD_H
#define SANDBOX_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/plan.h"

// What comes with go, parsed from the payload (init.c).
struct child_go {
    char **lowers; // host paths, real, topmost first
    size_t lower_count;
    bool from_binds;
    char **argv;
    char **env;
    const char *cwd;
    bool terminal;
    int stdio[3];
};

struct child {
    struct plan *plan;
    const struct child_go *go; // from PLAN_GO on
    int parent_fd;             // the other side is who must outlive us
    int parent_pid;            // COMMAND: init's pid as the command sees it
    int listener_fd;           // COMMAND: set by the filter, -1 without broker
    bool killable;
};

// 0, or -1 with the failing operation in error->where.
int child_run(struct child *child, enum plan_stage stage, struct error *error);

#endif
