// What the inventory says is compared with the base, node by node, and only for nodes that were
// touched since the last version. Nothing is committed to the nodes before the whole layer is
// written: a full disk leaves the last version's truth intact.
#include "emulator/version/cut.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "sandbox/base/clock.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define LOCK_WAIT_MS  3000
#define IDLE_MS       4
#define WASTE         ".dead-"
#define DELTA_FILES   500 // beyond either of these the next version begins a new base
#define DELTA_SMALL   50
#define DELTA_PERCENT 25

struct copied {
    struct node *node;
    bool moved; // it changed between the look and the copy
    bool gone;
};

struct work {
    struct cut *cut;
    struct scan *scan;
    struct layer layer;
    struct copied *copies;
    size_t count, cap;
    struct error *error;
};

// ---- the store ----

static bool is_version_dir(const char *name)
{
    return (str_starts_with(name, "base-") || str_starts_with(name, "delta-")) &&
           !strchr(name, '/');
}

void cut_remove(struct cut *cut, const char *name)
{
    if (!is_version_dir(name) || str_equal(name, cut->base) || str_equal(name, cut->delta)) {
        return;
    }
    auto_free char *path = fs_join(cut->store, name);
    auto_free char *waste = str_printf("%s/" WASTE "%s", cut->store, name);
    if (rename(path, waste) == 0) {
        cut->waste = true;
    } else {
        fs_remove_tree(path, NULL);
    }
}

// Empties the directory until the time is over. true: it is empty.
static bool empty_some(int fd, int64_t until_ms)
{
    DIR *stream = fdopendir(fd);
    bool empty = stream != NULL;
    struct dirent *entry;
    while (empty && (entry = readdir(stream))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            continue;
        }
        if (entry->d_type == DT_DIR) {
            int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
            empty =
                below >= 0 && empty_some(below, until_ms) && unlinkat(fd, name, AT_REMOVEDIR) == 0;
        } else {
            empty = unlinkat(fd, name, 0) == 0;
        }
        empty = empty && clock_now_ms() < until_ms;
    }
    if (stream) {
        closedir(stream);
    } else {
        close(fd);
    }
    return empty;
}

bool cut_idle(struct cut *cut)
{
    int64_t until_ms = clock_now_ms() + IDLE_MS;
    DIR *stream = cut->waste ? opendir(cut->store) : NULL;
    struct dirent *entry;
    cut->waste = false;
    while (stream && !cut->waste && (entry = readdir(stream))) {
        if (!str_starts_with(entry->d_name, WASTE)) {
            continue;
        }
        int fd =
            openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        cut->waste = !(fd >= 0 && empty_some(fd, until_ms) &&
                       unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR) == 0) &&
                     clock_now_ms() >= until_ms; // else it cannot be removed: leave it
    }
    if (stream) {
        closedir(stream);
    }
    return cut->waste;
}

static int sweep(struct cut *cut, const struct strlist *keep, struct error *error)
{
    DIR *stream = opendir(cut->store);
    if (!stream) {
        return error_set_errno(error, ERROR_HOST, errno, "%s", cut->store);
    }
    struct strlist dead = {0};
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        cut->waste = cut->waste || str_starts_with(entry->d_name, WASTE);
        if (is_version_dir(entry->d_name) && !strlist_contains(keep, entry->d_name)) {
            strlist_add(&dead, entry->d_name);
        }
    }
    closedir(stream);
    for (size_t i = 0; i < dead.count; i++) {
        cut_remove(cut, dead.items[i]);
    }
    strlist_clear(&dead);
    return 0;
}

// The helper before us may be dying still; another engine's is an error.
static int lock_store(struct cut *cut, struct error *error)
{
    auto_free char *path = fs_join(cut->store, ".lock");
    cut->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (cut->lock_fd < 0) {
        return error_set_errno(error, ERROR_HOST, errno, "%s", path);
    }
    int64_t until = clock_now_ms() + LOCK_WAIT_MS;
    while (flock(cut->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || clock_now_ms() > until) {
            return error_set_errno(error, ERROR_HOST, errno, _("%s is in use"), cut->store);
        }
        usleep(10000);
    }
    return 0;
}

