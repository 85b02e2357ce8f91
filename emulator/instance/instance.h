// What: one instance of the app ("web1"): a sandbox, its output, its life cycle.
// Why: the life cycle is the same for a save, a verify and a later standby (DESIGN 13): preparing
//      -> parked -> starting -> healthy -> draining -> gone. Variables that depend on the version
//      are given at "go".
// Order: instance_new (preparing; parked when the sandbox says so) -> instance_go (starting) ->
//        instance_mark_healthy -> instance_terminate (draining) -> on_gone -> instance_free.
// Owns: the sandbox, both pipes (or the terminal), the splitters.
// Not: health probes and traffic (the rollout's).
// Sources: P-126, P-120 (limits are marked, not enforced), P-173, P-174, P-176.
#ifndef EMULATOR_INSTANCE_INSTANCE_H
#define EMULATOR_INSTANCE_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/instance/allowance.h"
#include "emulator/logs/journal.h"
#include "emulator/loop.h"
#include "emulator/watch/tree.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"
#include "sandbox/sandbox.h"

enum instance_state {
    INSTANCE_PREPARING,
    INSTANCE_PARKED,
    INSTANCE_STARTING,
    INSTANCE_HEALTHY,
    INSTANCE_DRAINING,
    INSTANCE_GONE,
    INSTANCE__COUNT,
};
const char *instance_state_name(enum instance_state state);

struct instance;

struct instance_options {
    char name[32];
    uint32_t address;     // of the port broker, host byte order; 0: no broker
    uint16_t public_port; // 3000 (P-92)
    uint16_t actual_port;
    const char *region;
    const struct sandbox_bind *binds;
    size_t bind_count;
    const struct sandbox_symlink *symlinks;
    size_t symlink_count;
    const struct sandbox_host *host;
    uid_t host_uid;
    gid_t host_gid;
    const char *private_dir; // level none
    // What its size allows (allowance.h); memory_bytes 0: nothing is watched.
    struct allowance_limits limits;
    const struct cgroup_host *groups;
    unsigned number; // among the engine's instances
    bool terminal;   // --debug: stdin, stdout and stderr are one terminal, and one may type
    struct journal *journal;
    void *context;
    void (*on_state)(void *context, struct instance *instance);
    // The app called listen() on its port, or any other. asked: "0.0.0.0:3000".
    void (*on_listening)(void *context, struct instance *instance, const char *asked,
                         uint16_t asked_port);
    // It uses a service of the host on loopback, "127.0.0.1:6379" (P-214); told once a port.
    void (*on_reached)(void *context, struct instance *instance, const char *asked,
                       uint16_t asked_port);
    // A step before exec failed. The instance goes.
    void (*on_failed)(void *context, struct instance *instance, const struct error *error);
    // Nothing is left of it. wait_status is the app's own, or init's if init was killed.
    void (*on_gone)(void *context, struct instance *instance, int wait_status, bool app_exited);
    void (*on_output)(void *context, struct instance *instance); // the journal grew
    // Its disk is full: "/tmp 900 MB". Once.
    void (*on_full)(void *context, struct instance *instance, const char *filled);
};

struct instance *instance_new(struct loop *loop, const struct instance_options *options,
                              struct error *error);
// How its sandbox would be built (sandbox_plan_text); starts nothing. Owned by the caller.
char *instance_plan_text(const struct instance_options *options);
// argv and env are copied into the sandbox at once. stdio_fds NULL: pipes into the journal; else
// the three descriptors are given to the command (exec), terminal says whether stdin is one.
int instance_go(struct instance *instance, const struct tree_version *version,
                const struct strlist *extra_lowers, char *const *argv, char *const *env,
                const int *stdio_fds, bool terminal, struct error *error);
void instance_mark_healthy(struct instance *instance);
void instance_mark_draining(struct instance *instance);
// SIGTERM now, SIGKILL to everything after grace_ms (P-174).
void instance_terminate(struct instance *instance, int64_t grace_ms);
void instance_signal(struct instance *instance, int number);
// To its terminal. What that does not take at once, as nobody reads it, is refused, not kept.
int instance_type(struct instance *instance, const char *bytes, size_t len, struct error *error);
// What it has written to its terminal since the last newline: "(Pdb) "; "" without a terminal.
// Owned by the caller.
char *instance_prompt(const struct instance *instance);
bool instance_has_terminal(const struct instance *instance);
// It got a request: its memory may grow.
void instance_stir(struct instance *instance);

const char *instance_name(const struct instance *instance);
const char *instance_version(const struct instance *instance); // tag, "" before go
enum instance_state instance_state(const struct instance *instance);
uint32_t instance_address(const struct instance *instance);
uint16_t instance_port(const struct instance *instance);
uint16_t instance_public_port(const struct instance *instance);
// Inside paths; at level none, where nothing can be mounted, host paths below private_dir.
const char *instance_home(const struct instance *instance);
const char *instance_runner(const struct instance *instance);
const char *instance_asked(const struct instance *instance); // "" before listen
bool instance_is_listening(const struct instance *instance);
int64_t instance_started_ms(const struct instance *instance); // monotonic time of go
pid_t instance_pid(const struct instance *instance);
// Anonymous memory, as it is judged; -1: not known.
int64_t instance_memory(const struct instance *instance);
// What it had when it was killed for having more than its size (P-172); 0: it was not.
int64_t instance_over_bytes(const struct instance *instance);
uint64_t instance_lines_this_minute(const struct instance *instance);
// What its stderr says broke: "app.py:12: SyntaxError: invalid syntax"; "" if nothing is
// recognised. Paths below the app's root are relative to the project.
const char *instance_last_trouble(const struct instance *instance);
// The last lines of its stderr (or stdout), at most 8, joined by newlines. Owned by the caller.
char *instance_last_lines(const struct instance *instance);
// The last traceback of its stderr, with those it is chained to; without one the last lines.
// Owned by the caller.
char *instance_last_words(const struct instance *instance);
void instance_free(struct instance *instance);

#endif
