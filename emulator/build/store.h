// What: the cache's layers on disk: names, locks, publishing, cleaning.
// Layout, below <cache>/layers:
//      <key>        a complete layer: it holds .leanlocal/layer.json
//      tmp-<key>    in the making (level none: <key> itself, without layer.json)
//      home-<key>   level none: stands for home meanwhile
//      <key>.lock   flock: its holder alone may make or clean <key>
//      <key>.salt   after --no-cache: the layer is <key>-<salt>
// Why a salt: a layer in use must not change nor vanish, so --no-cache makes another one beside it.
// Why flock: it ends with its holder, in any PID namespace; so what has no holder is garbage.
// Owns: store_slot_release() unlocks.
#ifndef EMULATOR_BUILD_STORE_H
#define EMULATOR_BUILD_STORE_H

#include <stdbool.h>

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct store_slot {
    char *layers_dir;
    char *key;      // 32 hex digits
    char *salt;     // "" usually
    char *dir;      // the layer's final place
    char *work_dir; // where it is made; equals dir at level none
    char *home_dir; // level none, else NULL
    int lock_fd;    // -1: not held
};

// in_place: level none, where nothing can be mounted at a fixed path. fresh: --no-cache.
int store_slot_open(struct store_slot *slot, const char *cache_dir, const char *key, bool in_place,
                    bool fresh, struct error *error);
// The layer is there and complete; marks it as used. *ret_conflicts: what was recorded with it.
bool store_slot_is_complete(const struct store_slot *slot, struct strlist *ret_conflicts);
// Where the layer of key is or would be (owned by the caller), its name, and whether it is
// complete. Changes nothing.
char *store_look(const char *cache_dir, const char *key, char **ret_name, bool *ret_complete);
// 1: held now. 0: another build holds it. -1: error.
int store_slot_lock(struct store_slot *slot, struct error *error);
// An empty work_dir (and home_dir). Needs the lock.
int store_slot_prepare(struct store_slot *slot, struct error *error);
// Records and publishes by rename. Needs the lock.
int store_slot_publish(struct store_slot *slot, const char *python, const char *pip,
                       const struct strlist *conflicts, struct error *error);
void store_slot_unlock(struct store_slot *slot);
void store_slot_release(struct store_slot *slot);

// Removes what no live build owns, and all but the newest results of build commands. May take long:
// for the helper, not the loop.
void store_sweep(const char *cache_dir);

#endif
