// Events only say where to look; what is true is asked from the disk each time. So the order of
// events, renames, and directories that come and go need no bookkeeping of their own.
#include "emulator/watch/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"

#define DEPTH_MAX 128
#define EXTRA_ID  2 // no node lies at this address

static void scan_entry(struct scan *scan, struct node *dir, const char *dir_path, const char *name,
                       bool content);
static void scan_directory(struct scan *scan, struct node *dir);

// ---- lists ----

void node_list_add(struct node_list *list, struct node *node)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->items = mem_resize(list->items, list->cap * sizeof(struct node *));
    }
    list->items[list->count++] = node;
}

void scan_add_changed(struct scan *scan, struct node *node)
{
    if (!node->changed && !scan->quiet) {
        node->changed = true;
        node_list_add(&scan->changed, node);
    }
}

void scan_add_touched(struct scan *scan, struct node *node)
{
    if (!node->touched) {
        node->touched = true;
        node_list_add(&scan->touched, node);
    }
}

// ---- nodes ----

// Nodes are only emptied here: events that are being worked on may point at them. Who takes them
// off the lists frees them.
static void empty_below(struct scan *scan, struct node *node)
{
    for (struct node *child = node->first_child; child; child = child->next) {
        if (child->kind == NODE_NONE) {
            continue;
        }
        empty_below(scan, child);
        scan_unwatch(scan, child);
        bool was_file = child->kind == NODE_FILE;
        inventory_set(&scan->inventory, child, NODE_NONE, false, NULL);
        if (was_file) {
            scan_add_changed(scan, child);
            scan_add_touched(scan, child);
        }
    }
}

// What was there is there no more.
static void set_gone(struct scan *scan, struct node *node)
{
    if (node->kind == NODE_NONE) {
        return;
    }
    enum node_kind was = node->kind;
    empty_below(scan, node);
    scan_unwatch(scan, node);
    inventory_set(&scan->inventory, node, NODE_NONE, false, NULL);
    if (was == NODE_FILE) {
        scan_add_changed(scan, node);
        scan_add_touched(scan, node);
    }
}

static void set_file(struct scan *scan, struct node *node, struct verdict verdict,
                     const struct stat *info, bool content)
{
    if (node->kind == NODE_DIR) {
        set_gone(scan, node);
    }
    struct stamp stamp;
    stamp_of(info, &stamp);
    bool was_file = node->kind == NODE_FILE;
    bool same = was_file && stamp_equal(&stamp, &node->stamp) && !node->stamp.fresh &&
                node->uploaded == verdict.uploaded && node->reports == verdict.reports;
    node->reports = verdict.reports;
    inventory_set(&scan->inventory, node, NODE_FILE, verdict.uploaded, &stamp);
    if (scan->quiet) {
        node->told = verdict.reports;
    }
    if (!same || content) {
        scan_add_touched(scan, node);
        scan_add_changed(scan, node);
    }
}

static bool is_circle(const struct node *dir, const struct stat *info)
{
    unsigned depth = 0;
    for (const struct node *at = dir; at; at = at->parent) {
        if (at->stamp.dev == info->st_dev && at->stamp.ino == info->st_ino) {
            return true;
        }
        depth++;
    }
    return depth > DEPTH_MAX;
}

bool scan_is_virtualenv(const char *dir)
{
    auto_free char *mark = fs_join(dir, "pyvenv.cfg");
    auto_free char *old_mark = fs_join(dir, "bin/activate_this.py");
    return access(mark, F_OK) == 0 || access(old_mark, F_OK) == 0;
}

// Our own versions, when the store lies in the project or a link leads to it.
static bool is_own(const struct scan *scan, const struct stat *info)
{
    return scan->store_ino && info->st_ino == scan->store_ino && info->st_dev == scan->store_dev;
}

