// What: the engine's event loop: descriptors, timers, signals, child processes, "later".
// Why: one thread, nothing blocks longer than 10 ms. It is sd-event inside; no sd_ type leaves
//      loop.c.
// Order: callbacks run one at a time, in priority order; a callback may free any source, its own
//        too. Objects on the loop close in two steps: stop now (no more callbacks), memory at the
//        turn's end.
// Owns: a source is owned by who added it: loop_source_free(). The descriptor stays the caller's.
// Not: for the gateway's sockets; they live in one nested epoll (DESIGN 3).
#ifndef EMULATOR_LOOP_H
#define EMULATOR_LOOP_H

#include <stdint.h>
#include <sys/types.h>

#include "sandbox/base/error.h"

struct loop;
struct loop_source;

typedef void (*loop_fd_fn)(void *context, int fd, uint32_t epoll_events);
typedef void (*loop_timer_fn)(void *context);
typedef void (*loop_signal_fn)(void *context, int number);
// wait_status as waitpid(2) gives it; the child has been reaped.
typedef void (*loop_child_fn)(void *context, pid_t pid, int wait_status);

struct loop *loop_new(struct error *error);
void loop_free(struct loop *loop);
#define LOOP_BROKEN 3 // the code when something could not be watched, which is said on stderr

// Runs until loop_exit(); returns its code.
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);

// events: EPOLLIN | EPOLLOUT ...; level-triggered.
struct loop_source *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn,
                                void *context);
int loop_set_fd_events(struct loop_source *source, uint32_t events);
// One shot, `after_ms` from now; the source stays (disabled) until freed; loop_timer_restart
// re-arms it.
struct loop_source *loop_add_timer(struct loop *loop, int64_t after_ms, loop_timer_fn fn,
                                   void *context);
void loop_timer_restart(struct loop_source *source, int64_t after_ms);
void loop_timer_stop(struct loop_source *source);
// Blocks the signal in this process and delivers it here.
struct loop_source *loop_add_signal(struct loop *loop, int number, loop_signal_fn fn,
                                    void *context);
// Calls once when pid has ended, reaping it.
struct loop_source *loop_add_child(struct loop *loop, pid_t pid, loop_child_fn fn, void *context);
// Calls once at the next turn, before anything else.
struct loop_source *loop_add_defer(struct loop *loop, loop_timer_fn fn, void *context);
// NULL is fine.
void loop_source_free(struct loop_source *source);
// Monotonic, cached for this turn.
int64_t loop_now_ms(struct loop *loop);

#endif
