// What: one isolated process tree: what it may see (spec), how that is built (plan, a printable
//       list), and its life: spawn -> parked -> go -> listening -> exited.
// Why: the app runs as in the cloud's container, sees nothing of the host that it should not, and
//       leaves nothing behind. Knows no cloud, no Python, no loop: numbers and names come in the
//       spec.
// Order: sandbox_probe() once per process; then for each tree sandbox_spawn() (builds everything
//       but the app's own files; PID 1 inside is our init, parked), sandbox_go() (mounts the
//       version, starts the command), events through sandbox_fd() + sandbox_next_event() until
//       SANDBOX_EXITED, sandbox_free().
// Owns: the process tree. sandbox_free() kills what is left; if our process dies for any reason,
//       every process of the tree dies too (PDEATHSIG + PID namespace, or a reaper at level none).
// Not: blocking. spawn returns after clone; failures inside come as SANDBOX_FAILED with the error
//       object.
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

// ---- what this host can do, each found out by doing it (never by version numbers) ----

enum sandbox_feature {
    SANDBOX_USER_NAMESPACE,
    SANDBOX_MOUNT, // mount namespace, tmpfs, binds, pivot_root
    SANDBOX_PROC,  // own /proc on an own PID namespace
    SANDBOX_PID_NAMESPACE,
    SANDBOX_OVERLAY, // overlayfs with a tmpfs upper: delete and recreate a lower directory
    SANDBOX_NOTIFY,  // seccomp user notification + pidfd_getfd: the port broker
    SANDBOX_FEATURE__COUNT,
};

struct sandbox_host {
    bool has[SANDBOX_FEATURE__COUNT];
    char reason[SANDBOX_FEATURE__COUNT][160]; // why not: the failing call and errno text
    int errnum[SANDBOX_FEATURE__COUNT];       // of that call; 0: none failed, or none was reached
    bool denied[SANDBOX_FEATURE__COUNT];      // by LEANLOCAL_SANDBOX_DENY
    bool is_root;                             // effective uid 0 in our own namespace
    bool maps_ids;                            // may map a second, unprivileged id (real root)
};

enum sandbox_level {
    SANDBOX_LEVEL_FULL,      // all of the above
    SANDBOX_LEVEL_CONTAINER, // mount + PID work, something else is missing
    SANDBOX_LEVEL_NONE,      // no namespaces: private directory, environment, broker if it can
};

// LEANLOCAL_SANDBOX_DENY="mount,proc,..." (names below) makes features look absent: for tests and
// people.
void sandbox_probe(struct sandbox_host *ret_host);
// Whether that variable names it. "cgroup" is one more name: of no level, since nothing is lost
// without it (cgroup.h).
bool sandbox_is_denied(const char *name);
enum sandbox_level sandbox_host_level(const struct sandbox_host *host);
const char *sandbox_feature_name(enum sandbox_feature feature); // "user-namespace", "mount", ...
const char *sandbox_level_name(enum sandbox_level level);       // "full", "container", "none"

// ---- spec: what is wanted ----

#define SANDBOX_PRIVATE_TMP ".tmp"

enum sandbox_bind_flags {
    SANDBOX_BIND_WRITABLE = 1,
    SANDBOX_BIND_OPTIONAL = 2, // a missing source is skipped
};

struct sandbox_bind {
    const char *source; // host path
    const char *target; // inside
    unsigned flags;
};

struct sandbox_file {
    const char *target; // inside; parents are made
    const void *bytes;
    size_t len;
    mode_t mode;
};

struct sandbox_symlink {
    const char *target; // inside: where the link is
    const char *to;
};

