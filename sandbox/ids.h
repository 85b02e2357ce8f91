// What: the id maps of a user namespace, written by the parent.
// Why: as real root two ids are wanted: 0, so that init can build, and an unprivileged one for the
//       command. An ordinary user can map only itself.
// Not: deciding which; the plan does.
#ifndef SANDBOX_IDS_H
#define SANDBOX_IDS_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/base/error.h"

struct ids {
    bool second;    // two ids: inner 0 <- outer 0, inner uid <- outer host_uid; else uid <- our own
    uid_t uid;      // inside
    gid_t gid;      // inside
    uid_t host_uid; // outside, with second
    gid_t host_gid;
};

// For the process `pid`, a child of ours in a new user namespace that waits for it.
int ids_write(pid_t pid, const struct ids *ids, struct error *error);
// Our own user namespace is the host's: 0 in it is real root.
bool ids_in_first_namespace(void);

#endif
