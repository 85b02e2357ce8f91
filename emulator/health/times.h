// What: the times of the health check: limits.def's, or others by LEANLOCAL_HEALTH.
// Why: tests cannot wait for minutes, and who wants to know how near an app is to its limit makes
//      the limit smaller. All of them in one struct, so that none stands in a .c file.
// Order: health_times_read() at the engine's start.
// Owns: nothing.
// Sources: P-29, P-103, P-107; what is not published is marked [I] in limits.def.
#ifndef EMULATOR_HEALTH_TIMES_H
#define EMULATOR_HEALTH_TIMES_H

#include <stdint.h>

#include "emulator/health/backoff.h"

#define HEALTH_VARIABLE "LEANLOCAL_HEALTH"

struct health_times {
    int64_t second_ms;        // one second of the start's limit and between its polls
    int64_t interval_ms;      // between polls of a start (P-103)
    int64_t probe_timeout_ms; // one try
    int64_t period_ms;        // between later checks (P-107)
    int64_t retry_ms;         // after one that failed
    int64_t failures;         // in a row, before a restart
    struct backoff_policy backoff;
    int64_t redeploy_ms; // one of several did not come up again (P-179)
};

// text: "second-ms=20,period-ms=200,retry-ms=50,failures=2,timeout-ms=300,pause-first-ms=100,
// pause-max-ms=1000,forget-ms=5000,loop=3", any of them; NULL: the platform's own.
void health_times_read(const char *text, struct health_times *ret_times);
// Of startupTimeout (P-29).
int64_t health_start_limit_ms(const struct health_times *times, int startup_timeout_s);

#endif
