// Version 1 has a hierarchy for each controller, version 2 one for all; both may be there at once.
// So memory and processors each have a place of their own, which with version 2 is the same group.
//
// With version 2 a group that holds processes cannot hand controllers on to its children, except
// for the root: below a session's scope nothing can be had, below the root of a small virtual
// machine it can. NEEDSWORK: a delegated group in which only we live could be vacated into a child;
// it will matter when somebody runs us by `systemd-run --user --scope -p Delegate=yes`.

#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/sandbox.h"

#define PROC_MAX  (1 << 20)
#define PERIOD_US 100000
#define SWEEP_MAX 50 // rounds for what does not want to go
#define SWEEP_US  2000

static const char *const controllers[CGROUP_KIND__COUNT] = {"memory", "cpu"};

struct cgroup {
    char *dirs[CGROUP_KIND__COUNT]; // with version 2 equal
    bool unified;                   // the memory's
};

// ---- pure ----

int64_t cgroup_value(const char *text, const char *key)
{
    size_t len = strlen(key);
    for (const char *line = text; line && *line;) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ') {
            return atoll(line + len + 1);
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return -1;
}

static bool has_word(const char *list, const char *word, const char *separators)
{
    size_t len = strlen(word);
    while (*list) {
        size_t part = strcspn(list, separators);
        if (part == len && strncmp(list, word, len) == 0) {
            return true;
        }
        list += part + (list[part] != '\0');
    }
    return false;
}

// "\040" is a blank, as mountinfo has it. In place.
static void unescape(char *text)
{
    char *out = text;
    for (; *text; out++) {
        unsigned value;
        if (*text == '\\' && sscanf(text + 1, "%3o", &value) == 1) {
            *out = (char)value;
            text += 4;
        } else {
            *out = *text++;
        }
    }
    *out = '\0';
}

