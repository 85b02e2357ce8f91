#include "emulator/control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/log.h"

#define FRAME_MS 33 // at most 30 pushes a second

struct server_client {
    struct server *server;
    struct server_client *next;
    int fd;
    struct loop_source *source;
    struct buf in, out;
    int fds[SERVER_FDS_MAX];
    int fd_count;
    bool wants_events, wants_snapshot, wants_journal;
    bool dead;
    char *last_snapshot;
};

struct server {
    struct loop *loop;
    struct server_callbacks callbacks;
    struct server_client *clients;
    int listen_fd;
    struct loop_source *listen_source;
    char *path;
    struct loop_source *push_timer; // armed while something waits to be pushed
    struct loop_source *reap_source;
    bool push_armed, snapshot_dirty, journal_dirty, had_client;
    int64_t last_push_ms;
};

static void drop_received(struct server_client *client)
{
    for (int i = 0; i < client->fd_count; i++) {
        if (client->fds[i] >= 0) {
            close(client->fds[i]);
        }
    }
    client->fd_count = 0;
}

static void free_client(struct server_client *client)
{
    loop_source_free(client->source);
    drop_received(client);
    close(client->fd);
    buf_release(&client->in);
    buf_release(&client->out);
    free(client->last_snapshot);
    free(client);
}

// Second step of a close: memory goes at the start of the next turn, when nobody holds the pointer.
static void reap(void *context)
{
    struct server *server = context;
    loop_source_free(server->reap_source);
    server->reap_source = NULL;
    struct server_client **slot = &server->clients;
    while (*slot) {
        struct server_client *client = *slot;
        if (client->dead) {
            *slot = client->next;
            free_client(client);
        } else {
            slot = &client->next;
        }
    }
    if (!server->clients && server->had_client) {
        server->callbacks.on_no_clients(server->callbacks.context);
    }
}

static void close_client(struct server_client *client)
{
    if (client->dead) {
        return;
    }
    client->dead = true;
    loop_source_free(client->source);
    client->source = NULL;
    shutdown(client->fd, SHUT_RDWR);
    struct server *server = client->server;
    if (!server->reap_source) {
        server->reap_source = loop_add_defer(server->loop, reap, server);
    }
}

static void write_out(struct server_client *client)
{
    while (client->out.len > 0) {
        ssize_t sent =
            send(client->fd, client->out.data, client->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN) {
            close_client(client);
            return;
        }
        if (sent < 0) {
            break;
        }
        buf_consume(&client->out, (size_t)sent);
    }
    if (client->source) {
        loop_set_fd_events(client->source, EPOLLIN | (client->out.len ? EPOLLOUT : 0u));
    }
}

static void send_line(struct server_client *client, const char *line)
{
    if (client->dead) {
        return;
    }
    if (!buf_adds(&client->out, line) || !buf_add(&client->out, "\n", 1)) {
        log_debug("client does not read: dropped");
        close_client(client);
        return;
    }
    write_out(client);
}

static void send_tree(struct server_client *client, struct cJSON *tree)
{
    auto_free char *line = json_print(tree);
    json_free(tree);
    send_line(client, line);
}

static bool is_client(const struct server *server, const struct server_client *wanted)
{
    for (const struct server_client *client = server->clients; client; client = client->next) {
        if (client == wanted) {
            return !client->dead;
        }
    }
    return false;
}

void server_reply_ok(struct server *server, struct server_client *client, int64_t id,
                     struct cJSON *members)
{
    struct cJSON *reply = members ? members : json_new_object();
    if (!is_client(server, client)) {
        json_free(reply);
        return;
    }
    json_put_int(reply, "reply", id);
    json_put_bool(reply, "ok", true);
    send_tree(client, reply);
}

void server_reply_error(struct server *server, struct server_client *client, int64_t id,
                        const struct error *error)
{
    if (!is_client(server, client)) {
        return;
    }
    struct cJSON *reply = json_new_object();
    json_put_int(reply, "reply", id);
    json_put_bool(reply, "ok", false);
    json_put_tree(reply, "error", error_encode(error));
    send_tree(client, reply);
}

static void push_snapshot(struct server *server)
{
    if (!server_has_snapshot_listener(server)) {
        return;
    }
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    server->callbacks.fill_snapshot(server->callbacks.context, snapshot);
    struct cJSON *tree = json_new_object();
    json_put_tree(tree, "snapshot", snapshot_encode(snapshot));
    auto_free char *line = json_print(tree);
    json_free(tree);
    free(snapshot);
    for (struct server_client *client = server->clients; client; client = client->next) {
        // A client that has not taken the last one gets the next when it has.
        if (!client->wants_snapshot || client->out.len > PROTOCOL_LINE_MAX ||
            str_equal(client->last_snapshot, line)) {
            continue;
        }
        str_replace(&client->last_snapshot, line);
        send_line(client, line);
    }
}

