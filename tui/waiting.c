#include "tui/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/client.h"

static bool nobody_listens(const struct snapshot *snapshot)
{
    for (int64_t i = 0; i < snapshot->instance_count; i++) {
        if (strcmp(snapshot->instances[i].state, "starting") == 0) {
            return snapshot->instances[i].asked[0] == '\0';
        }
    }
    return false;
}

// Why the app does not count as started yet.
static char *start_text(const struct snapshot *snapshot)
{
    if (nobody_listens(snapshot)) {
        return str_printf(_("nothing listens on port %d yet"), (int)LIMIT_APP_PORT);
    }
    if (snapshot->probe_count == 0) {
        return str_dup(_("not healthy yet"));
    }
    const struct snapshot_probe *probe = &snapshot->probes[snapshot->probe_count - 1];
    return probe->status ? str_printf(_("not healthy yet: GET %s answers %lld"), probe->path,
                                      (long long)probe->status)
                         : str_printf(_("not healthy yet: GET %s: %s"), probe->path,
                                      *probe->text ? probe->text : _("no answer"));
}

char *waiting_text(const struct snapshot *snapshot, int64_t now_wall_ms)
{
    for (size_t i = SNAPSHOT_STAGES; i-- > 0;) {
        const struct snapshot_stage *stage = &snapshot->stages[i];
        if (strcmp(stage->state, "running") != 0) {
            continue;
        }
        bool starts = strcmp(stage->name, "start") == 0 || strcmp(stage->name, "healthy") == 0;
        auto_free char *what = starts                   ? start_text(snapshot)
                               : *snapshot->last_output ? str_dup(snapshot->last_output)
                                                        : str_dup(stage->detail);
        long long seconds = stage->ms > 0 ? (now_wall_ms - stage->ms) / 1000 : 0;
        return str_printf("%s: %lld s%s%s", stage->name, seconds > 0 ? seconds : 0,
                          *what ? ": " : "", what);
    }
    return NULL;
}

// ---- when to say it ----

void waiting_event(struct waiting *waiting, const struct event *event)
{
    if (event->kind == EVENT_STAGE) {
        // Another one begins at once, but after the last: a replacement tells no READY.
        waiting->busy = !(str_equal(event->stage, "healthy") && str_equal(event->state, "done"));
    } else if (event->kind == EVENT_READY || event->kind == EVENT_FAILED ||
               event->kind == EVENT_DONE) {
        waiting->busy = false;
    }
}

void waiting_said(struct waiting *waiting)
{
    waiting->said_ms = clock_now_ms();
}

int waiting_timeout_ms(const struct waiting *waiting)
{
    int64_t left = waiting->said_ms + WAITING_EVERY_MS - clock_now_ms();
    return !waiting->busy ? -1 : left > 0 ? (int)left : 0;
}

void waiting_turn(struct waiting *waiting, struct client *client)
{
    if (waiting_timeout_ms(waiting) == 0) {
        waiting_said(waiting); // asked is as good as said: not again at once
        waiting->asked_id = client_send_command(client, "status");
    }
}

char *waiting_reply(struct waiting *waiting, const struct client_message *message)
{
    if (!waiting->asked_id || message->id != waiting->asked_id) {
        return NULL;
    }
    waiting->asked_id = 0;
    char *text = NULL;
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    if (waiting->busy && snapshot_decode(json_get(message->tree, "snapshot"), snapshot)) {
        text = waiting_text(snapshot, clock_wall_ms());
        waiting->busy = text != NULL; // whatever was missed: an idle engine is not asked again
    }
    free(snapshot);
    return text;
}
