// Linked over leanlocal (--wrap, see CMakeLists.txt): the n-th call of one function fails in the
// engine, or in the forked first process of one of its sandboxes (fault.h). The client and the
// helpers are the same executable, started anew: there nothing is armed.
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "tests/tools/fault.h"

FAULT(socket, int, (int domain, int type, int protocol), (domain, type, protocol))
FAULT(bind, int, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
FAULT(listen, int, (int fd, int backlog), (fd, backlog))
FAULT(pipe2, int, (int *fds, int flags), (fds, flags))
FAULT(flock, int, (int fd, int operation), (fd, operation))
FAULT(rename, int, (const char *from, const char *to), (from, to))
FAULT(ftruncate, int, (int fd, off_t length), (fd, length))
FAULT(send, ssize_t, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags))
FAULT(recv, ssize_t, (int fd, void *bytes, size_t len, int flags), (fd, bytes, len, flags))
FAULT(read, ssize_t, (int fd, void *bytes, size_t len), (fd, bytes, len))

// These say what failed by their result.
#define FAULT_SD(name, parameters, arguments)                                                      \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return fault_fails(#name) ? -errno : __real_##name arguments;                              \
    }

FAULT_SD(sd_event_new, (sd_event * *event), (event))
FAULT_SD(sd_event_add_io,
         (sd_event * event, sd_event_source **source, int fd, uint32_t events,
          sd_event_io_handler_t handler, void *context),
         (event, source, fd, events, handler, context))

__attribute__((constructor)) static void arm(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "@engine") == 0) {
        fault_arm();
    }
}
