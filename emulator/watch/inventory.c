#include "emulator/watch/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/clock.h"
#include "sandbox/base/mem.h"

#define FIRST_TABLE 256
#define FRESH_MS    50 // longer than any kernel's clock tick

static struct node *new_node(struct node *parent, const char *name)
{
    size_t len = strlen(name);
    struct node *node = mem_alloc(sizeof *node + len + 1);
    memcpy(node->name, name, len + 1);
    node->parent = parent;
    node->wd = -1;
    if (parent) {
        node->next = parent->first_child;
        parent->first_child = node;
    }
    return node;
}

void inventory_init(struct inventory *inventory)
{
    *inventory = (struct inventory){.table_size = FIRST_TABLE};
    inventory->table = mem_alloc(FIRST_TABLE * sizeof *inventory->table);
    inventory->root = new_node(NULL, "");
    inventory->root->kind = NODE_DIR;
}

void inventory_release(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->table_size; i++) {
        for (struct node *node = inventory->table[i]; node;) {
            struct node *next = node->hash_next;
            free(node);
            node = next;
        }
    }
    free(inventory->table);
    free(inventory->root);
    *inventory = (struct inventory){0};
}

static size_t hash_of(const struct node *parent, const char *name)
{
    uint64_t hash = (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    }
    return (size_t)(hash ^ hash >> 32);
}

static struct node **slot_of(const struct inventory *inventory, const struct node *parent,
                             const char *name)
{
    struct node **slot = &inventory->table[hash_of(parent, name) & (inventory->table_size - 1)];
    while (*slot && ((*slot)->parent != parent || strcmp((*slot)->name, name) != 0)) {
        slot = &(*slot)->hash_next;
    }
    return slot;
}

static void grow(struct inventory *inventory)
{
    struct node **old = inventory->table;
    size_t old_size = inventory->table_size;
    inventory->table_size *= 2;
    inventory->table = mem_alloc(inventory->table_size * sizeof *inventory->table);
    for (size_t i = 0; i < old_size; i++) {
        for (struct node *node = old[i]; node;) {
            struct node *next = node->hash_next;
            struct node **slot =
                &inventory->table[hash_of(node->parent, node->name) & (inventory->table_size - 1)];
            node->hash_next = *slot;
            *slot = node;
            node = next;
        }
    }
    free(old);
}

struct node *inventory_find(const struct inventory *inventory, const struct node *parent,
                            const char *name)
{
    return *slot_of(inventory, parent, name);
}

struct node *inventory_get(struct inventory *inventory, struct node *parent, const char *name)
{
    struct node **slot = slot_of(inventory, parent, name);
    if (!*slot) {
        if (inventory->count++ > inventory->table_size) {
            grow(inventory);
            slot = slot_of(inventory, parent, name);
        }
        *slot = new_node(parent, name);
    }
    return *slot;
}

struct node *inventory_find_path(const struct inventory *inventory, const char *path)
{
    struct node *node = inventory->root;
    while (node && *path) {
        size_t len = strcspn(path, "/");
        char *name = str_dup_len(path, len);
        node = inventory_find(inventory, node, name);
        free(name);
        path += len + (path[len] == '/');
    }
    return node;
}

static bool counts(const struct node *node)
{
    return node->kind == NODE_FILE && node->uploaded;
}

static void count(struct inventory *inventory, struct node *node, int by)
{
    inventory->files += (size_t)by;
    inventory->bytes += (uint64_t)by * node->stamp.size;
    for (struct node *at = node; at; at = at->parent) {
        at->present += (uint32_t)by;
    }
}

void inventory_set(struct inventory *inventory, struct node *node, enum node_kind kind,
                   bool uploaded, const struct stamp *stamp)
{
    if (counts(node)) {
        count(inventory, node, -1);
    }
    node->kind = kind;
    node->uploaded = uploaded;
    node->stamp = stamp ? *stamp : (struct stamp){0};
    if (counts(node)) {
        count(inventory, node, 1);
    }
}

static void unlink_child(struct node *node)
{
    struct node **at = &node->parent->first_child;
    while (*at != node) {
        at = &(*at)->next;
    }
    *at = node->next;
}

void inventory_forget(struct inventory *inventory, struct node *node)
{
    while (node->parent && node->kind == NODE_NONE && !node->first_child && !node->changed &&
           !node->touched && !node->differs && !node->told && !node->in_base &&
           node->stored == STORED_NOWHERE && !node->linked) {
        struct node *parent = node->parent;
        struct node **slot = slot_of(inventory, parent, node->name);
        *slot = node->hash_next;
        unlink_child(node);
        inventory->count--;
        free(node);
        node = parent;
    }
}

static void add_path(struct buf *out, const struct node *node)
{
    if (node->parent && node->parent->parent) {
        add_path(out, node->parent);
        buf_adds(out, "/");
    }
    buf_adds(out, node->name);
}

char *node_path(const struct node *node)
{
    if (!node->parent) {
        return str_dup(".");
    }
    struct buf out = {0};
    add_path(&out, node);
    return buf_steal(&out);
}

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

void stamp_of(const struct stat *info, struct stamp *ret_stamp)
{
    *ret_stamp = (struct stamp){
        .dev = info->st_dev,
        .ino = info->st_ino,
        .size = (uint64_t)info->st_size,
        .mtime_ns = nanoseconds(&info->st_mtim),
        .ctime_ns = nanoseconds(&info->st_ctim),
        .executable = (info->st_mode & 0111) != 0,
    };
    ret_stamp->fresh = clock_wall_ms() - ret_stamp->ctime_ns / 1000000 < FRESH_MS;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}
