// What is said of a rollout, and of instances that come and go by themselves.

#include <stdio.h>

#include "emulator/engine/dozing.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/rollout.h"
#include "emulator/engine/running.h"
#include "emulator/engine/staging.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

static bool is_looping(const struct engine *engine, unsigned slot)
{
    return backoff_is_loop(fleet_backoff(engine->rollout->fleet, slot), &engine->times.backoff);
}

// P-231; P-175: what the platform does by itself is in the log too, but for a crash loop's starts.
void rollout_tell_start(struct engine *engine, const struct fleet_action *action)
{
    const char *tag = release_find(engine, action->version)->version.tag;
    if (rollout_is_deploying(engine, action->version)) {
        auto_free char *name = str_printf("%s%u", engine->options.group, action->slot); // P-176
        announce_cloud_either(engine, TEXTS_DEPLOY_BEGIN, tag, name);
        announce_cloud_either(engine, TEXTS_INSTANCE_CREATE);
        announce_cloud_either(engine, TEXTS_INSTANCE_START);
    } else if (!is_looping(engine, action->slot)) {
        announce_cloud_always(engine, TEXTS_INSTANCE_CREATE);
        announce_cloud_always(engine, TEXTS_INSTANCE_START);
    }
}

static void announce_up(struct engine *engine, int64_t took_ms)
{
    engine->healthy_wall_ms = clock_wall_ms();
    announce_stage(engine, STAGE_START, "done", took_ms, NULL);
    announce_stage(engine, STAGE_HEALTHY, "done", -1, NULL);
}

void rollout_tell_done(struct engine *engine, const struct fleet_action *action)
{
    struct running *running = rollout_serving(engine);
    if (!rollout_is_deploying(engine, action->version) || !running) {
        return; // a save has come; what it brings will be told
    }
    int64_t begun_ms = rollout_is_group(engine) ? engine->rollout->begun_ms
                                                : instance_started_ms(running->instance);
    announce_up(engine, clock_now_ms() - begun_ms);
    deployment_healthy(engine, running);
    staging_renew(engine);
}

static const char *mend_of(const struct reason *reason)
{
    return *reason->error.hint ? reason->error.hint : NULL;
}

void rollout_tell_broke(struct engine *engine, const struct fleet_action *action,
                        const struct reason *reason)
{
    if (rollout_is_deploying(engine, action->version)) {
        deployment_fail(engine, reason->stage, &reason->error, NULL);
    } else {
        announce_notice(engine, "error", reason->error.rule, NULL, mend_of(reason), "%s",
                        reason->error.message);
    }
    if (action->slot > 1 && fleet_serving_count(engine->rollout->fleet) > 0) {
        const struct running *serving = rollout_serving(engine);
        announce_notice(engine, "note", "P-173", NULL, NULL,
                        _("it was instance %u of %u; all of them serve version %s again"),
                        action->slot, engine->options.instances, serving->version.tag);
    }
}

// ---- telling ----

static void tell_serves(struct engine *engine, const struct fleet_action *action)
{
    struct running *running = rollout_find(engine, action->id);
    loop_source_free(running->timer);
    running->timer = NULL;
    instance_mark_healthy(running->instance);
    if (running->health) {
        health_set_interval(running->health, engine->times.period_ms);
    }
    engine->has_served = true;
    if (rollout_is_deploying(engine, action->version)) {
        if (rollout_is_group(engine)) {
            announce_notice(engine, "note", NULL, NULL, NULL, _("%s serves version %s (%u of %u)"),
                            instance_name(running->instance), running->version.tag, action->slot,
                            engine->options.instances);
        }
        return;
    }
    if (!engine->deployment.active) {
        announce_up(engine, clock_now_ms() - instance_started_ms(running->instance));
    }
    if (engine->failure_is_crash) {
        engine->failure = (struct error){0};
        engine->failure_mend[0] = '\0';
    }
    announce_notice(engine, "note", NULL, NULL, NULL, _("%s serves version %s now"),
                    instance_name(running->instance), running->version.tag);
}

static void tell_kept(struct engine *engine, const struct reason *reason)
{
    engine->failure = reason->error;
    engine->failure_stage = reason->stage;
    engine->failure_is_crash = true;
    snprintf(engine->failure_mend, sizeof engine->failure_mend, "%s", reason->error.hint);
    announce_notice(engine, "error", reason->error.rule, reason->error.cloud, mend_of(reason), "%s",
                    reason->error.message);
}

static void tell_mixed(struct engine *engine, const struct fleet_action *action,
                       const struct reason *reason)
{
    announce_notice(engine, "warning", reason->error.rule, NULL, mend_of(reason),
                    _("%s; instance %u goes on with the version before, until the next save"),
                    reason->error.message, action->slot);
}

static void tell_renewed(struct engine *engine, const struct fleet_action *action)
{
    const struct release *release = release_find(engine, action->version);
    if (rollout_is_group(engine) && release) {
        announce_notice(engine, "note", NULL, NULL, NULL,
                        _("version %s serves in new containers; the old ones finish their "
                          "requests"),
                        release->version.tag);
    }
}

void rollout_tell(struct engine *engine, const struct fleet_action *action,
                  const struct reason *reason)
{
    switch (action->tell) {
    case FLEET_TELL_SERVES:
        tell_serves(engine, action);
        dozing_on_serves(engine);
        break;
    case FLEET_TELL_DIED:
    case FLEET_TELL_NOT_AGAIN:
        engine->failure_stage = reason->stage;
        crash_tell(engine, &action->step, &reason->error);
        dozing_on_died(engine);
        break;
    case FLEET_TELL_RENEWED:
        tell_renewed(engine, action);
        break;
    case FLEET_TELL_KEPT:
        tell_kept(engine, reason);
        break;
    case FLEET_TELL_MIXED:
        tell_mixed(engine, action, reason);
        break;
    }
}
