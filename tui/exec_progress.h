// What: what exec says on stderr while it builds. A build that is over within a second, as a cached
//       one is, says nothing at all: scripts read what the command says, and only that.
// Why: nothing waits silently, and nothing chatters.
// Order: exec_progress_init(); in the poll loop exec_progress_timeout_ms(), _turn(), each event and
//       each reply that is nobody else's; exec_progress_end() when the command is started.
// Owns: lines that wait.
#ifndef TUI_EXEC_PROGRESS_H
#define TUI_EXEC_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/base/mem.h"
#include "tui/waiting.h"

struct client;
struct client_message;
struct event;

struct exec_progress {
    struct client *client;
    struct strlist held; // until it is clear that the build takes time
    bool talks;
    int64_t begun_ms;
    struct waiting waiting;
};

void exec_progress_init(struct exec_progress *progress, struct client *client);
void exec_progress_release(struct exec_progress *progress);
int exec_progress_timeout_ms(const struct exec_progress *progress);
void exec_progress_turn(struct exec_progress *progress);
void exec_progress_event(struct exec_progress *progress, const struct event *event);
void exec_progress_reply(struct exec_progress *progress, const struct client_message *message);
void exec_progress_end(struct exec_progress *progress);

#endif
