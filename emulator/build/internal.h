// What: what the files of this room share.
// Not: for others; build.h is the room's door.
#ifndef EMULATOR_BUILD_INTERNAL_H
#define EMULATOR_BUILD_INTERNAL_H

#include "emulator/build/box.h"
#include "emulator/build/build.h"
#include "emulator/build/log.h"
#include "emulator/build/store.h"
#include "emulator/version/view.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/process.h"

// Inside the sandbox (P-132).
#define BUILD_HOME_TARGET "/home/leanengine"
#define BUILD_WORK_TARGET "/home/leanengine/app"
#define BUILD_OUT_TARGET  "/opt/built"
#define BUILD_INSIDE_ID   1000

// ---- mounts.c ----

// The host's path at the same path inside, unless every sandbox has it anyway, or it would hide
// what we put there. A missing one is skipped.
void build_mounts_add_own(struct build_mounts *mounts, const char *path);

// ---- manifests.c: what the install stage may see ----

struct manifests {
    char *requirements;
    size_t requirements_len;
    bool is_empty; // no requirement in it, only blank lines and comments
    bool uses_sdk; // names leancloud (P-53)
};

int manifests_read(const struct view *upload, struct manifests *ret_manifests, struct error *error);
void manifests_release(struct manifests *manifests);
// requirements.txt and .python-version, below <own>/manifests (P-23).
int manifests_stage(const struct view *upload, const char *own, struct error *error);
// Of everything that decides what the install stage makes (P-63). required: required_digest().
void manifests_key(const struct build_steps *steps, const char *required,
                   const struct manifests *manifests, const struct python *python,
                   const struct strlist *build_env, const char *target,
                   char ret_key[static HASH_HEX_SIZE]);
// The variables that a stage sees, but those that differ with every deployment.
// commands.c: of what build commands leave: their layer's directory, the sources' digest, the
// variables that they see, the commands (P-63).
void products_key(const char *layer_dir, const char *digest, const struct strlist *build_env,
                  const struct build_steps *steps, char ret_key[static HASH_HEX_SIZE]);
bool products_wanted(const struct build_steps *steps);
void manifests_hash_env(struct hash *hash, const struct strlist *build_env);

// ---- install_env.c: what of the user's shell reaches the install stage, and nothing else ----

struct install_env {
    struct strlist env;         // for the command
    struct build_mounts mounts; // the files that variables and pip.conf name
    char *pip_conf;             // the user's, to be put at pip_conf_target; NULL: none
    const char *pip_conf_target;
};

// target: the layer inside; home: HOME inside; pip_cache: where pip's cache is inside.
void install_env_make(const struct strlist *host_env, const struct strlist *build_env,
                      const char *target, const char *home, const char *pip_cache,
                      struct install_env *ret_env);
// The same without pip's and the proxies' variables, for build commands.
void build_env_make(const struct strlist *build_env, const char *target, const char *home,
                    struct strlist *ret_env);
void install_env_release(struct install_env *env);

// ---- answer.c: what the helper prints ----

char *build_answer_print(const struct python *python, const struct python_offer *offer,
                         const struct diagnostics *diagnostics, const struct error *error);
// -1 with the helper's own error, or ERROR_SYSTEM when it is no answer at all.
int build_answer_parse(const char *text, size_t len, struct python *ret_python,
                       struct python_offer *ret_offer, struct diagnostics *diagnostics,
                       struct error *error);

// ---- build.c ----

struct build {
    struct loop *loop;
    struct build_callbacks callbacks;
    struct build_result result;
    struct error error;
    bool failed;
    bool cancelled;
    int64_t begun_ms;
    enum build_stage stage;
    int64_t stage_begun_ms;

    // Of the request, copied.
    char *cache_dir;
    struct build_steps install;
    struct build_steps build_steps;
    struct strlist host_env;
    struct strlist build_env;
    struct strlist system_dependencies;
    struct view upload; // the version's build root
    char *tag;
    struct sandbox_host host;
    bool no_cache;
    bool legacy_default;
    bool install_python;
    uid_t host_uid;
    gid_t host_gid;

    // The helper.
    struct process helper;
    struct loop_source *helper_source;
    struct loop_source *answer_source;
    int answer_fd;
    struct buf answer;
    void (*helper_ended)(struct build *build);

    struct manifests manifests;
    struct store_slot slot;  // the layer
    struct store_slot built; // what build commands make
    struct claim {
        struct store_slot *slot;
        void (*found)(struct build *build, const struct cJSON *record);
        void (*make)(struct build *build);
        bool told_waiting;
    } claim;
    void (*published)(struct build *build);
    struct loop_source *timer;
    int pip_lease_fd; // -1
    char *project;
    bool measures_image;
    char *home_dir; // level none: stands for home in the stage that runs
    char *digest;   // of the sources
    char *required; // digest of what install requires, "": nothing
    struct meter_limits limits;
    int64_t spent_cpu_ms; // by the install stage
    struct box *box;
    struct build_log log;
};

void build_tell(struct build *build, enum build_stage_state state, const char *detail);
void build_tell_line(struct build *build, enum build_output kind, const char *text);
void build_enter_stage(struct build *build, enum build_stage stage); // its time begins
// Level none: nothing can be mounted, so the layer is made at its final place.
bool build_is_in_place(const struct build *build);
// Both end in on_done, in which the build may be freed: to be called last.
void build_finish(struct build *build);
void build_fail(struct build *build, const struct error *error);

// Starts a helper; ended() is called when it is gone, its answer is in build->answer. The helper's
// environment is the user's.
int build_start_helper(struct build *build, const char *const *arguments,
                       void (*ended)(struct build *build), struct error *error);

// ---- claim.c: found in the cache, or ours to make ----

// Calls found() with what was recorded, or make() with the lock held; after build_claim() returned.
// Somebody else makes the same: waits, saying so.
void build_claim(struct build *build, struct store_slot *slot,
                 void (*found)(struct build *build, const struct cJSON *record),
                 void (*make)(struct build *build));
// Publishes what was made in slot's work_dir, then calls published(). record: taken.
void build_publish(struct build *build, struct store_slot *slot, struct cJSON *record,
                   void (*published)(struct build *build));
// The answer of a helper "@cache"; NULL: it failed, ret_error says why. Owned by the caller.
struct cJSON *build_take_answer(struct build *build, struct error *ret_error);

// ---- install.c, commands.c ----

void build_start_install(struct build *build);
void build_start_commands(struct build *build);

// ---- work.c ----

// on_line of both stages' boxes.
void build_show_line(void *context, const char *text);
// on_quiet of both.
void build_show_silence(void *context, int64_t silent_ms, int64_t cpu_ms);
// 0: the steps went well. Else ret_error says what did not.
int build_judge(struct build *build, int wait_status, const struct error *error,
                struct error *ret_error);
// HOME as the command sees it. Owned by the caller.
char *build_home_inside(const struct build *build);
bool build_runs_anything(const struct build *build);
int build_write_job(struct build *build, const char *own, const char *target,
                    const struct build_steps *steps, bool installs, struct error *error);
int build_write_script(const char *own, const char *name, const char *text, size_t len,
                       struct error *error);
// Whose files the command inside can write: ours, but for root, who steps down (sandbox/plan.h).
int build_give_to_app(const struct build *build, const char *path, struct error *error);

#endif
