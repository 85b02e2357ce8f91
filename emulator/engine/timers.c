#include "emulator/engine/timers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/project_timers.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

#define COPY(field, text) snprintf(field, sizeof(field), "%s", text)
#define SHOWN_TIMES       5

static void release(struct timers *timers)
{
    for (size_t i = 0; i < timers->count; i++) {
        free(timers->items[i].name);
        free(timers->items[i].expression);
        free(timers->items[i].function);
        free(timers->items[i].data);
    }
    free(timers->items);
    loop_source_free(timers->due);
    free(timers);
}

void timers_release(struct engine *engine)
{
    struct timers *timers = steal(engine->timers);
    if (timers) {
        release(timers);
    }
}

void timers_read(struct engine *engine, const struct cJSON *options)
{
    const struct cJSON *list = json_get(options, PROJECT_TIMERS);
    timers_release(engine);
    if (!json_is_array(list)) {
        return;
    }
    struct timers *timers = engine->timers = mem_alloc(sizeof *timers);
    timers->items = mem_alloc((json_count(list) + 1) * sizeof timers->items[0]);
    for (const struct cJSON *item = json_first(list); item; item = json_next(item)) {
        const char *expression = json_get_string(item, "cron");
        struct timer *timer = &timers->items[timers->count];
        if (expression && cron_parse(expression, expression, &timer->cron, NULL) == 0) {
            timer->name = str_dup(json_get_string(item, "name"));
            timer->expression = str_dup(expression);
            timer->function = str_dup(json_get_string(item, "function"));
            timer->data = str_dup(json_get_string(item, "data"));
            timers->count++;
        }
    }
}

struct timer *timer_find(const struct engine *engine, const char *name, struct error *error)
{
    struct buf names = {.max = 400};
    for (size_t i = 0; engine->timers && i < engine->timers->count; i++) {
        struct timer *timer = &engine->timers->items[i];
        if (str_equal(timer->name, name)) {
            buf_release(&names);
            return timer;
        }
        buf_addf(&names, "%s%s", names.len ? ", " : "", timer->name);
    }
    error_set(error, ERROR_USAGE, _("no timer %s"), name);
    if (names.len) {
        error_set_hint(error, _("there are %s"), names.data);
    } else {
        error_set_hint(error, _("write timers into .leanlocal.yaml: `cron:`"));
    }
    buf_release(&names);
    return NULL;
}

void timer_ended(struct engine *engine, struct timer *timer, const struct error *error)
{
    if (!error) {
        return;
    }
    bool is_late = strcmp(error->rule, "P-199") == 0;
    bool was_stopped = timer->is_stopped;
    timer->is_stopped = cron_failed(&timer->failures, clock_wall_ms(),
                                    (unsigned)LIMIT_TIMER_FAILURES, LIMIT_TIMER_WINDOW_MS);
    announce_notice(engine, "warning", "P-200", is_late ? TEXT_TIMER_LATE : TEXT_TIMER_FAILED, NULL,
                    _("timer %s: %s"), timer->name, error->message);
    if (timer->is_stopped && !was_stopped) {
        announce_notice(engine, "warning", "P-200", NULL, NULL,
                        _("timer %s has failed more than %d times within 24 hours: the cloud would "
                          "stop it"),
                        timer->name, (int)LIMIT_TIMER_FAILURES);
    }
    touch(engine);
}

// ---- when ----

static int64_t next_s(const struct engine *engine, const struct cron *cron, int64_t after_s)
{
    return cron_next(cron, after_s, environment_region_utc_offset_s(engine->options.region));
}

static void on_due(void *context)
{
    touch(context);
}

// Only while somebody looks: a snapshot is filled for listeners.
static void wake_at(struct engine *engine, int64_t soonest_ms, int64_t now_ms)
{
    struct timers *timers = engine->timers;
    int64_t after_ms = soonest_ms - now_ms + 1;
    if (!timers->due) {
        timers->due = loop_add_timer(engine->loop, after_ms, on_due, engine);
    } else {
        loop_timer_restart(timers->due, after_ms);
    }
}

void timers_fill(struct engine *engine, struct snapshot *out)
{
    int64_t now_ms = clock_wall_ms();
    int64_t soonest_ms = INT64_MAX;
    for (size_t i = 0; engine->timers && i < engine->timers->count; i++) {
        const struct timer *timer = &engine->timers->items[i];
        struct snapshot_timer *row = &out->timers[out->timer_count++];
        COPY(row->name, timer->name);
        COPY(row->cron, timer->expression);
        COPY(row->function, timer->function);
        COPY(row->state, timer->is_stopped ? "stopped" : "");
        row->next_wall_ms = next_s(engine, &timer->cron, now_ms / 1000) * 1000;
        soonest_ms = row->next_wall_ms < soonest_ms ? row->next_wall_ms : soonest_ms;
    }
    out->utc_offset_s = environment_region_utc_offset_s(engine->options.region);
    if (out->timer_count > 0) {
        wake_at(engine, soonest_ms, now_ms);
    }
}

static struct cJSON *show_timer(const struct engine *engine, const char *name,
                                const char *expression, const char *function,
                                const struct cron *cron)
{
    struct cJSON *tree = json_new_object();
    struct cJSON *times = json_new_array();
    json_put_string(tree, "name", name);
    json_put_string(tree, "cron", expression);
    json_put_string(tree, "function", function);
    int64_t at_s = clock_wall_ms() / 1000;
    for (int i = 0; i < SHOWN_TIMES; i++) {
        at_s = next_s(engine, cron, at_s);
        auto_free char *text = str_printf("%lld", (long long)at_s);
        json_push_string(times, text);
    }
    json_put_tree(tree, "next", times);
    return tree;
}

struct cJSON *timers_show(const struct engine *engine, const char *expression, struct error *error)
{
    struct cron cron;
    if (expression && cron_parse(expression, "cron", &cron, error) < 0) {
        return NULL;
    }
    const char *region = engine->options.region;
    struct cJSON *tree = json_new_object();
    struct cJSON *list = json_new_array();
    json_put_string(tree, "zone", environment_region_zone(region));
    json_put_int(tree, "offset_s", environment_region_utc_offset_s(region));
    if (expression) {
        json_push(list, show_timer(engine, NULL, expression, NULL, &cron));
    }
    for (size_t i = 0; !expression && engine->timers && i < engine->timers->count; i++) {
        const struct timer *timer = &engine->timers->items[i];
        json_push(list, show_timer(engine, timer->name, timer->expression, timer->function,
                                   &timer->cron));
    }
    json_put_tree(tree, "timers", list);
    return tree;
}
