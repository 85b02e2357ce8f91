#include "emulator/health/times.h"

#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"

#define SECOND_MS 1000

static int64_t at_least(int64_t value, int64_t least)
{
    return value < least ? least : value;
}

void health_times_read(const char *text, struct health_times *ret_times)
{
    struct health_times times = {
        .second_ms = SECOND_MS,
        .probe_timeout_ms = LIMIT_PROBE_TIMEOUT_MS,
        .period_ms = LIMIT_PERIODIC_PROBE_MS,
        .retry_ms = LIMIT_PERIODIC_RETRY_MS,
        .failures = LIMIT_PERIODIC_FAILURES,
        .backoff = {.first_ms = LIMIT_CRASH_PAUSE_FIRST_MS,
                    .max_ms = LIMIT_CRASH_PAUSE_MAX_MS,
                    .forget_ms = LIMIT_CRASH_FORGET_MS,
                    .loop_deaths = LIMIT_CRASH_LOOP_DEATHS},
        .redeploy_ms = LIMIT_REDEPLOY_MS,
    };
    const struct limit_word words[] = {
        {"second-ms=", &times.second_ms, 1},
        {"timeout-ms=", &times.probe_timeout_ms, 1},
        {"period-ms=", &times.period_ms, 1},
        {"retry-ms=", &times.retry_ms, 1},
        {"failures=", &times.failures, 1},
        {"pause-first-ms=", &times.backoff.first_ms, 1},
        {"pause-max-ms=", &times.backoff.max_ms, 1},
        {"forget-ms=", &times.backoff.forget_ms, 1},
        {"loop=", &times.backoff.loop_deaths, 1},
        {"redeploy-ms=", &times.redeploy_ms, 1},
    };
    limits_read_words(text, words, ARRAY_LEN(words));
    // No word may make the engine spin.
    times.second_ms = at_least(times.second_ms, 1);
    times.probe_timeout_ms = at_least(times.probe_timeout_ms, 1);
    times.period_ms = at_least(times.period_ms, 10);
    times.retry_ms = at_least(times.retry_ms, 10);
    times.failures = at_least(times.failures, 1);
    times.backoff.first_ms = at_least(times.backoff.first_ms, 10);
    times.backoff.loop_deaths = at_least(times.backoff.loop_deaths, 2);
    times.interval_ms = at_least(LIMIT_PROBE_INTERVAL_MS * times.second_ms / SECOND_MS, 10);
    *ret_times = times;
}

int64_t health_start_limit_ms(const struct health_times *times, int startup_timeout_s)
{
    return startup_timeout_s * times->second_ms;
}
