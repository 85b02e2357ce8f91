// A tree is walked from its first process over every thread's list of children, so a look costs
// what the tree is large, whatever else the machine runs. CPU time of the dead is in the books of
// who waited for them; orphans come to the tree's first process, whose own share is nothing.
// NEEDSWORK: a parent that ignores SIGCHLD takes its children's time with it; only a build that
// wants to cheat does so.

#include "emulator/build/meter.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define PROC_FILE_MAX 65536
#define DEPTH_MAX     64
#define PROCESSES_MAX 4096 // a look at more would hold up the loop

// ---- limits ----

void meter_limits_read(const char *text, struct meter_limits *ret_limits)
{
    struct meter_limits limits = {
        .cpus = LIMIT_BUILD_CPUS,
        .cpu_ms = LIMIT_BUILD_CPU_MS,
        .memory_bytes = LIMIT_BUILD_MEMORY_BYTES,
        .quiet_ms = LIMIT_BUILD_QUIET_MS,
    };
    const struct {
        const char *name;
        int64_t *value;
        int64_t unit;
    } words[] = {
        {"cpus=", &limits.cpus, 1},
        {"cpu-ms=", &limits.cpu_ms, 1},
        {"memory-mb=", &limits.memory_bytes, 1 << 20},
        {"quiet-ms=", &limits.quiet_ms, 1},
    };
    while (text && *text) {
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            size_t len = strlen(words[i].name);
            if (strncmp(text, words[i].name, len) == 0) {
                *words[i].value = atoll(text + len) * words[i].unit;
            }
        }
        text += strcspn(text, ",");
        text += *text == ',';
    }
    *ret_limits = limits;
}

int meter_judge(const struct meter_limits *limits, const struct meter_use *use,
                struct error *ret_error)
{
    if (use->cpu_ms > limits->cpu_ms) {
        error_set(ret_error, ERROR_PROJECT,
                  _("killed: the build used %.1f s of CPU time, the cloud gives it %.1f s"),
                  (double)use->cpu_ms / 1e3, (double)limits->cpu_ms / 1e3);
        error_set_rule(ret_error, "P-66", NULL);
        return error_set_hint(ret_error, _("compile less: take wheels, or commit what the build "
                                           "commands make"));
    }
    if (use->memory_bytes > limits->memory_bytes) {
        error_set(ret_error, ERROR_PROJECT,
                  _("killed: the build used %lld MB of memory, the cloud gives it %lld MB"),
                  (long long)(use->memory_bytes >> 20), (long long)(limits->memory_bytes >> 20));
        error_set_rule(ret_error, "P-66", TEXT_BUILD_MEMORY);
        return error_set_hint(ret_error, _("compile with fewer jobs at once, or take wheels"));
    }
    return 0;
}

// ---- the tree ----

struct walk {
    struct meter_use use;
    int count;
    int64_t page_bytes;
    int64_t ticks_per_second;
};

static char *read_proc(pid_t pid, const char *name)
{
    auto_free char *path = str_printf("/proc/%d/%s", (int)pid, name);
    return fs_read(path, PROC_FILE_MAX, NULL, NULL);
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
    auto_free char *statm = read_proc(pid, "statm");
    long long resident, shared; // pages; shared are those of files
    if (statm && sscanf(statm, "%*d %lld %lld", &resident, &shared) == 2) {
        walk->use.memory_bytes += (resident - shared) * walk->page_bytes;
    }
    walk->count++;
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
    if (depth > DEPTH_MAX || walk->count >= PROCESSES_MAX || add_process(walk, pid) < 0) {
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

int meter_read(pid_t root, struct meter_use *ret_use)
{
    struct walk walk = {.page_bytes = sysconf(_SC_PAGESIZE),
                        .ticks_per_second = sysconf(_SC_CLK_TCK)};
    add_tree(&walk, root, 0);
    *ret_use = walk.use;
    return walk.count ? 0 : -1;
}

// ---- processors ----

static bool has_bit(const struct meter_cpus *cpus, size_t bit)
{
    return cpus->bits[bit / (8 * sizeof(long))] >> (bit % (8 * sizeof(long))) & 1;
}

void meter_cpus_limit(int64_t wanted, struct meter_cpus *ret_before)
{
    struct meter_cpus before = {.bytes = 0};
    struct meter_cpus some = {.bytes = 0};
    before.bytes = syscall(SYS_sched_getaffinity, 0, sizeof before.bits, before.bits);
    if (before.bytes <= 0) {
        *ret_before = (struct meter_cpus){.bytes = 0};
        return;
    }
    int64_t count = 0;
    for (size_t bit = 0; bit < (size_t)before.bytes * 8 && count < wanted; bit++) {
        if (has_bit(&before, bit)) {
            some.bits[bit / (8 * sizeof(long))] |= 1UL << (bit % (8 * sizeof(long)));
            count++;
        }
    }
    if (syscall(SYS_sched_setaffinity, 0, before.bytes, some.bits) < 0) {
        before.bytes = 0;
    }
    *ret_before = before;
}

void meter_cpus_restore(const struct meter_cpus *before)
{
    if (before->bytes > 0) {
        syscall(SYS_sched_setaffinity, 0, before->bytes, before->bits);
    }
}
