// What: the operations that build what the app sees: its root, mounts, files, version.
// Why: half of child.c, and another subject: here paths and mounts, there the process itself.
// Order: as the plan has them; root_open_sources before root_pivot.
// Not: for anybody but operations.def.
#ifndef SANDBOX_CHILD_ROOT_H
#define SANDBOX_CHILD_ROOT_H

#include "sandbox/child.h"

typedef int child_fn(struct child *child, struct plan_op *op); // 0, or -1 with errno

child_fn root_private;
child_fn root_open_sources;
child_fn root_pivot;
child_fn root_bind;
child_fn root_directory;
child_fn root_file;
child_fn root_symlink;
child_fn root_proc;
child_fn root_protect;
child_fn root_tmpfs;
child_fn root_devpts;
child_fn root_writable;
child_fn root_overlay;
child_fn root_copy;
child_fn root_detach;
child_fn root_read_only;

#endif
