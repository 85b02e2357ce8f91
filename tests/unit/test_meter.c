// The build's limits (P-66): the table's numbers, and what a tree uses.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator/build/meter.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t cpus, cpu_ms, memory_mb, quiet_ms;
    } rows[] = {
        {NULL, 2, 30 * 60 * 1000, 4096, 10000},
        {"", 2, 30 * 60 * 1000, 4096, 10000},
        {"cpus=1,cpu-ms=1000,memory-mb=100,quiet-ms=500", 1, 1000, 100, 500},
        {"memory-mb=7", 2, 30 * 60 * 1000, 7, 10000},
        {"cpu=3,nonsense,,quiet-ms=1", 2, 30 * 60 * 1000, 4096, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct meter_limits limits;
        meter_limits_read(rows[i].text, &limits);
        assert_int_equal(limits.cpus, rows[i].cpus);
        assert_int_equal(limits.cpu_ms, rows[i].cpu_ms);
        assert_int_equal(limits.memory_bytes, rows[i].memory_mb << 20);
        assert_int_equal(limits.quiet_ms, rows[i].quiet_ms);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    struct meter_limits limits;
    meter_limits_read(NULL, &limits);
    const struct {
        int64_t cpu_ms, memory_bytes;
        const char *word; // NULL: within
    } rows[] = {
        {0, 0, NULL},
        {limits.cpu_ms, limits.memory_bytes, NULL},
        {limits.cpu_ms + 1, 0, "CPU"},
        {0, limits.memory_bytes + 1, "4096 MB"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct usage use = {.cpu_ms = rows[i].cpu_ms, .anonymous_bytes = rows[i].memory_bytes};
        struct error error = {0};
        assert_int_equal(meter_judge(&limits, &use, &error), rows[i].word ? -1 : 0);
        if (rows[i].word) {
            assert_int_equal(error.kind, ERROR_PROJECT);
            assert_string_equal(error.rule, "P-66");
            assert_non_null(strstr(error.message, rows[i].word));
        }
    }
}

static void burn(int64_t ms)
{
    struct timespec used;
    volatile unsigned spin = 0;
    do {
        for (int i = 0; i < 100000; i++) {
            spin = spin + 1;
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    } while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
}

// A child that burns and holds memory and has a dead child of its own and an orphan below it; it
// says when all is there.
static void grow(int ready)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1); // as the sandbox's first process is
    pid_t done = fork();
    if (done == 0) {
        burn(150);
        _exit(0);
    }
    waitpid(done, NULL, 0);
    pid_t between = fork();
    if (between == 0) {
        if (fork() == 0) {
            burn(150);
            size_t size = 32 << 20;
            char *memory = mem_alloc(size);
            memset(memory, 1, size);
            (void)!write(ready, "x", 1);
            pause();
        }
        _exit(0);
    }
    waitpid(between, NULL, 0);
    pause();
}

static void test_tree(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t root = fork();
    if (root == 0) {
        setpgid(0, 0);
        grow(ends[1]);
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    struct usage use;
    assert_int_equal(usage_read(root, &use), 0);
    assert_true(use.cpu_ms >= 280 && use.cpu_ms < 5000);
    assert_true(use.anonymous_bytes >= 32 << 20);
    kill(-root, SIGKILL);
    waitpid(root, NULL, 0);
    assert_int_equal(usage_read(root, &use), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
