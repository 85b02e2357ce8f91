#include "tui/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define READ_BYTES  65536
#define PENDING_MAX 4096 // messages that wait while client_call() waits; beyond, the oldest goes

struct pending {
    struct client_message message;
    struct pending *next;
};

struct client {
    int fd;
    struct buf in, out;
    size_t scanned; // bytes of `in` known to hold no newline
    int64_t last_id;
    bool ended;       // nothing more will come; what is in `in` still counts
    bool told_closed; // CLIENT_CLOSED was given out
    struct pending *first, **last;
    size_t pending_count;
};

struct client *client_from_fd(int fd)
{
    struct client *client = mem_alloc(sizeof *client);
    client->fd = fd;
    client->in.max = PROTOCOL_LINE_MAX + READ_BYTES;
    client->out.max = CLIENT_OUT_MAX;
    client->last = &client->first;
    return client;
}

struct client *client_connect(const char *socket_path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path) {
        error_set(error, ERROR_HOST, _("%s: too long for a socket's address"), socket_path);
        return NULL;
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        error_set_errno(error, ERROR_HOST, errno, "%s", socket_path);
        return NULL;
    }
    return client_from_fd(steal_fd(&fd));
}

void client_free(struct client *client)
{
    if (!client) {
        return;
    }
    while (client->first) {
        struct pending *gone = client->first;
        client->first = gone->next;
        client_message_release(&gone->message);
        free(gone);
    }
    buf_release(&client->in);
    buf_release(&client->out);
    close(client->fd);
    free(client);
}

int client_fd(const struct client *client)
{
    return client->fd;
}

void client_message_release(struct client_message *message)
{
    json_free(message->root);
    message->root = NULL;
    message->tree = NULL;
}

// ---- out ----

static int64_t queue_line(struct client *client, struct cJSON *object)
{
    int64_t id = json_get_int(object, "id", 0);
    if (id == 0) {
        id = ++client->last_id;
        json_put_int(object, "id", id);
    }
    auto_free char *line = json_print(object);
    json_free(object);
    if (!buf_adds(&client->out, line) || !buf_adds(&client->out, "\n")) {
        client->ended = true; // the engine has not read for 4 MB: as good as gone
    }
    return id;
}

int64_t client_send(struct client *client, struct cJSON *object)
{
    int64_t id = queue_line(client, object);
    client_flush(client);
    return id;
}

int64_t client_send_command(struct client *client, const char *name)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "command", name);
    return client_send(client, object);
}

bool client_wants_write(const struct client *client)
{
    return client->out.len > 0 && !client->ended;
}

void client_flush(struct client *client)
{
    while (client_wants_write(client)) {
        ssize_t sent =
            send(client->fd, client->out.data, client->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            buf_consume(&client->out, (size_t)sent);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            // What the engine said before it went is still to be read.
            client->out.len = 0;
            return;
        }
    }
}

// ---- in ----