static void set_directory(struct scan *scan, struct node *node, const char *path,
                          struct verdict verdict, const struct stat *info)
{
    if (node->kind == NODE_FILE) {
        set_gone(scan, node);
    }
    if (is_circle(node->parent, info)) {
        scan_report(scan, DIAGNOSTIC_WARNING, path, "P-71", _("remove the link, or leave it out"),
                    _("a link in a circle: left out here, the upload would not end"));
        set_gone(scan, node);
        return;
    }
    if (is_own(scan, info)) {
        set_gone(scan, node);
        return;
    }
    auto_free char *full = fs_join(scan->root, path);
    if (scan_is_virtualenv(full)) {
        auto_free char *hint = str_printf(_("add %s/ to %s"), node->name, LEANIGNORE_NAME);
        if (verdict.uploaded) {
            scan_report(scan, DIAGNOSTIC_DEVIATION, path, "P-225", hint,
                        _("a virtualenv: left out here, the upload takes it along"));
        }
        set_gone(scan, node);
        return;
    }
    bool same = node->kind == NODE_DIR && node->stamp.ino == info->st_ino &&
                node->stamp.dev == info->st_dev;
    if (!same) {
        scan_unwatch(scan, node);
    }
    struct stamp stamp = {.dev = info->st_dev, .ino = info->st_ino};
    inventory_set(&scan->inventory, node, NODE_DIR, verdict.uploaded, NULL);
    node->stamp = stamp;
    node->reports = verdict.reports;
    scan_directory(scan, node);
}

enum seen { SEEN_NOTHING, SEEN_FILE, SEEN_DIRECTORY, SEEN_DANGLING, SEEN_OTHER };

// What is at path, links followed. A link to nothing is watched for.
static enum seen look(const struct scan *scan, const char *path, struct stat *ret_info,
                      bool *ret_linked)
{
    *ret_linked = false;
    if (fstatat(scan->root_fd, path, ret_info, AT_SYMLINK_NOFOLLOW) < 0) {
        return SEEN_NOTHING;
    }
    *ret_linked = S_ISLNK(ret_info->st_mode);
    if (*ret_linked && fstatat(scan->root_fd, path, ret_info, 0) < 0) {
        return SEEN_DANGLING;
    }
    return S_ISREG(ret_info->st_mode)   ? SEEN_FILE
           : S_ISDIR(ret_info->st_mode) ? SEEN_DIRECTORY
                                        : SEEN_OTHER;
}

static bool can_read(const struct scan *scan, const char *path, bool is_dir)
{
    return geteuid() == 0 ||
           faccessat(scan->root_fd, path, is_dir ? R_OK | X_OK : R_OK, AT_EACCESS) == 0;
}

// Of what the upload would meet, but not take.
static void report_obstacle(struct scan *scan, const char *path, enum seen seen)
{
    if (seen == SEEN_DANGLING) {
        scan_report(scan, DIAGNOSTIC_WARNING, path, "P-71", _("remove the link, or leave it out"),
                    _("a link to nothing: left out here, the upload would stop"));
    } else if (seen == SEEN_OTHER) {
        scan_report(scan, DIAGNOSTIC_WARNING, path, "P-71", NULL,
                    _("not a regular file: left out"));
    } else if (errno == EACCES) {
        scan_report(scan, DIAGNOSTIC_WARNING, path, "P-71", _("let your user read it: chmod u+r"),
                    _("cannot be read: left out here, the upload would stop"));
    }
}

// false: noise, or left out, and nobody is told of changes either.
static bool counts(struct scan *scan, const struct node *dir, const char *path, const char *name,
                   bool is_dir, struct verdict *ret_verdict)
{
    struct verdict verdict = rules_judge(&scan->rules, path, name, is_dir);
    if (verdict.line || verdict.back) {
        scan_report_surprise(scan, path, is_dir, &verdict);
    }
    verdict.reports = verdict.reports && dir->reports;
    *ret_verdict = verdict;
    return verdict.uploaded || verdict.reports;
}

// content: an event said that the content may have changed, whatever the times say.
static void scan_entry(struct scan *scan, struct node *dir, const char *dir_path, const char *name,
                       bool content)
{
    auto_free char *path = dir->parent ? fs_join(dir_path, name) : str_dup(name);
    int noise = rules_noise(name);
    if (noise >= 0 && rules_is_skipped(noise)) {
        scan_report_noise(scan, path, noise);
        return;
    }
    struct stat info;
    bool linked = false;
    enum seen seen = look(scan, path, &info, &linked);
    bool is_dir = seen == SEEN_DIRECTORY;
    struct verdict verdict = {0};
    bool there = seen != SEEN_NOTHING && counts(scan, dir, path, name, is_dir, &verdict);
    struct node *node = there && seen != SEEN_OTHER ? inventory_get(&scan->inventory, dir, name)
                                                    : inventory_find(&scan->inventory, dir, name);
    bool usable = there && (is_dir || seen == SEEN_FILE) && can_read(scan, path, is_dir);
    if (there && !usable && verdict.uploaded) {
        report_obstacle(scan, path, seen);
    }
    if (!node) {
        return;
    }
    node->seen = scan->pass;
    bool other = node->stamp.ino != info.st_ino || node->stamp.dev != info.st_dev;
    if (linked && there && (other || !node->linked)) {
        scan_watch_hops(scan, node);
    }
    if (!usable) {
        set_gone(scan, node);
        if (there && seen == SEEN_DANGLING) {
            scan_watch_hops(scan, node);
        }
    } else if (is_dir) {
        set_directory(scan, node, path, verdict, &info);
    } else {
        set_file(scan, node, verdict, &info, content);
    }
}

