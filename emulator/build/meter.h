// What: what the process tree of one build uses, and whether that is too much.
// Why: the cloud kills a build after 30 minutes of CPU time, gives it 2 cores and 4 GB (P-66); a
//      project that needs more here must not pass.
// Order: meter_limits_read() once; then meter_read() now and then, and meter_judge() of the result.
// Owns: nothing.
// Not: cgroups. See docs/decisions/0012.
#ifndef EMULATOR_BUILD_METER_H
#define EMULATOR_BUILD_METER_H

#include <stdint.h>
#include <sys/types.h>

#include "sandbox/base/error.h"

struct meter_limits {
    int64_t cpus;
    int64_t cpu_ms;
    int64_t memory_bytes;
    int64_t quiet_ms; // without output: say what it waits for
};

struct meter_use {
    int64_t cpu_ms; // of the living and of those that were waited for
    int64_t memory_bytes;
};

// The platform's, changed by text: "cpus=1,cpu-ms=1000,memory-mb=100,quiet-ms=500", for tests.
// NULL: not changed; unknown words are ignored.
void meter_limits_read(const char *text, struct meter_limits *ret_limits);
// root: first process of the tree, which adopts its orphans. -1: it is gone.
int meter_read(pid_t root, struct meter_use *ret_use);
// 0: within the limits. Else ret_error names the one that was passed, as ERROR_PROJECT of P-66.
int meter_judge(const struct meter_limits *limits, const struct meter_use *use,
                struct error *ret_error);
// Lets this process, and what it starts from now on, run on that many processors at most.
// *ret_before is what meter_cpus_restore() puts back.
struct meter_cpus {
    unsigned long bits[128]; // as sched_setaffinity(2) takes them; bits[0..] of 8192 processors
    long bytes;              // 0: nothing was changed
};
void meter_cpus_limit(int64_t cpus, struct meter_cpus *ret_before);
void meter_cpus_restore(const struct meter_cpus *before);

#endif
