// What: the messages between the parent, init and the command's process, over SOCK_SEQPACKET pairs,
//       with descriptors by SCM_RIGHTS. The bulk of a go (argv, env, lowers) goes in a memfd.
// Why: one message is one packet, so nobody parses a stream; a closed pair is the other side's
//       death.
// Not: a stable format: both ends are the same process image.
#ifndef SANDBOX_WIRE_H
#define SANDBOX_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/error.h"

enum wire_kind {
    WIRE_NONE,
    WIRE_MAPPED, // parent -> init: ids are mapped, build
    WIRE_GO,     // parent -> init: descriptors [payload, stdout, stderr, stdin?]
    WIRE_SIGNAL, // parent -> init: number
    WIRE_PARKED, // init -> parent, as the events of sandbox.h
    WIRE_FORKED, // number: the command's pid as init sees it; no event
    WIRE_STARTED,
    WIRE_FAILED,         // error
    WIRE_BOUND,          // socket
    WIRE_LISTENING,      // socket
    WIRE_REACHED,        // socket
    WIRE_COMMAND_EXITED, // number: wait status
    WIRE_LISTENER,       // command -> init: descriptor of the notification listener
    WIRE_PROCEED,        // init -> command: the parent knows its pid
};

struct wire_socket {
    char asked_address[64];
    char actual_address[64];
    uint16_t asked_port;
    uint16_t actual_port;
    int32_t errnum;
};

struct wire_message {
    uint32_t kind;
    int32_t number;
    struct wire_socket socket;
    struct error error; // sent with WIRE_FAILED only
};

#define WIRE_MAX_FDS 4

// 0, or -1 with errno (EAGAIN with MSG_DONTWAIT in flags, EPIPE). Never raises SIGPIPE.
int wire_send(int socket_fd, const struct wire_message *message, const int *fds, size_t fd_count,
              int flags);
// 1: a message; 0: the other side is gone; -1 with errno (EAGAIN). Descriptors are close-on-exec,
// -1 for those that did not come; the caller owns them. fds may be NULL: then any that come are
// closed.
int wire_receive(int socket_fd, struct wire_message *ret_message, int fds[WIRE_MAX_FDS]);

#endif
