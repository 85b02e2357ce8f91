// Which instance gets a request (P-156), and whether one is held or refused when there is none.
#include "tests/unit/unit.h"

#include "emulator/gateway/choice.h"
#include "sandbox/base/cleanup.h"

static void in_turn_and_past_those_that_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t suspect_until_ms[3];
        size_t not_this;
        size_t taken[4]; // one after the other, at 100 ms
    } rows[] = {
        {{0, 0, 0}, CHOICE_NONE, {0, 1, 2, 0}},
        {{0, 101, 0}, CHOICE_NONE, {0, 2, 0, 2}},
        {{0, 100, 0}, CHOICE_NONE, {0, 1, 2, 0}}, // its time is over
        {{0, 0, 0}, 1, {0, 2, 0, 2}},
        {{200, 0, 200}, 1, {0, 0, 0, 0}}, // another suspect, rather than the same one again
        {{200, 200, 200}, 0, {1, 1, 1, 1}},
        {{200, 200, 200}, CHOICE_NONE, {0, 0, 0, 0}}, // better than none
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct choice choice = {0};
        choice_set(&choice, 3);
        for (size_t n = 0; n < ARRAY_LEN(rows[i].taken); n++) {
            assert_int_equal(choice_take(&choice, rows[i].suspect_until_ms, rows[i].not_this, 100),
                             rows[i].taken[n]);
        }
    }
}

static void the_only_one_is_tried_again(void **state)
{
    (void)state;
    struct choice choice = {0};
    choice_set(&choice, 1);
    assert_int_equal(choice_take(&choice, (int64_t[]){0}, 0, 0), 0);
    choice_set(&choice, 0);
    assert_int_equal(choice_take(&choice, NULL, CHOICE_NONE, 0), CHOICE_NONE);
}

static void held_or_refused(void **state)
{
    (void)state;
    static const struct {
        bool patient, had, refused, asleep, holds;
    } rows[] = {
        {.holds = true}, // the first version is on its way
        {.refused = true, .holds = false},
        {.had = true, .holds = false},
        {.had = true, .asleep = true, .holds = true},
        {.had = true, .asleep = true, .refused = true, .holds = true}, // the last save's failure
        {.patient = true, .had = true, .holds = true},
        {.patient = true, .had = true, .refused = true, .holds = false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct choice choice = {.patient = rows[i].patient};
        if (rows[i].had) {
            choice_set(&choice, 1);
            choice_set(&choice, 0);
        }
        choice.refused = rows[i].refused;
        choice.asleep = rows[i].asleep;
        assert_int_equal(choice_holds(&choice), rows[i].holds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_turn_and_past_those_that_refused),
        cmocka_unit_test(the_only_one_is_tried_again),
        cmocka_unit_test(held_or_refused),
    };
    return cmocka_run_group_tests_name("choice", tests, NULL, NULL);
}
