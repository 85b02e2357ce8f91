// A lookup walks each directory of the version from the top: the first that knows the name decides,
// and a deletion or a file on the way there ends the search. That is overlayfs' own rule for lower
// directories, without a mount.
#include "emulator/version/view.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

#define LINK_HOPS 16
#define DEPTH_MAX 64

void view_of_version(struct view *view, const struct strlist *lowers)
{
    *view = (struct view){.prefix = str_dup("")};
    strlist_copy(&view->lowers, lowers);
}

void view_of_directory(struct view *view, const char *dir, const struct rules *rules)
{
    *view = (struct view){.prefix = str_dup(""), .rules = rules, .live = true};
    strlist_add(&view->lowers, dir);
}

void view_release(struct view *view)
{
    strlist_clear(&view->lowers);
    free(view->prefix);
    *view = (struct view){0};
}

// ---- paths ----

// Takes the last part of a path in buf away. false: there is none.
static bool drop_last(struct buf *path)
{
    if (path->len == 0) {
        return false;
    }
    while (path->len > 0 && path->data[path->len - 1] != '/') {
        path->len--;
    }
    path->len -= path->len > 0;
    path->data[path->len] = '\0';
    return true;
}

char *view_clean_path(const char *path)
{
    struct buf out = {0};
    bool inside = *path != '/';
    while (inside && *path) {
        size_t len = strcspn(path, "/");
        if (len == 2 && memcmp(path, "..", 2) == 0) {
            inside = drop_last(&out);
        } else if (len > 0 && !(len == 1 && *path == '.')) {
            buf_add(&out, "/", out.len > 0);
            buf_add(&out, path, len);
        }
        path += len + (path[len] == '/');
    }
    if (!inside) {
        buf_release(&out);
        return NULL;
    }
    return buf_steal(&out);
}

static char *full_path(const struct view *view, const char *path)
{
    auto_free char *clean = view_clean_path(path);
    if (!clean || !*view->prefix) {
        return steal(clean);
    }
    return *clean ? fs_join(view->prefix, clean) : str_dup(view->prefix);
}

// ---- one directory of the view ----

enum found { FOUND_NOTHING, FOUND_HIDDEN, FOUND_FILE, FOUND_DIRECTORY, FOUND_LINK };

static enum found found_of(const struct stat *info)
{
    return S_ISREG(info->st_mode)   ? FOUND_FILE
           : S_ISDIR(info->st_mode) ? FOUND_DIRECTORY
           : S_ISLNK(info->st_mode) ? FOUND_LINK
                                    : FOUND_HIDDEN; // a whiteout, or no file to the upload
}

// Each part of path in turn. *ret_len: how much of path was walked when a link was met.
static enum found look_in(const char *lower, const char *path, size_t *ret_len)
{
    auto_free char *full = *path ? fs_join(lower, path) : str_dup(lower);
    char *part = full + strlen(lower);
    enum found found = FOUND_DIRECTORY;
    while (found == FOUND_DIRECTORY && *part) {
        char *end = strchr(part + 1, '/');
        end = end ? end : part + strlen(part);
        char kept = *end;
        *end = '\0';
        struct stat info;
        found = lstat(full, &info) < 0 ? FOUND_NOTHING : found_of(&info);
        *end = kept;
        part = end;
    }
    *ret_len = (size_t)(part - full) - strlen(lower) - (part > full + strlen(lower));
    return found == FOUND_FILE && *part ? FOUND_HIDDEN : found;
}

// P-14: the name as the directory has it. An unreadable directory: stat's word must do.
static bool has_exact_name(const char *path)
{
    auto_free char *parent = str_dup(path);
    char *slash = strrchr(parent, '/');
    *slash = '\0';
    DIR *entries = opendir(parent);
    bool found = !entries;
    struct dirent *entry;
    while (entries && !found && (entry = readdir(entries))) {
        found = strcmp(entry->d_name, slash + 1) == 0;
    }
    if (entries) {
        closedir(entries);
    }
    return found;
}

// ---- the live project ----

static enum view_kind look_live(const struct view *view, const char *path, char **ret_host)
{
    const char *root = view->lowers.items[0];
    auto_free char *host = *path ? fs_join(root, path) : str_dup(root);
    struct stat info;
    if (stat(host, &info) < 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))) {
        return VIEW_NOTHING;
    }
    bool is_dir = S_ISDIR(info.st_mode);
    if (*path && (!has_exact_name(host) ||
                  (view->rules && !rules_judge_path(view->rules, path, is_dir, NULL).uploaded))) {
        return VIEW_NOTHING;
    }
    *ret_host = steal(host);
    return is_dir ? VIEW_DIRECTORY : VIEW_FILE;
}

// ---- lookups ----

// The link at the first len bytes of *path is read and put in its place. false: it leads out.
static bool follow(const char *lower, char **path, size_t len)
{
    auto_free char *link_path = str_printf("%s/%.*s", lower, (int)len, *path);
    char target[PATH_MAX];
    ssize_t got = readlink(link_path, target, sizeof target - 1);
    if (got <= 0 || target[0] == '/') {
        return false;
    }
    target[got] = '\0';
    size_t dir = len;
    while (dir > 0 && (*path)[dir - 1] != '/') {
        dir--;
    }
    auto_free char *joined = str_printf("%.*s%s%s", (int)dir, *path, target, *path + len);
    char *clean = view_clean_path(joined);
    free(*path);
    *path = clean;
    return clean != NULL;
}

