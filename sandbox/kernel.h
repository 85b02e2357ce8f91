// What: the few system calls and constants that older C libraries lack, under names of our own.
// Why: Ubuntu 22.04's glibc 2.35 has no mount_setattr, and <linux/mount.h> clashes with
//       <sys/mount.h>.
#ifndef SANDBOX_KERNEL_H
#define SANDBOX_KERNEL_H

#include <fcntl.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_OPEN_TREE_CLONE   1u
#define KERNEL_OPEN_TREE_CLOEXEC ((unsigned)O_CLOEXEC)
#define KERNEL_MOVE_F_EMPTY_PATH 0x4u
#define KERNEL_AT_RECURSIVE      0x8000u
#define KERNEL_MOUNT_RDONLY      0x1u
#define KERNEL_MOUNT_NOSUID      0x2u
#define KERNEL_MOUNT_NODEV       0x4u
#define KERNEL_MOUNT_NOEXEC      0x8u

struct kernel_mount_attr {
    uint64_t set;
    uint64_t clear;
    uint64_t propagation;
    uint64_t userns_fd;
};

static inline int kernel_open_tree(int dir_fd, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

static inline int kernel_move_mount(int from_fd, const char *to)
{
    return (int)syscall(SYS_move_mount, from_fd, "", AT_FDCWD, to, KERNEL_MOVE_F_EMPTY_PATH);
}

static inline int kernel_mount_setattr(int dir_fd, const char *path, unsigned flags,
                                       const struct kernel_mount_attr *attr)
{
    return (int)syscall(SYS_mount_setattr, dir_fd, path, flags, attr, sizeof *attr);
}

static inline int kernel_pidfd_open(int pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int kernel_pidfd_getfd(int pidfd, int fd)
{
    return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

// Like fork() into new namespaces; the child's pidfd (close-on-exec) goes to *ret_pidfd in the
// parent.
int kernel_clone(unsigned long flags, int *ret_pidfd);

#endif
