// What: lets a process, and what it starts from then on, run on a few processors only.
// Why: what the platform's quota of processors is where no cgroup can be had, and for builds
//      (P-66).
// Owns: nothing.
// Not: a share of one processor; that takes a cgroup.
#ifndef SANDBOX_PROCESSORS_H
#define SANDBOX_PROCESSORS_H

#include <stdint.h>
#include <sys/types.h>

struct processors {
    unsigned long bits[128]; // as sched_setaffinity(2) takes them; bits[0..] of 8192 processors
    long bytes;              // 0: nothing was changed
};

// pid 0: ourselves. Of those it may use now, `wanted` are left, counted from the `first` one on and
// around, so that not all share one. *ret_before is what processors_restore() puts back. -1: errno.
int processors_limit(pid_t pid, int64_t wanted, unsigned first, struct processors *ret_before);
void processors_restore(pid_t pid, const struct processors *before);

#endif
