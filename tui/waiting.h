// What: what is waited for, in one line: "install: 12 s: Collecting flask".
// Why: nothing waits silently; plain lines and exec's progress say it when nothing else was said
//      for WAITING_EVERY_MS. An idle engine is not asked: it must not wake up (DESIGN 13).
// Order: waiting_event() with each event, waiting_said() after each line; in the poll loop
//        waiting_timeout_ms() and waiting_turn(), which asks the engine; waiting_reply() with
//        replies.
// Owns: nothing.
#ifndef TUI_WAITING_H
#define TUI_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/control/protocol.h"

#define WAITING_EVERY_MS 5000

struct client;
struct client_message;

struct waiting {
    bool busy; // a stage is running
    int64_t said_ms;
    int64_t asked_id; // of a "status" that is under way; 0: none
};

void waiting_event(struct waiting *waiting, const struct event *event);
void waiting_said(struct waiting *waiting);
int waiting_timeout_ms(const struct waiting *waiting); // -1: nothing is waited for
void waiting_turn(struct waiting *waiting, struct client *client);
// What to say, owned by the caller; NULL: nothing, or it is no reply of ours.
char *waiting_reply(struct waiting *waiting, const struct client_message *message);

// Pure. NULL: no stage is running. Owned by the caller.
char *waiting_text(const struct snapshot *snapshot, int64_t now_wall_ms);

#endif
