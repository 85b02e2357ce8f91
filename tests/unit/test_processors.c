// Processors: how many are left of those that were there, beginning where, and how they come back.
#include "tests/unit/unit.h"

#include <sched.h>

#include "sandbox/processors.h"

static cpu_set_t now(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return set;
}

static void some_are_left_and_all_come_back(void **state)
{
    (void)state;
    cpu_set_t before = now();
    struct processors kept;
    assert_int_equal(processors_limit(0, 1, 0, &kept), 0);
    cpu_set_t one = now();
    assert_int_equal(CPU_COUNT(&one), 1);
    processors_restore(0, &kept);
    cpu_set_t after = now();
    assert_true(CPU_EQUAL(&before, &after));
    assert_int_equal(processors_limit(0, 100000, 7, &kept), 0);
    after = now();
    assert_true(CPU_EQUAL(&before, &after));
}

// Each beginning has another one, around and around.
static void they_take_turns(void **state)
{
    (void)state;
    cpu_set_t before = now();
    cpu_set_t met;
    CPU_ZERO(&met);
    int count = CPU_COUNT(&before);
    for (unsigned first = 0; first < (unsigned)count; first++) {
        struct processors kept;
        assert_int_equal(processors_limit(0, 1, first + (unsigned)count, &kept), 0);
        cpu_set_t one = now();
        assert_int_equal(CPU_COUNT(&one), 1);
        CPU_OR(&met, &met, &one);
        processors_restore(0, &kept);
    }
    assert_true(CPU_EQUAL(&before, &met));
}

static void nobody_has_none(void **state)
{
    (void)state;
    struct processors kept;
    assert_int_equal(processors_limit(0x7ffffff0, 1, 0, &kept), -1);
    assert_int_equal(kept.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_left_and_all_come_back),
        cmocka_unit_test(they_take_turns),
        cmocka_unit_test(nobody_has_none),
    };
    return cmocka_run_group_tests_name("processors", tests, NULL, NULL);
}
