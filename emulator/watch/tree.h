// What: the project's files, seen through one helper process ("leanlocal @tree"): it scans, watches
//      (libinotifytools), hashes, and cuts versions. This is the engine's side of it.
// Why: hashing and copying may take seconds and inotify must be read always; the loop must not
//      wait. The helper may be killed at any time: it is restarted, rescans, and one change is
//      reported if anything really differs.
// Order: tree_start() -> on_ready (first scan done) -> on_changed ... ; tree_cut() -> on_version.
// Owns: the helper process and its pipes.
// Rules: what is ignored: built-in noise (editor temporaries, VCS, caches, our own output) and
//      `.leanignore` (P-220 to P-225); while that would abort the deploy no version is cut. Content
//      gate: a touch, a chmod without effect, a checkout-and-back report nothing. A version holds
//      what an upload would hold (P-71: links followed, no empty directories, no executable bits).
#ifndef EMULATOR_WATCH_TREE_H
#define EMULATOR_WATCH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/formats/diagnostics.h"
#include "emulator/loop.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct tree;

struct tree_options {
    const char *root;  // the project's directory (absolute)
    const char *store; // where versions go (absolute): <store>/base-N, <store>/delta-TAG ...; made
                       // if missing, emptied of what dead engines left
    const char *ignore_file; // --leanignore (absolute), or NULL
    const char *env_file;    // --env-file (absolute): a change is told wherever it lies; or NULL
    bool keep_modes;         // not P-71: executable bits stay
    bool from_git;           // what is committed instead of the files (P-220)
    bool watch;              // false: scan once and cut only (verify, build, exec)
    bool own_files;          // real root: give the version's files to uid/gid below
    uint32_t uid, gid;
};

struct tree_change {
    struct strlist paths; // relative, changed/created/removed; at most 256 named, see total
    size_t total;
    bool rescan; // the helper was restarted or its queue overflowed
};

// One immutable version, as directories to lay over each other.
struct tree_version {
    char *tag;             // "20261122-101552" (P-62), unique in the project
    struct strlist lowers; // absolute, topmost first; at least one
    size_t file_count;
    uint64_t bytes;       // of all files
    size_t changed_count; // against the version before
    uint64_t written_bytes;
};

struct tree_callbacks {
    void *context;
    void (*on_ready)(void *context, size_t file_count, bool polling, const char *note);
    void (*on_changed)(void *context, const struct tree_change *change);
    // For one tree_cut(): version, or error. The version's directories stay until
    // tree_release_version().
    void (*on_version)(void *context, const struct tree_version *version,
                       const struct error *error);
    void (*on_notice)(void *context,
                      const char *text); // e.g. "watch limit reached: polling; mend: sysctl ..."
    // What there is to say about the upload; each once.
    void (*on_diagnostic)(void *context, const struct diagnostic *diagnostic);
};

struct tree *tree_start(struct loop *loop, const struct tree_options *options,
                        const struct tree_callbacks *callbacks, struct error *error);
// Cuts a version of what is on disk now. tag: 15 characters, chosen by the caller.
void tree_cut(struct tree *tree, const char *tag);
void tree_release_version(struct tree *tree, const char *tag);
pid_t tree_helper_pid(const struct tree *tree);
void tree_free(struct tree *tree);

// The helper's own main, called for argv[1] == "@tree".
int tree_helper_main(int argc, char **argv);

void tree_version_copy(struct tree_version *to, const struct tree_version *from);
void tree_version_release(struct tree_version *version);

#endif
