#include "emulator/instance/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

#define PROC_FILE_MAX 65536
#define DEPTH_MAX     32

static char *read_proc(pid_t pid, const char *name)
{
    auto_free char *path = str_printf("/proc/%d/%s", (int)pid, name);
    return fs_read(path, PROC_FILE_MAX, NULL, NULL);
}

static int64_t field_kb(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? atoll(at + strlen(name)) : 0;
}

static int add_process(pid_t pid, struct usage *usage)
{
    auto_free char *stat = read_proc(pid, "stat");
    auto_free char *status = read_proc(pid, "status");
    const char *after_name = stat ? strrchr(stat, ')') : NULL;
    long long user = 0;
    long long system_time = 0;
    if (!after_name || !status ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user,
               &system_time) != 2) {
        return -1;
    }
    usage->cpu_ticks += user + system_time;
    usage->anonymous_bytes += field_kb(status, "\nRssAnon:") * 1024;
    return 0;
}

static void add_children(pid_t pid, struct usage *usage, int depth)
{
    auto_free char *name = str_printf("task/%d/children", (int)pid);
    auto_free char *children = read_proc(pid, name);
    for (char *at = children; at && *at && depth < DEPTH_MAX;) {
        pid_t child = (pid_t)strtol(at, &at, 10);
        if (child > 0 && add_process(child, usage) == 0) {
            add_children(child, usage, depth + 1);
        }
        at += strspn(at, " \n");
    }
}

int usage_read(pid_t root, struct usage *ret_usage)
{
    struct usage usage = {.disk_bytes = -1};
    auto_free char *alive = read_proc(root, "stat");
    if (!alive) {
        return -1;
    }
    add_children(root, &usage, 0); // init itself is ours, not the app's
    auto_free char *path = str_printf("/proc/%d/root/tmp", (int)root);
    struct statvfs disk;
    if (statvfs(path, &disk) == 0) {
        usage.disk_bytes = (int64_t)(disk.f_blocks - disk.f_bfree) * (int64_t)disk.f_frsize;
    }
    *ret_usage = usage;
    return 0;
}
