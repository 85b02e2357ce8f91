// Where things go: the cache and its disk; the groups that hold memory and CPU.
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
#include "sandbox/cgroup.h"

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

// The very groups that instances would get; one is made for a moment below each.
void check_groups(const struct doctor *doctor, struct finding *finding)
{
    static const char *const kinds[] = {[CGROUP_MEMORY] = "memory", [CGROUP_CPU] = "cpu"};
    struct cgroup_host groups;
    (void)doctor;
    cgroup_probe(&groups);
    finding->works = true;
    for (int i = 0; i < CGROUP_KIND__COUNT; i++) {
        if (!groups.places[i].dir) {
            free(finding->reason);
            finding->works = false;
            finding->reason = str_printf("%s: %s", kinds[i], groups.places[i].reason);
        }
    }
    if (finding->works) {
        finding->value = cgroup_describe(&groups, CGROUP_MEMORY);
    } else {
        finding->mend = str_dup(_("start it in a group of your own, which systemd makes"));
        finding->commands = str_dup("systemd-run --user --scope -p Delegate=yes leanlocal up");
    }
    cgroup_host_release(&groups);
}
