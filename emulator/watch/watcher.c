#include "emulator/watch/watcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <inotifytools/inotifytools.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |              \
     IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

struct watcher {
    int fd;             // the library's; we only poll it
    unsigned next_name; // makes a watch's name unique
    long limit;         // for tests: LEANLOCAL_WATCH_LIMIT
    long count;
};

// The library does not say which descriptor is its own.
static int find_descriptor(void)
{
    DIR *stream = opendir("/proc/self/fd");
    int found = -1;
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        char target[64];
        ssize_t len = readlinkat(dirfd(stream), entry->d_name, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        if (strcmp(target, "anon_inode:inotify") == 0) {
            found = (int)strtol(entry->d_name, NULL, 10);
        }
    }
    if (stream) {
        closedir(stream);
    }
    return found;
}

struct watcher *watcher_new(struct error *error)
{
    if (!inotifytools_initialize()) {
        error_set_errno(error, ERROR_HOST, inotifytools_error(), "inotify");
        return NULL;
    }
    int fd = find_descriptor();
    // Above 1023 the library's select() would abort.
    if (fd < 0 || fd >= 1024 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        inotifytools_cleanup();
        error_set(error, ERROR_HOST, _("inotify's descriptor cannot be used"));
        return NULL;
    }
    struct watcher *watcher = mem_alloc(sizeof *watcher);
    watcher->fd = fd;
    const char *limit = getenv("LEANLOCAL_WATCH_LIMIT");
    watcher->limit = limit ? strtol(limit, NULL, 10) : 0;
    return watcher;
}

int watcher_fd(const struct watcher *watcher)
{
    return watcher->fd;
}

// A spelling of path that the library has not seen: "/./" and "//" mean nothing to the kernel.
static char *unique_name(struct watcher *watcher, const char *path)
{
    struct buf name = {0};
    buf_addf(&name, "%s/", path);
    if (inotifytools_wd_from_filename(name.data) >= 0) {
        for (unsigned rest = ++watcher->next_name; rest > 0; rest >>= 1) {
            buf_adds(&name, rest & 1 ? "./" : ".//");
        }
    }
    return buf_steal(&name);
}

int watcher_add(struct watcher *watcher, const char *path)
{
    if (watcher->limit > 0 && watcher->count >= watcher->limit) {
        errno = ENOSPC;
        return -1;
    }
    auto_free char *name = unique_name(watcher, path);
    if (!inotifytools_watch_file(name, EVENTS)) {
        errno = inotifytools_error() ? inotifytools_error() : EINVAL;
        return -1;
    }
    watcher->count++;
    return inotifytools_wd_from_filename(name);
}

void watcher_remove(struct watcher *watcher, int wd)
{
    if (inotifytools_remove_watch_by_wd(wd)) {
        watcher->count--;
    }
}

bool watcher_next(struct watcher *watcher, struct watch_event *ret_event)
{
    (void)watcher;
    // 0 seconds, one event: the one way to ask that neither blocks nor spins.
    const struct inotify_event *event = inotifytools_next_events(0, 1);
    if (!event) {
        return false;
    }
    *ret_event = (struct watch_event){
        .wd = event->wd,
        .mask = event->mask,
        .name = event->len > 0 ? event->name : "",
    };
    return true;
}

const char *watcher_mask_text(uint32_t mask)
{
    const char *text = inotifytools_event_to_str((int)mask);
    return text ? text : "";
}

char *watcher_limit_text(int errnum)
{
    if (errnum == EMFILE) {
        return str_printf(_("the limit of %d inotify instances is reached; mend it with: "
                            "sudo sysctl fs.inotify.max_user_instances=1024"),
                          inotifytools_get_max_user_instances());
    }
    int now = inotifytools_get_max_user_watches();
    return str_printf(_("the limit of %d inotify watches is reached; mend it with: "
                        "sudo sysctl fs.inotify.max_user_watches=%d"),
                      now, now < 524288 ? 524288 : now * 2);
}

void watcher_free(struct watcher *watcher)
{
    if (!watcher) {
        return;
    }
    // The library keeps what it has read in a static buffer: empty it, or the next one reads it.
    while (inotifytools_next_events(0, 1)) {
    }
    inotifytools_cleanup();
    free(watcher);
}
