// What: what a project keeps over saves and restarts (`persist:` in .leanlocal.yaml): named files
//       and directories of the app, in a directory of the host.
// Why: in the cloud nothing that is written outlives an instance (P-131); while one develops, a
//      database that is empty after each save is in the way.
// How: a directory is bound over the app's. A file is a link into the kept directory: what SQLite
//      writes beside it (journal, WAL) is kept with it then, and two instances that meet at a
//      switch see each other's locks and journals.
// Order: kept_prepare() once, or kept_list() to show them; binds and links go into each instance's
//      spec; kept_release().
// Owns: its texts. The directory stays: only people remove it.
// Not: without mounts (sandbox level none).
#ifndef EMULATOR_INSTANCE_KEPT_H
#define EMULATOR_INSTANCE_KEPT_H

#include <stddef.h>
#include <sys/types.h>

#include "emulator/version/view.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"
#include "sandbox/sandbox.h"

struct kept {
    struct sandbox_bind *binds;
    size_t bind_count;
    struct sandbox_symlink *symlinks;
    size_t symlink_count;
    struct strlist texts; // owns what both point to
};

struct kept_options {
    const char *dir;             // of the project's kept things
    const struct strlist *names; // below the app's root, clean; with a last "/": a directory
    const struct view *upload;   // what is not kept yet begins as what lies there
    bool own_files;              // as real root: they are given to uid and gid
    uid_t uid;
    gid_t gid;
};

// The binds and links alone; makes nothing.
void kept_list(struct kept *kept, const struct kept_options *options);
// The same, and makes what is not there yet. Blocks as long as the copies take.
int kept_prepare(struct kept *kept, const struct kept_options *options, struct error *error);
void kept_release(struct kept *kept);

#endif
