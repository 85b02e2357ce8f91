// What: what rollout.c, rollout_tell.c and releases.c know of each other.
// Not: for anybody else.
#ifndef EMULATOR_ENGINE_ROLLOUT_H
#define EMULATOR_ENGINE_ROLLOUT_H

#include "emulator/engine/internal.h"
#include "emulator/fleet/fleet.h"

// A version that instances may still be made of; the fleet knows its number.
struct release {
    struct release *next;
    uint64_t number;
    struct tree_version version;
    struct strlist built_lowers;
};

// Why an event has come: told by the action that it causes.
struct reason {
    struct error error;
    enum stage stage;
};

struct queued {
    struct queued *next;
    struct fleet_event event;
    struct reason reason;
};

struct rollout {
    struct fleet *fleet;
    struct fleet_actions actions;
    struct loop_source *timer;
    struct release *releases;
    uint64_t last_number;
    struct queued *queue, **queue_end;
    bool busy;
    int64_t begun_ms;          // of the deployment's first start
    struct error *wants_error; // of who asked for a restart
};

// ---- rollout.c ----
struct running *rollout_find(const struct engine *engine, unsigned id); // NULL: gone
bool rollout_is_deploying(const struct engine *engine, uint64_t number);
bool rollout_is_group(const struct engine *engine); // of several instances

// ---- releases.c ----
struct release *release_add(struct engine *engine); // what the deployment has built
struct release *release_find(const struct engine *engine, uint64_t number);
void releases_drop_unused(struct engine *engine);
void releases_clear(struct engine *engine);

// ---- rollout_tell.c ----
void rollout_tell_start(struct engine *engine, const struct fleet_action *action);
void rollout_tell_done(struct engine *engine, const struct fleet_action *action);
void rollout_tell_broke(struct engine *engine, const struct fleet_action *action,
                        const struct reason *reason);
void rollout_tell(struct engine *engine, const struct fleet_action *action,
                  const struct reason *reason);

#endif
