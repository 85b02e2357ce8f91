// What: the engine's one state, shared by its files: engine.c (life), deployment.c (the life of a
//       save), rollout.c (instances and traffic), announce.c (events), snapshot.c, requests.c
//       (commands).
// Not: for anybody else.
#ifndef EMULATOR_ENGINE_INTERNAL_H
#define EMULATOR_ENGINE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/build/build.h"
#include "emulator/control/protocol.h"
#include "emulator/control/server.h"
#include "emulator/engine/front.h"
#include "emulator/environment/environment.h"
#include "emulator/health/health.h"
#include "emulator/instance/instance.h"
#include "emulator/instance/kept.h"
#include "emulator/loop.h"
#include "emulator/project/project.h"
#include "emulator/watch/tree.h"
#include "sandbox/sandbox.h"

enum engine_mode {
    MODE_UP,
    MODE_VERIFY,
    MODE_BUILD,
    MODE_EXEC,
    MODE_ENV,
    MODE_EXPLAIN,
    MODE__COUNT
};

// The pipeline line, in order; also the snapshot's stages.
enum stage {
    STAGE_DETECT,
    STAGE_PYTHON,
    STAGE_INSTALL,
    STAGE_BUILD,
    STAGE_START,
    STAGE_HEALTHY,
    STAGE__COUNT,
};
_Static_assert(STAGE__COUNT == SNAPSHOT_STAGES, "the snapshot shows every stage");

// Real root maps the app to this id outside: no account of the host, never uid 0 (DESIGN 6).
#define ENGINE_HOST_ID 61777

struct functions;
struct timers;
struct installer;
struct dozing;
struct traffic;
struct journal;

struct engine_options {
    char *host; // "127.0.0.1"
    int port;
    char *environment; // development | stage | production
    char *app_id;
    char *region, *region_option; // what holds; what the option says, NULL: not given
    char *group, *group_option;
    const struct instance_size *size;
    char *env_file;
    char *build_root;
    char *ignore_file;      // --leanignore, absolute
    struct strlist persist; // .leanlocal.yaml: what `up` keeps
    bool keep_modes, from_git;
    bool no_cache, build_logs, legacy_default, install_python, detach, interactive;
    unsigned instances;
    bool drain_cloud; // an old instance stays for the whole time (P-173)
    bool debug;       // one instance on a terminal, no limits of time, no health checks
    struct front front;
};

enum role {
    ROLE_CANDIDATE,   // a deployment's new version
    ROLE_REPLACEMENT, // the serving version again: after a crash, or asked for
    ROLE_SERVING,
    ROLE_OLD, // draining
};

// One instance and what the engine knows about it.
struct running {
    struct engine *engine;
    struct running *next;
    unsigned id; // the fleet's member; 0: a command of exec
    unsigned slot;
    struct instance *instance;
    struct health *health;
    struct tree_version version;
    struct strlist built_lowers;
    int address_fd;            // holds the loopback address; -1
    struct loop_source *timer; // start limit
    enum role role;
    bool judged;               // its failure has been told
    uint16_t other_port;       // it listens there, and not on its own port; 0
    bool condemned;            // its later checks have failed so often that it is being replaced
    unsigned bad_rounds;       // periodic checks failed in a row
    struct health_round round; // the last that was not healthy
    bool has_round;
    char *private_dir;
    int64_t cpu_ms, cpu_read_ms, cpu_permille, memory_bytes, disk_bytes;
};

struct deployment {
    bool active;
    bool no_cache;
    bool from_save;
    int64_t begun_ms;
    char tag[24];
    bool cut_pending; // on_version still has to come for `tag`
    struct tree_version version;
    bool has_version;
    struct build *build;
    uint64_t release;      // the fleet's number of its version, once it starts; 0
    bool waits_for_python; // its build ended for want of the one that is being installed
};

// Who tells diagnostics, again with each deployment.
enum told { TOLD_DETECT, TOLD_BUILD, TOLD_VARIABLES, TOLD__COUNT };

struct stage_state {
    const char *state; // "", running, done, cached, skipped, failed
    int64_t ms;
    char detail[96];
};

struct engine {
    struct loop *loop;
    enum engine_mode mode;
    const char *dir; // as the client gave it, absolute
    struct engine_options options;
    struct strlist host_env;
    struct project project;
    struct sandbox_host host;
    struct cgroup_host groups;
    struct server *server;
    struct journal *journal;
    struct tree *tree;
    struct gateway *gateway;
    struct traffic *traffic; // with the gateway
    char *cache_dir, *run_dir, *journal_dir;
    int lock_fd, run_lock_fd;
    bool started, stopping, ended, tree_ready, metering;
    int exit_code;
    struct loop_source *stop_timer, *meter_timer, *end_source, *remove_source;
    struct loop_source *signal_sources[3];

