// When a save is told: each editor's sequence of events as a row of (time, file, kind), and the
// times at which something is told. Pure, the clock is ours.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/watch/settle.h"
#include "sandbox/base/cleanup.h"

struct step {
    int64_t at_ms;
    uint64_t id; // 0: the end
    enum settle_kind kind;
};

struct row {
    const char *name;
    struct step steps[12];
    int64_t told[4]; // 0: no more
};

static const struct row rows[] = {
    {"nano, VS Code: truncate, write, close",
     {{100, 1, SETTLE_WRITING}, {101, 1, SETTLE_WRITING}, {103, 1, SETTLE_SAVED}},
     {103}},
    {"vim: away, create, write, close, permissions",
     {{100, 1, SETTLE_GONE},
      {101, 1, SETTLE_WRITING},
      {102, 1, SETTLE_SAVED},
      {102, 1, SETTLE_META}},
     {102}},
    {"PyCharm: away, renamed back", {{100, 1, SETTLE_GONE}, {100, 1, SETTLE_SAVED}}, {100}},
    {"sed -i: temporary, renamed over",
     {{100, 2, SETTLE_NEW},
      {101, 2, SETTLE_WRITING},
      {102, 2, SETTLE_NEW},
      {104, 2, SETTLE_GONE},
      {104, 1, SETTLE_SAVED}},
     {204}},
    {"rename onto", {{100, 1, SETTLE_SAVED}}, {100}},
    {"two saves of one file at once", {{100, 1, SETTLE_SAVED}, {105, 1, SETTLE_SAVED}}, {100, 105}},
    {"save all",
     {{100, 1, SETTLE_SAVED}, {105, 2, SETTLE_SAVED}, {110, 3, SETTLE_SAVED}},
     {100, 130}},
    {"another file later", {{100, 1, SETTLE_SAVED}, {160, 2, SETTLE_SAVED}}, {100, 160}},
    {"a new file", {{100, 1, SETTLE_NEW}}, {150}},
    {"removed", {{100, 1, SETTLE_GONE}}, {200}},
    {"permissions alone", {{100, 1, SETTLE_META}}, {120}},
    {"slow writer",
     {{100, 1, SETTLE_WRITING}, {250, 1, SETTLE_WRITING}, {400, 1, SETTLE_SAVED}},
     {400}},
    {"never closed", {{100, 1, SETTLE_WRITING}}, {300}},
};

// Runs the clock in steps of 1 ms.
static void test_patterns(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct settle settle;
        settle_init(&settle);
        size_t step = 0;
        size_t told = 0;
        for (int64_t now = 0; now < 3000; now++) {
            for (; row->steps[step].id && row->steps[step].at_ms == now; step++) {
                settle_event(&settle, now, row->steps[step].id, row->steps[step].kind);
            }
            if (settle_wait(&settle, now) == 0) {
                if (told >= ARRAY_LEN(row->told) || row->told[told++] != now) {
                    fail_msg("%s: told at %d ms", row->name, (int)now);
                }
                settle_told(&settle, now);
            }
        }
        if (told < ARRAY_LEN(row->told) && row->told[told] != 0) {
            fail_msg("%s: not told at %d ms", row->name, (int)row->told[told]);
        }
    }
}

static unsigned run_burst(int files, int gap_ms, bool locked)
{
    struct settle settle;
    settle_init(&settle);
    unsigned told = 0;
    if (locked) {
        settle_hold(&settle, 0, true);
    }
    for (int64_t now = 0; now < (int64_t)files * gap_ms + 5000; now++) {
        if (now % gap_ms == 0 && now / gap_ms < files) {
            uint64_t id = (uint64_t)(now / gap_ms) + 1;
            settle_event(&settle, now, id, SETTLE_GONE);
            settle_event(&settle, now, id, SETTLE_WRITING);
            settle_event(&settle, now, id, SETTLE_SAVED);
        }
        if (locked && now == (int64_t)files * gap_ms) {
            settle_hold(&settle, now, false);
        }
        if (settle_wait(&settle, now) == 0) {
            told++;
            settle_told(&settle, now);
        }
    }
    return told;
}

static void test_checkout_is_one_report(void **state)
{
    (void)state;
    assert_int_equal(run_burst(1000, 1, true), 1);
    assert_int_equal(run_burst(1000, 10, true), 1);
    // Without a lock the first may be told at once; never one by one.
    assert_true(run_burst(1000, 1, false) <= 2);
}

// Nothing may keep a change back for ever, not even a stale lock or a writer that never stops.
static void test_bounds(void **state)
{
    (void)state;
    struct settle settle;
    settle_init(&settle);
    int64_t told_ms = 0;
    for (int64_t now = 0; now < 5000 && !told_ms; now++) {
        settle_event(&settle, now, 1, SETTLE_WRITING);
        told_ms = settle_wait(&settle, now) == 0 ? now : 0;
    }
    assert_int_equal(told_ms, 2000);
    settle_init(&settle);
    settle_hold(&settle, 1000, true);
    settle_event(&settle, 1000, 1, SETTLE_SAVED);
    assert_int_equal(settle_wait(&settle, 1000), 30000);
    assert_int_equal(settle_wait(&settle, 31000), 0);
    settle_told(&settle, 31000);
    assert_int_equal(settle_wait(&settle, 31000), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_checkout_is_one_report),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