static void scan_name(struct scan *scan, struct node *dir, const char *name, bool content)
{
    auto_free char *dir_path = node_path(dir);
    scan_entry(scan, dir, dir_path, name, content);
}

static void scan_directory(struct scan *scan, struct node *dir)
{
    auto_free char *dir_path = node_path(dir);
    auto_free char *full = scan_absolute(scan, dir);
    if (dir->wd < 0 && scan->watcher) {
        dir->wd = scan_add_watch(scan, full, dir, NULL); // first watched, then listed
    }
    int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    uint32_t mark = ++scan->pass; // grows further while directories below are listed
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            scan_entry(scan, dir, dir_path, entry->d_name, false);
        }
    }
    closedir(stream);
    for (struct node *child = dir->first_child; child; child = child->next) {
        if (child->kind != NODE_NONE && child->seen < mark) {
            set_gone(scan, child);
        }
    }
}

void scan_all(struct scan *scan)
{
    struct stat info;
    struct node *root = scan->inventory.root;
    auto_close int root_fd = open(scan->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0 || fstat(root_fd, &info) < 0) {
        scan_notice(scan, _("%s is gone"), scan->root);
        empty_below(scan, root);
        return;
    }
    close(scan->root_fd); // it may be another directory by now
    scan->root_fd = steal_fd(&root_fd);
    root->stamp.dev = info.st_dev;
    root->stamp.ino = info.st_ino;
    scan_directory(scan, root);
}

void scan_load_rules(struct scan *scan)
{
    struct diagnostics diagnostics = {0};
    scan->rules_error = (struct error){0};
    scan->noise_told = scan->surprise_told = 0; // lines have moved
    rules_load(&scan->rules, scan->root, scan->ignore_file, &diagnostics, &scan->rules_error);
    for (size_t i = 0; i < diagnostics.count; i++) {
        scan_report_once(scan, &diagnostics.items[i]);
    }
    diagnostics_clear(&diagnostics);
}

bool scan_look_again(struct scan *scan, struct node *node)
{
    if (node->parent) {
        scan_name(scan, node->parent, node->name, false);
    }
    return node->kind == NODE_FILE;
}

// ---- events ----

static enum settle_kind settle_kind_of(const struct node *node, uint32_t mask)
{
    if (mask & (IN_DELETE | IN_MOVED_FROM)) {
        return SETTLE_GONE;
    }
    if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) {
        return node->told ? SETTLE_SAVED : SETTLE_NEW;
    }
    if (mask & IN_ATTRIB) {
        return SETTLE_META;
    }
    return mask & IN_CREATE && !node->told ? SETTLE_NEW : SETTLE_WRITING;
}

static bool is_rules_file(const struct scan *scan, const struct node *dir, const char *name)
{
    const char *file = scan->rules.name;
    if (!file || !str_ends_with(file, name)) {
        return false;
    }
    auto_free char *dir_path = node_path(dir);
    auto_free char *path = dir->parent ? fs_join(dir_path, name) : str_dup(name);
    return strcmp(path, file) == 0;
}

