// What: the upload as the build sees it: which files are there, and where on the host their bytes
//       lie. Over a version's directories, or over the live project with its ignore rules.
// Why: everything that is read of an upload (leanengine.yaml, manifests, required files, wsgi.py)
//      is looked up here, so that a file which the upload leaves out is absent for all of them
//      (P-220).
// Order: view_of_version() or view_of_directory(), view_enter() for a build root (P-11), lookups,
//        view_release(). Paths are relative; "." and doubled slashes are fine, ".." finds nothing.
// Rules: names are exact, also where the host's file system is not (P-14). In a version a deletion
//        in an upper directory hides what is below; its links (only `--from git` keeps any) are
//        followed inside the view, never out of it.
// Owns: what is returned belongs to the caller.
#ifndef EMULATOR_VERSION_VIEW_H
#define EMULATOR_VERSION_VIEW_H

#include "emulator/watch/rules.h"
#include "sandbox/base/mem.h"

struct view {
    struct strlist lowers;     // topmost first
    char *prefix;              // the directory that lookups begin in, "" for all
    const struct rules *rules; // of the live project; NULL: a version, in which they were applied
    bool live;
};

enum view_kind { VIEW_NOTHING, VIEW_FILE, VIEW_DIRECTORY };

void view_of_version(struct view *view, const struct strlist *lowers);
// rules: borrowed; NULL: nothing is left out.
void view_of_directory(struct view *view, const char *dir, const struct rules *rules);
// From here on only what is below path. -1: there is no such directory.
int view_enter(struct view *view, const char *path);
void view_release(struct view *view);

enum view_kind view_kind(const struct view *view, const char *path);
// The host's path of a file; NULL when the upload has none.
char *view_find(const struct view *view, const char *path);
// Names in a directory, sorted.
void view_names(const struct view *view, const char *path, struct strlist *ret_names);
// Files at and below path, sorted, relative to it ("" for path itself), `max` at most.
void view_list(const struct view *view, const char *path, size_t max, struct strlist *ret_files);
// The view's directories as lowers of an overlay, topmost first.
void view_lowers(const struct view *view, struct strlist *ret_lowers);

// "./a//b/" -> "a/b", "." -> "". NULL: absolute, or it leads out by "..".
char *view_clean_path(const char *path);

#endif
