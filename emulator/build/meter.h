// What: whether what the process tree of one build uses is too much.
// Why: the cloud kills a build after 30 minutes of CPU time, gives it 2 cores and 4 GB (P-66); a
//      project that needs more here must not pass.
// Order: meter_limits_read() once; then usage_read() now and then, and meter_judge() of the result.
// Owns: nothing.
// Not: cgroups. See docs/decisions/0012.
#ifndef EMULATOR_BUILD_METER_H
#define EMULATOR_BUILD_METER_H

#include <stdint.h>

#include "sandbox/base/error.h"
#include "sandbox/usage.h"

struct meter_limits {
    int64_t cpus;
    int64_t cpu_ms;
    int64_t memory_bytes;
    int64_t quiet_ms; // without output: say what it waits for
};

// The platform's, changed by text: "cpus=1,cpu-ms=1000,memory-mb=100,quiet-ms=500", for tests.
// NULL: not changed; unknown words are ignored.
void meter_limits_read(const char *text, struct meter_limits *ret_limits);
// 0: within the limits. Else ret_error names the one that was passed, as ERROR_PROJECT of P-66.
int meter_judge(const struct meter_limits *limits, const struct usage *use,
                struct error *ret_error);

#endif
