#include "sandbox/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

// Everything else of the host is mapped up here, so that init (0 inside, with capabilities) can
// walk through directories of other users on the way to a bind's source. The command gains nothing
// by it: it has one id and no capability.
#define OTHERS_BASE 0x10000000u
#define OTHERS_LAST 0x7fffffffu

#define MAP_TEXT_SIZE 160

enum map_width {
    MAP_EVERYTHING,
    MAP_TWO,
    MAP_ONE,
};

static void print_map(char *text, enum map_width width, unsigned inner, unsigned outer,
                      unsigned own)
{
    if (width == MAP_ONE) {
        snprintf(text, MAP_TEXT_SIZE, "%u %u 1\n", inner, own);
        return;
    }
    int len = snprintf(text, MAP_TEXT_SIZE, "0 0 1\n%u %u 1\n", inner, outer);
    if (width == MAP_TWO) {
        return;
    }
    if (outer > 1) {
        len += snprintf(text + len, MAP_TEXT_SIZE - (size_t)len, "%u 1 %u\n", OTHERS_BASE + 1,
                        outer - 1);
    }
    snprintf(text + len, MAP_TEXT_SIZE - (size_t)len, "%u %u %u\n", OTHERS_BASE + outer + 1,
             outer + 1, OTHERS_LAST - outer - 1);
}

// Maps are written once and whole: one write call. 0, or -1 with errno.
static int write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        return -1;
    }
    return 0;
}

static int write_maps(pid_t pid, const struct ids *ids, enum map_width width)
{
    char text[MAP_TEXT_SIZE];
    print_map(text, width, ids->uid, ids->host_uid, geteuid());
    if (write_proc(pid, "uid_map", text) < 0) {
        return -1;
    }
    // Without privilege outside a gid map is accepted only where setgroups is off for good.
    if (width == MAP_ONE && write_proc(pid, "setgroups", "deny") < 0 && errno != ENOENT) {
        return -1;
    }
    print_map(text, width, ids->gid, ids->host_gid, getegid());
    return write_proc(pid, "gid_map", text);
}

int ids_write(pid_t pid, const struct ids *ids, struct error *error)
{
    enum map_width first = ids->second ? MAP_EVERYTHING : MAP_ONE;
    enum map_width last = ids->second ? MAP_TWO : MAP_ONE;
    int errnum = EPERM;
    for (enum map_width width = first; width <= last; width++) {
        if (write_maps(pid, ids, width) == 0) {
            return 0;
        }
        // A map is written once: after half a success the next width is told EPERM, which says
        // less.
        errnum = errno != EPERM ? errno : errnum;
    }
    return error_set_errno(error, ERROR_HOST, errnum,
                           _("cannot map user ids into the sandbox (/proc/%d/uid_map)"), (int)pid);
}

bool ids_in_first_namespace(void)
{
    char *text = fs_read("/proc/self/uid_map", 4096, NULL, NULL);
    unsigned inner = 1;
    unsigned outer = 1;
    unsigned length = 0;
    bool first = text && sscanf(text, "%u %u %u", &inner, &outer, &length) == 3 && inner == 0 &&
                 outer == 0 && length == 4294967295u;
    free(text);
    return first;
}