int cut_init(struct cut *cut, const char *store, struct layer_owner owner,
             const struct strlist *keep, struct error *error)
{
    *cut = (struct cut){.lock_fd = -1, .owner = owner, .want_base = true};
    cut->store = str_dup(store);
    if (fs_mkdir_p(store, 0755, error) < 0 || lock_store(cut, error) < 0) {
        return -1;
    }
    return sweep(cut, keep, error);
}

void cut_release(struct cut *cut)
{
    if (cut->lock_fd >= 0) {
        close(cut->lock_fd);
    }
    free(cut->store);
    free(cut->base);
    free(cut->delta);
    free(cut->differs.items);
}

static char *path_in(const struct cut *cut, const char *dir, const struct node *node)
{
    auto_free char *path = node_path(node);
    return str_printf("%s/%s/%s", cut->store, dir, path);
}

char *cut_stored_path(const struct cut *cut, const struct node *node)
{
    const char *dir = node->stored == STORED_BASE    ? cut->base
                      : node->stored == STORED_DELTA ? cut->delta
                                                     : NULL;
    return dir ? path_in(cut, dir, node) : NULL;
}

static char *source_path(const struct scan *scan, const struct node *node)
{
    auto_free char *path = node_path(node);
    return fs_join(scan->root, path);
}

// ---- what differs ----

static bool is_present(const struct node *node)
{
    return node->kind == NODE_FILE && node->uploaded;
}

static bool same_content(const struct work *work, const struct node *node, const char *dir)
{
    auto_free char *stored = dir ? path_in(work->cut, dir, node) : NULL;
    struct stat info;
    if (!stored || stat(stored, &info) < 0 || !S_ISREG(info.st_mode) ||
        (uint64_t)info.st_size != node->stamp.size ||
        (work->cut->keep_modes && ((info.st_mode & 0111) != 0) != node->stamp.executable)) {
        return false;
    }
    auto_free char *source = source_path(work->scan, node);
    unsigned char now[DIGEST_SIZE];
    unsigned char then[DIGEST_SIZE];
    return digest_file(source, now) == 0 && digest_file(stored, then) == 0 &&
           memcmp(now, then, DIGEST_SIZE) == 0;
}

// Brings node->differs and node->stale up to date. true: it is not as in the last version.
static bool compare(struct work *work, struct node *node)
{
    struct cut *cut = work->cut;
    bool was_there = node->stored != STORED_NOWHERE;
    bool there = is_present(node);
    bool as_base = there && node->in_base && same_content(work, node, cut->base);
    bool differs = there ? !as_base : node->in_base;
    node->stale = !(node->stored == STORED_DELTA && there && !as_base &&
                    same_content(work, node, cut->delta));
    if (differs && !node->differs) {
        node->differs = true;
        node_list_add(&cut->differs, node);
    } else if (!differs) {
        node->differs = false; // leaves the list when that is next walked
    }
    if (!there || !was_there) {
        return there != was_there;
    }
    return node->stored == STORED_BASE ? !as_base : as_base || node->stale;
}

// ---- writing ----

static void note_copy(struct work *work, struct copied copy)
{
    if (work->count == work->cap) {
        work->cap = work->cap ? 2 * work->cap : 256;
        work->copies = mem_resize(work->copies, work->cap * sizeof *work->copies);
    }
    work->copies[work->count++] = copy;
}

