// The versions that the fleet may still start instances of. An instance keeps its own as well; the
// tree's copy goes when nobody has it any more.

#include <stdlib.h>

#include "emulator/engine/rollout.h"
#include "emulator/engine/running.h"
#include "sandbox/base/cleanup.h"

struct release *release_find(const struct engine *engine, uint64_t number)
{
    struct release *at = engine->rollout->releases;
    while (at && at->number != number) {
        at = at->next;
    }
    return at;
}

struct release *release_add(struct engine *engine)
{
    struct rollout *rollout = engine->rollout;
    struct release *release = mem_alloc(sizeof *release);
    release->number = ++rollout->last_number;
    tree_version_copy(&release->version, &engine->deployment.version);
    strlist_copy(&release->built_lowers, &engine->built.built_lowers);
    release->next = rollout->releases;
    rollout->releases = release;
    return release;
}

bool rollout_version_in_use(const struct engine *engine, const char *tag)
{
    for (const struct running *at = engine->runnings; at; at = at->next) {
        if (str_equal(at->version.tag, tag)) {
            return true;
        }
    }
    const struct release *release = engine->rollout ? engine->rollout->releases : NULL;
    while (release && !str_equal(release->version.tag, tag)) {
        release = release->next;
    }
    return release ||
           (engine->deployment.has_version && str_equal(engine->deployment.version.tag, tag));
}

static void drop(struct engine *engine, struct release **slot)
{
    struct release *release = *slot;
    *slot = release->next;
    if (release->version.tag && engine->tree &&
        !rollout_version_in_use(engine, release->version.tag)) {
        tree_release_version(engine->tree, release->version.tag);
    }
    tree_version_release(&release->version);
    strlist_clear(&release->built_lowers);
    free(release);
}

void releases_drop_unused(struct engine *engine)
{
    struct release **slot = &engine->rollout->releases;
    while (*slot) {
        if (fleet_needs(engine->rollout->fleet, (*slot)->number)) {
            slot = &(*slot)->next;
        } else {
            drop(engine, slot);
        }
    }
}

void releases_clear(struct engine *engine)
{
    while (engine->rollout->releases) {
        drop(engine, &engine->rollout->releases);
    }
}
