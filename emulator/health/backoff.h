// What: when what served and died is started again, and whether that has become a loop.
// Why: an app that dies at every start must neither be started a thousand times a minute nor fill
//      the log with the same death. Pure, so that simulations drive it through years.
// Order: one struct backoff for what serves (zeroed: nothing has died). backoff_died() at each
//        death or failed start of the serving version; start again after the step's pause, and say
//        what the step says. backoff_forget() when somebody acts: a save, a restart by hand. An
//        instance that is healthy needs no call: its age at its next death tells.
// Owns: nothing.
// Not: the timer, the words (engine/crash.c), the numbers (times.h).
// Sources: P-107, P-172; the pauses are [I].
#ifndef EMULATOR_HEALTH_BACKOFF_H
#define EMULATOR_HEALTH_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff_policy {
    int64_t first_ms;    // the pause after the second death in a row; the first has none
    int64_t max_ms;      // it doubles up to this
    int64_t forget_ms;   // who lived that long begins a new row
    int64_t loop_deaths; // so many in a row are a loop
};

struct backoff {
    int64_t deaths;   // in a row
    int64_t since_ms; // the row's first
    int64_t next_ms;  // when the next try is due
};

struct backoff_step {
    int64_t pause_ms; // until the next try
    int64_t deaths;   // in a row, this one with them
    int64_t span_ms;  // since the first of them
    bool is_loop;
    // Worth a line of the log: each death before the loop, its beginning, and then each time the
    // count has doubled.
    bool is_news;
};

// lived_ms: from its start to its death. now_ms: of the same clock as ever.
struct backoff_step backoff_died(struct backoff *backoff, const struct backoff_policy *policy,
                                 int64_t lived_ms, int64_t now_ms);
// The state alone, for the screen.
bool backoff_is_loop(const struct backoff *backoff, const struct backoff_policy *policy);
void backoff_forget(struct backoff *backoff);

#endif
