#include "tui/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void relay_init(struct relay *relay, int from_fd, int to_fd)
{
    relay->from_fd = from_fd;
    relay->to_fd = to_fd;
    relay->at = relay->len = 0;
    relay->ended = from_fd < 0;
    relay->broken = to_fd < 0;
}

// One chunk at a time: simple, and as fast as the slower end.
short relay_from_events(const struct relay *relay)
{
    return !relay->ended && !relay->broken && relay->len == 0 ? POLLIN : 0;
}

short relay_to_events(const struct relay *relay)
{
    return !relay->broken && relay->at < relay->len ? POLLOUT : 0;
}

static bool is_passing(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void read_some(struct relay *relay)
{
    ssize_t got = read(relay->from_fd, relay->bytes, sizeof relay->bytes);
    if (got > 0) {
        relay->len = (size_t)got;
    } else if (got == 0 || !is_passing()) { // EIO: the last user of a pty has gone
        relay->ended = true;
    }
}

static void write_some(struct relay *relay)
{
    ssize_t put = write(relay->to_fd, relay->bytes + relay->at, relay->len - relay->at);
    if (put > 0) {
        relay->at += (size_t)put;
    } else if (put < 0 && !is_passing()) {
        relay->broken = true;
    }
    if (relay->at == relay->len) {
        relay->at = relay->len = 0;
    }
}

void relay_turn(struct relay *relay, short from_revents, short to_revents)
{
    if (relay_from_events(relay) && (from_revents & (POLLIN | POLLHUP | POLLERR))) {
        read_some(relay);
        to_revents = POLLOUT; // most often it is taken at once
    }
    if (relay_to_events(relay) && to_revents) {
        write_some(relay);
    }
}

bool relay_is_over(const struct relay *relay)
{
    return relay->broken || (relay->ended && relay->len == 0);
}

int relay_open_again(int fd, int access)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}