    struct deployment deployment;
    struct build_result built;
    bool has_built;
    struct python_offer offer; // of the last build: what pyenv could install
    bool python_missing;       // the last build ended at its Python
    bool install_python;       // asked for, by option or by key
    char *install_tried;       // the version that was installed last, or not
    struct installer *installer;
    struct loop_source *versions_source, *versions_timer;
    int versions_fd;            // inotify on pyenv's versions; -1: not watched
    uint64_t versions_stamp;    // pyenv's versions when they were looked at
    bool build_pending;         // manifests changed since the last good build
    struct build_leases leases; // on all that instances were made of
    struct running *runnings;
    struct rollout *rollout; // NULL: a mode without instances
    struct dozing *dozing;   // NULL: nothing sleeps
    unsigned address_counter;
    uint16_t reached[16]; // ports of this machine's services that the app uses (P-216)
    size_t reached_count;
    struct kept kept;
    uint16_t debugger_port; // that has been told; 0
    struct health_times times;
    int64_t last_tag_s;
    char last_tag[24];

    struct stage_state stages[STAGE__COUNT];
    struct error failure; // kind NONE: none that is not mended
    enum stage failure_stage;
    bool failure_is_crash; // of what served, not of a deployment
    char failure_tag[24];
    char failure_mend[640];
    struct snapshot_probe probes[SNAPSHOT_PROBES];
    size_t probe_count;
    int64_t healthy_wall_ms, saves, last_reload_ms, deviations, warnings, pip_collected;
    bool has_served;
    char last_output[200];
    char url[128];
    char done_text[256];
    uint64_t request_counter, metered_requests;
    int64_t requests_per_second_x10, latency_p50_us;

    struct strlist told[TOLD__COUNT]; // what each of them said last
    struct offline_api *offline_api;  // born with the first environment
    bool offline_told, variables_told;

    struct timers *timers; // NULL: none
    struct staging {       // ids; 0: none
        unsigned serving, coming, started;
        bool wanted; // somebody has asked for it
    } staging;
    struct functions *functions; // NULL before the first version serves

    struct server_client *exec_client; // exec: who asked, and the reply's id
    int64_t exec_id;
    struct running *exec_running;
    char *exec_term; // TERM of its terminal; NULL: it has none
};

const char *stage_name(enum stage stage);

// ---- announce.c ----
struct event event_new(enum event_kind kind);
void announce(struct engine *engine, struct event *event); // journal + clients; releases nothing
void announce_stage(struct engine *engine, enum stage stage, const char *state, int64_t ms,
                    const char *detail);
