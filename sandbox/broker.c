// One notification: read what the app asked (process_vm_readv works for threads and without /proc),
// duplicate its socket (pidfd_getfd), check that the asker still lives, decide, perform on the
// duplicate, answer. Sockets are remembered by SO_COOKIE, so that listen() knows what bind() was
// asked.
//
// "Continue" is given only for families that are not the internet's (AF_UNIX above all: a path must
// be resolved with the app's own ids and directory). It is racy: a thread could swap the descriptor
// for an internet socket between our look and the kernel's. Acceptable: whoever does that on
// purpose exposes a port of its own developer's machine, and gains nothing inside. connect() may
// reach everything anyway; it is continued unless the instance itself listens where it leads.
#include "sandbox/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/kernel.h"
#include "sandbox/wire.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define RESOLVER_PORT 53 // of systemd-resolved, dnsmasq

#define NOTIF_SET_FLAGS    SECCOMP_IOW(4, __u64)
#define NOTIF_SYNC_WAKE_UP 1ul

int broker_init(struct broker *broker, int listener_fd, bool killable,
                const struct broker_rule *rule, int report_fd)
{
    struct seccomp_notif_sizes sizes;
    memset(broker, 0, sizeof *broker);
    broker->listener_fd = listener_fd;
    broker->report_fd = report_fd;
    broker->killable = killable;
    broker->rule = *rule;
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) {
        return -1;
    }
    // The app waits for us alone: wake us at once, on its own processor (6.6). It also narrows the
    // moment in which a signal without SA_RESTART can interrupt a bind before we have taken it
    // (EINTR).
    ioctl(listener_fd, NOTIF_SET_FLAGS, NOTIF_SYNC_WAKE_UP);
    broker->request_size = sizes.seccomp_notif;
    broker->response_size = sizes.seccomp_notif_resp;
    size_t request = sizeof(struct seccomp_notif);
    size_t response = sizeof(struct seccomp_notif_resp);
    broker->request = mem_alloc(request > sizes.seccomp_notif ? request : sizes.seccomp_notif);
    broker->response =
        mem_alloc(response > sizes.seccomp_notif_resp ? response : sizes.seccomp_notif_resp);
    return 0;
}

void broker_release(struct broker *broker)
{
    if (broker->listener_fd >= 0) {
        close(broker->listener_fd);
    }
    free(broker->request);
    free(broker->response);
    memset(broker, 0, sizeof *broker);
    broker->listener_fd = -1;
}

// ---- what is remembered ----

static struct broker_known *find_known(struct broker *broker, uint64_t cookie)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        if (cookie && broker->known[i].cookie == cookie) {
            return &broker->known[i];
        }
    }
    return NULL;
}

static bool has_twin(const struct broker *broker, int domain, uint16_t port)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        const struct broker_known *known = &broker->known[i];
        if (known->cookie && known->domain != domain && known->actual_port == port) {
            return true;
        }
    }
    return false;
}

static struct broker_known *remember(struct broker *broker, uint64_t cookie,
                                     const struct wire_socket *told,
                                     const struct broker_socket *socket)
{
    struct broker_known *known = find_known(broker, cookie);
    if (!known) {
        known = &broker->known[broker->next_known++ % BROKER_SOCKETS];
    }
    memset(known, 0, sizeof *known);
    known->cookie = cookie;
    known->domain = socket->domain;
    known->type = socket->type;
    known->serves = socket->type == SOCK_DGRAM; // a stream does from listen() on
    known->asked_port = told->asked_port;
    known->actual_port = told->actual_port;
    memcpy(known->asked_address, told->asked_address, sizeof known->asked_address);
    return known;
}

// ---- what the kernel says ----