void client_read(struct client *client)
{
    char *room = client->ended ? NULL : buf_reserve(&client->in, READ_BYTES);
    if (!room) {
        return; // client_next() first
    }
    ssize_t got = recv(client->fd, room, READ_BYTES, MSG_DONTWAIT);
    if (got > 0) {
        buf_added(&client->in, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        client->ended = true;
    }
}

// What the engine sends unasked stands in an envelope of one member.
static const struct {
    const char *name;
    enum client_message_kind kind;
} envelopes[] = {
    {"event", CLIENT_EVENT},
    {"snapshot", CLIENT_SNAPSHOT},
    {"journal", CLIENT_JOURNAL},
};

static bool classify(struct cJSON *root, struct client_message *ret)
{
    *ret = (struct client_message){.root = root, .tree = root, .kind = CLIENT_REPLY};
    if (json_get(root, "reply")) {
        ret->id = json_get_int(root, "reply", 0);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(envelopes); i++) {
        const struct cJSON *body = json_get(root, envelopes[i].name);
        if (body) {
            ret->kind = envelopes[i].kind;
            ret->tree = body;
            ret->journal_last = (uint64_t)json_get_int(body, "last", 0);
            return true;
        }
    }
    json_free(root); // a later protocol's: ignored
    return false;
}

// Cuts the next line off `in` and parses it. false: no whole line is there.
static bool take_line(struct client *client, struct cJSON **ret_tree)
{
    const char *start = client->in.data;
    const char *end = client->in.len > client->scanned
                          ? memchr(start + client->scanned, '\n', client->in.len - client->scanned)
                          : NULL;
    if (!end) {
        client->scanned = client->in.len;
        client->ended = client->ended || client->in.len > PROTOCOL_LINE_MAX;
        return false;
    }
    size_t len = (size_t)(end - start);
    *ret_tree = json_parse(start, len, "engine", NULL);
    buf_consume(&client->in, len + 1);
    client->scanned = 0;
    return true;
}

static bool parse_next(struct client *client, struct client_message *ret)
{
    struct cJSON *tree;
    while (take_line(client, &tree)) {
        if (tree && classify(tree, ret)) {
            return true;
        }
    }
    if (client->ended && !client->told_closed) {
        client->told_closed = true;
        *ret = (struct client_message){.kind = CLIENT_CLOSED};
        return true;
    }
    return false;
}

bool client_next(struct client *client, struct client_message *ret_message)
{
    struct pending *first = client->first;
    if (!first) {
        return parse_next(client, ret_message);
    }
    *ret_message = first->message;
    client->first = first->next;
    client->last = client->first ? client->last : &client->first;
    client->pending_count--;
    free(first);
    return true;
}

// ---- calls ----

static void keep_for_later(struct client *client, const struct client_message *message)
{
    struct pending *pending = mem_alloc(sizeof *pending);
    pending->message = *message;
    *client->last = pending;
    client->last = &pending->next;
    client->pending_count++;
    if (client->pending_count > PENDING_MAX) {
        struct client_message oldest;
        client_next(client, &oldest);
        client_message_release(&oldest);
    }
}

static int reply_result(struct client_message *message, struct cJSON **ret_reply,
                        struct error *error)
{
    if (!json_get_bool(message->tree, "ok", false)) {
        struct error said;
        error_decode(json_get(message->tree, "error"), &said);
        if (error) {
            *error = said;
        }
        client_message_release(message);
        return -1;
    }
    if (ret_reply) {
        *ret_reply = steal(message->root);
    }
    client_message_release(message);
    return 0;
}

static int engine_gone(struct error *error)
{
    error_set(error, ERROR_SYSTEM, _("the engine ended before it answered"));
    if (error) {
        error->errnum = ECONNRESET;
    }
    return -1;
}

// 1: the reply is in *ret; 0: not yet; -1: it will never come.
static int look_for_reply(struct client *client, int64_t id, struct client_message *ret)
{
    while (parse_next(client, ret)) {
        if (ret->kind == CLIENT_REPLY && ret->id == id) {
            return 1;
        }
        keep_for_later(client, ret);
        if (ret->kind == CLIENT_CLOSED) {
            return -1;
        }
    }
    return client->told_closed ? -1 : 0;
}

static int wait_socket(struct client *client, int64_t deadline_ms, struct error *error)
{
    struct pollfd poll_fd = {
        .fd = client->fd,
        .events = (short)(POLLIN | (client_wants_write(client) ? POLLOUT : 0)),
    };
    int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_now_ms();
    if (deadline_ms >= 0 && left <= 0) {
        return error_set(error, ERROR_SYSTEM, _("the engine did not answer in time"));
    }
    if (poll(&poll_fd, 1, (int)left) < 0 && errno != EINTR) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "poll");
    }
    client_flush(client);
    client_read(client);
    return 0;
}

static int wait_reply(struct client *client, int64_t id, int timeout_ms, struct cJSON **ret_reply,
                      struct error *error)
{
    int64_t deadline_ms = timeout_ms < 0 ? -1 : clock_now_ms() + timeout_ms;
    for (;;) {
        struct client_message message;
        int found = look_for_reply(client, id, &message);
        if (found > 0) {
            return reply_result(&message, ret_reply, error);
        }
        if (found < 0) {
            return engine_gone(error);
        }
        if (wait_socket(client, deadline_ms, error) < 0) {
            return -1;
        }
    }
}

int client_call(struct client *client, struct cJSON *object, int timeout_ms,
                struct cJSON **ret_reply, struct error *error)
{
    int64_t id = client_send(client, object);
    return wait_reply(client, id, timeout_ms, ret_reply, error);
}

// The descriptors ride on the first byte of their own line, so that the engine can tell whose they
// are.
static ssize_t send_with_fds(struct client *client, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CLIENT_FDS_MAX)];
    } control = {0};
    struct iovec iov = {.iov_base = client->out.data, .iov_len = client->out.len};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(sizeof(int) * fd_count),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    return sendmsg(client->fd, &message, MSG_NOSIGNAL);
}

int64_t client_send_fds(struct client *client, struct cJSON *object, const int *fds,
                        size_t fd_count, struct error *error)
{
    if (fd_count == 0 || fd_count > CLIENT_FDS_MAX) {
        json_free(object);
        return error_set(error, ERROR_SYSTEM, "client_send_fds: %zu descriptors", fd_count);
    }
    while (client_wants_write(client)) {
        if (wait_socket(client, -1, error) < 0) {
            json_free(object);
            return -1;
        }
    }
    int64_t id = queue_line(client, object);
    ssize_t sent;
    do {
        sent = send_with_fds(client, fds, fd_count);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, _("the engine can not be reached"));
    }
    buf_consume(&client->out, (size_t)sent);
    return id;
}

int client_call_fds(struct client *client, struct cJSON *object, const int *fds, size_t fd_count,
                    int timeout_ms, struct cJSON **ret_reply, struct error *error)
{
    int64_t id = client_send_fds(client, object, fds, fd_count, error);
    return id < 0 ? -1 : wait_reply(client, id, timeout_ms, ret_reply, error);
}
