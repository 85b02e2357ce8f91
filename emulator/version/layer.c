#include "emulator/version/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define COPY_TRIES 5

static int give(const struct layer *layer, int fd)
{
    return layer->owner.give ? fchown(fd, layer->owner.uid, layer->owner.gid) : 0;
}

int layer_create(struct layer *layer, const char *path, struct layer_owner owner,
                 struct error *error)
{
    *layer = (struct layer){.fd = -1, .owner = owner};
    if (mkdir(path, 0755) < 0) {
        return error_set_errno(error, ERROR_HOST, errno, _("cannot make %s"), path);
    }
    layer->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (layer->fd < 0 || fchmod(layer->fd, 0755) < 0 || give(layer, layer->fd) < 0) {
        return error_set_errno(error, ERROR_HOST, errno, _("cannot make %s"), path);
    }
    return 0;
}

void layer_release(struct layer *layer)
{
    if (layer->fd >= 0) {
        close(layer->fd);
    }
    layer->fd = -1;
}

static int make_directory(struct layer *layer, const char *path)
{
    if (mkdirat(layer->fd, path, 0755) < 0) {
        return errno == EEXIST ? 0 : -1;
    }
    auto_close int fd = openat(layer->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && fchmod(fd, 0755) == 0 ? give(layer, fd) : -1;
}

// The directories above path.
static int make_parents(struct layer *layer, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof layer->last_dir) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (len == 0 || (strncmp(path, layer->last_dir, len) == 0 && layer->last_dir[len] == '\0')) {
        return 0;
    }
    char dir[PATH_MAX];
    memcpy(dir, path, len);
    dir[len] = '\0';
    for (char *at = strchr(dir, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (make_directory(layer, dir) < 0) {
            return -1;
        }
        *at = '/';
    }
    if (make_directory(layer, dir) < 0) {
        return -1;
    }
    memcpy(layer->last_dir, dir, len + 1);
    return 0;
}

static int copy_plainly(int from, int to)
{
    char chunk[65536];
    for (;;) {
        ssize_t got = read(from, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return (int)got;
        }
        if (fs_write_all(to, chunk, (size_t)got) < 0) {
            return -1;
        }
    }
}

// Shared blocks where the file system can, else copied inside the kernel, else by hand.
static int copy_bytes(int from, int to)
{
    if (ioctl(to, FICLONE, from) == 0) {
        return 0;
    }
    bool some = false;
    for (;;) {
        ssize_t got = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
        if (got > 0) {
            some = true;
        } else if (got == 0 && some) {
            return 0;
        } else if (got == 0 || !some) {
            // Also what /proc-like files need, whose size is 0.
            return copy_plainly(from, to);
        } else if (errno != EINTR) {
            return -1;
        }
    }
}

static bool same_times(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

// Modes as an upload unpacks them: its zip has none (P-71).
static int finish_file(const struct layer *layer, int to, const struct stat *info)
{
    struct timespec times[2] = {info->st_atim, info->st_mtim};
    bool executable = layer->keep_modes && info->st_mode & 0111;
    return fchmod(to, executable ? 0755 : 0644) < 0 || give(layer, to) < 0 ||
                   futimens(to, times) < 0
               ? -1
               : 0;
}

static int rewind_both(int from, int to)
{
    return lseek(from, 0, SEEK_SET) < 0 || lseek(to, 0, SEEK_SET) < 0 ? -1 : ftruncate(to, 0);
}

// Never truncated at the first try: ext4 writes a truncated file to the disk when it is closed
// (auto_da_alloc), and a version would cost 0.7 ms a file instead of 0.05.
static int copy_once(struct layer *layer, int from, int to, struct stat *ret_before,
                     bool *ret_still)
{
    struct stat after;
    if (fstat(from, ret_before) < 0 || copy_bytes(from, to) < 0 || fstat(from, &after) < 0) {
        return -1;
    }
    *ret_still = same_times(ret_before, &after);
    layer->written += (uint64_t)after.st_size;
    return 0;
}

enum layer_result layer_copy(struct layer *layer, const char *source, const char *path,
                             struct stat *ret_info, struct error *error)
{
    auto_close int from = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from < 0 || fstat(from, ret_info) < 0 || !S_ISREG(ret_info->st_mode)) {
        return LAYER_GONE;
    }
    auto_close int to = -1;
    if (make_parents(layer, path) == 0) {
        to = openat(layer->fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    bool still = false;
    for (int i = 0; to >= 0 && !still && i < COPY_TRIES; i++) {
        if ((i > 0 && rewind_both(from, to) < 0) ||
            copy_once(layer, from, to, ret_info, &still) < 0) {
            error_set_errno(error, ERROR_HOST, errno, _("cannot copy %s"), path);
            return LAYER_FAILED;
        }
    }
    if (to < 0 || finish_file(layer, to, ret_info) < 0) {
        error_set_errno(error, ERROR_HOST, errno, _("cannot copy %s"), path);
        return LAYER_FAILED;
    }
    return LAYER_DONE;
}

int layer_link(struct layer *layer, const char *old_path, const char *path)
{
    if (make_parents(layer, path) < 0) {
        return -1;
    }
    return linkat(AT_FDCWD, old_path, layer->fd, path, 0);
}

int layer_whiteout(struct layer *layer, const char *path)
{
    if (make_parents(layer, path) < 0) {
        return -1;
    }
    if (mknodat(layer->fd, path, S_IFCHR | 0600, makedev(0, 0)) < 0 && errno != EEXIST) {
        return -1;
    }
    return 0;
}
