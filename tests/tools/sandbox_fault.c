// Linked over sandbox_run (--wrap, see CMakeLists.txt): the n-th call of one function fails, in
// whichever process of the start-up it comes. The library itself has no hook for it.
//   LEANLOCAL_FAULT=mount:3:5   the third mount() fails with errno 5
// Counting begins after the probe. At the end it says on stderr, for the test:
//   fault: fired=1 fds=6        of this process, the sandbox's parent
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

static struct {
    int calls;
    int fired;
} * counter; // shared by all processes of the start-up

static char wanted[32];
static int nth;
static int errnum;

static bool fails(const char *function)
{
    if (!counter || strcmp(function, wanted) != 0 ||
        __atomic_add_fetch(&counter->calls, 1, __ATOMIC_SEQ_CST) != nth) {
        return false;
    }
    counter->fired = 1;
    errno = errnum;
    return true;
}

// NAME, result, parameters, arguments
#define FAULT(name, result, parameters, arguments)                                                 \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return fails(#name) ? (result)-1 : __real_##name arguments;                                \
    }

// Those with further arguments take as many as there may be: they all go in registers.
#define FAULT_MORE(name, result, first, argument)                                                  \
    result __real_##name(first, ...);                                                              \
    result __wrap_##name(first, ...);                                                              \
    result __wrap_##name(first, ...)                                                               \
    {                                                                                              \
        va_list list;                                                                              \
        long more[6];                                                                              \
        va_start(list, argument);                                                                  \
        for (int i = 0; i < 6; i++) {                                                              \
            more[i] = va_arg(list, long);                                                          \
        }                                                                                          \
        va_end(list);                                                                              \
        return fails(#name) ? (result)-1                                                           \
                            : __real_##name(argument, more[0], more[1], more[2], more[3], more[4], \
                                            more[5]);                                              \
    }

FAULT(mount, int,
      (const char *source, const char *target, const char *type, unsigned long flags,
       const void *data),
      (source, target, type, flags, data))
FAULT(umount2, int, (const char *target, int flags), (target, flags))
FAULT(mkdir, int, (const char *path, mode_t mode), (path, mode))
FAULT(rmdir, int, (const char *path), (path))
FAULT(symlink, int, (const char *to, const char *path), (to, path))
FAULT(chdir, int, (const char *path), (path))
FAULT(chmod, int, (const char *path, mode_t mode), (path, mode))
FAULT(fchmod, int, (int fd, mode_t mode), (fd, mode))
FAULT(lchown, int, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
FAULT(sethostname, int, (const char *name, size_t len), (name, len))
FAULT(fork, pid_t, (void), ())
FAULT(setgroups, int, (size_t count, const gid_t *list), (count, list))
FAULT(setresgid, int, (gid_t real, gid_t effective, gid_t saved), (real, effective, saved))
FAULT(setresuid, int, (uid_t real, uid_t effective, uid_t saved), (real, effective, saved))
FAULT(setsid, pid_t, (void), ())
FAULT(socketpair, int, (int domain, int type, int protocol, int *fds),
      (domain, type, protocol, fds))
FAULT(epoll_create1, int, (int flags), (flags))
FAULT(memfd_create, int, (const char *name, unsigned flags), (name, flags))
FAULT(signalfd, int, (int fd, const void *mask, int flags), (fd, mask, flags))
FAULT(write, ssize_t, (int fd, const void *bytes, size_t len), (fd, bytes, len))
FAULT(sendmsg, ssize_t, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
FAULT(recvmsg, ssize_t, (int fd, struct msghdr *message, int flags), (fd, message, flags))
FAULT(dup2, int, (int from, int to), (from, to))
FAULT(dup3, int, (int from, int to, int flags), (from, to, flags))
FAULT(fstat, int, (int fd, struct stat *info), (fd, info))
FAULT(execve, int, (const char *path, char *const *argv, char *const *env), (path, argv, env))
FAULT(epoll_ctl, int, (int epoll_fd, int what, int fd, void *event), (epoll_fd, what, fd, event))
FAULT_MORE(syscall, long, long number, number)
FAULT_MORE(prctl, int, int option, option)
FAULT_MORE(fcntl, int, int fd, fd)
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = va_arg(list, unsigned);
    va_end(list);
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

static void say_what_came(void)
{
    int open_fds = 0;
    for (int fd = 0; fd < 1024; fd++) {
        open_fds += __real_fcntl(fd, F_GETFD) >= 0;
    }
    fprintf(stderr, "fault: fired=%d fds=%d\n", counter->fired, open_fds);
}

static void arm(void)
{
    const char *text = getenv("LEANLOCAL_FAULT");
    if (!text || sscanf(text, "%31[^:]:%d:%d", wanted, &nth, &errnum) != 3) {
        return;
    }
    void *room =
        mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        return;
    }
    counter = room;
    atexit(say_what_came);
}

void __real_sandbox_probe(struct sandbox_host *ret_host);
void __wrap_sandbox_probe(struct sandbox_host *ret_host);
void __wrap_sandbox_probe(struct sandbox_host *ret_host)
{
    __real_sandbox_probe(ret_host);
    arm();
}
