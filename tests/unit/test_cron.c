// Timers: expressions as a table, next times against a slow search with the C library's calendar.
#include "tests/unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "emulator/formats/cron.h"
#include "sandbox/base/cleanup.h"

#define CHINA 28800
#define HOUR  INT64_C(3600000)

static int64_t seconds_of(const char *text, long offset)
{
    struct tm tm = {0};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    return timegm(&tm) - offset;
}

static void show(int64_t seconds, long offset, char out[static 32])
{
    time_t local = seconds + offset;
    struct tm tm;
    gmtime_r(&local, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

static void test_next_times(void **state)
{
    (void)state;
    static const struct {
        const char *text, *after, *next;
    } rows[] = {
        {"* * * * * *", "2026-11-27 10:00:00", "2026-11-27 10:00:01"},
        {"0 * * * * ?", "2026-11-27 10:00:00", "2026-11-27 10:01:00"},
        {"0 * * * * ?", "2026-11-27 10:00:59", "2026-11-27 10:01:00"},
        {"59 59 23 * * *", "2026-11-27 23:59:59", "2026-11-28 23:59:59"},
        {"0 0 0 1 1 ?", "2026-01-01 00:00:00", "2027-01-01 00:00:00"},
        {"0 0 0 29 2 ?", "2026-01-01 00:00:00", "2028-02-29 00:00:00"},
        {"0 0 0 29 2 ?", "2096-03-01 00:00:00", "2104-02-29 00:00:00"}, // 2100 is no leap year
        {"0 0 0 29 feb mon", "2026-01-01 00:00:00", "2044-02-29 00:00:00"},
        {"0 0 0 31 * ?", "2026-01-31 00:00:00", "2026-03-31 00:00:00"},
        {"0 0 0 30 * ?", "2026-01-30 12:00:00", "2026-03-30 00:00:00"},
        {"0 30 8 ? * MON-FRI", "2026-11-27 08:30:00", "2026-11-30 08:30:00"},
        {"0 30 8 ? * 2-6", "2026-11-27 08:30:00", "2026-11-30 08:30:00"}, // 1 is Sunday
        {"0 0 12 ? * 1", "2026-11-27 08:30:00", "2026-11-29 12:00:00"},
        {"0 0 12 ? * sun,Sat", "2026-11-27 08:30:00", "2026-11-28 12:00:00"},
        {"0 0 12 13 * FRI", "2026-11-27 08:30:00", "2027-08-13 12:00:00"}, // both
        {"0 */15 * * * *", "2026-11-27 08:50:00", "2026-11-27 09:00:00"},
        {"0 7/20 * * * *", "2026-11-27 08:48:00", "2026-11-27 09:07:00"},
        {"0 0-30/10 * * * *", "2026-11-27 08:30:00", "2026-11-27 09:00:00"},
        {"5,35 0 9,17 * * *", "2026-11-27 09:00:05", "2026-11-27 09:00:35"},
        {"5,35 0 9,17 * * *", "2026-11-27 09:00:35", "2026-11-27 17:00:05"},
        {"0 0 0 1 JAN-mar,DEC ?", "2026-03-01 00:00:00", "2026-12-01 00:00:00"},
        {"0 0 0 1 */5 ?", "2026-01-02 00:00:00", "2026-06-01 00:00:00"},
        {"\t0  0 0\t* * *  ", "2026-11-27 08:50:00", "2026-11-28 00:00:00"},
        {"0 0 0 * * *", "1969-12-31 12:00:00", "1970-01-01 00:00:00"},
        {"0 0 0 1 1 *", "1899-06-01 00:00:00", "1900-01-01 00:00:00"},
    };
    static const long offsets[] = {0, CHINA};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(offsets); k++) {
            struct cron cron;
            char got[32];
            assert_int_equal(cron_parse(rows[i].text, "cron", &cron, NULL), 0);
            int64_t after = seconds_of(rows[i].after, offsets[k]);
            show(cron_next(&cron, after, offsets[k]), offsets[k], got);
            if (strcmp(got, rows[i].next) != 0) {
                fail_msg("%s after %s: %s", rows[i].text, rows[i].after, got);
            }
        }
    }
}

