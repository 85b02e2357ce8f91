#include "emulator/health/backoff.h"

static int64_t pause_after(int64_t deaths, const struct backoff_policy *policy)
{
    if (deaths <= 1) {
        return 0;
    }
    int64_t pause_ms = policy->first_ms;
    for (int64_t i = 2; i < deaths && pause_ms < policy->max_ms; i++) {
        pause_ms *= 2;
    }
    return pause_ms < policy->max_ms ? pause_ms : policy->max_ms;
}

// 3, 6, 12, 24 ...
static bool is_doubling(int64_t deaths, int64_t first)
{
    int64_t at = first > 0 ? first : 1;
    while (at < deaths) {
        at *= 2;
    }
    return at == deaths;
}

struct backoff_step backoff_died(struct backoff *backoff, const struct backoff_policy *policy,
                                 int64_t lived_ms, int64_t now_ms)
{
    if (lived_ms > policy->forget_ms) {
        backoff_forget(backoff);
    }
    if (backoff->deaths++ == 0) {
        backoff->since_ms = now_ms;
    }
    struct backoff_step step = {
        .pause_ms = pause_after(backoff->deaths, policy),
        .deaths = backoff->deaths,
        .span_ms = now_ms - backoff->since_ms,
        .is_loop = backoff_is_loop(backoff, policy),
    };
    step.is_news = !step.is_loop || is_doubling(step.deaths, policy->loop_deaths);
    backoff->next_ms = now_ms + step.pause_ms;
    return step;
}

bool backoff_is_loop(const struct backoff *backoff, const struct backoff_policy *policy)
{
    return backoff->deaths >= policy->loop_deaths;
}

void backoff_forget(struct backoff *backoff)
{
    *backoff = (struct backoff){0};
}
