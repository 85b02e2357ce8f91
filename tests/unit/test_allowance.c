// The eye on an instance's size: how often it looks, and what the numbers are.
#include "tests/unit/unit.h"

#include "emulator/instance/allowance.h"
#include "sandbox/base/cleanup.h"

#define MB (INT64_C(1) << 20)

static void limits_are_those_of_the_size(void **state)
{
    (void)state;
    static const struct {
        const char *size, *text;
        int64_t memory_mb, cpu_milli, disk_mb;
    } rows[] = {
        {"trial", NULL, 256, 500, 1024}, // P-170, P-130
        {"standard-512", "", 512, 1000, 1024},
        {"standard-4096", NULL, 4096, 1000, 1024},
        {"trial", "memory-mb=64,cpu-milli=2500,disk-mb=16", 64, 2500, 16},
        {"trial", "memory=1,,disk-mb=2", 256, 500, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct allowance_limits limits;
        allowance_limits_read(instance_size_find(rows[i].size), rows[i].text, &limits);
        assert_int_equal(limits.memory_bytes, rows[i].memory_mb * MB);
        assert_int_equal(limits.cpu_milli, rows[i].cpu_milli);
        assert_int_equal(limits.disk_bytes, rows[i].disk_mb * MB);
    }
}

static void larger_size_is_the_smallest_that_has_room(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *name;
    } rows[] = {
        {1, "trial"},
        {256 * MB, "trial"},
        {256 * MB + 1, "standard-512"},
        {600 * MB, "standard-1024"},
        {4096 * MB, "standard-4096"},
        {4097 * MB, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct instance_size *size = instance_size_for(rows[i].bytes);
        if (rows[i].name) {
            assert_string_equal(size->name, rows[i].name);
        } else {
            assert_null(size);
        }
    }
}

// Looks of one app, each with what it used then and when the next look is.
static void pace_follows_the_memory(void **state)
{
    (void)state;
    static const struct {
        int64_t used_mb, next_ms;
    } looks[] = {
        {30, 250},  {30, 500},  {30, 1000}, {31, 250}, // active again
        {31, 500},  {200, 100},                        // near the limit of 256
        {230, 100}, {230, 200}, {230, 400},            // near, but calm: no reason to hurry
        {60, 250},                                     // given back
    };
    struct allowance_pace pace = {0};
    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        assert_int_equal(allowance_pace_next(&pace, looks[i].used_mb * MB, 256 * MB),
                         looks[i].next_ms);
    }
}

// DESIGN 13: an idle app costs next to nothing, however near its limit it sits.
static void calm_app_is_hardly_looked_at(void **state)
{
    (void)state;
    for (int64_t used = 10 * MB; used <= 256 * MB; used += 123 * MB) {
        struct allowance_pace pace = {0};
        int64_t elapsed_ms = 0;
        int looks = 0;
        for (; elapsed_ms < 3600 * 1000; looks++) {
            // An idle interpreter's own noise.
            elapsed_ms += allowance_pace_next(&pace, used + looks % 2 * 4096, 256 * MB);
        }
        assert_true(looks < 3600 / 5);
        assert_int_equal(pace.interval_ms, 30000);
    }
}

// A leak of 100 KB a look stays below what counts as a change, but it adds up.
static void slow_growth_is_seen(void **state)
{
    (void)state;
    struct allowance_pace pace = {0};
    int64_t used = 10 * MB;
    int64_t longest_ms = 0;
    for (int look = 0; look < 1000; look++, used += 100 << 10) {
        int64_t next_ms = allowance_pace_next(&pace, used, 256 * MB);
        longest_ms = next_ms > longest_ms ? next_ms : longest_ms;
    }
    assert_true(longest_ms <= 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_those_of_the_size),
        cmocka_unit_test(larger_size_is_the_smallest_that_has_room),
        cmocka_unit_test(pace_follows_the_memory),
        cmocka_unit_test(calm_app_is_hardly_looked_at),
        cmocka_unit_test(slow_growth_is_seen),
    };
    return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