static void push_journal(struct server *server)
{
    struct cJSON *tree = json_new_object();
    struct cJSON *journal = json_new_object();
    json_put_int(journal, "last",
                 (int64_t)server->callbacks.journal_last(server->callbacks.context));
    json_put_tree(tree, "journal", journal);
    auto_free char *line = json_print(tree);
    json_free(tree);
    for (struct server_client *client = server->clients; client; client = client->next) {
        if (client->wants_journal && client->out.len < PROTOCOL_LINE_MAX) {
            send_line(client, line);
        }
    }
}

static void push(void *context)
{
    struct server *server = context;
    server->push_armed = false;
    server->last_push_ms = loop_now_ms(server->loop);
    // The journal first: a snapshot that says "failed" finds the lines that say why.
    if (server->journal_dirty) {
        server->journal_dirty = false;
        push_journal(server);
    }
    if (server->snapshot_dirty) {
        server->snapshot_dirty = false;
        push_snapshot(server);
    }
}

static void arm_push(struct server *server)
{
    if (server->push_armed || !server->clients) {
        return;
    }
    server->push_armed = true;
    int64_t after = server->last_push_ms + FRAME_MS - loop_now_ms(server->loop);
    loop_timer_restart(server->push_timer, after > 0 ? after : 0);
}

void server_touch_snapshot(struct server *server)
{
    server->snapshot_dirty = true;
    arm_push(server);
}

void server_touch_journal(struct server *server)
{
    server->journal_dirty = true;
    arm_push(server);
}

void server_event(struct server *server, const struct event *event)
{
    struct cJSON *tree = json_new_object();
    json_put_tree(tree, "event", event_encode(event));
    auto_free char *line = json_print(tree);
    json_free(tree);
    for (struct server_client *client = server->clients; client; client = client->next) {
        if (client->wants_events) {
            send_line(client, line);
        }
    }
}

static void subscribe(struct server_client *client, const struct cJSON *message, int64_t id)
{
    struct server *server = client->server;
    client->wants_events = json_get_bool(message, "events", false);
    client->wants_snapshot = json_get_bool(message, "snapshot", false);
    client->wants_journal = json_get_bool(message, "journal", false);
    server_reply_ok(server, client, id, NULL);
    server_touch_journal(server);
    server_touch_snapshot(server);
}

static void handle_line(struct server_client *client, const char *line, size_t len)
{
    struct error error = {0};
    struct cJSON *message = json_parse(line, len, "control", &error);
    if (!message) {
        server_reply_error(client->server, client, 0, &error);
        return;
    }
    struct server_command command = {.client = client,
                                     .id = json_get_int(message, "id", 0),
                                     .kind = command_from_name(json_get_string(message, "command")),
                                     .arguments = message,
                                     .fd_count = client->fd_count};
    memcpy(command.fds, client->fds, sizeof command.fds);
    client->fd_count = 0;
    if (command.kind == COMMAND__COUNT) {
        error_set(&error, ERROR_USAGE, "unknown command");
        server_reply_error(client->server, client, command.id, &error);
    } else if (command.kind == COMMAND_SUBSCRIBE) {
        subscribe(client, message, command.id);
    } else {
        client->server->callbacks.on_command(client->server->callbacks.context, &command);
    }
    for (int i = 0; i < command.fd_count; i++) {
        if (command.fds[i] >= 0) {
            close(command.fds[i]);
        }
    }
    json_free(message);
}

static void handle_lines(struct server_client *client)
{
    char *newline;
    while (!client->dead && client->in.len &&
           (newline = memchr(client->in.data, '\n', client->in.len))) {
        size_t len = (size_t)(newline - client->in.data);
        auto_free char *line = str_dup_len(client->in.data, len);
        buf_consume(&client->in, len + 1);
        handle_line(client, line, len);
    }
}

