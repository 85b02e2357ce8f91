// When a trial instance sleeps, wakes and is forced to sleep (P-171, P-162): days of clock as rows
// of events, and each deadline against a naive count of every minute.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/fleet/doze.h"
#include "sandbox/base/cleanup.h"

#define MIN  INT64_C(60000)
#define HOUR (60 * MIN)
#define LAST 16

static const char *const event_names[] = {"started", "stopped", "request", "quiet", "tick"};

struct step {
    int64_t at_ms;
    enum doze_event event;
    enum doze_action action;
    int64_t deadline_ms; // afterwards
};

static const struct row {
    const char *name;
    struct step steps[LAST]; // up to one without a deadline
} rows[] = {
    {"sleeps after half an hour, wakes by a request",
     {{HOUR, DOZE_STARTED, DOZE_NOTHING, HOUR + 30 * MIN},
      {HOUR + 30 * MIN - 1, DOZE_TICK, DOZE_NOTHING, HOUR + 30 * MIN},
      {HOUR + 30 * MIN, DOZE_TICK, DOZE_SLEEP, -1},
      {9 * HOUR, DOZE_STOPPED, DOZE_NOTHING, -1}, // its end is no news
      {9 * HOUR, DOZE_TICK, DOZE_NOTHING, -1},
      {10 * HOUR, DOZE_REQUEST, DOZE_WAKE, -1},
      {10 * HOUR, DOZE_REQUEST, DOZE_NOTHING, -1},                // once
      {10 * HOUR + 5, DOZE_STARTED, DOZE_NOTHING, 28 * HOUR + 6}, // they are answered
      {10 * HOUR + 6, DOZE_QUIET, DOZE_NOTHING, 10 * HOUR + 30 * MIN + 6}}},
    {"a request under way keeps it awake, however long it takes",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {10 * MIN, DOZE_REQUEST, DOZE_NOTHING, 18 * HOUR + 1},
      {40 * MIN, DOZE_TICK, DOZE_NOTHING, 18 * HOUR + 1},
      {50 * MIN, DOZE_QUIET, DOZE_NOTHING, 80 * MIN},
      {51 * MIN, DOZE_QUIET, DOZE_NOTHING, 80 * MIN}, // another one, which never got to the app
      {80 * MIN, DOZE_TICK, DOZE_SLEEP, -1}}},
    {"18 hours of 24, then it may be woken as soon as there is room",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {1, DOZE_REQUEST, DOZE_NOTHING, 18 * HOUR + 1},
      {18 * HOUR, DOZE_TICK, DOZE_NOTHING, 18 * HOUR + 1},
      {18 * HOUR + 1, DOZE_TICK, DOZE_FORCE, 24 * HOUR + MIN + 1},
      {20 * HOUR, DOZE_REQUEST, DOZE_NOTHING, 24 * HOUR + MIN + 1},
      {20 * HOUR, DOZE_STOPPED, DOZE_NOTHING, 24 * HOUR + MIN + 1},
      {24 * HOUR + MIN, DOZE_TICK, DOZE_NOTHING, 24 * HOUR + MIN + 1},
      {24 * HOUR + MIN + 1, DOZE_TICK, DOZE_ALLOW, -1},
      {24 * HOUR + 2 * MIN, DOZE_REQUEST, DOZE_WAKE, -1},
      {24 * HOUR + 2 * MIN, DOZE_QUIET, DOZE_NOTHING, -1}, // its client has gone
      {24 * HOUR + 2 * MIN, DOZE_STARTED, DOZE_NOTHING, 24 * HOUR + 32 * MIN},
      // From here on what it runs is what leaves the window: until the gap comes.
      {24 * HOUR + 2 * MIN, DOZE_REQUEST, DOZE_NOTHING, 42 * HOUR + 2 * MIN + 1}}},
    {"what was asleep has not run",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {30 * MIN, DOZE_TICK, DOZE_SLEEP, -1},
      {5 * HOUR, DOZE_REQUEST, DOZE_WAKE, -1},
      {5 * HOUR, DOZE_STARTED, DOZE_NOTHING, 22 * HOUR + 30 * MIN + 1},
      {5 * HOUR, DOZE_REQUEST, DOZE_NOTHING, 22 * HOUR + 30 * MIN + 1},
      {22 * HOUR + 30 * MIN + 1, DOZE_TICK, DOZE_FORCE, 24 * HOUR + MIN + 1}}},
    {"a new version while the sleep is forced is put to sleep again",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {1, DOZE_REQUEST, DOZE_NOTHING, 18 * HOUR + 1},
      {18 * HOUR + 1, DOZE_TICK, DOZE_FORCE, 24 * HOUR + MIN + 1},
      {19 * HOUR, DOZE_STARTED, DOZE_FORCE, 24 * HOUR + MIN + 1}}},
    {"a new version while it sleeps wakes it",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {30 * MIN, DOZE_TICK, DOZE_SLEEP, -1},
      {2 * HOUR, DOZE_STARTED, DOZE_NOTHING, 2 * HOUR + 30 * MIN}}},
    {"a rollout is one stretch, and begins the half hour anew",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {20 * MIN, DOZE_STARTED, DOZE_NOTHING, 50 * MIN},
      {40 * MIN, DOZE_REQUEST, DOZE_NOTHING, 18 * HOUR + 1}}},
    {"what crashed is not asleep: others start it again",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {MIN, DOZE_STOPPED, DOZE_NOTHING, -1},
      {MIN, DOZE_REQUEST, DOZE_NOTHING, -1},
      {MIN, DOZE_QUIET, DOZE_NOTHING, -1},
      {2 * MIN, DOZE_STARTED, DOZE_NOTHING, 32 * MIN},
      {2 * MIN, DOZE_REQUEST, DOZE_NOTHING, 18 * HOUR + MIN + 1}}},
    {"a wake-up that fails, and the next try",
     {{0, DOZE_STARTED, DOZE_NOTHING, 30 * MIN},
      {30 * MIN, DOZE_TICK, DOZE_SLEEP, -1},
      {HOUR, DOZE_REQUEST, DOZE_WAKE, -1},
      {HOUR + MIN, DOZE_QUIET, DOZE_NOTHING, -1},
      {HOUR + MIN, DOZE_STOPPED, DOZE_NOTHING, -1},
      {HOUR + 2 * MIN, DOZE_STARTED, DOZE_NOTHING, HOUR + 32 * MIN}}},
    {"a clock that goes back changes nothing",
     {{HOUR, DOZE_STARTED, DOZE_NOTHING, HOUR + 30 * MIN},
      {0, DOZE_TICK, DOZE_NOTHING, HOUR + 30 * MIN},
      {0, DOZE_REQUEST, DOZE_NOTHING, 19 * HOUR + 1},
      {0, DOZE_QUIET, DOZE_NOTHING, HOUR + 30 * MIN}}},
};

