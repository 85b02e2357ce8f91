#include "tui/waiting.h"

#include <string.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

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