// "4:memory:/path", "3:cpu,cpuacct:/path"; version 2: "0::/path". Owned by the caller.
static char *own_path(const char *membership, const char *controller)
{
    for (const char *line = membership; *line;) {
        size_t len = strcspn(line, "\n");
        auto_free char *copy = str_dup_len(line, len);
        char *names = strchr(copy, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (path) {
            *path++ = '\0';
            names++;
            if (*controller ? has_word(names, controller, ",") : *names == '\0') {
                return str_dup(path);
            }
        }
        line += len + (line[len] != '\0');
    }
    return NULL;
}

struct mount {
    char root[512], point[512], type[32], options[512];
};

// controller "": the mount of version 2.
static bool find_mount(const char *mountinfo, const char *controller, struct mount *ret_mount)
{
    const char *wanted = *controller ? "cgroup" : "cgroup2";
    for (const char *line = mountinfo; *line;) {
        size_t len = strcspn(line, "\n");
        auto_free char *copy = str_dup_len(line, len);
        char *rest = strstr(copy, " - ");
        struct mount found;
        if (rest && sscanf(copy, "%*s %*s %*s %511s %511s", found.root, found.point) == 2 &&
            sscanf(rest, " - %31s %*s %511s", found.type, found.options) == 2 &&
            strcmp(found.type, wanted) == 0 &&
            (!*controller || has_word(found.options, controller, ","))) {
            unescape(found.root);
            unescape(found.point);
            *ret_mount = found;
            return true;
        }
        line += len + (line[len] != '\0');
    }
    return false;
}

// A container sees only the part below the mount's root.
static char *own_dir_of(const char *mountinfo, const char *membership, const char *controller)
{
    struct mount mount;
    auto_free char *path = own_path(membership, controller);
    if (!path || strstr(path, "/..") || !find_mount(mountinfo, controller, &mount)) {
        return NULL;
    }
    size_t root_len = strcmp(mount.root, "/") == 0 ? 0 : strlen(mount.root);
    if (strncmp(path, mount.root, root_len) != 0 || (path[root_len] && path[root_len] != '/')) {
        return NULL;
    }
    const char *below = strcmp(path + root_len, "/") == 0 ? "" : path + root_len;
    return str_printf("%s%s", mount.point, below);
}

char *cgroup_own_dir(const char *mountinfo, const char *membership, const char *controller,
                     bool *ret_unified)
{
    char *dir = own_dir_of(mountinfo, membership, controller);
    *ret_unified = !dir;
    return dir ? dir : own_dir_of(mountinfo, membership, "");
}

// ---- files of a group ----

static char *read_file(const char *dir, const char *name)
{
    auto_free char *path = fs_join(dir, name);
    return fs_read(path, PROC_MAX, NULL, NULL);
}

static int write_file(const char *dir, const char *name, const char *text)
{
    auto_free char *path = fs_join(dir, name);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -1 : fs_write_all(fd, text, strlen(text));
}

static int write_number(const char *dir, const char *name, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return write_file(dir, name, text);
}

static int limit_memory(const char *dir, bool unified, int64_t bytes)
{
    if (!unified) {
        return write_number(dir, "memory.limit_in_bytes", bytes);
    }
    write_file(dir, "memory.swap.max", "0"); // not there without swap accounting
    write_file(dir, "memory.oom.group", "1");
    return write_number(dir, "memory.max", bytes);
}

static int limit_cpu(const char *dir, bool unified, int64_t milli)
{
    int64_t quota_us = milli * PERIOD_US / 1000;
    if (!unified) {
        write_number(dir, "cpu.cfs_period_us", PERIOD_US);
        return write_number(dir, "cpu.cfs_quota_us", quota_us);
    }
    char text[64];
    snprintf(text, sizeof text, "%lld %d", (long long)quota_us, PERIOD_US);
    return write_file(dir, "cpu.max", text);
}

// ---- one tree's groups ----

static int make_one(const struct cgroup_host *host, enum cgroup_kind kind, const char *name,
                    const struct cgroup_limits *limits, struct cgroup *group)
{
    const struct cgroup_place *place = &host->places[kind];
    if (!place->dir) {
        return -1;
    }
    auto_free char *dir = str_printf("%s/%s%s", place->dir, host->owner, name);
    bool made = mkdir(dir, 0755) == 0;
    if (!made && (errno != EEXIST || !str_equal(group->dirs[CGROUP_MEMORY], dir))) {
        return -1;
    }
    int result = kind == CGROUP_MEMORY ? limit_memory(dir, place->unified, limits->memory_bytes)
                                       : limit_cpu(dir, place->unified, limits->cpu_milli);
    if (result < 0) {
        int errnum = errno;
        if (made) {
            rmdir(dir);
        }
        errno = errnum;
        return -1;
    }
    group->dirs[kind] = steal(dir);
    return 0;
}

struct cgroup *cgroup_new(const struct cgroup_host *host, const char *name,
                          const struct cgroup_limits *limits)
{
    struct cgroup *group = mem_alloc(sizeof *group);
    group->unified = host->places[CGROUP_MEMORY].unified;
    for (enum cgroup_kind kind = 0; kind < CGROUP_KIND__COUNT; kind++) {
        make_one(host, kind, name, limits, group);
    }
    if (!group->dirs[CGROUP_MEMORY] && !group->dirs[CGROUP_CPU]) {
        free(group);
        return NULL;
    }
    return group;
}

size_t cgroup_dirs(const struct cgroup *group, const char *ret_dirs[static CGROUP_KIND__COUNT])
{
    size_t count = 0;
    for (enum cgroup_kind kind = 0; group && kind < CGROUP_KIND__COUNT; kind++) {
        if (group->dirs[kind] && (count == 0 || !str_equal(ret_dirs[0], group->dirs[kind]))) {
            ret_dirs[count++] = group->dirs[kind];
        }
    }
    return count;
}

bool cgroup_has(const struct cgroup *group, enum cgroup_kind kind)
{
    return group && group->dirs[kind];
}

int64_t cgroup_anonymous_bytes(const struct cgroup *group)
{
    if (!cgroup_has(group, CGROUP_MEMORY)) {
        return -1;
    }
    auto_free char *members = read_file(group->dirs[CGROUP_MEMORY], "cgroup.procs");
    auto_free char *stat = read_file(group->dirs[CGROUP_MEMORY], "memory.stat");
    int64_t bytes = cgroup_value(stat, group->unified ? "anon" : "total_rss");
    if (!members || !*members || bytes < 0) {
        return -1;
    }
    auto_free char *swap =
        group->unified ? read_file(group->dirs[CGROUP_MEMORY], "memory.swap.current") : NULL;
    int64_t swapped = group->unified ? (swap ? atoll(swap) : 0) : cgroup_value(stat, "total_swap");
    return bytes + (swapped > 0 ? swapped : 0);
}

int64_t cgroup_kills(const struct cgroup *group)
{
    if (!cgroup_has(group, CGROUP_MEMORY)) {
        return 0;
    }
    auto_free char *events = read_file(group->dirs[CGROUP_MEMORY],
                                       group->unified ? "memory.events" : "memory.oom_control");
    int64_t kills = cgroup_value(events, "oom_kill");
    return kills > 0 ? kills : 0;
}

void cgroup_free(struct cgroup *group)
{
    if (!group) {
        return;
    }
    for (enum cgroup_kind kind = 0; kind < CGROUP_KIND__COUNT; kind++) {
        if (group->dirs[kind]) {
            rmdir(group->dirs[kind]); // EBUSY: the sweep meets it again
            free(group->dirs[kind]);
        }
    }
    free(group);
}

// ---- where they can be made ----

static void give_reason(struct cgroup_place *place, const char *reason)
{
    snprintf(place->reason, sizeof place->reason, "%s", reason);
    free(place->dir);
    place->dir = NULL;
}

// Only what our own group hands on can be counted in its children.
static bool is_handed_on(const char *dir, const char *controller)
{
    auto_free char *handed = read_file(dir, "cgroup.subtree_control");
    if (handed && has_word(handed, controller, " \n")) {
        return true;
    }
    auto_free char *add = str_printf("+%s", controller);
    return write_file(dir, "cgroup.subtree_control", add) == 0;
}

static void probe_place(struct cgroup_host *host, enum cgroup_kind kind)
{
    static const struct cgroup_limits limits = {.memory_bytes = 1 << 24, .cpu_milli = 1000};
    struct cgroup_place *place = &host->places[kind];
    struct cgroup trial = {.unified = place->unified};
    char text[160];
    if (place->unified && !is_handed_on(place->dir, controllers[kind])) {
        snprintf(text, sizeof text, _("our own group cannot hand on %s: %s"), controllers[kind],
                 strerror(errno));
        give_reason(place, text);
        return;
    }
    if (make_one(host, kind, "trial", &limits, &trial) < 0) {
        snprintf(text, sizeof text, _("no group can be made below our own: %s"), strerror(errno));
        give_reason(place, text);
        return;
    }
    rmdir(trial.dirs[kind]);
    free(trial.dirs[kind]);
}

static bool name_owner(struct cgroup_host *host)
{
    unsigned number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return false;
    }
    snprintf(host->owner, sizeof host->owner, CGROUP_PREFIX "%d-%08x-", (int)getpid(), number);
    return true;
}

