// What: what a process tree uses now: CPU time, anonymous memory, its writable disk. Read from
// /proc. Why: for the meters; nothing is decided by it here. Anonymous memory, because pages of
// /tmp are no memory
//       of the app (DESIGN 6).
// Not: exact: a process that ended between two reads is not counted.
#ifndef EMULATOR_INSTANCE_USAGE_H
#define EMULATOR_INSTANCE_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
    int64_t cpu_ticks; // of sysconf(_SC_CLK_TCK), all living processes of the tree
    int64_t anonymous_bytes;
    int64_t disk_bytes; // used in the tree's /tmp file system; -1: not known
};

// root: the tree's first process. -1 when it is gone.
int usage_read(pid_t root, struct usage *ret_usage);

#endif
