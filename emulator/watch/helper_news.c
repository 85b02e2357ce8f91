// What is news: the content gate. A touch, a chmod, a checkout and back are none.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "emulator/watch/helper.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"

#define TOUCHED_MAX 4096 // of files that came and went, before they are swept

// Against what was told last; the content of a file that never changed before is in the last
// version.
static bool content_differs(struct helper *helper, struct node *node)
{
    auto_free char *path = node_path(node);
    auto_free char *full = fs_join(helper->scan.root, path);
    unsigned char now[DIGEST_SIZE];
    if (digest_file(full, now) < 0) {
        return false; // gone in this moment: its event is on the way
    }
    unsigned char then[DIGEST_SIZE];
    auto_free char *stored = node->digest_known ? NULL : cut_stored_path(&helper->cut, node);
    bool known = node->digest_known || (stored && digest_file(stored, then) == 0);
    if (node->digest_known) {
        memcpy(then, node->digest, DIGEST_SIZE);
    }
    memcpy(node->digest, now, DIGEST_SIZE);
    node->digest_known = true;
    return !node->told || !known || memcmp(now, then, DIGEST_SIZE) != 0;
}

// true: this node is news; it counts as told from here on.
static bool take_news(struct helper *helper, struct node *node)
{
    bool there = node->kind == NODE_FILE && node->reports;
    if (there) {
        bool news = content_differs(helper, node);
        node->told = true;
        return news;
    }
    bool news = node->told;
    node->told = false;
    node->digest_known = false;
    return news;
}

// Files that came and went since the last version: nobody needs them.
static void sweep_touched(struct scan *scan)
{
    size_t kept = 0;
    for (size_t i = 0; i < scan->touched.count; i++) {
        struct node *node = scan->touched.items[i];
        bool idle = node->kind == NODE_NONE && node->stored == STORED_NOWHERE && !node->in_base &&
                    !node->differs;
        if (!idle) {
            scan->touched.items[kept++] = node;
            continue;
        }
        node->touched = false;
        inventory_forget(&scan->inventory, node);
    }
    scan->touched.count = kept;
}

static void collect_news(struct helper *helper, struct strlist *paths, size_t *ret_total)
{
    struct scan *scan = &helper->scan;
    struct node_list changed = scan->changed;
    scan->changed = (struct node_list){0};
    size_t bytes = 0;
    for (size_t i = 0; i < changed.count; i++) {
        if (!take_news(helper, changed.items[i])) {
            continue;
        }
        ++*ret_total;
        auto_free char *path = node_path(changed.items[i]);
        bytes += strlen(path);
        if (paths->count < PATHS_MAX && bytes < PATHS_BYTES) {
            strlist_add(paths, path);
        }
    }
    for (size_t i = 0; i < changed.count; i++) {
        changed.items[i]->changed = false;
        inventory_forget(&scan->inventory, changed.items[i]);
    }
    free(changed.items);
    if (scan->touched.count > TOUCHED_MAX) {
        sweep_touched(scan);
    }
}

void helper_tell(struct helper *helper, size_t more)
{
    struct scan *scan = &helper->scan;
    if (scan->rules_changed) {
        scan_load_rules(scan);
        scan_all(scan);
    }
    settle_told(&scan->settle, clock_now_ms());
    struct strlist paths = {0};
    size_t total = more;
    collect_news(helper, &paths, &total);
    if (scan_extra_differs(scan)) {
        scan_extra_told(scan);
        strlist_add(&paths, scan_extra_name(scan));
        total++;
    }
    if (total > 0) {
        helper_send_changed(helper, total, &paths);
    }
    helper->rescanned = false;
    strlist_clear(&paths);
}

// ---- after a helper that died ----

// Where the last version, cut by a helper that died, has this path.
static enum node_stored find_stored(struct helper *helper, struct node *node)
{
    auto_free char *path = node_path(node);
    struct stat info;
    if (helper->cut.delta) {
        auto_free char *at = str_printf("%s/%s/%s", helper->cut.store, helper->cut.delta, path);
        size_t skip = strlen(helper->cut.store) + strlen(helper->cut.delta) + 2;
        if (lstat(at, &info) == 0 && S_ISREG(info.st_mode)) {
            return STORED_DELTA;
        }
        // A whiteout at the name or above it hides the base, as does a file above it.
        for (char *slash = at + strlen(at); slash; slash = strrchr(at + skip, '/')) {
            *slash = '\0';
            if (lstat(at, &info) == 0 && !S_ISDIR(info.st_mode)) {
                return STORED_NOWHERE;
            }
        }
    }
    auto_free char *at = str_printf("%s/%s/%s", helper->cut.store, helper->cut.base, path);
    return lstat(at, &info) == 0 && S_ISREG(info.st_mode) ? STORED_BASE : STORED_NOWHERE;
}

// Surely the same without reading it: as old and as long, and not touched since it was copied.
static bool surely_same(struct helper *helper, struct node *node)
{
    auto_free char *stored = cut_stored_path(&helper->cut, node);
    struct stat info;
    struct stamp stamp;
    if (!stored || stat(stored, &info) < 0) {
        return false;
    }
    stamp_of(&info, &stamp);
    return stamp.size == node->stamp.size && stamp.mtime_ns == node->stamp.mtime_ns &&
           stamp.ctime_ns > node->stamp.ctime_ns;
}

static size_t adopt_below(struct helper *helper, struct node *dir)
{
    size_t found = 0;
    for (struct node *child = dir->first_child; child; child = child->next) {
        if (child->kind == NODE_DIR) {
            found += adopt_below(helper, child);
        }
        if (child->kind != NODE_FILE || !child->uploaded) {
            continue;
        }
        child->stored = find_stored(helper, child);
        found += child->stored != STORED_NOWHERE;
        if (child->stored == STORED_NOWHERE) {
            child->told = false;
        }
        if (child->reports && !surely_same(helper, child)) {
            scan_add_changed(&helper->scan, child);
        }
    }
    return found;
}

void helper_adopt(struct helper *helper)
{
    size_t found = adopt_below(helper, helper->scan.inventory.root);
    helper->rescanned = true;
    helper_tell(helper, helper->last_file_count > found ? helper->last_file_count - found : 0);
}
