#include "sandbox/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control_room {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
};

static size_t message_size(const struct wire_message *message)
{
    return message->kind == WIRE_FAILED ? sizeof *message : offsetof(struct wire_message, error);
}

int wire_send(int socket_fd, const struct wire_message *message, const int *fds, size_t fd_count,
              int flags)
{
    struct iovec part = {.iov_base = (void *)message, .iov_len = message_size(message)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    union control_room control;
    memset(&control, 0, sizeof control);
    if (fd_count) {
        packet.msg_control = control.room;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket_fd, &packet, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

static void take_descriptors(struct msghdr *packet, int fds[WIRE_MAX_FDS])
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header;
         header = CMSG_NXTHDR(packet, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), sizeof(int) * (count < WIRE_MAX_FDS ? count : WIRE_MAX_FDS));
    }
}

int wire_receive(int socket_fd, struct wire_message *ret_message, int fds[WIRE_MAX_FDS])
{
    struct iovec part = {.iov_base = ret_message, .iov_len = sizeof *ret_message};
    union control_room control;
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = sizeof control.room};
    int taken[WIRE_MAX_FDS] = {-1, -1, -1, -1};
    memset(ret_message, 0, sizeof *ret_message);
    ssize_t got;
    do {
        got = recvmsg(socket_fd, &packet, MSG_CMSG_CLOEXEC);
        // The other side left without reading all of ours: said once, before what it told us last.
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0) {
        return -1;
    }
    take_descriptors(&packet, taken);
    for (int i = 0; i < WIRE_MAX_FDS; i++) {
        if (fds) {
            fds[i] = taken[i];
        } else if (taken[i] >= 0) {
            close(taken[i]);
        }
    }
    return got > 0;
}