void announce_notice(struct engine *engine, const char *severity, const char *rule,
                     const char *cloud, const char *mend, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
// What a stage has to say about the project. What it said the last time is neither told nor counted
// again; what it does not say any more is not counted any more.
void announce_diagnostics(struct engine *engine, enum told told,
                          const struct diagnostics *diagnostics);
void announce_diagnostic(struct engine *engine, const struct diagnostic *diagnostic);
void announce_cloud(struct engine *engine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// TEXTS_...: in the language of the region.
void announce_cloud_either(struct engine *engine, const char *chinese, const char *english, ...)
    __attribute__((format(printf, 2, 4), format(printf, 3, 4)));
// In every mode: what the platform does by itself.
void announce_cloud_always(struct engine *engine, const char *chinese, const char *english);
void touch(struct engine *engine); // the snapshot has changed

// ---- deployment.c ----
struct deploy_reason {
    bool rebuild, no_cache, from_save;
};
void deployment_begin(struct engine *engine, const struct deploy_reason *reason);
void deployment_cancel(struct engine *engine);
void deployment_fail(struct engine *engine, enum stage stage, const struct error *error,
                     const char *mend);
void deployment_healthy(struct engine *engine, struct running *running);
void deployment_pass(struct engine *engine); // verify: it would be deployed
void deployment_explain_missing(const struct engine *engine, struct error *error);
void deployment_build(struct engine *engine);
// A line for the Build pane and the progress line.
void deployment_show_output(void *context, enum build_output kind, const char *source,
                            const char *text, size_t len);
const char *deployment_env_file(const struct engine *engine);
void deployment_on_changed(void *context, const struct tree_change *change);
void deployment_on_version(void *context, const struct tree_version *version,
                           const struct error *error);

// ---- keeping.c ----
// Before the first instance.
int keeping_begin(struct engine *engine, struct error *error);
// What would be kept; makes nothing. Empty where nothing can be mounted.
void keeping_list(const struct engine *engine, const struct view *upload, struct kept *ret_kept);

// ---- installing.c ----
// After each build. Takes its offer; true: the deployment now waits for the installation.
bool installing_judge(struct engine *engine, struct build_result *result, bool python_missing);
// Whether builds shall end where an installed Python would only be a deviation (one-shot modes).
bool installing_is_asked_for(const struct engine *engine);
int installing_ask(struct engine *engine, struct error *error);
int installing_cancel(struct engine *engine, struct error *error);
void installing_release(struct engine *engine);

// ---- running.c ----
// exec: a command where the app lives.
struct running *running_start_command(struct engine *engine, char *const *argv, const int *fds,
                                      bool terminal, struct error *error);

// ---- rollout.c ----
void rollout_begin(struct engine *engine); // once the options are known
// The version that the deployment has built shall serve: deployment_healthy() or deployment_fail()
// follows, unless a newer one comes.
void rollout_deploy(struct engine *engine);
void rollout_cancel(struct engine *engine); // what only starts yet is not wanted any more
// The same version in new containers, one by one.
void rollout_restart(struct engine *engine, struct error *error);
// P-131: the platform moves an instance: the oldest.
void rollout_reschedule(struct engine *engine, struct error *error);
void rollout_stop(struct engine *engine, int64_t grace_ms);
// P-171: nothing shall run, until a request comes; nothing is started of itself.
void rollout_sleep(struct engine *engine);
void rollout_wake(struct engine *engine);
void rollout_release(struct engine *engine);
// The newest that serves. NULL: nothing does.
struct running *rollout_serving(const struct engine *engine);
bool rollout_is_serving(const struct running *running);
// It works, but has no requests while its successors come (fleet.h).
bool rollout_is_resting(const struct running *running);
// What may be typed to. NULL: nothing.
struct running *rollout_with_terminal(const struct engine *engine);
void rollout_on_begin(void *context, const char *upstream_name);
void rollout_on_drained(void *context, const char *upstream_name);

// ---- meters.c ----
void meters_read(struct engine *engine);

// ---- crash.c ----
// What served has died, or its replacement has not become healthy: says so, once for many in a
// loop. error: what happened.
void crash_tell(struct engine *engine, const struct backoff_step *step, const struct error *error);

// ---- size.c ----
// Of the size (P-170, P-130), or smaller ones by LEANLOCAL_INSTANCE_LIMITS.
struct allowance_limits size_limits(const struct engine *engine);
void size_begin(struct engine *engine);

// ---- requests.c ----
void requests_on_command(void *context, struct server_command *command);
void requests_exec_exited(struct engine *engine, int wait_status);
void requests_exec_failed(struct engine *engine, const struct error *error);

// ---- snapshot.c ----
void snapshot_fill(void *context, struct snapshot *ret_snapshot);

// ---- engine.c ----
int engine_start(struct engine *engine, const struct cJSON *arguments, struct error *error);
void engine_stop(struct engine *engine, int code, const char *text);
void engine_end_if_empty(struct engine *engine);
// The cache's directory; with make it is there afterwards where that decides which it is.
char *engine_cache_dir(const struct engine *engine, bool make);

// ---- environment.c ----
// The environment of one instance; diagnostics may be NULL.
int engine_environment(struct engine *engine, const char *tag, const char *instance, uint16_t port,
                       const char *home, struct environment *ret_environment,
                       struct diagnostics *diagnostics, struct error *error);
// Region and group, from wherever they are told: at the start, and again with each deployment.
int engine_locate(struct engine *engine, struct error *error);
// --size, --region, --group, --app-id: ERROR_USAGE for what cannot be.
int engine_check_options(struct engine *engine, const char *size, struct error *error);
// Early, before anything is built: -1 for a bad env file. Says what there is to say: lines without
// effect, keys that are invented; to verify, what has to be set in the console.
int engine_check_variables(struct engine *engine, struct error *error);
// {variables:[...], notices:[...]}, of the instance that serves if there is one. NULL with error.
struct cJSON *engine_variables(struct engine *engine, struct error *error);

#endif
