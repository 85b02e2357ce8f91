// What: the tree helper's source when versions are cut from git (`--from git`): when HEAD is
//       another, what is other then, and the cut.
// Why: a save changes nothing in a Git deploy; a commit, a checkout, a pull do. git writes refs by
//      rename, so their directories are watched; what they mean is asked from git.
// Order: helper_git_start; helper_git_events at each turn; helper_git_news when it said so; cuts.
// Not: the framing of what is told; helper.c.
#ifndef EMULATOR_WATCH_HELPER_GIT_H
#define EMULATOR_WATCH_HELPER_GIT_H

#include "emulator/version/cut.h"
#include "emulator/version/git_cut.h"
#include "emulator/watch/watcher.h"

struct helper_git {
    char *project;
    struct git git;
    struct git_cut cut;
    struct watcher *watcher; // NULL: not watching
    int env_wd;              // of the project's directory: .env is no part of a commit
    int64_t due_ms;          // when to ask git; 0: nothing happened
    bool env_changed;
    char told[GIT_ID_SIZE]; // the tree that was told or cut last
    void (*report)(void *context, const struct diagnostic *diagnostic);
    void *context;
};

// watch: false: cut only.
int helper_git_start(struct helper_git *source, const char *project, bool watch,
                     struct error *error);
// Reads events. How long until helper_git_news() should be asked; -1: until something happens.
int helper_git_wait(struct helper_git *source, int64_t now_ms);
// What is other since it was told; nothing when ret_paths stays empty.
void helper_git_news(struct helper_git *source, struct strlist *ret_paths);
int helper_git_cut(struct helper_git *source, const char *tag, const struct cut *store,
                   struct tree_version *ret_version, struct error *error);
void helper_git_release(struct helper_git *source);

#endif
