// What: the project's repository, asked through git itself: what HEAD has, and what differs. Why
//       git and not our own reading: worktrees, packed objects, filters and line ends are git's
//       own, and a Git deploy gets what a clone gets.
// Order: git_open, then any. Each call runs git and waits for it: for helpers, and for an engine
//        that only looks.
// Sources: P-220 (a Git deploy asks no .leanignore), P-12 (a project that is not the repository's
//          root needs a build root).
// Owns: git_release(); lists belong to the caller.
#ifndef EMULATOR_VERSION_GIT_H
#define EMULATOR_VERSION_GIT_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define GIT_ID_SIZE 65

struct git {
    char *top;    // of the work tree
    char *prefix; // of the project in it, "" or "sub/dir"
    char *dir;    // of this work tree's HEAD
    char *common; // of the refs
};

struct git_listing {
    struct strlist files, submodules;
    uint64_t bytes;
};

// ERROR_USAGE: no repository; ERROR_HOST: no git, or it refuses, in its own words.
int git_open(struct git *git, const char *project, struct error *error);
void git_release(struct git *git);
// The tree of the project in HEAD. ERROR_PROJECT: nothing is committed.
int git_head(const struct git *git, char ret_tree[static GIT_ID_SIZE], struct error *error);
int git_list(const struct git *git, const char *tree, struct git_listing *ret_listing,
             struct error *error);
void git_listing_release(struct git_listing *listing);
// Paths that are other, and gone, in the second tree.
int git_differences(const struct git *git, const char *from, const char *to,
                    struct strlist *ret_other, struct strlist *ret_gone, struct error *error);
// Writes these files of the tree (NULL: all) below dir as a clone would: with modes and links.
// index: a file for git's notes, removed again.
int git_write(const struct git *git, const char *tree, const struct strlist *files, const char *dir,
              const char *index, struct error *error);
// How many files of the project differ from HEAD, and how many commits its upstream lacks.
void git_pending(const struct git *git, size_t *ret_files, size_t *ret_commits);

#endif
