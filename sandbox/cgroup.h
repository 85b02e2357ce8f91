// What: control groups of our own, one or two for a process tree: the memory that is charged to it,
//       a share of the processors.
// Why: anonymous memory, each shared page once, at the price of one read; half a processor; and the
//      kernel as a backstop should a tree grow faster than anybody looks.
// Order: cgroup_probe() once (finds our own groups and makes one below them, to see); then for each
//        tree cgroup_new(), the tree's first process joins by itself (sandbox_spec.groups), reads,
//        cgroup_free() when the tree is gone. cgroup_sweep() of what a dead owner had.
// Owns: the directories it makes, named PREFIX...; nothing else is ever touched but, with v2, our
//       own group's list of what its children may count.
// Not: an error where nothing can be had: the place says why, and the caller looks at the tree
//      itself.
// Sources: cgroups(7), Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_PREFIX "leanlocal-"

enum cgroup_kind { CGROUP_MEMORY, CGROUP_CPU, CGROUP_KIND__COUNT };

struct cgroup_host {
    struct cgroup_place {
        char *dir;        // our own group, below which groups can be made; NULL: none can
        bool unified;     // v2
        char reason[160]; // why not
    } places[CGROUP_KIND__COUNT];
    char owner[48]; // what the names of our groups begin with: no other process has the same
};

// LEANLOCAL_SANDBOX_DENY=cgroup: nothing can be had.
void cgroup_probe(struct cgroup_host *ret_host);
void cgroup_host_release(struct cgroup_host *host);
// "cgroup v2 /sys/fs/cgroup/..."; NULL: none. Owned by the caller.
char *cgroup_describe(const struct cgroup_host *host, enum cgroup_kind kind);

struct cgroup_limits {
    int64_t memory_bytes; // of everything that is charged, files of a tmpfs too
    int64_t cpu_milli;
};

struct cgroup;

// NULL: nothing of it can be had now.
struct cgroup *cgroup_new(const struct cgroup_host *host, const char *name,
                          const struct cgroup_limits *limits);
// The directories that the tree's first process has to join; how many of the two.
size_t cgroup_dirs(const struct cgroup *group, const char *ret_dirs[static CGROUP_KIND__COUNT]);
bool cgroup_has(const struct cgroup *group, enum cgroup_kind kind);
// Bytes, resident or swapped; -1: nobody has joined (yet), or it cannot be read.
int64_t cgroup_anonymous_bytes(const struct cgroup *group);
// How many processes the kernel has killed in it, because nothing more could be charged.
int64_t cgroup_kills(const struct cgroup *group);
void cgroup_free(struct cgroup *group);

// ---- dead owners ----

// One line a place, for a file that outlives us.
char *cgroup_record(const struct cgroup_host *host);
// Removes what the owner of that record left; what still runs in it is killed. May take some ms.
void cgroup_sweep(const char *record);

// ---- of the kernel's texts ----

// cgroup_probe() with these: the texts of /proc/self/mountinfo and /proc/self/cgroup, NULL if
// unknown.
void cgroup_probe_texts(const char *mountinfo, const char *membership,
                        struct cgroup_host *ret_host);

// Our own group's directory for that controller. Pure. NULL: it has none that can be reached. Owned
// by the caller.
char *cgroup_own_dir(const char *mountinfo, const char *membership, const char *controller,
                     bool *ret_unified);
// The number behind a key that begins a line: "anon 4096"; -1: no such line. Pure.
int64_t cgroup_value(const char *text, const char *key);

#endif
