// The asker's side: its memory is read (process_vm_readv works for threads and without /proc), its
// socket duplicated (pidfd_getfd), and the kernel asked what that is.
#include "sandbox/broker_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/kernel.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

void asker_print_address(const union broker_address *address, char out[static 64],
                         uint16_t *ret_port)
{
    bool v6 = address->any.sa_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr;
    *ret_port = ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port);
    if (!inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, out, 64)) {
        out[0] = '\0';
    }
    // ::ffff:127.77.3.1 is reported as what it is.
    if (v6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
        memmove(out, out + 7, strlen(out + 7) + 1);
    }
}

uint16_t asker_actual_address(int fd, char out[static 64])
{
    union broker_address address = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    uint16_t port = 0;
    if (getsockname(fd, &address.any, &len) == 0) {
        asker_print_address(&address, out, &port);
    }
    return port;
}

static int option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

uint64_t asker_cookie(int fd)
{
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

// -1 with errno ENOTSOCK for another kind of file.
int asker_describe(int fd, struct broker_socket *ret_socket)
{
    int domain = option_of(fd, SOL_SOCKET, SO_DOMAIN);
    if (domain < 0) {
        return -1;
    }
    *ret_socket = (struct broker_socket){
        .domain = domain,
        .type = option_of(fd, SOL_SOCKET, SO_TYPE),
        .protocol = option_of(fd, SOL_SOCKET, SO_PROTOCOL),
        .v6only = domain == AF_INET6 && option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1,
    };
    return 0;
}

// The notification names a thread; a pidfd wants its process, before kernel 6.9.
static int thread_group_of(int tid)
{
    char path[48];
    char line[128];
    int group = tid;
    snprintf(path, sizeof path, "/proc/%d/status", tid);
    auto_fclose FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Tgid: %d", &group) == 1) {
            break;
        }
    }
    return group;
}

static int open_asker(int tid)
{
    int pidfd = kernel_pidfd_open(tid, 0);
    if (pidfd < 0 && errno != ESRCH) {
        pidfd = kernel_pidfd_open(tid, PIDFD_THREAD);
    }
    if (pidfd < 0 && errno != ESRCH) {
        // COMPAT(6.8)
        pidfd = kernel_pidfd_open(thread_group_of(tid), 0);
    }
    return pidfd;
}

int asker_socket(int tid, int fd)
{
    auto_close int pidfd = open_asker(tid);
    return pidfd < 0 ? -1 : kernel_pidfd_getfd(pidfd, fd);
}

int asker_read(int tid, uint64_t from, void *to, size_t len)
{
    struct iovec local = {to, len};
    struct iovec remote = {(void *)(uintptr_t)from, len}; // NOLINT: an address of another process
    ssize_t got = process_vm_readv(tid, &local, 1, &remote, 1, 0);
    if (got >= 0 && (size_t)got != len) {
        errno = EFAULT;
        return -1;
    }
    return got < 0 ? -1 : 0;
}