void cgroup_probe(struct cgroup_host *ret_host)
{
    auto_free char *mountinfo = fs_read("/proc/self/mountinfo", PROC_MAX, NULL, NULL);
    auto_free char *membership = fs_read("/proc/self/cgroup", PROC_MAX, NULL, NULL);
    cgroup_probe_texts(mountinfo, membership, ret_host);
}

void cgroup_probe_texts(const char *mountinfo, const char *membership, struct cgroup_host *ret_host)
{
    struct cgroup_host host = {0};
    bool denied = sandbox_is_denied("cgroup") || !name_owner(&host);
    for (enum cgroup_kind kind = 0; kind < CGROUP_KIND__COUNT; kind++) {
        struct cgroup_place *place = &host.places[kind];
        if (denied) {
            give_reason(place, _("denied by LEANLOCAL_SANDBOX_DENY"));
            continue;
        }
        if (mountinfo && membership) {
            place->dir = cgroup_own_dir(mountinfo, membership, controllers[kind], &place->unified);
        }
        if (place->dir) {
            probe_place(&host, kind);
        } else {
            give_reason(place, _("no group of ours can be reached"));
        }
    }
    *ret_host = host;
}

void cgroup_host_release(struct cgroup_host *host)
{
    for (enum cgroup_kind kind = 0; kind < CGROUP_KIND__COUNT; kind++) {
        free(host->places[kind].dir);
        host->places[kind].dir = NULL;
    }
}

char *cgroup_describe(const struct cgroup_host *host, enum cgroup_kind kind)
{
    const struct cgroup_place *place = &host->places[kind];
    return place->dir ? str_printf("cgroup v%d %s", place->unified ? 2 : 1, place->dir) : NULL;
}

// ---- dead owners ----

char *cgroup_record(const struct cgroup_host *host)
{
    char *text = str_dup("");
    for (enum cgroup_kind kind = 0; kind < CGROUP_KIND__COUNT; kind++) {
        if (host->places[kind].dir) {
            char *longer = str_printf("%s%s/%s\n", text, host->places[kind].dir, host->owner);
            free(text);
            text = longer;
        }
    }
    return text;
}

static void kill_members(const char *dir)
{
    auto_free char *members = read_file(dir, "cgroup.procs");
    for (char *at = members; at && *at;) {
        pid_t pid = (pid_t)strtol(at, &at, 10);
        if (pid > 0) {
            kill(pid, SIGKILL);
        }
        at += strspn(at, "\n");
    }
}

static void sweep_dir(const char *dir, const char *owner)
{
    DIR *entries = opendir(dir);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (!str_starts_with(entry->d_name, owner)) {
            continue;
        }
        auto_free char *group = fs_join(dir, entry->d_name);
        for (int round = 0; rmdir(group) < 0 && errno == EBUSY && round < SWEEP_MAX; round++) {
            kill_members(group);
            usleep(SWEEP_US);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

void cgroup_sweep(const char *record)
{
    while (*record) {
        size_t len = strcspn(record, "\n");
        auto_free char *line = str_dup_len(record, len);
        char *owner = strrchr(line, '/');
        // Nothing but what bears our name, whatever the record says.
        if (owner && owner > line && str_starts_with(owner + 1, CGROUP_PREFIX) &&
            strlen(owner + 1) > strlen(CGROUP_PREFIX)) {
            *owner = '\0';
            sweep_dir(line, owner + 1);
        }
        record += len + (record[len] != '\0');
    }
}
