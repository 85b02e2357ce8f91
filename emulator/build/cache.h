// What: the helper "leanlocal @cache": everything about the cache that takes time. Its words:
//      publish JOB CACHE     store_publish(); answers {bytes} or {error}, then prunes behind
//                            everybody's back
//      digest CACHE DIR...   of all files of these lowers, topmost first; answers {digest,
//                            new_bytes}
//      require JOB           required_digest() or, with a `dir`, required_copy() (required.h)
//      sweep CACHE           what dead builds left
//      list CACHE            answers {bytes, max_bytes, entries: [...]}
//      prune CACHE BYTES|""  the oldest go until that many bytes are left; answers what went
// Why: the engine's loop does not wait for a disk.
// Rules: what somebody holds a lease on is never removed (store.h); an entry is a layer, the
//      products of build commands, or pip's own cache. LEANLOCAL_CACHE_BYTES is the bound, 5 GB
//      without it. See docs/decisions/0013.
#ifndef EMULATOR_BUILD_CACHE_H
#define EMULATOR_BUILD_CACHE_H

#include <stdint.h>

#include "emulator/version/view.h"
#include "sandbox/base/error.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/mem.h"

struct cJSON;

// The bound by the user's environment; ERROR_USAGE when it cannot be read.
int cache_bound(const struct strlist *env, int64_t *ret_bytes, struct error *error);
struct cJSON *cache_list(const char *cache_dir);
// {removed: [...], removed_bytes, bytes, kept_in_use}. What was used within spare_ms stays.
struct cJSON *cache_prune(const char *cache_dir, int64_t max_bytes, int64_t spare_ms);

// Of all files of an upload: names, sizes, executable bits, contents. Adds to *ret_bytes. Blocks.
enum source_modes { SOURCE_MODES_OF_VERSION, SOURCE_MODES_KEPT, SOURCE_MODES_DROPPED };
int cache_hash_sources(const struct view *view, enum source_modes modes,
                       char ret_digest[static HASH_HEX_SIZE], int64_t *ret_bytes,
                       struct error *error);

int cache_helper_main(int argc, char **argv);

#endif
