// What: cuts versions: what an upload of the project would contain now, as immutable directories in
//      a store: one full base-<tag>, and for each later version one delta-<tag> with all that
//      differs from the base. A version costs what changed, not what exists.
// Why one delta and not a chain: two lowers mount fast and any older version can go at any time. A
//      file that has not changed since the last delta is a hard link into the new one.
// Order: cut_init; cut_version for each; the store's directories are removed by name (cut_remove,
//      then cut_idle until it is done), never those of the last version: contents are compared with
//      them.
// Note: a base holds no bytecode of the project (noise.def), so nothing there can shadow changed
//      source (DESIGN 13, trap 2).
// Sources: P-62, P-71; DESIGN 4 (version).
#ifndef EMULATOR_VERSION_CUT_H
#define EMULATOR_VERSION_CUT_H

#include "emulator/version/layer.h"
#include "emulator/watch/scan.h"
#include "emulator/watch/tree.h"

struct cut {
    char *store;
    struct layer_owner owner;
    bool keep_modes; // not P-71
    int lock_fd;
    char *base, *delta;       // names of the last version's directories; NULL: none
    bool waste;               // something was put aside
    bool want_base;           // the next version begins a new base
    struct node_list differs; // from the base
};

// Makes the store, waits for a dying owner's lock, and empties it but for what is in keep (names).
int cut_init(struct cut *cut, const char *store, struct layer_owner owner,
             const struct strlist *keep, struct error *error);
void cut_release(struct cut *cut);
// Uses and clears scan->touched. Files that changed meanwhile are in scan->changed afterwards.
int cut_version(struct cut *cut, struct scan *scan, const char *tag,
                struct tree_version *ret_version, struct error *error);
// name: of a directory in the store; anything else is ignored. It is only put aside: see cut_idle.
void cut_remove(struct cut *cut, const char *name);
// Deletes for a few milliseconds what was put aside. true: there is more. For idle moments: some
// disks need milliseconds a file, and a base may have 100 000.
bool cut_idle(struct cut *cut);
// The content of a file as the last version has it; NULL if it has none. Owned by the caller.
char *cut_stored_path(const struct cut *cut, const struct node *node);

// SHA-256's first 16 bytes of a file's content. -1: it cannot be read.
int digest_file(const char *path, unsigned char ret_digest[static DIGEST_SIZE]);

#endif
