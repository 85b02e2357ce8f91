#include "tui/exec_progress.h"

#include <stdio.h>
#include <stdlib.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/json.h"
#include "tui/client.h"
#include "tui/plain.h"
#include "tui/waiting.h"

#define QUIET_MS 1000

void exec_progress_init(struct exec_progress *progress, struct client *client)
{
    *progress = (struct exec_progress){.client = client, .begun_ms = clock_now_ms()};
    progress->said_ms = progress->begun_ms;
}

void exec_progress_release(struct exec_progress *progress)
{
    strlist_clear(&progress->held);
}

void exec_progress_end(struct exec_progress *progress)
{
    strlist_clear(&progress->held);
}

static void say(struct exec_progress *progress, const char *line)
{
    fprintf(stderr, "%s\n", line);
    progress->said_ms = clock_now_ms();
}

static void talk(struct exec_progress *progress)
{
    progress->talks = true;
    for (size_t i = 0; i < progress->held.count; i++) {
        say(progress, progress->held.items[i]);
    }
    strlist_clear(&progress->held);
}

static int64_t due_ms(const struct exec_progress *progress)
{
    return progress->talks ? progress->said_ms + WAITING_EVERY_MS : progress->begun_ms + QUIET_MS;
}

int exec_progress_timeout_ms(const struct exec_progress *progress)
{
    int64_t left = due_ms(progress) - clock_now_ms();
    return left > 0 ? (int)left : 0;
}

void exec_progress_turn(struct exec_progress *progress)
{
    if (clock_now_ms() < due_ms(progress)) {
        return;
    }
    if (!progress->talks) {
        talk(progress);
        return;
    }
    progress->said_ms = clock_now_ms(); // asked is as good as said: not again at once
    progress->asked_id = client_send_command(progress->client, "status");
}

void exec_progress_event(struct exec_progress *progress, const struct event *event)
{
    auto_free char *text = NULL;
    bool shown =
        event->kind == EVENT_STAGE || event->kind == EVENT_FAILED || event->kind == EVENT_NOTICE;
    if (!shown || !plain_format_event(event, &text)) {
        return;
    }
    if (event->kind == EVENT_FAILED) {
        talk(progress);
    }
    auto_free char *line = str_printf("%s: %s", plain_event_prefix(event), text);
    if (progress->talks) {
        say(progress, line);
    } else {
        strlist_add(&progress->held, line);
    }
}

void exec_progress_reply(struct exec_progress *progress, const struct client_message *message)
{
    if (!progress->asked_id || message->id != progress->asked_id) {
        return;
    }
    progress->asked_id = 0;
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    if (snapshot_decode(json_get(message->tree, "snapshot"), snapshot)) {
        auto_free char *text = waiting_text(snapshot, clock_wall_ms());
        if (text) {
            say(progress, text);
        }
    }
    free(snapshot);
}