static void print_address(const union broker_address *address, char out[static 64],
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

static uint16_t actual_of(int fd, char out[static 64])
{
    union broker_address address = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    uint16_t port = 0;
    if (getsockname(fd, &address.any, &len) == 0) {
        print_address(&address, out, &port);
    }
    return port;
}

// As actual_of() prints them.
static bool is_local(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static int option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

static uint64_t cookie_of(int fd)
{
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

// -1 with errno ENOTSOCK for another kind of file.
static int describe(int fd, struct broker_socket *ret_socket)
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

static int duplicate_socket(int tid, int fd)
{
    auto_close int pidfd = open_asker(tid);
    return pidfd < 0 ? -1 : kernel_pidfd_getfd(pidfd, fd);
}

static int read_memory(int tid, uint64_t from, void *to, size_t len)
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

// ---- doing it ----

static void set_v6only(int fd, int on)
{
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}

static int perform(struct broker *broker, int fd, const struct broker_socket *socket,
                   const struct broker_decision *decision)
{
    if (decision->clear_v6only) {
        set_v6only(fd, 0);
    }
    if (bind(fd, &decision->address.any, decision->len) == 0) {
        return 0;
    }
    int errnum = errno;
    uint16_t port = ntohs(decision->address.v4.sin_port); // the same place in both families
    if (errnum == EADDRINUSE && decision->spare_len && has_twin(broker, socket->domain, port)) {
        if (decision->spare_v6only) {
            set_v6only(fd, 1);
        }
        errnum = bind(fd, &decision->spare.any, decision->spare_len) == 0 ? 0 : errno;
    }
    if (errnum && socket->v6only) {
        set_v6only(fd, 1); // as it was
    }
    return errnum;
}

static void report(struct broker *broker, enum wire_kind kind, const struct wire_socket *socket)
{
    struct wire_message message = {.kind = kind, .socket = *socket};
    // An app that binds in a loop must not block init: such reports are dropped. LISTENING never
    // is.
    wire_send(broker->report_fd, &message, NULL, 0, kind == WIRE_LISTENING ? 0 : MSG_DONTWAIT);
}

// COMPAT(5.18): without WAIT_KILLABLE_RECV a signal makes the app's call start anew after we
// performed it.
static bool was_done_before(const struct broker *broker, const struct broker_known *known,
                            const struct wire_socket *socket)
{
    return !broker->killable && known && known->asked_port == socket->asked_port &&
           strcmp(known->asked_address, socket->asked_address) == 0;
}

static int do_bind(struct broker *broker, int fd, const struct broker_socket *socket,
                   const union broker_address *asked, socklen_t asked_len)
{
    struct broker_decision decision;
    struct wire_socket told = {.errnum = 0};
    broker_decide(&broker->rule, socket, asked, asked_len, &decision);
    if (decision.verdict == BROKER_REFUSE) {
        return decision.errnum;
    }
    print_address(asked, told.asked_address, &told.asked_port);
    uint64_t cookie = cookie_of(fd);
    told.errnum = perform(broker, fd, socket, &decision);
    if (told.errnum == EINVAL && was_done_before(broker, find_known(broker, cookie), &told)) {
        return 0;
    }
    if (told.errnum == 0) {
        told.actual_port = actual_of(fd, told.actual_address);
        remember(broker, cookie, &told, socket);
    } else {
        print_address(&decision.address, told.actual_address, &told.actual_port);
    }
    report(broker, WIRE_BOUND, &told);
    return told.errnum;
}

static int do_listen(struct broker *broker, int fd, const struct broker_socket *socket, int backlog)
{
    struct wire_socket told = {.errnum = 0};
    told.actual_port = actual_of(fd, told.actual_address);
    // Never bound, or bound by a connection that was given up, whose port is told for ever.
    if (socket->type != SOCK_DGRAM && !is_local(told.actual_address)) {
        struct broker_decision decision;
        broker_decide_unbound(&broker->rule, socket, &decision);
        int errnum = perform(broker, fd, socket, &decision);
        if (errnum) {
            return errnum;
        }
        told.actual_port = actual_of(fd, told.actual_address);
    }
    if (listen(fd, backlog) < 0) {
        return errno;
    }
    uint64_t cookie = cookie_of(fd);
    struct broker_known *known = find_known(broker, cookie);
    if (!known) {
        snprintf(told.asked_address, sizeof told.asked_address, "%s",
                 socket->domain == AF_INET6 ? "::" : "0.0.0.0");
        known = remember(broker, cookie, &told, socket);
    }
    if (!known->serves) {
        known->serves = true;
        told.asked_port = known->asked_port;
        memcpy(told.asked_address, known->asked_address, sizeof told.asked_address);
        report(broker, WIRE_LISTENING, &told);
    }
    return 0;
}

// ---- connect ----

// The port that one of the instance's own servers really has; 0: there is none. An app names the
// port it asked for, or the one that getsockname() told it.
static uint16_t find_server(const struct broker *broker, int type, uint16_t port)
{
    for (size_t i = 0; i < BROKER_SOCKETS; i++) {
        const struct broker_known *known = &broker->known[i];
        if (known->cookie && known->serves && known->type == type &&
            (known->asked_port ? known->asked_port : known->actual_port) == port) {
            return known->actual_port;
        }
    }
    return 0;
}

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
    print_address(asked, told.asked_address, &told.asked_port);
    report(broker, WIRE_REACHED, &told);
}

// -1 wherever the kernel should go on: it finds the words for what is wrong, too.
static int do_connect(struct broker *broker, const struct seccomp_notif *request)
{
    const __u64 *args = request->data.args;
    union broker_address asked = {.any.sa_family = AF_UNSPEC};
    struct broker_socket socket;
    struct broker_decision decision;
    int tid = (int)request->pid;
    socklen_t len = args[2] < sizeof asked ? (socklen_t)args[2] : (socklen_t)sizeof asked;
    uint16_t port =
        read_memory(tid, args[1], &asked, len) < 0 ? 0 : broker_loopback_port(&asked, len);
    bool may_be_own =
        port && (find_server(broker, SOCK_STREAM, port) || find_server(broker, SOCK_DGRAM, port));
    if (!may_be_own && !(port && is_worth_telling(broker, port))) {
        return -1; // most calls, and the socket was not even looked at
    }
    auto_close int fd = duplicate_socket(tid, (int)args[0]);
    if (fd < 0 || describe(fd, &socket) < 0) {
        return -1;
    }
    uint16_t actual = find_server(broker, socket.type, port);
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
    if (ioctl(broker->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request->id) < 0) {
        return EINTR;
    }
    return begin_connect(fd, &decision);
}

// Answers one call: the errno for the app, or -1 to let the kernel go on with it.
static int serve(struct broker *broker, const struct seccomp_notif *request)
{
    if (request->data.nr == SYS_connect) {
        return do_connect(broker, request);
    }
    const __u64 *args = request->data.args;
    bool is_bind = request->data.nr == SYS_bind;
    union broker_address asked = {.any.sa_family = AF_UNSPEC};
    struct broker_socket socket;
    int tid = (int)request->pid;
    auto_close int fd = duplicate_socket(tid, (int)args[0]);
    if (fd < 0) {
        return errno == ESRCH ? EBADF : errno;
    }
    if (describe(fd, &socket) < 0) {
        return errno;
    }
    if (socket.domain != AF_INET && socket.domain != AF_INET6) {
        return -1;
    }
    int len = (int)args[2];
    if (is_bind) {
        if (len < 0 || (size_t)len > sizeof(struct sockaddr_storage)) {
            return EINVAL;
        }
        size_t part = (size_t)len < sizeof asked ? (size_t)len : sizeof asked;
        if (read_memory(tid, args[1], &asked, part) < 0) {
            return errno;
        }
    }
    // The thread may have died and its number be another's by now.
    if (ioctl(broker->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request->id) < 0) {
        return EINTR;
    }
    return is_bind ? do_bind(broker, fd, &socket, &asked, (socklen_t)len)
                   : do_listen(broker, fd, &socket, (int)args[1]);
}

int broker_handle(struct broker *broker)
{
    struct seccomp_notif *request = broker->request;
    struct seccomp_notif_resp *response = broker->response;
    memset(request, 0, broker->request_size);
    if (ioctl(broker->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, request) < 0) {
        // ENOENT: whoever called was killed meanwhile.
        return errno == ENOENT || errno == EINTR ? 0 : -1;
    }
    int answer = serve(broker, request);
    memset(response, 0, broker->response_size);
    response->id = request->id;
    if (answer < 0) {
        response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        response->error = -answer;
    }
    ioctl(broker->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, response); // ENOENT: gone, nobody to tell
    return 0;
}