static void test_a_day_in_china_begins_earlier(void **state)
{
    (void)state;
    struct cron cron;
    assert_int_equal(cron_parse("0 0 8 * * *", "cron", &cron, NULL), 0);
    int64_t after = seconds_of("2026-11-27 00:00:01", 0);
    assert_int_equal(cron_next(&cron, after, CHINA), seconds_of("2026-11-28 00:00:00", 0));
    assert_int_equal(cron_next(&cron, after, 0), seconds_of("2026-11-27 08:00:00", 0));
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message, *hint; // parts
    } rows[] = {
        {"", "six fields are needed, not 0", "second minute hour"},
        {"0 8 * * *", "six fields are needed, not 5", "0 0 8 * * *"},
        {"0 0 8 * * * 2026", "not 7", "second minute"},
        {"@daily", "not 1", "second minute"},
        {"60 * * * * *", "cron: column 1: second: 60 is not 0 to 59", ""},
        {"0 60 * * * *", "cron: column 3: minute: 60 is not 0 to 59", ""},
        {"0 0 24 * * *", "cron: column 5: hour: 24 is not 0 to 23", ""},
        {"0 0 0 0 * ?", "cron: column 7: day: 0 is not 1 to 31", ""},
        {"0 0 0 32 * ?", "day: 32 is not 1 to 31", ""},
        {"0 0 0 1 13 ?", "cron: column 9: month: 13 is not 1 to 12 nor JAN to DEC", ""},
        {"0 0 0 ? * 0", "weekday: 0 is not 1 to 7 nor SUN to SAT", ""},
        {"0 0 0 ? * 8", "weekday: 8 is not 1 to 7", ""},
        {"0 0 0 ? JUN MONDAY", "cron: column 13: weekday: MONDAY", ""},
        {"0 0 0 L * ?", "day: L is not 1 to 31", ", - * / and ? only"},
        {"0 0 0 31 2 ?", "never", "first of the next"},
        {"0 0 0 30 FEB *", "never", ""},
        {"0 0 0 31 4,6,9,11 ?", "never", ""},
        {"? * * * * *", "cron: column 1: second: ? is for day and weekday only", "write *"},
        {"0 0 0 1 ? *", "month: ? is for", ""},
        {"0 0 0 ? * ?", "? stands in day and in weekday", "one ?"},
        {"0 0 0 1,? * *", "cron: column 9: day: ? is not", ""},
        {"0 0 22-2 * * *", "cron: column 5: hour: the range runs backwards", "22-23,0-2"},
        {"0 0 0 ? * FRI-MON", "runs backwards", ""},
        {"0 */0 * * * *", "cron: column 5: minute: the step \"0\" is not 1 to 59", ""},
        {"0 */60 * * * *", "the step \"60\"", ""},
        {"0 */ * * * *", "the step \"\"", ""},
        {"0 1- * * * *", "cron: column 5: minute: a value is missing", ""},
        {"0 -1 * * * *", "cron: column 3: minute: a value is missing", ""},
        {"0 1,,2 * * * *", "cron: column 5: minute: a value is missing", ""},
        {"0 1, * * * *", "a value is missing", ""},
        {"0 1/2/3 * * * *", "the step \"2/3\"", ""},
        {"0 1-2-3 * * * *", "minute: 2-3 is not", ""},
        {"0 ** * * * *", "minute: ** is not", ""},
        {"0 *-5 * * * *", "minute: * is not", ""},
        {"0 +1 * * * *", "minute: +1 is not", ""},
        {"0 00001 * * * *", "minute: 00001 is not", ""},
        {"0 99999999999999999999 * * * *", "minute: 9999", ""},
        {"0 \xff * * * *", "minute: \xef\xbf\xbd is not", ""},
        {"0 0\n0 0 * * *", "minute: 0 0 is not", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cron cron = {.fits = {77}};
        struct error error = {0};
        int result = cron_parse(rows[i].text, "cron", &cron, &error);
        if (result != -1 || error.kind != ERROR_USAGE || !strstr(error.message, rows[i].message) ||
            !strstr(error.hint, rows[i].hint)) {
            fail_msg("%s: %d %s; %s", rows[i].text, result, error.message, error.hint);
        }
        assert_int_equal(cron.fits[0], 77); // untouched
    }
    char longer[CRON_MAX_BYTES + 2];
    memset(longer, '1', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct cron cron;
    assert_int_equal(cron_parse(longer, "cron", &cron, NULL), -1);
}

// The platform's limit is 30 in 24 hours; the next one is too many.
static void test_failures(void **state)
{
    (void)state;
    struct cron_failures failures = {0};
    for (int i = 0; i < 30; i++) {
        assert_false(cron_failed(&failures, i * HOUR / 10, 30, 24 * HOUR));
    }
    assert_true(cron_failed(&failures, 3 * HOUR, 30, 24 * HOUR));
    assert_false(cron_failed(&failures, 30 * HOUR, 30, 24 * HOUR)); // the old ones do not count
    for (int i = 0; i < 1000; i++) { // one an hour for ever is no trouble
        assert_false(cron_failed(&failures, (100 + i) * HOUR, 30, 24 * HOUR));
    }
}

static bool slow_fits(const struct cron *cron, int64_t local)
{
    time_t at = local;
    struct tm tm;
    gmtime_r(&at, &tm);
    const int values[] = {tm.tm_sec,  tm.tm_min,     tm.tm_hour,
                          tm.tm_mday, tm.tm_mon + 1, tm.tm_wday + 1};
    for (int i = 0; i < CRON__COUNT; i++) {
        if (!(cron->fits[i] >> values[i] & 1)) {
            return false;
        }
    }
    return true;
}

// Against a search second by second with the C library's calendar.
static void test_next_is_the_first_that_fits(void **state)
{
    (void)state;
    static const char *const texts[] = {"*/7 * * * * *",      "13 */11 * * * *", "0 5,50 */5 * * *",
                                        "59 59 23 28-31 * ?", "30 0 0 ? * 1,7",  "1 2 3 */2 2,3 *"};
    unsigned seed = 1;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct cron cron;
        assert_int_equal(cron_parse(texts[i], "cron", &cron, NULL), 0);
        int64_t at =
            seconds_of("2027-12-30 11:00:00", 0) + (seed = seed * 1103515245 + 12345) % 9999;
        int64_t next = cron_next(&cron, at, CHINA);
        int64_t slow = at + 1;
        while (!slow_fits(&cron, slow + CHINA)) {
            slow++;
        }
        assert_int_equal(next, slow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_times),
        cmocka_unit_test(test_a_day_in_china_begins_earlier),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_next_is_the_first_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
