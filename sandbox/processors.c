#include "sandbox/processors.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD_BITS (8 * sizeof(long))

static bool has_bit(const struct processors *set, size_t bit)
{
    return set->bits[bit / WORD_BITS] >> (bit % WORD_BITS) & 1;
}

static void set_bit(struct processors *set, size_t bit)
{
    set->bits[bit / WORD_BITS] |= 1UL << (bit % WORD_BITS);
}

int processors_limit(pid_t pid, int64_t wanted, unsigned first, struct processors *ret_before)
{
    struct processors before = {.bytes = 0};
    struct processors some = {.bytes = 0};
    *ret_before = some;
    before.bytes = syscall(SYS_sched_getaffinity, pid, sizeof before.bits, before.bits);
    if (before.bytes <= 0) {
        return -1;
    }
    size_t bits = (size_t)before.bytes * 8;
    unsigned usable = 0;
    for (size_t bit = 0; bit < bits; bit++) {
        usable += has_bit(&before, bit);
    }
    unsigned skipped = usable ? first % usable : 0;
    int64_t count = 0;
    // Twice around, so that those before the first one get their turn.
    for (size_t bit = 0; bit < 2 * bits && count < wanted && count < usable; bit++) {
        if (!has_bit(&before, bit % bits)) {
            continue;
        }
        if (skipped > 0) {
            skipped--;
            continue;
        }
        set_bit(&some, bit % bits);
        count++;
    }
    if (syscall(SYS_sched_setaffinity, pid, before.bytes, some.bits) < 0) {
        return -1;
    }
    *ret_before = before;
    return 0;
}

void processors_restore(pid_t pid, const struct processors *before)
{
    if (before->bytes > 0) {
        syscall(SYS_sched_setaffinity, pid, before->bytes, before->bits);
    }
}
