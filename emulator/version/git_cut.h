// What: cuts versions of what git has committed (`--from git`): a base, and a delta of what differs
//       from it, as cut.h does for files. Why not cut.h: what a Git deploy has is not on the disk
//       but in HEAD; modes and links are kept, and no rule of an upload applies (P-220).
// Order: git_cut_version for each; the store and the removal of directories are cut.h's.
// Owns: git_cut_release().
#ifndef EMULATOR_VERSION_GIT_CUT_H
#define EMULATOR_VERSION_GIT_CUT_H

#include "emulator/version/git.h"
#include "emulator/version/layer.h"
#include "emulator/watch/tree.h"

struct git_cut {
    char *base, *delta; // names of the last version's directories; NULL: none
    char base_tree[GIT_ID_SIZE], tree[GIT_ID_SIZE];
};

// The version of `tree` (git_head()). store, owner: as in cut.h. *ret_listing: what is in it.
int git_cut_version(struct git_cut *cut, const struct git *git, const char *tree, const char *tag,
                    const char *store, struct layer_owner owner, struct git_listing *ret_listing,
                    struct tree_version *ret_version, struct error *error);
void git_cut_release(struct git_cut *cut);

#endif