static int copy_node(struct work *work, struct node *node, bool may_link)
{
    auto_free char *path = node_path(node);
    struct copied copy = {.node = node};
    if (may_link && node->stored == STORED_DELTA && !node->stale) {
        auto_free char *old = cut_stored_path(work->cut, node);
        if (layer_link(&work->layer, old, path) == 0) {
            note_copy(work, copy);
            return 0;
        }
    }
    auto_free char *source = fs_join(work->scan->root, path);
    struct stat info;
    enum layer_result result = layer_copy(&work->layer, source, path, &info, work->error);
    if (result == LAYER_FAILED) {
        return -1;
    }
    copy.gone = result == LAYER_GONE;
    if (!copy.gone) {
        struct stamp stamp;
        stamp_of(&info, &stamp);
        copy.moved = !stamp_equal(&stamp, &node->stamp);
    }
    note_copy(work, copy);
    return 0;
}

static int copy_below(struct work *work, const struct node *dir)
{
    for (struct node *child = dir->first_child; child; child = child->next) {
        if (is_present(child) && copy_node(work, child, false) < 0) {
            return -1;
        }
        if (child->kind == NODE_DIR && child->present > 0 && copy_below(work, child) < 0) {
            return -1;
        }
    }
    return 0;
}

// A name of the base that is gone: the topmost directory that has nothing left goes in one.
static int white_out(struct work *work, const struct node *node)
{
    const struct node *top = node;
    for (const struct node *at = node; at->parent; at = at->parent) {
        if (at != node && is_present(at)) {
            return 0; // a file stands where the directory was: it hides all below
        }
        if (at->present == 0) {
            top = at;
        }
    }
    if (top->present > 0) {
        return 0; // a directory stands where the file was
    }
    auto_free char *path = node_path(top);
    return layer_whiteout(&work->layer, path);
}

static int write_delta(struct work *work)
{
    struct node_list *differs = &work->cut->differs;
    for (size_t i = 0; i < differs->count; i++) {
        struct node *node = differs->items[i];
        if (is_present(node)) {
            if (copy_node(work, node, true) < 0) {
                return -1;
            }
        } else if (white_out(work, node) < 0) {
            return error_set_errno(work->error, ERROR_HOST, errno, "mknod");
        }
    }
    return 0;
}

// ---- committing ----

static void commit_copies(struct work *work, enum node_stored stored)
{
    for (size_t i = 0; i < work->count; i++) {
        struct node *node = work->copies[i].node;
        node->stored = work->copies[i].gone ? STORED_NOWHERE : stored;
        node->stale = false;
        if (stored == STORED_BASE) {
            node->in_base = !work->copies[i].gone;
        }
    }
}

// What changed under the copy is looked at again: it is told, and the next version has it.
static void look_again(struct work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        if (work->copies[i].moved || work->copies[i].gone) {
            struct node *node = work->copies[i].node;
            scan_look_again(work->scan, node);
            scan_add_changed(work->scan, node);
            scan_add_touched(work->scan, node);
        }
    }
}

static void reset_below(struct node *dir, struct node_list *dead)
{
    for (struct node *child = dir->first_child; child; child = child->next) {
        child->in_base = child->differs = child->stale = false;
        child->stored = STORED_NOWHERE;
        if (child->kind == NODE_NONE && !child->first_child) {
            node_list_add(dead, child);
        }
        reset_below(child, dead);
    }
}

static void release_touched(struct scan *scan)
{
    struct node_list touched = scan->touched;
    scan->touched = (struct node_list){0};
    for (size_t i = 0; i < touched.count; i++) {
        touched.items[i]->touched = false;
        inventory_forget(&scan->inventory, touched.items[i]);
    }
    free(touched.items);
}

static void commit_base(struct work *work, char *name)
{
    struct cut *cut = work->cut;
    struct node_list dead = {0};
    reset_below(work->scan->inventory.root, &dead);
    commit_copies(work, STORED_BASE);
    cut->differs.count = 0;
    for (size_t i = 0; i < dead.count; i++) {
        if (!dead.items[i]->touched) { // those follow in release_touched
            inventory_forget(&work->scan->inventory, dead.items[i]);
        }
    }
    free(dead.items);
    free(cut->base);
    free(cut->delta);
    cut->base = name;
    cut->delta = NULL;
    cut->want_base = false;
}

