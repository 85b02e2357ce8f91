// The counting, and the functions that both programs have in common. See fault.h.
#include "tests/tools/fault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    int calls;
    int fired;
} * counter; // shared by all processes

static char wanted[32];
static int nth;
static int errnum;

bool fault_fails(const char *function)
{
    if (!counter || strcmp(function, wanted) != 0 ||
        __atomic_add_fetch(&counter->calls, 1, __ATOMIC_SEQ_CST) != nth) {
        return false;
    }
    counter->fired = 1;
    errno = errnum;
    return true;
}

bool fault_fired(void)
{
    return counter && counter->fired;
}

bool fault_arm(void)
{
    const char *text = getenv("LEANLOCAL_FAULT");
    if (!text || sscanf(text, "%31[^:]:%d:%d", wanted, &nth, &errnum) != 3) {
        return false;
    }
    const char *file = getenv("LEANLOCAL_FAULT_COUNTER");
    int fd = file ? creat(file, 0600) : -1;
    if (fd >= 0 && (close(fd), truncate(file, sizeof *counter)) == 0) {
        fd = openat(AT_FDCWD, file, O_RDWR | O_CLOEXEC);
    }
    void *room = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE,
                      MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    counter = room == MAP_FAILED ? NULL : room;
    return counter;
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
    return fault_fails("open") ? -1 : __real_open(path, flags, mode);
}
