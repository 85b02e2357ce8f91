#include "tui/exec_progress.h"

#include <stdio.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "tui/client.h"
#include "tui/plain.h"

#define QUIET_MS 1000

void exec_progress_init(struct exec_progress *progress, struct client *client)
{
    *progress = (struct exec_progress){.client = client, .begun_ms = clock_now_ms()};
    waiting_said(&progress->waiting);
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
    waiting_said(&progress->waiting);
}

static void talk(struct exec_progress *progress)
{
    progress->talks = true;
    for (size_t i = 0; i < progress->held.count; i++) {
        say(progress, progress->held.items[i]);
    }
    strlist_clear(&progress->held);
}

int exec_progress_timeout_ms(const struct exec_progress *progress)
{
    if (progress->talks) {
        return waiting_timeout_ms(&progress->waiting);
    }
    int64_t left = progress->begun_ms + QUIET_MS - clock_now_ms();
    return left > 0 ? (int)left : 0;
}

void exec_progress_turn(struct exec_progress *progress)
{
    if (progress->talks) {
        waiting_turn(&progress->waiting, progress->client);
    } else if (exec_progress_timeout_ms(progress) == 0) {
        talk(progress);
    }
}

void exec_progress_event(struct exec_progress *progress, const struct event *event)
{
    auto_free char *text = NULL;
    waiting_event(&progress->waiting, event);
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
    auto_free char *text = waiting_reply(&progress->waiting, message);
    if (text) {
        say(progress, text);
    }
}
