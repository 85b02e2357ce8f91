// What: why a feature of the sandbox is missing on this host, and what mends it. The causes are
//       rows of causes.def; which one it is, is decided here from the errno and from what was read.
// Why: the same EPERM comes from Ubuntu's AppArmor rule, Docker's filter or a sysctl, and each has
//      its own, narrow way out.
// Owns: nothing; mend_commands() is the caller's.
// Not: looking at the host (scene.c does); changing it. It never suggests to turn a protection off
//      for the whole machine where a narrower way exists.
#ifndef EMULATOR_DOCTOR_MEND_H
#define EMULATOR_DOCTOR_MEND_H

#include <stdbool.h>

#include "sandbox/sandbox.h"

enum cause {
#define CAUSE(id, name, text, commands) CAUSE_##id,
#include "emulator/doctor/causes.def"
#undef CAUSE
    CAUSE__COUNT,
};

enum container {
    CONTAINER_NONE,
    CONTAINER_DOCKER,
    CONTAINER_PODMAN,
    CONTAINER_KUBERNETES,
    CONTAINER_LXC,
    CONTAINER_OTHER,
};

// Numbers are -1 where the host has no such switch.
struct scene {
    enum container container;
    long apparmor_restricts; // kernel.apparmor_restrict_unprivileged_userns
    long userns_clone;       // kernel.unprivileged_userns_clone
    long max_user_namespaces;
    long max_pid_namespaces;
    long max_mount_namespaces;
    long ptrace_scope;
    long seccomp;          // of our own process: 2 is a filter
    bool knows_overlay;    // it is in /proc/filesystems
    char program[4096];    // our own real path
    char distribution[64]; // PRETTY_NAME, or ""
};

// root: what to put before the paths, "" usually (LEANLOCAL_SYSTEM_ROOT). Reads a few small files.
void scene_read(struct scene *ret_scene, const char *root);
const char *container_name(enum container container);

// CAUSE_NONE: the feature is there.
enum cause mend_cause(const struct scene *scene, const struct sandbox_host *host,
                      enum sandbox_feature feature);
const char *mend_name(enum cause cause); // stable: "apparmor"
const char *mend_text(enum cause cause); // translated
// Lines to type, "" for none. Owned by the caller.
char *mend_commands(enum cause cause, const struct scene *scene);

#endif
