// What: the cache on disk: names, locks, leases, publishing.
// Layout, below <cache>: layers/ holds what install made, built/ what build commands made. In both
//      <key>        complete: it holds .leanlocal/layer.json
//      tmp-<key>    in the making (a layer at level none: <key> itself, without layer.json)
//      home-<key>   level none: stands for home meanwhile
//      dead-...     to be removed
//      <key>.lock   flock: its holder alone may make or clean <key>
//      <key>.use    flock, shared: a lease; who prunes needs it alone
//      <key>.salt   after --no-cache: what counts is <key>-<salt>
// Why a salt: what is in use must not change nor vanish, so --no-cache makes another one beside it.
// Why flock: it ends with its holder, in any PID namespace; so what has no holder is garbage.
// Order: store_slot_open() -> store_slot_lease() -> store_slot_lock() -> store_slot_look(): reuse
//      it; or store_slot_prepare(), fill work_dir, store_publish() -> store_slot_unlock().
// Owns: store_slot_release() unlocks; the lease goes to who uses the layer (build_leases_take()).
// Not: blocking, but for store_publish() and store_sweep(): for the helper "@cache" (cache.h).
#ifndef EMULATOR_BUILD_STORE_H
#define EMULATOR_BUILD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct cJSON;

enum store_room { STORE_LAYERS, STORE_BUILT, STORE_ROOM__COUNT };
const char *store_room_name(enum store_room room);

struct store_slot {
    enum store_room room;
    char *room_dir;
    char *key;      // 32 hex digits
    char *salt;     // "" usually
    char *dir;      // the final place
    char *work_dir; // where it is made; equals dir for a layer at level none
    char *home_dir; // a layer at level none, else NULL
    int lock_fd;    // -1: not held
    int lease_fd;   // -1: not held
};

enum store_state {
    STORE_ABSENT,
    STORE_DAMAGED, // something is there that cannot be used
    STORE_COMPLETE,
};

// in_place: level none, where nothing can be mounted at a fixed path. fresh: --no-cache.
int store_slot_open(struct store_slot *slot, const char *cache_dir, enum store_room room,
                    const char *key, bool in_place, bool fresh, struct error *error);
// From now on nobody removes it. 1: held. 0: it is just being looked at or removed: try again soon.
int store_slot_lease(struct store_slot *slot, struct error *error);
// Marks it as used. *ret_record: what was written at publishing, the caller's; NULL unless
// complete.
enum store_state store_slot_look(const struct store_slot *slot, struct cJSON **ret_record);
// 1: held now, holder is written into it. 0: another build holds it. -1: error.
int store_slot_lock(struct store_slot *slot, const char *holder, struct error *error);
// Where the entry of key is or would be (owned by the caller), its name, and whether it is
// complete. Changes nothing.
char *store_look(const char *cache_dir, enum store_room room, const char *key, char **ret_name,
                 bool *ret_complete);
// What the holder of the lock wrote; "" if that is unknown.
char *store_slot_holder(const struct store_slot *slot);
// An empty work_dir (and home_dir). Needs the lock.
int store_slot_prepare(struct store_slot *slot, struct error *error);
void store_slot_unlock(struct store_slot *slot);
void store_slot_release(struct store_slot *slot);

// What store_publish() needs to know, as JSON, to be handed to the helper. record: taken.
struct cJSON *store_publish_job(const struct store_slot *slot, struct cJSON *record);
// Removes our own files, measures, records, renames into place. Needs the lock (somebody's).
// On failure nothing is left.
int store_publish(const struct cJSON *job, int64_t *ret_bytes, struct error *error);

// A lock file that nobody has unlinked meanwhile. operation: LOCK_EX or LOCK_SH. -1 with errno;
// EWOULDBLOCK: somebody else's.
int store_lock_file(const char *path, int operation);
// Renames to dead-..., for store_sweep().
int store_bury(const char *room_dir, const char *path, struct error *error);
// "<key>" or "<key>-<salt>".
bool store_is_entry(const char *name);
int64_t store_measure(const char *path, int64_t *ret_files); // bytes on disk, of all below
// Removes what no live build owns.
void store_sweep(const char *cache_dir);

#define STORE_RECORD ".leanlocal/layer.json"

#endif
