#include "emulator/requests/replay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define STATUS_TUNNEL 101

struct replay {
    int fd;
    struct sockaddr_in own; // our end
    struct loop_source *source, *timer;
    struct buf out;
    replay_end_fn on_end;
    void *context;
};

static void end(struct replay *replay, int errnum)
{
    struct error error = {0};
    if (errnum) {
        error_set_errno(&error, ERROR_SYSTEM, errnum, _("the request could not be sent again"));
    } else {
        error_set(&error, ERROR_SYSTEM, _("the request was sent again, and nothing came of it"));
    }
    replay->on_end(replay->context, replay, &error);
}

static void on_late(void *context)
{
    end(context, ETIMEDOUT);
}

// An error here is the answer's business: it may have come already, and is read first.
static void write_out(struct replay *replay)
{
    ssize_t sent = send(replay->fd, replay->out.data, replay->out.len, MSG_NOSIGNAL);
    if (sent > 0) {
        buf_consume(&replay->out, (size_t)sent);
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        replay->out.len = 0;
    }
    loop_set_fd_events(replay->source, EPOLLIN | (replay->out.len ? EPOLLOUT : 0u));
}

static void on_ready(void *context, int fd, uint32_t events)
{
    struct replay *replay = context;
    char waste[16384];
    if ((events & EPOLLOUT) && replay->out.len) {
        write_out(replay);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        return;
    }
    ssize_t got = recv(fd, waste, sizeof waste, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        end(replay, got < 0 ? errno : 0);
    }
}

static bool is_chunked(const struct request_record *record)
{
    struct request_bytes value;
    return request_head_field(&record->request_head, "transfer-encoding", &value);
}

static void put_request(struct buf *out, const struct request_record *record)
{
    const struct request_bytes *body = &record->request_body;
    bool chunked = is_chunked(record);
    buf_add(out, record->request_head.bytes, record->request_head.len);
    if (chunked && body->len) {
        buf_addf(out, "%zx\r\n", body->len);
    }
    buf_add(out, body->bytes, body->len);
    if (chunked) {
        buf_adds(out, body->len ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
    }
}

static int check(const struct request_record *record, struct error *error)
{
    if (record->status == STATUS_TUNNEL) {
        return error_set(error, ERROR_USAGE, _("a WebSocket cannot be sent again"));
    }
    if (!record->request_head.len) {
        return error_set(error, ERROR_USAGE, _("its head was not kept: it cannot be sent again"));
    }
    if (!request_is_whole(record)) {
        return error_set(error, ERROR_USAGE,
                         _("only %zu of %llu bytes of its body were kept: it cannot be sent again"),
                         record->request_body.len, (unsigned long long)record->request_body.total);
    }
    return 0;
}

static int connect_to(uint32_t address, uint16_t port, struct sockaddr_in *ret_own,
                      struct error *error)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(address), .sin_port = htons(port)};
    socklen_t len = sizeof *ret_own;
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        (connect(fd, (struct sockaddr *)&name, sizeof name) < 0 && errno != EINPROGRESS) ||
        getsockname(fd, (struct sockaddr *)ret_own, &len) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno,
                               _("the request could not be sent again"));
    }
    return steal_fd(&fd);
}

struct replay *replay_start(struct loop *loop, uint32_t address, uint16_t port,
                            const struct request_record *record, replay_end_fn on_end,
                            void *context, struct error *error)
{
    struct sockaddr_in own = {0};
    if (check(record, error) < 0) {
        return NULL;
    }
    int fd = connect_to(address == INADDR_ANY ? INADDR_LOOPBACK : address, port, &own, error);
    if (fd < 0) {
        return NULL;
    }
    struct replay *replay = mem_alloc(sizeof *replay);
    *replay = (struct replay){.fd = fd, .own = own, .on_end = on_end, .context = context};
    put_request(&replay->out, record);
    replay->source = loop_add_fd(loop, fd, EPOLLIN | EPOLLOUT, on_ready, replay);
    replay->timer = loop_add_timer(loop, REPLAY_LIMIT_MS, on_late, replay);
    return replay;
}

bool replay_is(const struct replay *replay, const char *address, uint16_t port)
{
    char own[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &replay->own.sin_addr, own, sizeof own);
    return ntohs(replay->own.sin_port) == port && strcmp(own, address) == 0;
}

void replay_free(struct replay *replay)
{
    if (!replay) {
        return;
    }
    loop_source_free(replay->source);
    loop_source_free(replay->timer);
    close(replay->fd);
    buf_release(&replay->out);
    free(replay);
}