static void commit_delta(struct work *work, char *name)
{
    struct cut *cut = work->cut;
    for (size_t i = 0; i < cut->differs.count; i++) {
        cut->differs.items[i]->stored = STORED_NOWHERE;
    }
    commit_copies(work, STORED_DELTA);
    free(cut->delta);
    cut->delta = name;
    size_t count = cut->differs.count;
    cut->want_base =
        count > DELTA_FILES ||
        (count > DELTA_SMALL && count * 100 > work->scan->inventory.files * (size_t)DELTA_PERCENT);
}

static int begin_layer(struct work *work, const char *name)
{
    auto_free char *path = fs_join(work->cut->store, name);
    int result = layer_create(&work->layer, path, work->cut->owner, work->error);
    work->layer.keep_modes = work->cut->keep_modes;
    return result;
}

static void abandon_layer(struct work *work, const char *name)
{
    layer_release(&work->layer);
    cut_remove(work->cut, name);
    work->count = 0;
    work->cut->want_base = true;
}

static int cut_base(struct work *work, const char *tag)
{
    auto_free char *name = str_printf("base-%s", tag);
    if (begin_layer(work, name) < 0 || copy_below(work, work->scan->inventory.root) < 0) {
        abandon_layer(work, name);
        return error_set_hint(work->error, _("is the disk full? versions are kept in %s"),
                              work->cut->store);
    }
    commit_base(work, steal(name));
    return 0;
}

static void drop_equal(struct node_list *differs)
{
    size_t kept = 0;
    for (size_t i = 0; i < differs->count; i++) {
        if (differs->items[i]->differs) {
            differs->items[kept++] = differs->items[i];
        }
    }
    differs->count = kept;
}

// -1: no delta can be made here, make a base.
static int cut_delta(struct work *work, const char *tag, size_t *ret_changed)
{
    struct cut *cut = work->cut;
    struct node_list *touched = &work->scan->touched;
    for (size_t i = 0; i < touched->count; i++) {
        struct node *node = touched->items[i];
        *ret_changed += compare(work, node);
        if (!node->differs) {
            node->stored = node->in_base ? STORED_BASE : STORED_NOWHERE;
        }
    }
    drop_equal(&cut->differs);
    if (cut->differs.count == 0) {
        free(cut->delta);
        cut->delta = NULL;
        return 0;
    }
    auto_free char *name = str_printf("delta-%s", tag);
    if (begin_layer(work, name) < 0 || write_delta(work) < 0) {
        abandon_layer(work, name);
        return -1;
    }
    commit_delta(work, steal(name));
    return 0;
}

static void describe(const struct work *work, const char *tag, size_t changed,
                     struct tree_version *version)
{
    const struct cut *cut = work->cut;
    *version = (struct tree_version){
        .tag = str_dup(tag),
        .file_count = work->scan->inventory.files,
        .bytes = work->scan->inventory.bytes,
        .changed_count = changed,
        .written_bytes = work->layer.written,
    };
    if (cut->delta) {
        strlist_take(&version->lowers, fs_join(cut->store, cut->delta));
    }
    strlist_take(&version->lowers, fs_join(cut->store, cut->base));
}

int cut_version(struct cut *cut, struct scan *scan, const char *tag,
                struct tree_version *ret_version, struct error *error)
{
    struct work work = {.cut = cut, .scan = scan, .layer = {.fd = -1}, .error = error};
    size_t changed = 0;
    int result = cut->want_base ? -1 : cut_delta(&work, tag, &changed);
    if (result < 0) {
        bool first = !cut->base;
        result = cut_base(&work, tag);
        changed = first ? work.count : changed ? changed : scan->touched.count;
    }
    layer_release(&work.layer);
    if (result == 0) {
        release_touched(scan);
        look_again(&work);
        describe(&work, tag, changed, ret_version);
    }
    free(work.copies);
    return result;
}
