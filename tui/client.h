// What: our side of the control socket: lines of JSON out, parsed messages in.
// Why: the screen, the plain printer and every command speak to the engine through this one door.
// Order: client_connect() or client_from_fd(); then either client_call() (commands: blocks, with a
//        limit) or a poll loop: client_fd() readable -> client_read(), then client_next() until it
//        says false; client_wants_write() -> poll for writing -> client_flush().
// Owns: the descriptor. Buffers are bounded: a line in by PROTOCOL_LINE_MAX, lines out by
//       CLIENT_OUT_MAX; an engine that exceeds either counts as closed.
// Not: what commands mean (control/protocol.h).
#ifndef TUI_CLIENT_H
#define TUI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/error.h"

struct cJSON;
struct client;

#define CLIENT_OUT_MAX (4 << 20)
#define CLIENT_FDS_MAX 8

enum client_message_kind {
    CLIENT_REPLY,    // tree: the whole reply
    CLIENT_EVENT,    // tree: what event_decode() takes
    CLIENT_SNAPSHOT, // tree: what snapshot_decode() takes
    CLIENT_JOURNAL,  // journal_last
    CLIENT_CLOSED,   // the engine is gone; comes once, last
};

struct client_message {
    enum client_message_kind kind;
    const struct cJSON *tree; // see the kinds above; lives as long as the message
    struct cJSON *root;       // owned by the message
    int64_t id;               // of a reply
    uint64_t journal_last;
};

// NULL: nobody listens there (errnum ENOENT or ECONNREFUSED kept).
struct client *client_connect(const char *socket_path, struct error *error);
// Takes fd.
struct client *client_from_fd(int fd);
void client_free(struct client *client);
int client_fd(const struct client *client);

// Gives the command an "id" if it has none, and queues it; takes object. Returns the id. Never
// blocks.
int64_t client_send(struct client *client, struct cJSON *object);
// client_send() of {"command": name}.
int64_t client_send_command(struct client *client, const char *name);
bool client_wants_write(const struct client *client);
// Writes what the socket takes now.
void client_flush(struct client *client);
// Reads what is there now, without blocking.
void client_read(struct client *client);
// The next message; false: none for now. The caller releases it.
bool client_next(struct client *client, struct client_message *ret_message);
void client_message_release(struct client_message *message);

// Sends and waits for its reply; other messages stay for client_next(). timeout_ms -1: no limit.
// 0: {"ok":true}, *ret_reply (may be NULL) is the caller's. -1: the engine's own error, its end
// (errnum ECONNRESET), or the limit.
int client_call(struct client *client, struct cJSON *object, int timeout_ms,
                struct cJSON **ret_reply, struct error *error);
// The same with descriptors that travel with the command ("run"); they stay the caller's.
int64_t client_send_fds(struct client *client, struct cJSON *object, const int *fds,
                        size_t fd_count, struct error *error); // -1: not sent
int client_call_fds(struct client *client, struct cJSON *object, const int *fds, size_t fd_count,
                    int timeout_ms, struct cJSON **ret_reply, struct error *error);

#endif
