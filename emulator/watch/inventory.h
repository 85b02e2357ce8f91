// What: what the helper knows about the project's files: one node per path, found by (directory,
//      name). Why nodes stay when their file goes: what was told last and what the last version
//      holds is still to be compared with what comes.
// Owns: the nodes; inventory_forget() frees one when nothing refers to it any more.
// Not: reading the disk; see scan.h.
#ifndef EMULATOR_WATCH_INVENTORY_H
#define EMULATOR_WATCH_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sandbox/base/buf.h"

enum node_kind { NODE_NONE, NODE_FILE, NODE_DIR };

// Where the last version has this path's content.
enum node_stored { STORED_NOWHERE, STORED_BASE, STORED_DELTA };

struct stamp {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    bool executable;
    bool fresh; // the file changed so short before we looked that a second change could look the
                // same
};

#define DIGEST_SIZE 16

struct node {
    struct node *parent, *first_child, *next; // next: sibling
    struct node *hash_next;
    struct stamp stamp;
    unsigned char digest[DIGEST_SIZE]; // of the content that was told last
    int wd;                            // of a directory; -1: not watched
    uint32_t present;                  // uploaded files at and below this node
    uint32_t seen;                     // the scan that met it last
    enum node_kind kind : 2;
    enum node_stored stored : 2;
    bool uploaded : 1, reports : 1; // the rules' verdict
    bool linked : 1;                // reached through a symbolic link
    bool told : 1;                  // the file existed when we last told
    bool digest_known : 1;
    bool changed : 1; // is in the list of what may have to be told
    bool touched : 1; // is in the list of what the next cut looks at
    bool in_base : 1;
    bool stale : 1;   // the last delta's copy is not what is on disk now
    bool differs : 1; // from the base: is in the list that the next delta is made of
    char name[];
};

struct inventory {
    struct node *root;
    struct node **table;
    size_t table_size, count; // of nodes
    size_t files;             // present and uploaded
    uint64_t bytes;           // of those
};

void inventory_init(struct inventory *inventory);
void inventory_release(struct inventory *inventory);
struct node *inventory_find(const struct inventory *inventory, const struct node *parent,
                            const char *name);
// Finds or makes; a new one is NODE_NONE.
struct node *inventory_get(struct inventory *inventory, struct node *parent, const char *name);
// By a relative path; NULL when any part of it is unknown.
struct node *inventory_find_path(const struct inventory *inventory, const char *path);
// The one way to change what a node is; keeps the sums. stamp is NULL unless NODE_FILE.
void inventory_set(struct inventory *inventory, struct node *node, enum node_kind kind,
                   bool uploaded, const struct stamp *stamp);
// Frees the node if nothing refers to it: gone, childless, in no list, not told, not stored.
void inventory_forget(struct inventory *inventory, struct node *node);
// The relative path, "." for the root; owned by the caller.
char *node_path(const struct node *node);
void stamp_of(const struct stat *info, struct stamp *ret_stamp);
bool stamp_equal(const struct stamp *a, const struct stamp *b);

#endif
