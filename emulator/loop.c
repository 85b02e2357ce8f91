// sd-event behind loop.h. Why not our own epoll: sd-event gets the hard parts right (priorities,
// freeing inside callbacks, one timerfd for all timers), and it is on every host we support.
//
// What we learned to do by trying (DESIGN 3): the accuracy of a timer is always given, because 0
// means 250 ms; SIGCHLD and every watched signal are blocked first; a regular file is no event
// source (EPERM). Children are watched through a pidfd of our own, because sd-event reaps only
// after the callback.
#include "emulator/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"

#define ACCURACY_US 1000

struct loop {
    sd_event *event;
    bool exiting;
    int exit_code;
};

struct loop_source {
    sd_event_source *source;
    void *context;
    union {
        loop_fd_fn on_fd;
        loop_timer_fn on_time;
        loop_signal_fn on_signal;
        loop_child_fn on_child;
    };
    pid_t child;
    int pidfd; // ours, or -1
};

static int block_signal(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return sigprocmask(SIG_BLOCK, &set, NULL);
}

struct loop *loop_new(struct error *error)
{
    struct loop *loop = mem_alloc(sizeof *loop);
    int result = sd_event_new(&loop->event);
    if (result < 0) {
        error_set_errno(error, ERROR_SYSTEM, -result, _("cannot create the event loop"));
        free(loop);
        return NULL;
    }
    // A child that ends between two waits must stay pending instead of being lost.
    block_signal(SIGCHLD);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop) {
        sd_event_unref(loop->event);
        free(loop);
    }
}

// sd_event_loop() can run once in a life; single turns let loop_run() be called again.
int loop_run(struct loop *loop)
{
    while (!loop->exiting) {
        int result = sd_event_run(loop->event, UINT64_MAX);
        if (result < 0 && result != -EINTR) {
            log_debug("loop: sd_event_run: error %d", -result);
            return -1;
        }
    }
    loop->exiting = false;
    return loop->exit_code;
}

void loop_exit(struct loop *loop, int code)
{
    loop->exiting = true;
    loop->exit_code = code;
}

int64_t loop_now_ms(struct loop *loop)
{
    uint64_t now_us = 0;
    sd_event_now(loop->event, CLOCK_MONOTONIC, &now_us);
    return (int64_t)(now_us / 1000);
}

static struct loop_source *source_new(void *context)
{
    struct loop_source *source = mem_alloc(sizeof *source);
    source->context = context;
    source->pidfd = -1;
    return source;
}

// The end of every constructor: result is what sd-event said. errno is set for the caller. What
// cannot be watched, because the kernel has no more memory or watches, would be waited for in vain:
// the loop ends. Not for what a caller may get wrong: a regular file, a child that is nobody's.
static struct loop_source *source_done(struct loop *loop, struct loop_source *source, int result,
                                       const char *what)
{
    if (result >= 0) {
        return source;
    }
    loop_source_free(source);
    if (result != -EPERM && result != -ESRCH) {
        fprintf(stderr, _("leanlocal: cannot watch %s: %s\n"), what, strerror(-result));
        loop_exit(loop, LOOP_BROKEN);
    }
    errno = -result;
    return NULL;
}

void loop_source_free(struct loop_source *source)
{
    if (!source) {
        return;
    }
    // Disabled at once, also when it is pending in this very turn; sd-event keeps its own memory
    // until a running callback has returned, and the trampolines below touch nothing after the
    // callback.
    sd_event_source_disable_unref(source->source);
    if (source->pidfd >= 0) {
        close(source->pidfd);
    }
    free(source);
}

static int dispatch_fd(sd_event_source *event_source, int fd, uint32_t events, void *userdata)
{
    (void)event_source;
    struct loop_source *source = userdata;
    source->on_fd(source->context, fd, events);
    return 0;
}

struct loop_source *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn,
                                void *context)
{
    struct loop_source *source = source_new(context);
    source->on_fd = fn;
    int result = sd_event_add_io(loop->event, &source->source, fd, events, dispatch_fd, source);
    return source_done(loop, source, result,
                       result == -EPERM ? "a regular file (always ready, never an event)"
                                        : "a descriptor");
}

int loop_set_fd_events(struct loop_source *source, uint32_t events)
{
    int result = sd_event_source_set_io_events(source->source, events);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return 0;
}

