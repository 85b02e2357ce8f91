// What serves has died, again and again: the pauses are backoff.h's, here is what is said.
//
// The first deaths of a row are lines of their own. From then on it is a crash loop: one line, then
// one each time the count has doubled; the screen's status line counts on (snapshot.c). A save, or
// a restart by hand, ends the loop at once.

#include <stdio.h>

#include "emulator/engine/internal.h"
#include "emulator/health/backoff.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

// "2 s", "0.5 s".
static char *seconds(int64_t ms)
{
    return ms % 1000 ? str_printf(_("%.1f s"), (double)ms / 1000)
                     : str_printf(_("%lld s"), (long long)ms / 1000);
}

static void tell(struct engine *engine, const struct backoff_step *step, const struct error *error)
{
    const char *rule = *error->rule ? error->rule : NULL;
    const char *cloud = *error->cloud ? error->cloud : NULL;
    const char *mend = *error->hint ? error->hint : NULL;
    auto_free char *pause = seconds(step->pause_ms);
    auto_free char *span = seconds(step->span_ms < 1000 ? 1000 : step->span_ms / 1000 * 1000);
    if (step->is_loop) {
        announce_notice(engine, "error", rule, cloud,
                        mend ? mend : _("mend it and save: a save is tried at once"),
                        _("crash loop: %lld times in %s, next try in %s; the last time: %s"),
                        (long long)step->deaths, span, pause, error->message);
    } else if (step->pause_ms == 0) {
        announce_notice(engine, "error", rule, cloud, mend, _("%s; starting it again"),
                        error->message);
    } else {
        announce_notice(engine, "error", rule, cloud, mend, _("%s; starting it again in %s"),
                        error->message, pause);
    }
}

static void show_failure(struct engine *engine, const struct error *error)
{
    struct stage_state *stage = &engine->stages[engine->failure_stage];
    engine->failure = *error;
    engine->failure_is_crash = true;
    snprintf(engine->failure_mend, sizeof engine->failure_mend, "%s", error->hint);
    *stage = (struct stage_state){.state = "failed", .ms = -1};
    snprintf(stage->detail, sizeof stage->detail, "%.90s", error->message);
}

void crash_tell(struct engine *engine, const struct backoff_step *step, const struct error *error)
{
    if (step->deaths > 1) { // the first is started again before anybody has read of it
        show_failure(engine, error);
    }
    if (engine->gateway) { // whoever asks meanwhile gets 503, and why
        gateway_set_status_text(engine->gateway, error->message);
    }
    if (step->is_news) {
        tell(engine, step, error);
    }
    touch(engine);
}
