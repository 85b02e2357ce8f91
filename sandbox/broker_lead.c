// Calls that lead to a port of the instance's own: they are made to the address where that port
// really is. All else goes on in the kernel, and is told of once a port when it reaches a service
// of the host.
#include "sandbox/broker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

#define RESOLVER_PORT 53    // of systemd-resolved, dnsmasq
#define DATAGRAM_MAX  65536 // a longer one is refused by the kernel

// Begun here without waiting; a call that may wait then goes on in the kernel, which finds a
// connection under way, whatever address the call names, and waits for that one.
static int begin_connect(int fd, const struct broker_decision *decision)
{
    int flags = fcntl(fd, F_GETFL);
    bool waits = flags >= 0 && !(flags & O_NONBLOCK);
    if (waits) {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
    int errnum = connect(fd, &decision->address.any, decision->len) == 0 ? 0 : errno;
    if (waits) {
        fcntl(fd, F_SETFL, flags);
    }
    bool under_way = errnum == EINPROGRESS || errnum == EALREADY;
    return waits && under_way ? -1 : errnum;
}

// Is it there still? With SO_REUSEADDR only a listener makes bind() of a stream fail so; of
// datagrams any socket of that port does, without it.
static bool is_served(int type, uint32_t address, uint16_t port)
{
    auto_close int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int reuse = type == SOCK_STREAM;
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    return fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) < 0 && errno == EADDRINUSE;
}

static bool is_worth_telling(struct broker *broker, uint16_t port)
{
    if (port == RESOLVER_PORT || port == broker->rule.public_port ||
        broker->reached_count == BROKER_REACHED) {
        return false;
    }
    for (unsigned i = 0; i < broker->reached_count; i++) {
        if (broker->reached[i] == port) {
            return false;
        }
    }
    return true;
}

// The /16 that our own address is in: other instances, and whatever else our side puts there.
static bool is_of_ours(const struct broker *broker, uint32_t address)
{
    return ((address ^ broker->rule.address) & 0xffff0000u) == 0;
}

// P-214: a Redis of the laptop, say; in the cloud nothing listens there (P-216).
static void tell_reached(struct broker *broker, const union broker_address *asked, uint16_t port)
{
    struct wire_socket told = {.errnum = 0};
    bool v4 = asked->any.sa_family == AF_INET;
    uint32_t address = v4 ? ntohl(asked->v4.sin_addr.s_addr) : INADDR_LOOPBACK;
    if (is_of_ours(broker, address) ||
        !is_served(SOCK_STREAM, address ? address : INADDR_LOOPBACK, port)) {
        return;
    }
    broker->reached[broker->reached_count++] = port;
    asker_print_address(asked, told.asked_address, &told.asked_port);
    broker_report(broker, WIRE_REACHED, &told);
}

// The port of loopback that an address of the asker's names, or 0.
static uint16_t read_port(int tid, __u64 from, __u64 size, union broker_address *ret_asked)
{
    ret_asked->any.sa_family = AF_UNSPEC;
    socklen_t len = size < sizeof *ret_asked ? (socklen_t)size : (socklen_t)sizeof *ret_asked;
    return asker_read(tid, from, ret_asked, len) < 0 ? 0 : broker_loopback_port(ret_asked, len);
}

int broker_connect(struct broker *broker, const struct seccomp_notif *request)
{
    const __u64 *args = request->data.args;
    union broker_address asked;
    struct broker_socket socket;
    struct broker_decision decision;
    int tid = (int)request->pid;
    uint16_t port = read_port(tid, args[1], args[2], &asked);
    bool may_be_own = port && (broker_known_server(broker, SOCK_STREAM, port) ||
                               broker_known_server(broker, SOCK_DGRAM, port));
    if (!may_be_own && !(port && is_worth_telling(broker, port))) {
        return -1; // most calls, and the socket was not even looked at
    }
    auto_close int fd = asker_socket(tid, (int)args[0]);
    if (fd < 0 || asker_describe(fd, &socket) < 0) {
        return -1;
    }
    uint16_t actual = broker_known_server(broker, socket.type, port);
    // Nobody tells us of close(): a remembered server may have gone.
    if (!actual || !is_served(socket.type, broker->rule.address, actual)) {
        if (socket.type == SOCK_STREAM && is_worth_telling(broker, port)) {
            tell_reached(broker, &asked, port);
        }
        return -1;
    }
    broker_decide_connect(&broker->rule, &socket, actual, &decision);
    if (decision.verdict != BROKER_PERFORM) {
        return -1;
    }
    return broker_asker_lives(broker, request) ? begin_connect(fd, &decision) : EINTR;
}

// Whether a datagram is for one of the instance's own sockets, and where that is.
static bool leads_datagram(struct broker *broker, int fd, uint16_t port,
                           struct broker_decision *ret_decision)
{
    struct broker_socket socket;
    uint16_t actual = broker_known_server(broker, SOCK_DGRAM, port);
    if (asker_describe(fd, &socket) < 0 || socket.type != SOCK_DGRAM ||
        !is_served(SOCK_DGRAM, broker->rule.address, actual)) {
        return false;
    }
    broker_decide_connect(&broker->rule, &socket, actual, ret_decision);
    return ret_decision->verdict == BROKER_PERFORM;
}

int broker_send(struct broker *broker, const struct seccomp_notif *request, int64_t *ret_sent)
{
    const __u64 *args = request->data.args;
    union broker_address asked;
    struct broker_decision decision;
    char bytes[DATAGRAM_MAX];
    int tid = (int)request->pid;
    if (!broker_has_datagrams(broker) || args[2] > sizeof bytes) {
        return -1;
    }
    uint16_t port = read_port(tid, args[4], args[5], &asked);
    if (!port || !broker_known_server(broker, SOCK_DGRAM, port)) {
        return -1;
    }
    auto_close int fd = asker_socket(tid, (int)args[0]);
    if (fd < 0 || !leads_datagram(broker, fd, port, &decision) ||
        asker_read(tid, args[1], bytes, (size_t)args[2]) < 0) {
        return -1;
    }
    if (!broker_asker_lives(broker, request)) {
        return EINTR;
    }
    // Never waits: on loopback a full receiver drops, it does not block.
    ssize_t sent = sendto(fd, bytes, (size_t)args[2], (int)args[3] | MSG_DONTWAIT | MSG_NOSIGNAL,
                          &decision.address.any, decision.len);
    *ret_sent = sent;
    return sent < 0 ? errno : 0;
}
