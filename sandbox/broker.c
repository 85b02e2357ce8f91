// One notification: read what the app asked, duplicate its socket, check that the asker still
// lives, decide, perform on the duplicate, answer. Sockets are remembered, so that listen() knows
// what bind() was asked. Here bind() and listen(); what connect() and sendto() become is in
// broker_lead.c.
//
// "Continue" is given only for families that are not the internet's (AF_UNIX above all: a path must
// be resolved with the app's own ids and directory). It is racy: a thread could swap the descriptor
// for an internet socket between our look and the kernel's. Acceptable: whoever does that on
// purpose exposes a port of its own developer's machine, and gains nothing inside. connect() may
// reach everything anyway; it is continued unless the instance itself listens where it leads.
#include "sandbox/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/broker_internal.h"

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

// ---- doing it ----

// As asker_actual_address() prints them.
static bool is_local(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

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
    if (errnum == EADDRINUSE && decision->spare_len &&
        broker_known_twin(broker, socket->domain, port)) {
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

void broker_report(struct broker *broker, enum wire_kind kind, const struct wire_socket *socket)
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
    asker_print_address(asked, told.asked_address, &told.asked_port);
    uint64_t cookie = asker_cookie(fd);
    told.errnum = perform(broker, fd, socket, &decision);
    if (told.errnum == EINVAL &&
        was_done_before(broker, broker_known_find(broker, cookie), &told)) {
        return 0;
    }
    if (told.errnum == 0) {
        told.actual_port = asker_actual_address(fd, told.actual_address);
        broker_remember(broker, cookie, &told, socket);
    } else {
        asker_print_address(&decision.address, told.actual_address, &told.actual_port);
    }
    broker_report(broker, WIRE_BOUND, &told);
    return told.errnum;
}

static int do_listen(struct broker *broker, int fd, const struct broker_socket *socket, int backlog)
{
    struct wire_socket told = {.errnum = 0};
    told.actual_port = asker_actual_address(fd, told.actual_address);
    // Never bound, or bound by a connection that was given up, whose port is told for ever.
    if (socket->type != SOCK_DGRAM && !is_local(told.actual_address)) {
        struct broker_decision decision;
        broker_decide_unbound(&broker->rule, socket, &decision);
        int errnum = perform(broker, fd, socket, &decision);
        if (errnum) {
            return errnum;
        }
        told.actual_port = asker_actual_address(fd, told.actual_address);
    }
    if (listen(fd, backlog) < 0) {
        return errno;
    }
    uint64_t cookie = asker_cookie(fd);
    struct broker_known *known = broker_known_find(broker, cookie);
    if (!known) {
        snprintf(told.asked_address, sizeof told.asked_address, "%s",
                 socket->domain == AF_INET6 ? "::" : "0.0.0.0");
        known = broker_remember(broker, cookie, &told, socket);
    }
    if (!known->serves) {
        known->serves = true;
        told.asked_port = known->asked_port;
        memcpy(told.asked_address, known->asked_address, sizeof told.asked_address);
        broker_report(broker, WIRE_LISTENING, &told);
    }
    return 0;
}

bool broker_asker_lives(const struct broker *broker, const struct seccomp_notif *request)
{
    return ioctl(broker->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request->id) == 0;
}

// Answers one call: the errno for the app, 0 with its result, or -1 to let the kernel go on with
// it.
static int serve(struct broker *broker, const struct seccomp_notif *request, int64_t *ret_result)
{
    *ret_result = 0;
    if (request->data.nr == SYS_sendto) {
        return broker_send(broker, request, ret_result);
    }
    if (request->data.nr == SYS_connect) {
        return broker_connect(broker, request);
    }
    const __u64 *args = request->data.args;
    bool is_bind = request->data.nr == SYS_bind;
    union broker_address asked = {.any.sa_family = AF_UNSPEC};
    struct broker_socket socket;
    int tid = (int)request->pid;
    auto_close int fd = asker_socket(tid, (int)args[0]);
    if (fd < 0) {
        return errno == ESRCH ? EBADF : errno;
    }
    if (asker_describe(fd, &socket) < 0) {
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
        if (asker_read(tid, args[1], &asked, part) < 0) {
            return errno;
        }
    }
    if (!broker_asker_lives(broker, request)) {
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
    int64_t result;
    int answer = serve(broker, request, &result);
    memset(response, 0, broker->response_size);
    response->id = request->id;
    if (answer < 0) {
        response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        response->error = -answer;
        response->val = answer ? 0 : result;
    }
    ioctl(broker->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, response); // ENOENT: gone, nobody to tell
    return 0;
}
