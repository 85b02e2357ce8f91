// What: what one instance may use by its size (P-170), and the eye on it: anonymous memory,
//       processors, the one writable disk (P-130).
// Why: the cloud kills what takes more memory than it has (P-172); an app that needs more must not
//      pass here. Anonymous memory alone is judged: what lies in /tmp is disk, though the kernel
//      charges both to one group (DESIGN 6, docs/decisions/0023).
// Order: allowance_new(), then the sandbox is spawned with allowance_groups(), allowance_watch() of
//        its first process before anything starts in it; allowance_stir() whenever the app did
//        something; allowance_free() when nothing of it is left.
// Owns: its groups and one timer, which is the slower the less happens (allowance_pace).
// Not: killing; on_over says that it is time to. Not what was taken and given back between two
//      looks.
#ifndef EMULATOR_INSTANCE_ALLOWANCE_H
#define EMULATOR_INSTANCE_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "emulator/limits/sizes.h"
#include "emulator/loop.h"
#include "sandbox/cgroup.h"

struct allowance_limits {
    int64_t memory_bytes;
    int64_t cpu_milli;
    int64_t disk_bytes; // home and /tmp together
};

// The size's, changed by text: "memory-mb=64,cpu-milli=500,disk-mb=16", for tests. NULL: not
// changed.
void allowance_limits_read(const struct instance_size *size, const char *text,
                           struct allowance_limits *ret_limits);

struct allowance_options {
    const char *name; // "web1"
    struct allowance_limits limits;
    const struct cgroup_host *groups;
    unsigned number; // of the instance: they take turns at the processors
    void *context;
    // More memory than the size has. Once.
    void (*on_over)(void *context, int64_t used_bytes);
    // Nothing can be written any more. Once. filled: "/tmp 900 MB, ...", what takes most of it.
    void (*on_full)(void *context, const char *filled);
};

struct allowance;

struct allowance *allowance_new(struct loop *loop, const struct allowance_options *options);
// What its first process has to join (sandbox_spec.groups).
size_t allowance_groups(const struct allowance *allowance,
                        const char *ret_dirs[static CGROUP_KIND__COUNT]);
void allowance_watch(struct allowance *allowance, pid_t root);
// A request, a line of output: what was calm may not be so any more. Costs nothing while it is not.
void allowance_stir(struct allowance *allowance);
// As it is judged; -1: nothing can be read.
int64_t allowance_memory(const struct allowance *allowance);
// Nothing is left of it: whether the kernel had to kill, because nobody looked soon enough.
bool allowance_was_killed(const struct allowance *allowance);
void allowance_free(struct allowance *allowance);

// ---- pure: when to look again ----

struct allowance_pace {
    int64_t used_bytes; // at the last look
    int64_t interval_ms;
};

// Often while the memory changes, and more often near its limit; else each time twice as long.
int64_t allowance_pace_next(struct allowance_pace *pace, int64_t used_bytes, int64_t limit_bytes);

#endif
