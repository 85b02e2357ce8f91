// What: a version without overlayfs: layers of directories copied into one, upper layers over lower
//       ones.
// Why: hosts without overlayfs in user namespaces still run, only slower.
// Not: hard links, device nodes, sockets: an upload has none.
#ifndef SANDBOX_VERSION_H
#define SANDBOX_VERSION_H

#include <stddef.h>
#include <sys/types.h>

struct version_owner {
    uid_t uid; // (uid_t)-1: ours
    gid_t gid;
};

// lowers topmost first, prefix is put before each ("" for none). Whiteouts (character device 0:0)
// and opaque directories (user.overlay.opaque or trusted.overlay.opaque = y) are obeyed. `to`
// exists. 0 or -1 with errno.
int version_copy(char *const *lowers, size_t lower_count, const char *prefix, const char *to,
                 struct version_owner owner);

#endif
