#include "emulator/engine/staging.h"

#include <stdio.h>
#include <string.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/rollout.h"
#include "emulator/engine/running.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/i18n.h"

#define FIRST_ID 1000000 // the fleet does not count so far
#define NAME     "-staging"

// ---- its instances ----

bool staging_has(unsigned id)
{
    return id >= FIRST_ID;
}

bool staging_is_name(const struct engine *engine, const char *name)
{
    char first[32];
    staging_name(engine, FIRST_ID, first);
    size_t len = strlen(first);
    return name && strncmp(name, first, len) == 0 && (name[len] == '\0' || name[len] == '-');
}

void staging_name(const struct engine *engine, unsigned id, char name[static 32])
{
    if (id == FIRST_ID) {
        snprintf(name, 32, "%.12s" NAME, engine->options.group);
    } else {
        snprintf(name, 32, "%.12s" NAME "-%u", engine->options.group, id - FIRST_ID + 1);
    }
}

static void refuse(struct engine *engine, const char *rule, const char *text)
{
    gateway_refuse_staging(engine->gateway, rule, text);
}

static void start(struct engine *engine)
{
    struct staging *staging = &engine->staging;
    const struct release *release = release_find(engine, fleet_version(engine->rollout->fleet));
    if (!release || staging->coming || engine->stopping) {
        return; // the first version that serves will renew it
    }
    const struct running_order order = {
        .id = FIRST_ID + staging->started++,
        .slot = 1,
        .role = ROLE_REPLACEMENT,
        .version = &release->version,
        .built_lowers = &release->built_lowers,
    };
    struct error error = {0};
    staging->coming = order.id;
    if (!running_start(engine, &order, &error)) {
        staging->coming = 0;
        announce_notice(engine, "error", error.rule, NULL, error.hint, _("staging: %s"),
                        error.message);
        refuse(engine, "P-160", error.message);
    }
}

// ---- what the gateway wants ----

static void on_wanted(void *context)
{
    struct engine *engine = context;
    engine->staging.wanted = true;
    if (!engine->staging.serving) {
        start(engine);
    }
}

void staging_fill(struct engine *engine, struct gateway_options *gateway)
{
    if (engine->options.front.domains.count) {
        gateway->on_staging_wanted = on_wanted;
    }
}

void staging_begin(struct engine *engine)
{
    if (!engine->options.size->staging) {
        refuse(engine, "P-170", _("trial instances have no staging environment"));
    } else if (engine->options.debug) {
        refuse(engine, "P-160", _("--debug has one instance, and no staging"));
    }
}

void staging_renew(struct engine *engine)
{
    if (!engine->staging.wanted || !engine->options.size->staging || engine->options.debug) {
        return;
    }
    refuse(engine, NULL, NULL); // what refused the old version need not refuse this one
    struct running *coming = rollout_find(engine, engine->staging.coming);
    if (coming) { // of a version that is past
        coming->judged = true;
        instance_terminate(coming->instance, 0);
        engine->staging.coming = 0;
    }
    start(engine);
}

// ---- what its instances report ----

void staging_drained(struct running *running)
{
    instance_terminate(running->instance, LIMIT_TERMINATE_GRACE_MS); // P-174
}

static void retire(struct engine *engine, struct running *old)
{
    old->role = ROLE_OLD;
    health_free(old->health);
    old->health = NULL;
    instance_mark_draining(old->instance);
    gateway_drain(engine->gateway, instance_name(old->instance), true);
}

void staging_healthy(struct running *running)
{
    struct engine *engine = running->engine;
    struct staging *staging = &engine->staging;
    if (running->id != staging->coming) {
        return;
    }
    struct running *old = rollout_find(engine, staging->serving);
    struct gateway_upstream upstream = {.address = instance_address(running->instance),
                                        .port = instance_port(running->instance)};
    snprintf(upstream.name, sizeof upstream.name, "%s", instance_name(running->instance));
    loop_source_free(running->timer);
    running->timer = NULL;
    running->role = ROLE_SERVING;
    staging->serving = running->id;
    staging->coming = 0;
    instance_mark_healthy(running->instance);
    if (running->health) {
        health_set_interval(running->health, engine->times.period_ms);
    }
    gateway_set_staging(engine->gateway, &upstream, 1);
    if (old) {
        retire(engine, old);
    }
    announce_notice(engine, "note", "P-160", NULL, NULL, _("%s is staging, version %s"),
                    upstream.name, running->version.tag);
}

void staging_failed(struct running *running, const struct error *error)
{
    struct engine *engine = running->engine;
    bool current = running->id == engine->staging.coming;
    if (current) {
        engine->staging.coming = 0;
        announce_notice(engine, "error", error->rule, error->cloud, error->hint, _("staging: %s"),
                        error->message);
    }
    if (current && !engine->staging.serving) {
        refuse(engine, "P-160", error->message);
    }
    instance_terminate(running->instance, 0);
}

static void leave(struct engine *engine)
{
    engine->staging.serving = 0;
    gateway_set_staging(engine->gateway, NULL, 0);
}

void staging_unhealthy(struct running *running)
{
    struct engine *engine = running->engine;
    if (running->id == engine->staging.serving) {
        leave(engine);
        retire(engine, running);
        start(engine);
    }
}

void staging_exited(struct engine *engine, unsigned id, const struct error *error)
{
    if (engine->stopping || id != engine->staging.serving) {
        return;
    }
    leave(engine);
    if (error->kind != ERROR_NONE) {
        announce_notice(engine, "error", error->rule, error->cloud, error->hint,
                        _("staging: %s; the next request that wants it starts it again"),
                        error->message);
    }
}
