// Where things go: the cache and its disk; the group that holds memory and CPU.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "emulator/doctor/doctor.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define FREE_WANTED_BYTES (1ULL << 30) // what an upload may unpack to, and its layer

// The nearest part that exists, a directory unless something stands in its way. Owned by the
// caller.
static char *existing_part(const char *dir)
{
    char *path = str_dup(dir);
    while (!fs_exists(path)) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            free(path);
            return str_dup("/");
        }
        *slash = '\0';
    }
    return path;
}

void check_cache(const struct doctor *doctor, struct finding *finding)
{
    auto_free char *part = existing_part(doctor->cache_dir);
    struct statvfs status;
    finding->value = str_dup(doctor->cache_dir);
    finding->mend = str_dup(_("name another directory, of yours and on a disk of this machine"));
    finding->commands = str_dup("export XDG_CACHE_HOME=/var/tmp/cache");
    int errnum = !fs_is_dir(part) ? ENOTDIR : access(part, W_OK | X_OK) < 0 ? errno : 0;
    if (errnum) {
        finding->errnum = errnum;
        finding->reason = str_printf("%s: %s", part, strerror(errnum));
    } else if (statvfs(part, &status) == 0 && (status.f_flag & ST_NOEXEC)) {
        finding->errnum = EACCES;
        finding->reason = str_printf(_("%s: mounted noexec, and packages hold programs"), part);
    } else {
        finding->works = true;
    }
}

void check_disk(const struct doctor *doctor, struct finding *finding)
{
    auto_free char *part = existing_part(doctor->cache_dir);
    struct statvfs status;
    if (statvfs(part, &status) < 0) {
        finding->errnum = errno;
        finding->reason = str_printf("statvfs: %s", strerror(errno));
        return;
    }
    unsigned long long bytes = (unsigned long long)status.f_bavail * status.f_frsize;
    finding->works = bytes >= FREE_WANTED_BYTES;
    finding->value = str_printf("%.1fG", (double)bytes / (1 << 30));
    if (!finding->works) {
        finding->errnum = ENOSPC;
        finding->reason = str_printf(_("less than %lluG"), FREE_WANTED_BYTES >> 30);
        finding->mend = str_dup(_("make room; what leanlocal keeps of earlier builds may go"));
        finding->commands = str_dup("leanlocal cache prune --all");
    }
}

// ---- control groups ----

// The path of our group: of "0::" in version 2, of the memory controller in version 1.
static char *own_group(const struct doctor *doctor, const char *controller, const char *mount)
{
    auto_free char *file = str_printf("%s/proc/self/cgroup", doctor->root);
    auto_free char *text = fs_read(file, 64 << 10, NULL, NULL);
    const char *at = text ? strstr(text, controller) : NULL;
    if (!at) {
        return NULL;
    }
    at += strlen(controller);
    auto_free char *path = str_dup_len(at, strcspn(at, "\n"));
    return str_printf("%s%s%s", doctor->root, mount, path);
}

void check_memory(const struct doctor *doctor, struct finding *finding)
{
    static const struct {
        const char *name, *mark, *controller, *mount;
    } kinds[] = {
        {"cgroup v2", "/sys/fs/cgroup/cgroup.controllers", "0::", "/sys/fs/cgroup"},
        {"cgroup v1", "/sys/fs/cgroup/memory", ":memory:", "/sys/fs/cgroup/memory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        auto_free char *mark = str_printf("%s%s", doctor->root, kinds[i].mark);
        auto_free char *group = own_group(doctor, kinds[i].controller, kinds[i].mount);
        if (!fs_exists(mark) || !group) {
            continue;
        }
        finding->value = str_dup(kinds[i].name);
        finding->works = access(group, W_OK) == 0;
        if (!finding->works) {
            finding->errnum = errno;
            finding->reason = str_printf("%s: %s", group, strerror(errno));
            finding->mend = str_dup(_("start it in a group of your own, which systemd makes"));
            finding->commands = str_dup("systemd-run --user --scope -p Delegate=yes leanlocal up");
        }
        return;
    }
    finding->errnum = ENOENT;
    finding->reason = str_printf("/sys/fs/cgroup: %s", strerror(ENOENT));
}
