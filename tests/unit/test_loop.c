// The loop keeps its promises: what is freed never calls back, children are reaped before the
// callback, timers are not rounded to 250 ms, and a file is refused instead of spinning.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator/loop.h"
#include "sandbox/base/clock.h"

#define GUARD_MS 5000

struct fixture {
    struct loop *loop;
    struct loop_source *guard, *a, *b;
    int calls, number, status;
    pid_t pid;
    uint32_t events;
    int pipe[2];
};

static void on_guard(void *context)
{
    struct fixture *f = context;
    loop_exit(f->loop, 99); // no test may hang
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->loop = loop_new(NULL);
    f->guard = loop_add_timer(f->loop, GUARD_MS, on_guard, f);
    assert_int_equal(pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    loop_source_free(f->a);
    loop_source_free(f->b);
    loop_source_free(f->guard);
    loop_free(f->loop);
    close(f->pipe[0]);
    close(f->pipe[1]);
    free(f);
    return 0;
}

static void count_and_exit(void *context)
{
    struct fixture *f = context;
    f->calls++;
    loop_exit(f->loop, 7);
}

static void test_timer_is_accurate(void **state)
{
    struct fixture *f = *state;
    int64_t start = clock_now_ms();
    f->a = loop_add_timer(f->loop, 30, count_and_exit, f);
    assert_int_equal(loop_run(f->loop), 7);
    int64_t took = clock_now_ms() - start;
    assert_true(took >= 29);
    assert_true(took < 200); // the default accuracy would make it up to 280
    assert_int_equal(f->calls, 1);
}

static void test_timer_stop_and_restart(void **state)
{
    struct fixture *f = *state;
    f->a = loop_add_timer(f->loop, 1, count_and_exit, f);
    loop_timer_stop(f->a);
    f->b = loop_add_timer(f->loop, 20, count_and_exit, f);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->calls, 1);
    loop_timer_restart(f->a, 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->calls, 2);
    // One shot: neither fires again.
    loop_timer_restart(f->guard, 30);
    assert_int_equal(loop_run(f->loop), 99);
    assert_int_equal(f->calls, 2);
}

static void free_both(void *context)
{
    struct fixture *f = context;
    f->calls++;
    loop_source_free(f->a);
    loop_source_free(f->b);
    f->a = f->b = NULL;
    loop_timer_restart(f->guard, 20);
}

static void test_callback_frees_itself_and_a_pending_source(void **state)
{
    struct fixture *f = *state;
    f->a = loop_add_timer(f->loop, 0, free_both, f);
    f->b = loop_add_timer(f->loop, 0, free_both, f);
    assert_int_equal(loop_run(f->loop), 99);
    assert_int_equal(f->calls, 1);
    f->a = loop_add_defer(f->loop, free_both, f);
    f->b = loop_add_defer(f->loop, free_both, f);
    assert_int_equal(loop_run(f->loop), 99);
    assert_int_equal(f->calls, 2);
}

static void on_fd(void *context, int fd, uint32_t events)
{
    struct fixture *f = context;
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    f->events = events;
    f->calls++;
    loop_source_free(f->a);
    f->a = NULL;
    loop_exit(f->loop, 7);
}

static void test_fd(void **state)
{
    struct fixture *f = *state;
    f->a = loop_add_fd(f->loop, f->pipe[0], 0, on_fd, f);
    assert_int_equal(write(f->pipe[1], "xy", 2), 2);
    assert_int_equal(loop_set_fd_events(f->a, EPOLLIN), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_true(f->events & EPOLLIN);
    loop_timer_restart(f->guard, 20); // "y" is still there, but nobody listens
    assert_int_equal(loop_run(f->loop), 99);
    assert_int_equal(f->calls, 1);
}

static void test_regular_file_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    errno = 0;
    assert_null(loop_add_fd(f->loop, fd, EPOLLIN, on_fd, f));
    assert_int_equal(errno, EPERM);
    close(fd);
}

static void test_what_cannot_be_watched_ends_the_loop(void **state)
{
    struct fixture *f = *state;
    assert_null(loop_add_fd(f->loop, -1, EPOLLIN, on_fd, f));
    assert_int_equal(errno, EBADF);
    assert_int_equal(loop_run(f->loop), LOOP_BROKEN);
}

static void on_signal(void *context, int number)
{
    struct fixture *f = context;
    f->number = number;
    loop_exit(f->loop, 7);
}

static void test_signal(void **state)
{
    struct fixture *f = *state;
    f->a = loop_add_signal(f->loop, SIGUSR1, on_signal, f);
    raise(SIGUSR1); // would end the process if it were not blocked
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->number, SIGUSR1);
}

static void on_child(void *context, pid_t pid, int wait_status)
{
    struct fixture *f = context;
    f->pid = pid;
    f->status = wait_status;
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); // reaped before the call
    loop_source_free(f->a);
    f->a = NULL;
    loop_exit(f->loop, 7);
}

static void test_child(void **state)
{
    struct fixture *f = *state;
    static const int statuses[] = {W_EXITCODE(0, 0), W_EXITCODE(3, 0), W_EXITCODE(0, SIGKILL)};
    for (size_t i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (i == 2) {
                raise(SIGKILL);
            }
            _exit((int)i * 3);
        }
        f->a = loop_add_child(f->loop, pid, on_child, f);
        assert_non_null(f->a);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(f->pid, pid);
        assert_int_equal(f->status, statuses[i]);
    }
}

static void test_child_that_ended_before(void **state)
{
    struct fixture *f = *state;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(5);
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    f->a = loop_add_child(f->loop, pid, on_child, f);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->status, W_EXITCODE(5, 0));
    errno = 0;
    assert_null(loop_add_child(f->loop, pid, on_child, f)); // gone
    assert_int_equal(errno, ESRCH);
}

static void on_defer_first(void *context)
{
    struct fixture *f = context;
    assert_int_equal(f->calls, 0);
    f->calls++;
}

static void test_defer_runs_before_timers(void **state)
{
    struct fixture *f = *state;
    f->a = loop_add_timer(f->loop, 0, count_and_exit, f);
    f->b = loop_add_defer(f->loop, on_defer_first, f);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->calls, 2);
}

static void test_now_is_monotonic(void **state)
{
    struct fixture *f = *state;
    int64_t now = clock_now_ms();
    assert_true(loop_now_ms(f->loop) >= now - 1);
    assert_true(loop_now_ms(f->loop) <= clock_now_ms() + 1);
}

static void test_null_is_fine(void **state)
{
    (void)state;
    loop_source_free(NULL);
    loop_free(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timer_is_accurate),
        TEST(test_timer_stop_and_restart),
        TEST(test_callback_frees_itself_and_a_pending_source),
        TEST(test_fd),
        TEST(test_regular_file_is_refused),
        TEST(test_what_cannot_be_watched_ends_the_loop),
        TEST(test_signal),
        TEST(test_child),
        TEST(test_child_that_ended_before),
        TEST(test_defer_runs_before_timers),
        TEST(test_now_is_monotonic),
        TEST(test_null_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
