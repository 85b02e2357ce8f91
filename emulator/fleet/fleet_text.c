// Actions as words.

#include "emulator/fleet/fleet.h"

#include <stdio.h>

static const char *tell_text(enum fleet_tell tell)
{
    static const char *const texts[] = {
        [FLEET_TELL_SERVES] = "serves",       [FLEET_TELL_DIED] = "died",
        [FLEET_TELL_NOT_AGAIN] = "not again", [FLEET_TELL_RENEWED] = "renewed",
        [FLEET_TELL_KEPT] = "kept",           [FLEET_TELL_MIXED] = "mixed",
    };
    return texts[tell];
}

static void write_upstreams(const struct fleet_action *action, char *buffer, size_t size)
{
    size_t used = (size_t)snprintf(buffer, size, "upstreams");
    for (size_t i = 0; i < action->count && used < size; i++) {
        used += (size_t)snprintf(buffer + used, size - used, " %u", action->ids[i]);
    }
}

static void write_tell(const struct fleet_action *action, char *buffer, size_t size)
{
    const char *text = tell_text(action->tell);
    if (action->tell == FLEET_TELL_DIED || action->tell == FLEET_TELL_NOT_AGAIN) {
        snprintf(buffer, size, "%u %s (%lld, pause %lld)", action->id, text,
                 (long long)action->step.deaths, (long long)action->step.pause_ms);
    } else if (action->tell == FLEET_TELL_RENEWED) {
        snprintf(buffer, size, "%s v%llu", text, (unsigned long long)action->version);
    } else {
        snprintf(buffer, size, "%u %s", action->id, text);
    }
}

const char *fleet_action_text(const struct fleet_action *action, char *buffer, size_t size)
{
    unsigned long long version = action->version;
    switch (action->kind) {
    case FLEET_UPSTREAMS:
        write_upstreams(action, buffer, size);
        break;
    case FLEET_DRAIN:
        snprintf(buffer, size, action->close_streams ? "cut %u" : "drain %u", action->id);
        break;
    case FLEET_START:
        snprintf(buffer, size, "start %u in %u of v%llu", action->id, action->slot, version);
        break;
    case FLEET_END:
        snprintf(buffer, size, "end %u in %lld", action->id, (long long)action->ms);
        break;
    case FLEET_DONE:
        snprintf(buffer, size, "done v%llu", version);
        break;
    case FLEET_BROKE:
        snprintf(buffer, size, "broke v%llu by %u", version, action->id);
        break;
    case FLEET_TELL:
        write_tell(action, buffer, size);
        break;
    }
    return buffer;
}
