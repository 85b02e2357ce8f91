// What: a spec compiled to an ordered list of operations: plain data, printable, executed by
//       child.c.
// Why: what is done to a process can be read (explain), compared (goldens, without any privilege)
//       and named when it fails; the list depends on spec and features only, never on the host's
//       files: what may be missing is marked optional and decided when it is executed.
// Order: plan_new() in the parent; the forked child inherits the memory and runs it stage by stage
//       with child_run() (child.h); plan_free().
// Owns: copies of everything of the spec it needs.
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/broker.h"
#include "sandbox/ids.h"
#include "sandbox/sandbox.h"

enum plan_kind {
#define OPERATION(kind, name, function) PLAN_##kind,
#include "sandbox/operations.def"
#undef OPERATION
    PLAN_KIND__COUNT
};

enum plan_stage {
    PLAN_PARENT,  // by sandbox.c: clone and the id maps
    PLAN_BUILD,   // by init, then it parks
    PLAN_GO,      // by init, when told which version
    PLAN_COMMAND, // by the command's process, between fork and exec
    PLAN_STAGE__COUNT,
};

// The old root stays here between clone and go, so that init can reach the versions; then it is
// detached. Until then only init runs. The one writable file system is at PLAN_WRITABLE_ROOT until
// then.
#define PLAN_HOST_ROOT     "/.host"
#define PLAN_WRITABLE_ROOT "/.writable"

enum plan_flags {
    PLAN_READ_ONLY_FLAG = 1,
    PLAN_OPTIONAL = 2, // a failure is skipped
    PLAN_DEVICE = 4,   // a device node: nodev is left off
    PLAN_OWNED = 8,    // belongs to the command's user
};

struct plan_op {
    enum plan_kind kind;
    enum plan_stage stage;
    unsigned flags;
    mode_t mode;
    uint64_t size;
    char *target; // inside
    char *source; // host path of binds, link text of symlinks
    char *text;   // mount options, ids, what a reader should know
    char *bytes;  // FILE
    size_t byte_count;
    int fd; // of a bind's source, between open-sources and the bind; -1
};

struct plan {
    struct plan_op *ops;
    size_t count;
    size_t capacity;
    enum sandbox_level level;
    unsigned long clone_flags; // CLONE_NEW*; 0 at level none
    bool pid_namespace;
    struct ids ids; // the map, when there is a user namespace
    uid_t uid;      // of the command, seen from init
    gid_t gid;
    bool drops_ids; // init is root and the command must not be
    char *home;     // where the command finds it: at level none below private_dir
    char *work_dir;
    char *spec_home;
    bool broker;
    struct broker_rule rule;
};

// NULL and an error when the spec cannot be carried out on this host (the app would run as real
// root).
struct plan *plan_new(const struct sandbox_spec *spec, const struct sandbox_host *host,
                      struct error *error);
void plan_free(struct plan *plan);
const char *plan_kind_name(enum plan_kind kind);
// One line without newline: "bind /usr <- /usr (read-only)". Allocates nothing.
void plan_op_text(const struct plan_op *op, char *out, size_t size);
// A path inside, as the command sees it: at level none home is elsewhere. Into out; false if too
// long.
bool plan_map_path(const struct plan *plan, const char *path, char *out, size_t size);

#endif
