// Deaths in a row: pauses that grow to their bound, what is called a loop, what is worth a line;
// and the times that LEANLOCAL_HEALTH may change.
#include "tests/unit/unit.h"

#include "emulator/health/backoff.h"
#include "emulator/health/times.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"

static const struct backoff_policy policy = {
    .first_ms = 1000, .max_ms = 30000, .forget_ms = 60000, .loop_deaths = 3};

static void pauses_double_up_to_their_bound(void **state)
{
    (void)state;
    static const struct {
        int64_t pause_ms;
        bool is_loop, is_news;
    } rows[] = {
        {0, false, true},     {1000, false, true},  {2000, true, true},   {4000, true, false},
        {8000, true, false},  {16000, true, true},  {30000, true, false}, {30000, true, false},
        {30000, true, false}, {30000, true, false}, {30000, true, false}, {30000, true, true},
    };
    struct backoff backoff = {0};
    int64_t now_ms = 5000;
    int64_t began_ms = now_ms;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct backoff_step step = backoff_died(&backoff, &policy, 200, now_ms);
        assert_int_equal(step.deaths, i + 1);
        assert_int_equal(step.pause_ms, rows[i].pause_ms);
        assert_int_equal(step.span_ms, now_ms - began_ms);
        assert_int_equal(step.is_loop, rows[i].is_loop);
        assert_int_equal(step.is_news, rows[i].is_news);
        assert_int_equal(backoff_is_loop(&backoff, &policy), rows[i].is_loop);
        assert_int_equal(backoff.next_ms, now_ms + step.pause_ms);
        now_ms += step.pause_ms + 200;
    }
}

static void a_long_life_begins_a_new_row(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    for (int i = 0; i < 5; i++) {
        backoff_died(&backoff, &policy, 60000, i * 70000); // as long as that is not longer
    }
    assert_int_equal(backoff.deaths, 5);
    struct backoff_step step = backoff_died(&backoff, &policy, 60001, 900000);
    assert_int_equal(step.deaths, 1);
    assert_int_equal(step.pause_ms, 0);
    assert_int_equal(step.span_ms, 0);
    assert_false(step.is_loop);
}

static void a_save_ends_it(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    for (int i = 0; i < 9; i++) {
        backoff_died(&backoff, &policy, 10, i);
    }
    backoff_forget(&backoff);
    assert_false(backoff_is_loop(&backoff, &policy));
    assert_int_equal(backoff.next_ms, 0);
    assert_int_equal(backoff_died(&backoff, &policy, 10, 99).pause_ms, 0);
}

// Years of deaths: no pause is beyond the bound, and the lines are few.
static void the_log_stays_short(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    int64_t now_ms = 0;
    int lines = 0;
    for (int i = 0; i < 1000000; i++) {
        struct backoff_step step = backoff_died(&backoff, &policy, 10, now_ms);
        assert_true(step.pause_ms >= 0 && step.pause_ms <= policy.max_ms);
        lines += step.is_news;
        now_ms += 10 + step.pause_ms;
    }
    assert_true(lines < 25);
}

static void the_times_are_the_tables(void **state)
{
    (void)state;
    struct health_times times;
    health_times_read(NULL, &times);
    assert_int_equal(times.second_ms, 1000);
    assert_int_equal(times.interval_ms, LIMIT_PROBE_INTERVAL_MS);
    assert_int_equal(times.probe_timeout_ms, LIMIT_PROBE_TIMEOUT_MS);
    assert_int_equal(times.period_ms, LIMIT_PERIODIC_PROBE_MS);
    assert_int_equal(times.retry_ms, LIMIT_PERIODIC_RETRY_MS);
    assert_int_equal(times.failures, LIMIT_PERIODIC_FAILURES);
    assert_int_equal(times.backoff.first_ms, LIMIT_CRASH_PAUSE_FIRST_MS);
    assert_int_equal(times.backoff.max_ms, LIMIT_CRASH_PAUSE_MAX_MS);
    assert_int_equal(times.backoff.forget_ms, LIMIT_CRASH_FORGET_MS);
    assert_int_equal(times.backoff.loop_deaths, LIMIT_CRASH_LOOP_DEATHS);
    assert_int_equal(health_start_limit_ms(&times, 30), 30000);
}

static void words_change_them(void **state)
{
    (void)state;
    struct health_times times;
    health_times_read("second-ms=20,timeout-ms=7,period-ms=200,retry-ms=50,failures=2,"
                      "pause-first-ms=30,pause-max-ms=90,forget-ms=800,loop=4,nonsense,=,x=1",
                      &times);
    assert_int_equal(times.second_ms, 20);
    assert_int_equal(times.interval_ms, 20);
    assert_int_equal(times.probe_timeout_ms, 7);
    assert_int_equal(times.period_ms, 200);
    assert_int_equal(times.retry_ms, 50);
    assert_int_equal(times.failures, 2);
    assert_int_equal(times.backoff.first_ms, 30);
    assert_int_equal(times.backoff.max_ms, 90);
    assert_int_equal(times.backoff.forget_ms, 800);
    assert_int_equal(times.backoff.loop_deaths, 4);
    assert_int_equal(health_start_limit_ms(&times, 15), 300);
    // None may make the engine spin.
    health_times_read("second-ms=0,period-ms=-5,retry-ms=0,failures=0,timeout-ms=0,loop=0,"
                      "pause-first-ms=0",
                      &times);
    assert_int_equal(times.second_ms, 1);
    assert_int_equal(times.interval_ms, 10);
    assert_int_equal(times.period_ms, 10);
    assert_int_equal(times.retry_ms, 10);
    assert_int_equal(times.failures, 1);
    assert_int_equal(times.probe_timeout_ms, 1);
    assert_int_equal(times.backoff.loop_deaths, 2);
    assert_int_equal(times.backoff.first_ms, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_their_bound),
        cmocka_unit_test(a_long_life_begins_a_new_row),
        cmocka_unit_test(a_save_ends_it),
        cmocka_unit_test(the_log_stays_short),
        cmocka_unit_test(the_times_are_the_tables),
        cmocka_unit_test(words_change_them),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
