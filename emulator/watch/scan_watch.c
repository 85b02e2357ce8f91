// The table inotify descriptor -> what it is about. A descriptor may stand for a directory, for one
// name in it (a link's target), or for both, of several nodes.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/version/cut.h"
#include "emulator/watch/scan.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

#define LINK_HOPS 16

static struct watch_entry *entry_of(struct scan *scan, int wd)
{
    if ((size_t)wd >= scan->watch_count) {
        size_t count = (size_t)wd + 64;
        scan->watches = mem_resize(scan->watches, count * sizeof *scan->watches);
        memset(scan->watches + scan->watch_count, 0,
               (count - scan->watch_count) * sizeof *scan->watches);
        scan->watch_count = count;
    }
    return &scan->watches[wd];
}

static void add_ref(struct scan *scan, int wd, struct node *node, const char *name)
{
    struct watch_entry *entry = entry_of(scan, wd);
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->refs[i].node == node && str_equal(entry->refs[i].name, name)) {
            return;
        }
    }
    entry->refs = mem_resize(entry->refs, (entry->count + 1) * sizeof *entry->refs);
    entry->refs[entry->count++] = (struct watch_ref){node, str_dup(name)};
}

void scan_clear_watch(struct watch_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->refs[i].node && !entry->refs[i].name) {
            entry->refs[i].node->wd = -1;
        }
        free(entry->refs[i].name);
    }
    free(entry->refs);
    *entry = (struct watch_entry){0};
}

// Takes out the references to node, or of one kind; a watch that nobody refers to ends.
static void drop_refs(struct scan *scan, size_t wd, const struct node *node, bool named)
{
    struct watch_entry *entry = &scan->watches[wd];
    size_t kept = 0;
    size_t before = entry->count;
    for (size_t i = 0; i < before; i++) {
        if (entry->refs[i].node == node && (entry->refs[i].name != NULL) == named) {
            free(entry->refs[i].name);
        } else {
            entry->refs[kept++] = entry->refs[i];
        }
    }
    entry->count = kept;
    if (kept == 0 && before > 0) {
        watcher_remove(scan->watcher, (int)wd);
        scan_clear_watch(entry);
    }
}

void scan_unwatch(struct scan *scan, struct node *node)
{
    if (scan->watcher && node->wd >= 0) {
        drop_refs(scan, (size_t)node->wd, node, false);
    }
    node->wd = -1;
    if (node->linked && scan->watcher) {
        for (size_t wd = 0; wd < scan->watch_count; wd++) {
            if (scan->watches[wd].count > 0) {
                drop_refs(scan, wd, node, true);
            }
        }
    }
    node->linked = false;
}

int scan_add_watch(struct scan *scan, const char *path, struct node *node, const char *name)
{
    if (!scan->watcher || scan->watch_errno) {
        return -1;
    }
    int wd = watcher_add(scan->watcher, path);
    if (wd >= 0) {
        add_ref(scan, wd, node, name);
    } else if (errno == ENOSPC || errno == ENOMEM) {
        scan->watch_errno = errno;
    }
    return wd;
}

char *scan_absolute(const struct scan *scan, const struct node *node)
{
    auto_free char *path = node_path(node);
    return node->parent ? fs_join(scan->root, path) : str_dup(scan->root);
}

// A link's target may change, be replaced, or the link after it: each hop's directory is watched
// for that one name.
void scan_watch_hops(struct scan *scan, struct node *node)
{
    node->linked = true;
    char *path = scan->watcher ? scan_absolute(scan, node) : NULL;
    for (int hop = 0; hop < LINK_HOPS && path; hop++) {
        char target[PATH_MAX];
        ssize_t len = readlink(path, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        char *slash = strrchr(path, '/');
        if (hop > 0 && slash) {
            auto_free char *dir = str_dup_len(path, slash > path ? (size_t)(slash - path) : 1);
            scan_add_watch(scan, dir, node, slash + 1);
        }
        char *next = NULL;
        if (len > 0 && slash) {
            auto_free char *dir = str_dup_len(path, (size_t)(slash - path));
            next = target[0] == '/' ? str_dup(target) : fs_join(dir, target);
        }
        free(path);
        path = next;
    }
    free(path);
}

void scan_stop_watching(struct scan *scan)
{
    for (size_t wd = 0; wd < scan->watch_count; wd++) {
        scan_clear_watch(&scan->watches[wd]);
    }
    free(scan->watches);
    scan->watches = NULL;
    scan->watch_count = 0;
    watcher_free(scan->watcher);
    scan->watcher = NULL;
}

// The nearest repository: git makes index.lock first and removes it last.
static void watch_vcs(struct scan *scan)
{
    auto_free char *dir = str_dup(scan->root);
    for (;;) {
        auto_free char *git = fs_join(dir, ".git");
        if (fs_is_dir(git)) {
            free(scan->vcs_dir);
            scan->vcs_dir = steal(git);
            scan_add_watch(scan, scan->vcs_dir, NULL, "index.lock");
            return;
        }
        char *slash = strrchr(dir, '/');
        if (!slash || slash == dir) {
            return;
        }
        *slash = '\0';
    }
}

bool scan_vcs_busy(const struct scan *scan)
{
    auto_free char *lock = scan->vcs_dir ? fs_join(scan->vcs_dir, "index.lock") : NULL;
    return lock && access(lock, F_OK) == 0;
}

// ---- one file more ----

static void digest_extra(const struct scan *scan, unsigned char ret_digest[static DIGEST_SIZE])
{
    memset(ret_digest, 0, DIGEST_SIZE); // no file
    digest_file(scan->extra, ret_digest);
}

void scan_watch_extra(struct scan *scan, const char *path)
{
    scan->extra = str_dup(path);
    digest_extra(scan, scan->extra_digest);
}

bool scan_is_extra(const struct scan *scan, const char *name)
{
    return scan->extra && strcmp(strrchr(scan->extra, '/') + 1, name) == 0;
}

const char *scan_extra_name(const struct scan *scan)
{
    size_t len = strlen(scan->root);
    bool inside = strncmp(scan->extra, scan->root, len) == 0 && scan->extra[len] == '/';
    return inside ? scan->extra + len + 1 : scan->extra;
}

bool scan_extra_differs(const struct scan *scan)
{
    if (!scan->extra) {
        return false;
    }
    const struct node *node = inventory_find_path(&scan->inventory, scan_extra_name(scan));
    unsigned char now[DIGEST_SIZE];
    digest_extra(scan, now);
    return !(node && node->reports) && memcmp(now, scan->extra_digest, DIGEST_SIZE) != 0;
}

void scan_extra_told(struct scan *scan)
{
    digest_extra(scan, scan->extra_digest);
}

static void watch_extra(struct scan *scan)
{
    if (scan->extra) {
        auto_free char *dir = str_dup(scan->extra);
        char *slash = strrchr(dir, '/');
        slash[slash == dir] = '\0';
        scan_add_watch(scan, dir, NULL, strrchr(scan->extra, '/') + 1);
    }
}

int scan_watch(struct scan *scan, struct error *error)
{
    scan->watch_errno = 0;
    scan->watcher = watcher_new(error);
    if (!scan->watcher) {
        return -1;
    }
    watch_vcs(scan);
    watch_extra(scan);
    return 0;
}