static void rows_of_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct doze_limits limits;
        struct doze doze;
        doze_limits_read(NULL, &limits);
        doze_init(&doze, &limits);
        for (const struct step *step = rows[i].steps;
             step < rows[i].steps + LAST && step->deadline_ms; step++) {
            enum doze_action action = doze_tell(&doze, step->event, step->at_ms);
            if (action != step->action || doze_deadline(&doze) != step->deadline_ms) {
                fail_msg("%s: step %d (%s): action %d, deadline %lld", rows[i].name,
                         (int)(step - rows[i].steps), event_names[step->event], (int)action,
                         (long long)doze_deadline(&doze));
            }
        }
    }
}

// The window as the rule says it: one mark for each unit of time.
struct naive {
    bool ran[20000];
    int64_t window, now;
};

static int64_t naive_run(const struct naive *naive, int64_t at)
{
    int64_t sum = 0;
    for (int64_t t = at > naive->window ? at - naive->window : 0; t < at; t++) {
        sum += naive->ran[t];
    }
    return sum;
}

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

// Every unit is ticked, so an action that comes at another time than its deadline said is seen too.
static void run_against_naive(unsigned seed, const struct doze_limits *limits)
{
    static struct naive naive;
    memset(&naive, 0, sizeof naive);
    naive.window = limits->window_ms;
    struct doze doze;
    doze_init(&doze, limits);
    int64_t told = -1;
    for (int64_t now = 0; now < (int64_t)ARRAY_LEN(naive.ran); now++) {
        enum doze_state before = doze.state;
        enum doze_action action = doze_tell(&doze, DOZE_TICK, now);
        assert_int_equal(doze_run_ms(&doze, now), naive_run(&naive, now));
        assert_true((action != DOZE_NOTHING) == (told == now));
        assert_true(action != DOZE_FORCE || naive_run(&naive, now) == limits->budget_ms + 1);
        assert_true(naive_run(&naive, now) <= limits->budget_ms + 1);
        if (action == DOZE_ALLOW) {
            assert_int_equal(before, DOZE_FORCED);
            assert_true(naive_run(&naive, now) <= limits->budget_ms - limits->room_ms);
        }
        unsigned dice = next_random(&seed) % 64;
        if (doze.state == DOZE_WAKING || (doze.state == DOZE_DOWN && dice < 8)) {
            doze_tell(&doze, DOZE_STARTED, now);
        } else if (dice < 6) {
            doze_tell(&doze, DOZE_REQUEST, now);
        } else if (dice < 12) {
            doze_tell(&doze, DOZE_QUIET, now);
        } else if (dice == 12) {
            doze_tell(&doze, DOZE_STOPPED, now);
        }
        told = doze_deadline(&doze);
        assert_true(told == -1 || told > now);
        assert_true(doze.count <= DOZE_SPELLS);
        naive.ran[now] = doze.running;
    }
}

