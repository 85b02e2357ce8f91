// What: which layer a build of these inputs would use, and whether it is there already. Only looks:
//      takes no lock, makes no directory, marks nothing as used.
// Why: `explain` says what would be done without doing it.
// Owns: build_look_release().
#ifndef EMULATOR_BUILD_LOOK_H
#define EMULATOR_BUILD_LOOK_H

#include "emulator/build/build.h"
#include "emulator/version/view.h"

struct build_look {
    char *key;    // of the layer
    char *dir;    // where it is or would be on the host
    char *target; // inside
    bool cached;
    bool nothing_to_install; // requirements.txt names no package
    char *products;          // the key of what build commands leave; NULL: there are none
    bool products_cached;
};

// upload: of the build root, live. Of the request are used: yaml, build_env, cache_dir, host.
// keep_modes: executable bits count, as with --keep-modes. Reads all sources when there are build
// commands.
int build_look(const struct build_request *request, const struct view *upload,
               const struct python *python, bool keep_modes, struct build_look *ret_look,
               struct error *error);
void build_look_release(struct build_look *look);

#endif