// Below work_dir, binds and files are put in place after the version. At level none binds and files
// below home become links and copies below private_dir, all others cannot be had. Sources of binds
// are found as the host sees them, links followed.
struct sandbox_spec {
    const char *hostname;
    const char *user_name; // "leanengine": in the synthetic passwd and group
    uid_t uid;             // inside
    gid_t gid;
    // Outside, when we are root; ignored otherwise. Not 0: the app never runs as real root.
    // Versions (lowers) and writable binds should belong to it. Without a user namespace it is the
    // id inside too.
    uid_t host_uid;
    gid_t host_gid;
    const char *home;     // "/home/leanengine": writable
    const char *work_dir; // "/home/leanengine/app": where sandbox_go mounts the version; under home
    uint64_t writable_bytes; // one tmpfs for home and /tmp together
    uint64_t shm_bytes;      // /dev/shm
    const struct sandbox_bind *binds;
    size_t bind_count;
    const struct sandbox_file *files;
    size_t file_count;
    const struct sandbox_symlink *symlinks;
    size_t symlink_count;
    // /usr, /bin.., and the named pieces of /etc that outbound calls and text need
    bool system_dirs;
    const char *const
        *groups; // directories of control groups that init joins, if it can (cgroup.h)
    size_t group_count;
    // Port broker: bind() and listen() of IPv4/IPv6 sockets are performed by init on `address`.
    bool broker;
    uint32_t address;     // host byte order, e.g. 127.77.3.1; 0 with broker off
    uint16_t public_port; // what the app is told and binds: 3000
    uint16_t actual_port; // what is really bound for it; usually the same
    // Level none: the host directory that stands for home; must exist. Removed by the caller. What
    // /tmp would be is SANDBOX_PRIVATE_TMP in it; the command's TMPDIR should say so.
    const char *private_dir;
};

// The plan as text, one operation a line: for `explain` and goldens. Needs no privilege. Owned by
// caller.
char *sandbox_plan_text(const struct sandbox_spec *spec, const struct sandbox_host *host);

// ---- life ----

// How the app's files get to work_dir.
struct sandbox_version {
    // Host directories, topmost first; overlaid, or copied where overlay is absent. 64 at most.
    const char *const *lowers;
    size_t lower_count; // 0: work_dir is left empty
    bool from_binds;    // true: work_dir is already there by a bind, mount nothing
};

struct sandbox_command {
    char *const *argv; // argv[0] is looked up on PATH of env when it has no '/'
    char *const *env;
    const char *cwd;        // inside
    int stdin_fd;           // -1: /dev/null
    int stdout_fd;          // required
    int stderr_fd;          // required
    bool terminal;          // stdin_fd is a terminal: new session, make it the controlling one
    const char *umask_note; // unused, NULL
};

enum sandbox_event_kind {
    SANDBOX_NOTHING,        // nothing to read now
    SANDBOX_PARKED,         // everything is built, waiting for go
    SANDBOX_STARTED,        // exec worked
    SANDBOX_FAILED,         // error says at which operation; the tree is gone or going
    SANDBOX_BOUND,          // a bind was performed (asked_*, actual_*)
    SANDBOX_LISTENING,      // a listen was performed on a socket bound here: the app is reachable
    SANDBOX_REACHED,        // a service of the host on loopback is used (asked_*); told once a port
    SANDBOX_COMMAND_EXITED, // the command itself ended (status); init ends the rest
    SANDBOX_EXITED,         // init is gone and reaped: nothing is left. Last event.
};

struct sandbox_event {
    enum sandbox_event_kind kind;
    struct error error;     // FAILED
    int wait_status;        // COMMAND_EXITED; EXITED: init's own status if no COMMAND_EXITED came
    char asked_address[64]; // BOUND, LISTENING, REACHED: "0.0.0.0", "127.0.0.1", "::"
    uint16_t asked_port;
    char actual_address[64];
    uint16_t actual_port;
    int errnum; // BOUND: 0, or why the bind was refused
};

struct sandbox;

// Our process must have one thread (init is a forked copy of it that never execs). The command gets
// our resource limits as they are now. NULL on a failure before clone.
struct sandbox *sandbox_spawn(const struct sandbox_spec *spec, const struct sandbox_host *host,
                              struct error *error);
// Readable when sandbox_next_event() has something (an epoll descriptor: control socket + pidfd).
int sandbox_fd(const struct sandbox *sandbox);
void sandbox_next_event(struct sandbox *sandbox, struct sandbox_event *ret_event);
// Descriptors stay the caller's. Mounts the version, starts the command. Once; may be called before
// PARKED (it is queued in the socket).
int sandbox_go(struct sandbox *sandbox, const struct sandbox_version *version,
               const struct sandbox_command *command, struct error *error);
// To the command's process group (TERM for a polite end).
void sandbox_signal(struct sandbox *sandbox, int number);
// SIGKILL to init: the kernel ends the rest. EXITED still comes.
void sandbox_kill(struct sandbox *sandbox);
pid_t sandbox_pid(const struct sandbox *sandbox); // init's pid outside
// Kills if alive, reaps, frees. May block a few ms if still alive: prefer after EXITED.
void sandbox_free(struct sandbox *sandbox);

#endif