static void window_is_exact(void **state)
{
    (void)state;
    static const struct doze_limits limits[] = {
        {.idle_ms = 30, .budget_ms = 180, .window_ms = 240, .room_ms = 6},
        {.idle_ms = 90, .budget_ms = 100, .window_ms = 400, .room_ms = 100},
        {.idle_ms = 10, .budget_ms = 300, .window_ms = 300, .room_ms = 1}, // never forced
        {.idle_ms = 500, .budget_ms = 1, .window_ms = 50, .room_ms = 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        for (unsigned seed = 1; seed <= 3; seed++) {
            run_against_naive(seed, &limits[i]);
        }
    }
}

// A crash every minute for days: memory is bounded, and no millisecond is lost.
static void many_stretches_keep_their_sum(void **state)
{
    (void)state;
    struct doze_limits limits;
    struct doze doze;
    doze_limits_read("idle-ms=100000000,budget-ms=86400000", &limits);
    doze_init(&doze, &limits);
    for (int64_t minute = 0; minute < 24 * 60; minute++) {
        assert_int_equal(doze_tell(&doze, DOZE_STARTED, minute * MIN), DOZE_NOTHING);
        doze_tell(&doze, DOZE_STOPPED, minute * MIN + 50000);
        assert_int_equal(doze_run_ms(&doze, minute * MIN + 50000), (minute + 1) * 50000);
    }
    assert_int_equal(doze.count, DOZE_SPELLS);
    // Two days later nothing of it counts.
    assert_int_equal(doze_run_ms(&doze, 72 * HOUR), 0);
    doze_tell(&doze, DOZE_STARTED, 72 * HOUR);
    doze_tell(&doze, DOZE_STOPPED, 73 * HOUR);
    assert_int_equal(doze.count, 1);
}

static void limits_can_be_changed(void **state)
{
    (void)state;
    struct doze_limits limits;
    doze_limits_read("idle-ms=300,window-ms=5000,other=1", &limits);
    assert_int_equal(limits.idle_ms, 300);
    assert_int_equal(limits.window_ms, 5000);
    assert_int_equal(limits.budget_ms, 18 * HOUR);
    assert_int_equal(limits.room_ms, MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_events),
        cmocka_unit_test(window_is_exact),
        cmocka_unit_test(many_stretches_keep_their_sum),
        cmocka_unit_test(limits_can_be_changed),
    };
    return cmocka_run_group_tests_name("doze", tests, NULL, NULL);
}