// An event about `name` in dir. true: it counts.
static bool take_event(struct scan *scan, struct node *dir, const char *name, uint32_t mask,
                       int64_t now_ms)
{
    int noise = rules_noise(name);
    if (noise >= 0 && rules_is_skipped(noise)) {
        return false;
    }
    size_t changes = scan->changed.count;
    scan->rules_changed = scan->rules_changed || is_rules_file(scan, dir, name);
    bool content = (mask & ~(uint32_t)(IN_ATTRIB | IN_ISDIR)) != 0;
    scan_name(scan, dir, name, content);
    struct node *node = inventory_find(&scan->inventory, dir, name);
    if (!node) {
        return false;
    }
    if (node->kind == NODE_DIR || mask & IN_ISDIR) {
        if (scan->changed.count > changes) {
            settle_event(&scan->settle, now_ms, (uintptr_t)node,
                         mask & (IN_DELETE | IN_MOVED_FROM) ? SETTLE_GONE : SETTLE_NEW);
        }
    } else if (node->reports || node->told) {
        settle_event(&scan->settle, now_ms, (uintptr_t)node, settle_kind_of(node, mask));
    }
    return true;
}

static bool take_ref(struct scan *scan, struct watch_ref ref, const struct watch_event *event,
                     int64_t now_ms)
{
    if (!ref.node && scan_is_extra(scan, ref.name)) {
        if (strcmp(ref.name, event->name) == 0) {
            bool done = (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0;
            settle_event(&scan->settle, now_ms, EXTRA_ID, done ? SETTLE_SAVED : SETTLE_WRITING);
        }
        return false;
    }
    if (!ref.node) {
        if (strcmp(ref.name, event->name) == 0) {
            settle_hold(&scan->settle, now_ms, scan_vcs_busy(scan));
        }
        return false;
    }
    if (ref.name) {
        // A link's target, or a link on the way to it. Seen from here it is never incomplete by
        // name.
        return strcmp(ref.name, event->name) == 0 &&
               take_event(scan, ref.node->parent, ref.node->name, event->mask & ~(uint32_t)IN_ISDIR,
                          now_ms);
    }
    if (event->name[0]) {
        return take_event(scan, ref.node, event->name, event->mask, now_ms);
    }
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
        if (ref.node->parent) {
            return take_event(scan, ref.node->parent, ref.node->name, IN_ISDIR | IN_MOVED_FROM,
                              now_ms);
        }
        scan->overflow = true; // the root itself: look at everything again
    }
    return false;
}

static bool handle(struct scan *scan, const struct watch_event *event, int64_t now_ms)
{
    if (event->mask & IN_Q_OVERFLOW) {
        scan->overflow = true;
        return true;
    }
    if (event->wd < 0 || (size_t)event->wd >= scan->watch_count) {
        return false;
    }
    struct watch_entry *entry = &scan->watches[event->wd];
    // References come and go while they are worked on: take a copy.
    size_t count = entry->count;
    auto_free struct watch_ref *refs = mem_alloc((count + 1) * sizeof *refs);
    for (size_t i = 0; i < count; i++) {
        refs[i] = entry->refs[i];
        refs[i].name = str_dup(refs[i].name);
    }
    if (event->mask & IN_IGNORED) {
        scan_clear_watch(entry);
    }
    bool counted = false;
    for (size_t i = 0; i < count; i++) {
        counted = take_ref(scan, refs[i], event, now_ms) || counted;
        free(refs[i].name);
    }
    return counted;
}

bool scan_events(struct scan *scan, int64_t now_ms)
{
    struct watch_event event;
    bool counted = false;
    while (scan->watcher && watcher_next(scan->watcher, &event)) {
        log_debug("inotify %d %s %s", event.wd, watcher_mask_text(event.mask), event.name);
        counted = handle(scan, &event, now_ms) || counted;
    }
    return counted;
}

// ---- life ----

int scan_init(struct scan *scan, const char *root, const char *ignore_file, struct error *error)
{
    scan->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (scan->root_fd < 0) {
        return error_set_errno(error, ERROR_USAGE, errno, "%s", root);
    }
    scan->root = str_dup(root);
    scan->ignore_file = str_dup(ignore_file);
    inventory_init(&scan->inventory);
    scan->inventory.root->reports = true;
    settle_init(&scan->settle);
    if (!scan->no_rules) {
        scan_load_rules(scan);
    }
    return 0;
}

void scan_release(struct scan *scan)
{
    scan_stop_watching(scan);
    inventory_release(&scan->inventory);
    rules_release(&scan->rules);
    strlist_clear(&scan->noticed);
    free(scan->changed.items);
    free(scan->touched.items);
    free(scan->vcs_dir);
    free(scan->root);
    free(scan->ignore_file);
    free(scan->extra);
    close(scan->root_fd);
}
