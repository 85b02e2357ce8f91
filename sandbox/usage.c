// A tree is walked from its first process over every thread's list of children, so a look costs
// what the tree is large, whatever else the machine runs. CPU time of the dead is in the books of
// who waited for them; orphans come to the tree's first process.
// NEEDSWORK: a parent that ignores SIGCHLD takes its children's time with it; only a build that
// wants to cheat does so.

#include "sandbox/usage.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

#define PROC_FILE_MAX 65536
#define DEPTH_MAX     64
#define PROCESSES_MAX 4096 // a look at more would hold up the loop

struct walk {
    struct usage use;
    bool exact;
    int64_t ticks_per_second;
};

static char *read_proc(pid_t pid, const char *name)
{
    auto_free char *path = str_printf("/proc/%d/%s", (int)pid, name);
    return fs_read(path, PROC_FILE_MAX, NULL, NULL);
}

// "RssAnon:      1234 kB"; -1: no such line.
static int64_t field_bytes(const char *text, const char *name)
{
    const char *at = text ? strstr(text, name) : NULL;
    return at ? atoll(at + strlen(name)) * 1024 : -1;
}

static int64_t memory_of(pid_t pid, bool exact)
{
    auto_free char *shares = exact ? read_proc(pid, "smaps_rollup") : NULL;
    int64_t anonymous = field_bytes(shares, "\nPss_Anon:");
    int64_t swapped = field_bytes(shares, "\nSwapPss:");
    if (anonymous < 0) {
        auto_free char *status = read_proc(pid, "status");
        anonymous = field_bytes(status, "\nRssAnon:");
        swapped = field_bytes(status, "\nVmSwap:");
    }
    return (anonymous > 0 ? anonymous : 0) + (swapped > 0 ? swapped : 0);
}

static int add_process(struct walk *walk, pid_t pid)
{
    auto_free char *stat = read_proc(pid, "stat");
    const char *after_name = stat ? strrchr(stat, ')') : NULL;
    long long own, kernel, children, children_kernel;
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld",
               &own, &kernel, &children, &children_kernel) != 4) {
        return -1;
    }
    walk->use.cpu_ms += (own + kernel + children + children_kernel) * 1000 / walk->ticks_per_second;
    if (walk->use.count++ > 0) { // the first one is ours
        walk->use.anonymous_bytes += memory_of(pid, walk->exact);
    }
    return 0;
}

static void add_tree(struct walk *walk, pid_t pid, int depth);

static void add_children(struct walk *walk, pid_t pid, const char *thread, int depth)
{
    auto_free char *name = str_printf("task/%s/children", thread);
    auto_free char *children = read_proc(pid, name);
    for (char *at = children; at && *at;) {
        pid_t child = (pid_t)strtol(at, &at, 10);
        if (child > 0) {
            add_tree(walk, child, depth + 1);
        }
        at += strspn(at, " \n");
    }
}

static void add_tree(struct walk *walk, pid_t pid, int depth)
{
    if (depth > DEPTH_MAX || walk->use.count >= PROCESSES_MAX || add_process(walk, pid) < 0) {
        return;
    }
    auto_free char *path = str_printf("/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    struct dirent *thread;
    while (threads && (thread = readdir(threads))) {
        if (thread->d_name[0] != '.') {
            add_children(walk, pid, thread->d_name, depth);
        }
    }
    if (threads) {
        closedir(threads);
    }
}

int usage_read(pid_t root, struct usage *ret_usage)
{
    struct walk walk = {.ticks_per_second = sysconf(_SC_CLK_TCK)};
    add_tree(&walk, root, 0);
    *ret_usage = walk.use;
    return walk.use.count ? 0 : -1;
}

int64_t usage_exact_memory(pid_t root)
{
    struct walk walk = {.ticks_per_second = sysconf(_SC_CLK_TCK), .exact = true};
    add_tree(&walk, root, 0);
    return walk.use.count ? walk.use.anonymous_bytes : -1;
}

int usage_read_disk(pid_t root, int64_t *ret_used_bytes, int64_t *ret_free_bytes)
{
    auto_free char *path = str_printf("/proc/%d/root/tmp", (int)root);
    struct statvfs disk;
    if (statvfs(path, &disk) < 0) {
        return -1;
    }
    *ret_used_bytes = (int64_t)(disk.f_blocks - disk.f_bfree) * (int64_t)disk.f_frsize;
    *ret_free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return 0;
}
