// What: the engine's end of the control socket: clients, their commands, what is broadcast to them.
// Why: screen, printer, commands and tests are clients alike (protocol.h).
// Order: server_new -> server_add_fd (the socket the engine was born with) and server_listen ->
//       on_command ... server_reply; server_event / server_touch_* as things happen.
// Owns: its sockets. A client that does not read is dropped when SERVER_OUT_MAX bytes wait for it
//       (policy: the client loses, never the engine); snapshots are skipped for it before that.
#ifndef EMULATOR_CONTROL_SERVER_H
#define EMULATOR_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/control/protocol.h"
#include "emulator/loop.h"

#define SERVER_OUT_MAX (8 << 20)
#define SERVER_FDS_MAX 4

struct server;
struct server_client;

struct server_command {
    struct server_client *client;
    int64_t id;
    enum command_kind kind;
    const struct cJSON *arguments; // the whole message
    int fds[SERVER_FDS_MAX]; // owned by the handler when it steals them (sets -1), else closed
    int fd_count;
};

struct server_callbacks {
    void *context;
    void (*on_command)(void *context, struct server_command *command);
    // Fills the current state; called at most 30 times a second and only when somebody listens.
    void (*fill_snapshot)(void *context, struct snapshot *ret_snapshot);
    uint64_t (*journal_last)(void *context);
    void (*on_no_clients)(void *context);
};

struct server *server_new(struct loop *loop, const struct server_callbacks *callbacks);
// Takes fd. NULL with errno: it cannot be watched, and is closed.
struct server_client *server_add_fd(struct server *server, int fd);
// ERROR_SYSTEM when the path cannot be bound. The file is unlinked by server_free().
int server_listen(struct server *server, const char *path, struct error *error);
unsigned server_client_count(const struct server *server);
bool server_has_snapshot_listener(const struct server *server);

// Takes tree (members beside "reply" and "ok"); NULL: none. client may be gone already: then it is
// dropped.
void server_reply_ok(struct server *server, struct server_client *client, int64_t id,
                     struct cJSON *members);
void server_reply_error(struct server *server, struct server_client *client, int64_t id,
                        const struct error *error);
void server_event(struct server *server, const struct event *event);
void server_touch_snapshot(struct server *server); // something that a snapshot shows has changed
void server_touch_journal(struct server *server);
// Sends what is pending now and waits up to limit_ms for slow clients: for the end of the engine.
void server_flush(struct server *server, int64_t limit_ms);
// No new clients from here on; the path is unlinked.
void server_close_listener(struct server *server);
// Tells the clients that this was all, and waits up to limit_ms until they have read it and gone.
void server_wait_closed(struct server *server, int64_t limit_ms);
void server_free(struct server *server);

#endif
