// What: starting a process of ours or of the host, cleanly: signal mask and dispositions reset,
//       every descriptor closed but those named, its death tied to ours when asked.
// Why: sd-event blocks signals, and children inherit blocked signals (DESIGN 3); helpers are
//      re-executed from our own executable, because a forked child keeps every descriptor.
// Not: the sandbox's child, which has its own way (sandbox.h).
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct process_options {
    const char *path;     // NULL: our own executable (/proc/self/exe)
    char *const *argv;    // NULL-terminated
    char *const *env;     // NULL: ours
    const char *cwd;      // NULL: ours
    int stdin_fd;         // -1: /dev/null
    int stdout_fd;        // -1: /dev/null
    int stderr_fd;        // -1: /dev/null; -2: ours
    int extra_fd;         // becomes descriptor 3 in the child; -1: none
    bool new_session;     // setsid(): away from the terminal's signals
    bool die_with_parent; // PR_SET_PDEATHSIG SIGKILL
};

struct process {
    pid_t pid;
    int pidfd; // close-on-exec; readable when it has ended
};

int process_start(const struct process_options *options, struct process *ret_process,
                  struct error *error);
// Runs to the end, collects up to max bytes of stdout. Blocks: for helpers and commands, never the
// loop. Returns the exit status (128+n for a signal) or -1. After limit_ms it is killed with what
// it has started, and that is an error with errnum ETIMEDOUT.
int process_capture(char *const *argv, char *const *env, const char *cwd, size_t max, int limit_ms,
                    char **ret_output, struct error *error);
// Empty mask, default dispositions. Async-signal-safe.
void process_reset_signals(void);
// Lets this process have up to `wanted` descriptors if its hard limit allows. Its children start
// with what it had before: an old Python closes every possible descriptor one by one at each
// subprocess.
void process_raise_descriptor_limit(unsigned long wanted);
// In a child, before exec: undoes process_raise_descriptor_limit(). Async-signal-safe.
void process_restore_limits(void);
// "exit 1", "signal 9 (Killed)" of a wait status, in the user's language; static buffer.
const char *process_describe_status(int wait_status);
// The command line of pid as one line; NULL if it is gone. Owned by the caller.
char *process_command_line(pid_t pid);

#endif
