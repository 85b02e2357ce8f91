#include "sandbox/kernel.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

// COMPAT(5.3), and container profiles that answer ENOSYS or EPERM to clone3, whose flags they
// cannot see.
static int clone_classic(unsigned long flags, int *ret_pidfd)
{
    return (int)syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, NULL);
}

int kernel_clone(unsigned long flags, int *ret_pidfd)
{
    struct clone_args args;
    int pidfd = -1;
    memset(&args, 0, sizeof args);
    args.flags = flags | CLONE_PIDFD;
    args.pidfd = (uint64_t)(uintptr_t)&pidfd;
    args.exit_signal = SIGCHLD;
    int pid = (int)syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && (errno == ENOSYS || errno == EPERM)) {
        pid = clone_classic(flags, &pidfd);
    }
    if (pid > 0) {
        *ret_pidfd = pidfd;
    }
    return pid;
}