static enum view_kind look_stored(const struct view *view, char **path, char **ret_host)
{
    int hops = 0;
    for (size_t i = 0; *path && i < view->lowers.count;) {
        const char *lower = view->lowers.items[i];
        size_t len;
        enum found found = look_in(lower, *path, &len);
        if (found == FOUND_LINK) {
            if (++hops > LINK_HOPS || !follow(lower, path, len)) {
                return VIEW_NOTHING;
            }
            i = 0;
        } else if (found == FOUND_NOTHING) {
            i++;
        } else if (found == FOUND_HIDDEN) {
            return VIEW_NOTHING;
        } else {
            *ret_host = **path ? fs_join(lower, *path) : str_dup(lower);
            return found == FOUND_FILE ? VIEW_FILE : VIEW_DIRECTORY;
        }
    }
    return VIEW_NOTHING;
}

// *ret_path: relative to the lowers, links followed.
static enum view_kind look(const struct view *view, const char *path, char **ret_path,
                           char **ret_host)
{
    char *full = full_path(view, path);
    char *host = NULL;
    enum view_kind kind = !full        ? VIEW_NOTHING
                          : view->live ? look_live(view, full, &host)
                                       : look_stored(view, &full, &host);
    *ret_path = full;
    *ret_host = host;
    return kind;
}

enum view_kind view_kind(const struct view *view, const char *path)
{
    auto_free char *full = NULL;
    auto_free char *host = NULL;
    return look(view, path, &full, &host);
}

char *view_find(const struct view *view, const char *path)
{
    auto_free char *full = NULL;
    auto_free char *host = NULL;
    return look(view, path, &full, &host) == VIEW_FILE ? steal(host) : NULL;
}

int view_enter(struct view *view, const char *path)
{
    auto_free char *full = NULL;
    auto_free char *host = NULL;
    if (look(view, path, &full, &host) != VIEW_DIRECTORY) {
        return -1;
    }
    str_replace(&view->prefix, full);
    return 0;
}

void view_lowers(const struct view *view, struct strlist *ret_lowers)
{
    for (size_t i = 0; i < view->lowers.count; i++) {
        size_t len;
        enum found found = look_in(view->lowers.items[i], view->prefix, &len);
        if (found == FOUND_DIRECTORY) {
            strlist_take(ret_lowers, *view->prefix ? fs_join(view->lowers.items[i], view->prefix)
                                                   : str_dup(view->lowers.items[i]));
        } else if (found != FOUND_NOTHING) {
            return; // what is below is hidden
        }
    }
}

// ---- listing ----

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_names(const char *dir, struct strlist *names)
{
    DIR *entries = opendir(dir);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            strlist_add(names, entry->d_name);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

static void sort_once(struct strlist *names)
{
    if (names->count == 0) {
        return;
    }
    qsort(names->items, names->count, sizeof *names->items, by_name);
    size_t kept = 1;
    for (size_t i = 1; i < names->count; i++) {
        if (strcmp(names->items[i], names->items[kept - 1]) == 0) {
            free(names->items[i]);
        } else {
            names->items[kept++] = names->items[i];
        }
    }
    names->items[kept] = NULL;
    names->count = kept;
}

void view_names(const struct view *view, const char *path, struct strlist *ret_names)
{
    auto_free char *full = NULL;
    auto_free char *host = NULL;
    if (look(view, path, &full, &host) != VIEW_DIRECTORY) {
        return;
    }
    struct strlist all = {0};
    for (size_t i = 0; i < view->lowers.count; i++) {
        auto_free char *dir =
            *full ? fs_join(view->lowers.items[i], full) : str_dup(view->lowers.items[i]);
        add_names(dir, &all);
    }
    sort_once(&all);
    // Each is asked for again: it may be hidden, or left out.
    const struct view whole = {
        .lowers = view->lowers, .prefix = full, .rules = view->rules, .live = view->live};
    for (size_t i = 0; i < all.count; i++) {
        if (view_kind(&whole, all.items[i]) != VIEW_NOTHING) {
            strlist_add(ret_names, all.items[i]);
        }
    }
    strlist_clear(&all);
}

static void list_below(const struct view *view, const char *path, const char *shown, size_t max,
                       int depth, struct strlist *files)
{
    enum view_kind kind = view_kind(view, path);
    if (kind == VIEW_FILE && files->count < max) {
        strlist_add(files, shown);
    }
    if (kind != VIEW_DIRECTORY || depth > DEPTH_MAX) {
        return;
    }
    struct strlist names = {0};
    view_names(view, path, &names);
    for (size_t i = 0; i < names.count && files->count < max; i++) {
        auto_free char *below = *path ? fs_join(path, names.items[i]) : str_dup(names.items[i]);
        auto_free char *name = *shown ? fs_join(shown, names.items[i]) : str_dup(names.items[i]);
        list_below(view, below, name, max, depth + 1, files);
    }
    strlist_clear(&names);
}

void view_list(const struct view *view, const char *path, size_t max, struct strlist *ret_files)
{
    list_below(view, path, "", max, 0, ret_files);
    if (ret_files->count) {
        qsort(ret_files->items, ret_files->count, sizeof *ret_files->items, by_name);
    }
}
