// What: the project's timers (`.leanlocal.yaml`, docs/decisions/0040): when each is due next, and
//       what the platform would do about their failures.
// Order: timers_read() with the options; timer_find() for a call by hand, timer_ended() after it.
// Not: running them by themselves.
#ifndef EMULATOR_ENGINE_TIMERS_H
#define EMULATOR_ENGINE_TIMERS_H

#include "emulator/engine/internal.h"
#include "emulator/formats/cron.h"

struct timer {
    char *name, *expression, *function, *data; // data: JSON or NULL
    struct cron cron;
    struct cron_failures failures;
    bool is_stopped; // the platform would have
};

struct timers {
    struct timer *items;
    size_t count;
    struct loop_source *due; // the next time that is shown changes then
};

void timers_read(struct engine *engine, const struct cJSON *options);
void timers_release(struct engine *engine);
// NULL: there is none of that name; error lists those there are.
struct timer *timer_find(const struct engine *engine, const char *name, struct error *error);
// After a call by hand (P-200): error is NULL when it went well.
void timer_ended(struct engine *engine, struct timer *timer, const struct error *error);
void timers_fill(struct engine *engine, struct snapshot *out);
// {zone, offset_s, timers:[{name, cron, function, next:[seconds since 1970 ...]}]}: of one
// expression, or (NULL) of the project's timers. NULL with error: it is none.
struct cJSON *timers_show(const struct engine *engine, const char *expression, struct error *error);

#endif
