// What: from files on disk to a layer: python -> install -> build commands, each with a key, reused
//      when the key is the same (P-62, P-63). Runs in a sandbox; output line by line.
// Why: the cloud's build, so that what installs here installs there: manifests only (P-23, P-72),
//      its own Python, no build variables (P-102f).
// Order: build_start() -> on_stage/on_output... -> on_done once, never before build_start()
//      returned. build_cancel() ends it (on_done still comes, ERROR_CANCELLED). The build may be
//      freed in on_done and in no other callback.
// Owns: the build's processes and its temporary directories; published layers belong to the cache
//      (store.h). A failed build has removed its own before on_done.
// Sources: P-22 to P-28, P-60 to P-72, P-300, P-301, P-309; DESIGN 4 and 5.
#ifndef EMULATOR_BUILD_BUILD_H
#define EMULATOR_BUILD_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/formats/leanengine_yaml.h"
#include "emulator/loop.h"
#include "emulator/python/python.h"
#include "sandbox/base/error.h"
#include "sandbox/sandbox.h"

// Where the layer is inside the sandbox (level none: the layer's host path).
#define BUILD_LAYER_TARGET "/opt/env"

enum build_stage { // the order of the pipeline line
    BUILD_STAGE_PYTHON,
    BUILD_STAGE_INSTALL,
    BUILD_STAGE_BUILD,
    BUILD_STAGE__COUNT,
};

enum build_stage_state {
    BUILD_STATE_RUNNING,
    BUILD_STATE_DONE,
    BUILD_STATE_CACHED,
    BUILD_STATE_SKIPPED, // nothing to do
    BUILD_STATE_FAILED,
};

enum build_output {
    BUILD_OUTPUT_LINE, // what a step says: shown when it fails, or on demand (P-67)
    BUILD_OUTPUT_STEP, // a step begins: "$ pip install -r requirements.txt"
    BUILD_OUTPUT_NOTE, // our own word: what the build waits for
};

struct build_request {
    const struct leanengine_yaml *yaml;
    // The user's environment: PATH, HOME, PYENV_ROOT; proxies, PIP_*, CA files reach the install
    // stage only. As root, files and directories that they name must be readable for host_uid.
    const struct strlist *host_env;
    const struct strlist *build_env;    // for install and build when exposed (P-28), else empty
    const struct tree_version *version; // the upload's build root: manifests are read from it,
                                        // build commands run on it
    const char *cache_dir;              // layers/, built/, python/, pip/ below it (store.h)
    const char *project;                // its directory, for people who look at the cache
    bool measures_image;                // result.new_bytes counts the sources too (P-65)
    const struct sandbox_host *host;
    bool no_cache;
    bool legacy_default;
    bool install_python; // fail at once where an installed Python would only be a deviation
    uid_t host_uid;      // as in sandbox_spec
    gid_t host_gid;
};

// Shared locks on what the cache holds: as long as somebody has them, nobody removes it.
struct build_leases {
    int *fds;
    size_t count;
};
void build_leases_move(struct build_leases *to, struct build_leases *from); // adds, empties from
void build_leases_release(struct build_leases *leases);

struct build_result {
    struct python python; // owned by the result; valid also when a later stage failed
    bool has_python;
    struct python_offer offer; // set when pyenv could install what is wanted; in failures too
    char *layer_dir;           // host directory to bind at BUILD_LAYER_TARGET; NULL on failure
    char *layer_target;        // where it must appear inside
    char *layer_key;
    struct strlist
        built_lowers; // what build commands left: an extra lower above the version; may be empty
    struct build_leases leases; // on the layer and on built_lowers: keep them while these are used
    int64_t new_bytes;          // that this build added: layer, products (P-65)
    struct diagnostics diagnostics; // deviations, warnings (pip conflicts P-301 ...)
    enum build_stage failed_stage;
    int64_t took_ms;
};

struct build_callbacks {
    void *context;
    // RUNNING once a stage.
    void (*on_stage)(void *context, enum build_stage stage, enum build_stage_state state,
                     int64_t took_ms, const char *detail);
    void (*on_output)(void *context, enum build_output kind, const char *source, const char *text,
                      size_t len);
    // error NULL on success. result is valid during the call; build_result_take() keeps it.
    void (*on_done)(void *context, struct build_result *result, const struct error *error);
};

struct build;
struct build *build_start(struct loop *loop, const struct build_request *request,
                          const struct build_callbacks *callbacks, struct error *error);
void build_cancel(struct build *build);
void build_free(struct build *build); // also cancels; no more callbacks

void build_result_take(struct build_result *to, struct build_result *from);
void build_result_release(struct build_result *result);

// Fills binds/files that every sandbox of ours shares: system dirs, interpreter, layer. The arrays
// are owned by `mounts`, released by build_mounts_release().
struct build_mounts {
    struct sandbox_bind *binds;
    size_t bind_count;
    struct strlist texts; // owns the strings that binds point to
};
void build_mounts_for(struct build_mounts *mounts, const struct build_result *result,
                      const struct sandbox_host *host);
// What the project's systemDependencies need besides /usr (P-26).
void build_mounts_add_system(struct build_mounts *mounts, const struct strlist *dependencies,
                             const struct sandbox_host *host);
// One more; a target that is taken already stays. Both texts are copied.
void build_mounts_add(struct build_mounts *mounts, const char *source, const char *target,
                      unsigned flags);
void build_mounts_release(struct build_mounts *mounts);

// Helpers' mains: "@python" (interpreter search).
int build_python_helper_main(int argc, char **argv);

#endif