static int dispatch_timer(sd_event_source *event_source, uint64_t when_us, void *userdata)
{
    (void)event_source;
    (void)when_us;
    struct loop_source *source = userdata;
    source->on_time(source->context);
    return 0;
}

static uint64_t delay_us(int64_t after_ms)
{
    return after_ms > 0 ? (uint64_t)after_ms * 1000 : 0;
}

struct loop_source *loop_add_timer(struct loop *loop, int64_t after_ms, loop_timer_fn fn,
                                   void *context)
{
    struct loop_source *source = source_new(context);
    source->on_time = fn;
    int result =
        sd_event_add_time_relative(loop->event, &source->source, CLOCK_MONOTONIC,
                                   delay_us(after_ms), ACCURACY_US, dispatch_timer, source);
    return source_done(loop, source, result, "a timer");
}

void loop_timer_restart(struct loop_source *source, int64_t after_ms)
{
    sd_event_source_set_time_relative(source->source, delay_us(after_ms));
    sd_event_source_set_enabled(source->source, SD_EVENT_ONESHOT);
}

void loop_timer_stop(struct loop_source *source)
{
    sd_event_source_set_enabled(source->source, SD_EVENT_OFF);
}

static int dispatch_signal(sd_event_source *event_source, const struct signalfd_siginfo *info,
                           void *userdata)
{
    (void)event_source;
    struct loop_source *source = userdata;
    source->on_signal(source->context, (int)info->ssi_signo);
    return 0;
}

struct loop_source *loop_add_signal(struct loop *loop, int number, loop_signal_fn fn, void *context)
{
    struct loop_source *source = source_new(context);
    source->on_signal = fn;
    int result = block_signal(number) < 0 ? -errno
                                          : sd_event_add_signal(loop->event, &source->source,
                                                                number, dispatch_signal, source);
    return source_done(loop, source, result, "a signal");
}

static int reap(struct loop_source *source)
{
    int status = 0;
    pid_t ended = waitpid(source->child, &status, WNOHANG);
    if (ended == 0) {
        return 0; // not yet
    }
    if (ended < 0) {
        // Somebody else reaped it: that it ended is all that is known.
        log_debug("loop: child %d was reaped elsewhere", (int)source->child);
        status = W_EXITCODE(255, 0);
    }
    sd_event_source_set_enabled(source->source, SD_EVENT_OFF);
    source->on_child(source->context, source->child, status);
    return 0;
}

static int dispatch_pidfd(sd_event_source *event_source, int fd, uint32_t events, void *userdata)
{
    (void)event_source;
    (void)fd;
    (void)events;
    return reap(userdata);
}

static int dispatch_child(sd_event_source *event_source, const siginfo_t *info, void *userdata)
{
    (void)event_source;
    (void)info;
    return reap(userdata);
}

struct loop_source *loop_add_child(struct loop *loop, pid_t pid, loop_child_fn fn, void *context)
{
    struct loop_source *source = source_new(context);
    source->on_child = fn;
    source->child = pid;
    source->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int result;
    if (source->pidfd >= 0) {
        result = sd_event_add_io(loop->event, &source->source, source->pidfd, EPOLLIN,
                                 dispatch_pidfd, source);
    } else if (errno == ESRCH || errno == EINVAL) {
        result = -errno;
    } else {
        // COMPAT(5.3): no pidfd_open, or a container's filter refuses it.
        result =
            sd_event_add_child(loop->event, &source->source, pid, WEXITED, dispatch_child, source);
    }
    return source_done(loop, source, result, "a child");
}

static int dispatch_defer(sd_event_source *event_source, void *userdata)
{
    (void)event_source;
    struct loop_source *source = userdata;
    source->on_time(source->context);
    return 0;
}

struct loop_source *loop_add_defer(struct loop *loop, loop_timer_fn fn, void *context)
{
    struct loop_source *source = source_new(context);
    source->on_time = fn;
    int result = sd_event_add_defer(loop->event, &source->source, dispatch_defer, source);
    if (result >= 0) {
        result = sd_event_source_set_priority(source->source, SD_EVENT_PRIORITY_IMPORTANT);
    }
    return source_done(loop, source, result, "the next turn");
}
