// The sleep of a trial instance: what fleet/doze.h decides is done here.
//
// It happens with --size trial only, and is told at each step: an `up` that stops answering the
// app's own timers must say by which rule. While something is being deployed nothing is put to
// sleep; the rollout would be lost.

#include "emulator/engine/dozing.h"

#include <stdlib.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/rollout.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

#define DEPLOYING_MS 1000 // look again

struct dozing {
    struct engine *engine;
    struct doze doze;
    struct loop_source *timer;
};

static char *span(int64_t ms)
{
    if (ms >= 2 * 3600000) {
        return str_printf(_("%lld h"), (long long)(ms / 3600000));
    }
    return ms >= 2 * 60000 ? str_printf(_("%lld min"), (long long)(ms / 60000))
                           : str_printf(_("%.1f s"), (double)ms / 1000);
}

// ---- what is done ----

static void fall_asleep(struct dozing *dozing)
{
    struct engine *engine = dozing->engine;
    auto_free char *idle = span(dozing->doze.limits.idle_ms);
    gateway_set_sleep(engine->gateway, GATEWAY_ASLEEP, NULL);
    announce_notice(engine, "note", "P-171", NULL,
                    _("what has to go on without requests belongs into a cron job, or into a "
                      "larger size (P-181)"),
                    _("asleep, after %s without a request: the app's threads and timers end; the "
                      "next request wakes it"),
                    idle);
    rollout_sleep(engine);
}

static void wake_up(struct dozing *dozing)
{
    announce_notice(dozing->engine, "note", "P-162", NULL, NULL,
                    _("a request wakes it; it is held until the app answers"));
    rollout_wake(dozing->engine);
}

static void be_forced(struct dozing *dozing)
{
    struct engine *engine = dozing->engine;
    const struct doze_limits *limits = &dozing->doze.limits;
    auto_free char *budget = span(limits->budget_ms);
    auto_free char *window = span(limits->window_ms);
    char until[9];
    clock_format_hms(clock_wall_ms() + doze_deadline(&dozing->doze) - clock_now_ms(), until);
    auto_free char *text = str_printf(
        _("forced to sleep: a trial instance may run %s of %s; it can be woken after %s"), budget,
        window, until);
    gateway_set_sleep(engine->gateway, GATEWAY_FORCED, text);
    engine->warnings++;
    announce_notice(engine, "warning", "P-171", NULL, _("take a larger size: --size standard-512"),
                    "%s", text);
    rollout_sleep(engine);
}

static void set_timer(struct dozing *dozing);

static void tell(struct dozing *dozing, enum doze_event event)
{
    if (dozing->engine->stopping) {
        return;
    }
    enum doze_action action = doze_tell(&dozing->doze, event, clock_now_ms());
    if (action == DOZE_SLEEP) {
        fall_asleep(dozing);
    } else if (action == DOZE_WAKE) {
        wake_up(dozing);
    } else if (action == DOZE_FORCE) {
        be_forced(dozing);
    } else if (action == DOZE_ALLOW) {
        gateway_set_sleep(dozing->engine->gateway, GATEWAY_ASLEEP, NULL);
        announce_notice(dozing->engine, "note", "P-171", NULL, NULL,
                        _("it has slept long enough; the next request wakes it"));
    }
    set_timer(dozing);
    touch(dozing->engine);
}

// ---- when ----

static bool is_deploying(const struct engine *engine)
{
    return engine->deployment.active || fleet_is_rolling(engine->rollout->fleet);
}

static void on_timer(void *context)
{
    struct dozing *dozing = context;
    if (is_deploying(dozing->engine)) {
        loop_timer_restart(dozing->timer, DEPLOYING_MS);
    } else {
        tell(dozing, DOZE_TICK);
    }
}

static void set_timer(struct dozing *dozing)
{
    int64_t due_ms = doze_deadline(&dozing->doze);
    int64_t after_ms = due_ms - clock_now_ms();
    if (due_ms < 0) {
        loop_timer_stop(dozing->timer);
    } else {
        loop_timer_restart(dozing->timer, after_ms > 0 ? after_ms : 0);
    }
}

// ---- what happens ----

void dozing_begin(struct engine *engine)
{
    if (engine->mode != MODE_UP || !engine->options.size->sleeps || engine->options.debug) {
        return;
    }
    struct doze_limits limits;
    doze_limits_read(strlist_env_get(&engine->host_env, DOZE_VARIABLE), &limits);
    struct dozing *dozing = mem_alloc(sizeof *dozing);
    dozing->engine = engine;
    doze_init(&dozing->doze, &limits);
    dozing->timer = loop_add_timer(engine->loop, 0, on_timer, dozing);
    loop_timer_stop(dozing->timer);
    engine->dozing = dozing;
    engine->deviations++;
    auto_free char *idle = span(limits.idle_ms);
    announce_notice(engine, "deviation", "P-171", NULL, NULL,
                    _("--size %s: it sleeps after %s without a request; here it wakes as fast as "
                      "the app starts, and a restart of leanlocal forgets how long it has run"),
                    engine->options.size->name, idle);
}

void dozing_release(struct engine *engine)
{
    if (engine->dozing) {
        loop_source_free(engine->dozing->timer);
        free(engine->dozing);
        engine->dozing = NULL;
    }
}

void dozing_on_request(struct engine *engine)
{
    if (engine->dozing) {
        tell(engine->dozing, DOZE_REQUEST);
    }
}

void dozing_on_asleep(void *context)
{
    dozing_on_request(context);
}

void dozing_on_answered(struct engine *engine)
{
    struct gateway_stats stats;
    if (!engine->dozing) {
        return;
    }
    gateway_get_stats(engine->gateway, &stats);
    if (stats.active == 0) {
        tell(engine->dozing, DOZE_QUIET);
    }
}

void dozing_on_serves(struct engine *engine)
{
    if (engine->dozing) {
        gateway_set_sleep(engine->gateway, GATEWAY_AWAKE, NULL);
        tell(engine->dozing, DOZE_STARTED);
    }
}

void dozing_on_died(struct engine *engine)
{
    if (engine->dozing && fleet_serving_count(engine->rollout->fleet) == 0) {
        if (engine->dozing->doze.state == DOZE_WAKING) { // it cannot be woken: nobody waits for it
            gateway_set_sleep(engine->gateway, GATEWAY_AWAKE, NULL);
        }
        tell(engine->dozing, DOZE_STOPPED);
    }
}

enum doze_state dozing_state(const struct engine *engine)
{
    return engine->dozing ? engine->dozing->doze.state : DOZE_AWAKE;
}
