// What: one directory of a version being written: files copied or linked into it, and whiteouts.
//      Why whiteouts are devices 0:0: overlayfs knows them in every lower layer, also when it is
//      mounted by an ordinary user, who may make exactly this device (DESIGN 13, trap 1).
// Order: layer_create, layer_copy / layer_link / layer_whiteout ..., layer_release. Paths are
//      relative; directories are made as needed, none stays empty.
// Not: fsync. A version does not outlive its engine.
#ifndef EMULATOR_VERSION_LAYER_H
#define EMULATOR_VERSION_LAYER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sandbox/base/error.h"

struct layer_owner {
    bool give; // real root: to uid, gid
    uint32_t uid, gid;
};

struct layer {
    int fd;
    struct layer_owner owner;
    bool keep_modes;         // executable bits stay
    uint64_t written;        // bytes
    char last_dir[PATH_MAX]; // made already
};

int layer_create(struct layer *layer, const char *path, struct layer_owner owner,
                 struct error *error);
enum layer_result { LAYER_DONE, LAYER_GONE, LAYER_FAILED };
// source: absolute, links followed. Copied again while it changes under the copy. *ret_info is what
// was copied. LAYER_GONE: there is no such file any more, or it cannot be read.
enum layer_result layer_copy(struct layer *layer, const char *source, const char *path,
                             struct stat *ret_info, struct error *error);
// The same file as in an older layer. -1 with errno: copy it instead.
int layer_link(struct layer *layer, const char *old_path, const char *path);
// "This name of the layer below is gone." -1 with errno.
int layer_whiteout(struct layer *layer, const char *path);
void layer_release(struct layer *layer);

#endif
