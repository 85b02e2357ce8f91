// What: brings the inventory in line with the disk: all of it at the start, one name after an
//      event; and keeps the table inotify descriptor -> what it is about.
// Order: scan_init; scan_all (watches each directory first, then lists it, so that nothing slips
//      between); scan_event for each event; take `changed` and `touched`, the two lists of nodes
//      that somebody has to look at. scan_all again after an overflow, or each second when polling.
// Rules: rules.h; links are followed, as the upload does (P-71): the real file's directory, and
//      that of each link on the way, is watched too. Links in a circle, sockets, FIFOs, devices and
//      what cannot be read are left out with a word. A virtualenv and noise are left out, and where
//      the upload would take them that is a deviation [I].
#ifndef EMULATOR_WATCH_SCAN_H
#define EMULATOR_WATCH_SCAN_H

#include "emulator/watch/inventory.h"
#include "emulator/watch/rules.h"
#include "emulator/watch/settle.h"
#include "emulator/watch/watcher.h"
#include "sandbox/base/mem.h"

struct watch_ref {
    struct node *node; // NULL: the VCS's directory
    char *name;        // NULL: the node is this directory; else only this name in it counts
};

struct watch_entry {
    struct watch_ref *refs;
    size_t count;
};

struct node_list {
    struct node **items;
    size_t count, cap;
};

struct scan {
    char *root;
    int root_fd;
    dev_t store_dev; // a directory that is never looked into; 0: none
    ino_t store_ino;
    struct inventory inventory;
    struct rules rules;
    char *ignore_file; // --leanignore, or NULL
    bool no_rules;     // git has its own
    char *extra;       // a file that is told wherever it lies, absolute; or NULL
    unsigned char extra_digest[DIGEST_SIZE]; // as told last
    struct error rules_error;                // the deploy would be aborted: cut nothing
    struct watcher *watcher;                 // NULL: not watching, or polling
    struct watch_entry *watches;             // by descriptor
    size_t watch_count;
    struct node_list changed, touched; // nodes with that flag
    uint32_t pass;                     // of listings
    bool quiet;                        // the first scan: what is found is not news
    bool rules_changed, overflow;
    int watch_errno; // why watching ended; 0: it did not
    struct settle settle;
    char *vcs_dir; // the nearest .git upwards, or NULL
    struct strlist noticed;
    uint64_t noise_told;    // rows of noise.def
    uint64_t surprise_told; // lines of .leanignore, modulo 64
    void (*notice)(void *context, const char *text);
    void (*report)(void *context, const struct diagnostic *diagnostic);
    void *context;
};

// root is read now; -1 when it cannot be. ignore_file may be NULL.
int scan_init(struct scan *scan, const char *root, const char *ignore_file, struct error *error);
void scan_release(struct scan *scan);
// Watches all that is known from now on. Call before the first scan_all.
int scan_watch(struct scan *scan, struct error *error);
void scan_stop_watching(struct scan *scan);
void scan_all(struct scan *scan);
// Reads .leanignore (again). Sets rules_error.
void scan_load_rules(struct scan *scan);
// All events that are there. true: some counted. Sets overflow, watch_errno, rules_changed.
bool scan_events(struct scan *scan, int64_t now_ms);
// A virtualenv carries the host's absolute paths and gigabytes; `.venv` is in no default [I].
bool scan_is_virtualenv(const char *dir);
// Looks at one file again; true if it is still a file that can be read.
bool scan_look_again(struct scan *scan, struct node *node);
void node_list_add(struct node_list *list, struct node *node);
void scan_add_changed(struct scan *scan, struct node *node);
void scan_add_touched(struct scan *scan, struct node *node);
// About the upload; each text once.
void scan_report(struct scan *scan, enum diagnostic_severity severity, const char *file,
                 const char *rule, const char *hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void scan_report_once(struct scan *scan, const struct diagnostic *item);
// path is noise by that row: a deviation where the upload would take it.
void scan_report_noise(struct scan *scan, const char *path, int row);
// A rule left path out, or took it back: a warning where .gitignore would not (P-223).
void scan_report_surprise(struct scan *scan, const char *path, bool is_dir,
                          const struct verdict *verdict);
void scan_notice(struct scan *scan, const char *format, ...) __attribute__((format(printf, 2, 3)));
// ---- scan_watch.c, for scan.c ----

// -1: not watched; the limit is told by watch_errno. name: only this name in path counts; NULL:
// all.
int scan_add_watch(struct scan *scan, const char *path, struct node *node, const char *name);
// A link's target may change, be replaced, or the link after it: each hop is watched.
void scan_watch_hops(struct scan *scan, struct node *node);
void scan_unwatch(struct scan *scan, struct node *node);
void scan_clear_watch(struct watch_entry *entry);
char *scan_absolute(const struct scan *scan, const struct node *node); // owned by the caller
// One file more, perhaps outside of the project or left out of the upload. Before scan_watch().
void scan_watch_extra(struct scan *scan, const char *path);
// Is its content other than what was told? false when the scan tells of it by itself.
bool scan_extra_differs(const struct scan *scan);
bool scan_is_extra(const struct scan *scan, const char *name);
void scan_extra_told(struct scan *scan);
// Relative in the project, else absolute.
const char *scan_extra_name(const struct scan *scan);
// true while a VCS holds its lock.
bool scan_vcs_busy(const struct scan *scan);

#endif