static ssize_t receive(struct server_client *client, char *room, size_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SERVER_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = room, .iov_len = size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(client->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *entry = got > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (entry && entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SCM_RIGHTS) {
        drop_received(client);
        client->fd_count = (int)((entry->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(client->fds, CMSG_DATA(entry), (size_t)client->fd_count * sizeof(int));
    }
    return got;
}

static void client_ready(void *context, int fd, uint32_t events)
{
    (void)fd;
    struct server_client *client = context;
    if (events & EPOLLOUT) {
        write_out(client);
    }
    if (client->dead || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        return;
    }
    char *room = buf_reserve(&client->in, 16384);
    ssize_t got = room ? receive(client, room, 16384) : 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        close_client(client);
        return;
    }
    buf_added(&client->in, (size_t)got);
    handle_lines(client);
}

struct server_client *server_add_fd(struct server *server, int fd)
{
    struct server_client *client = mem_alloc(sizeof *client);
    client->server = server;
    client->fd = fd;
    client->in.max = PROTOCOL_LINE_MAX;
    client->out.max = SERVER_OUT_MAX;
    client->source = loop_add_fd(server->loop, fd, EPOLLIN, client_ready, client);
    if (!client->source) { // better gone than waiting for an answer for ever
        close(fd);
        free(client);
        return NULL;
    }
    client->next = server->clients;
    server->clients = client;
    server->had_client = true;
    return client;
}

static void accept_client(void *context, int fd, uint32_t events)
{
    (void)events;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted >= 0) {
        server_add_fd(context, accepted);
    }
}

struct server *server_new(struct loop *loop, const struct server_callbacks *callbacks)
{
    struct server *server = mem_alloc(sizeof *server);
    server->loop = loop;
    server->callbacks = *callbacks;
    server->listen_fd = -1;
    server->push_timer = loop_add_timer(loop, 0, push, server);
    loop_timer_stop(server->push_timer);
    return server;
}

int server_listen(struct server *server, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return error_set(error, ERROR_SYSTEM, "%s: path too long for a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path); // the project's lock is ours: whoever made it is dead
    mode_t kept = umask(0177);
    int failed =
        fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0;
    int errnum = errno;
    umask(kept);
    if (failed) {
        if (fd >= 0) {
            close(fd);
        }
        return error_set_errno(error, ERROR_SYSTEM, errnum, "control socket %s", path);
    }
    server->listen_fd = fd;
    server->path = str_dup(path);
    server->listen_source = loop_add_fd(server->loop, fd, EPOLLIN, accept_client, server);
    return 0;
}

unsigned server_client_count(const struct server *server)
{
    unsigned count = 0;
    for (const struct server_client *client = server->clients; client; client = client->next) {
        count += !client->dead;
    }
    return count;
}

bool server_has_snapshot_listener(const struct server *server)
{
    for (const struct server_client *client = server->clients; client; client = client->next) {
        if (client->wants_snapshot && !client->dead) {
            return true;
        }
    }
    return false;
}

void server_flush(struct server *server, int64_t limit_ms)
{
    push(server);
    int64_t until = clock_now_ms() + limit_ms;
    for (struct server_client *client = server->clients; client; client = client->next) {
        while (!client->dead && client->out.len > 0) {
            int64_t left = until - clock_now_ms();
            struct pollfd wait = {.fd = client->fd, .events = POLLOUT};
            if (left <= 0 || poll(&wait, 1, (int)left) <= 0) {
                break;
            }
            write_out(client);
        }
    }
}

void server_close_listener(struct server *server)
{
    loop_source_free(server->listen_source);
    server->listen_source = NULL;
    if (server->listen_fd >= 0) {
        unlink(server->path);
        close(server->listen_fd);
        server->listen_fd = -1;
    }
}

void server_wait_closed(struct server *server, int64_t limit_ms)
{
    int64_t until = clock_now_ms() + limit_ms;
    for (struct server_client *client = server->clients; client; client = client->next) {
        shutdown(client->fd, SHUT_WR);
    }
    for (struct server_client *client = server->clients; client; client = client->next) {
        char rest[4096];
        ssize_t got = client->dead ? 0 : 1;
        while (got > 0) {
            int64_t left = until - clock_now_ms();
            struct pollfd wait = {.fd = client->fd, .events = POLLIN};
            got = left > 0 && poll(&wait, 1, (int)left) > 0
                      ? recv(client->fd, rest, sizeof rest, MSG_DONTWAIT)
                      : 0;
        }
    }
}

void server_free(struct server *server)
{
    if (!server) {
        return;
    }
    while (server->clients) {
        struct server_client *next = server->clients->next;
        free_client(server->clients);
        server->clients = next;
    }
    loop_source_free(server->push_timer);
    loop_source_free(server->reap_source);
    server_close_listener(server);
    free(server->path);
    free(server);
}
