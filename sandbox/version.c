#include "sandbox/version.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"

#define MAX_DEPTH 128

struct copy {
    struct version_owner owner;
    int depth;
};

static int copy_dir(struct copy *copy, int from, int to);

static bool is_whiteout(const struct stat *info)
{
    return S_ISCHR(info->st_mode) && info->st_rdev == makedev(0, 0);
}

static bool is_opaque(int dir)
{
    char value = 0;
    return (fgetxattr(dir, "user.overlay.opaque", &value, 1) == 1 && value == 'y') ||
           (fgetxattr(dir, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y');
}

static void close_dir(DIR **dir)
{
    if (*dir) {
        int errnum = errno;
        closedir(*dir);
        errno = errnum;
    }
}

// A stream of its own descriptor over `fd`.
static DIR *open_stream(int fd)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    if (!dir && own >= 0) {
        close(own);
    }
    return dir;
}

static struct dirent *next_entry(DIR *dir)
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

static int remove_at(int dir, const char *name);

static int empty_dir(int fd)
{
    __attribute__((cleanup(close_dir))) DIR *dir = open_stream(fd);
    struct dirent *entry;
    while (dir && (entry = next_entry(dir))) {
        if (remove_at(fd, entry->d_name) < 0) {
            return -1;
        }
    }
    return dir && errno == 0 ? 0 : -1;
}

static int remove_at(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return -1;
    }
    auto_close int inner = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0 || empty_dir(inner) < 0) {
        return -1;
    }
    return unlinkat(dir, name, AT_REMOVEDIR);
}

static int give(const struct copy *copy, int dir, const char *name)
{
    int result = fchownat(dir, name, copy->owner.uid, copy->owner.gid, AT_SYMLINK_NOFOLLOW);
    return result == 0 || errno == EINVAL ? 0 : -1; // EINVAL: an id unknown in our namespace
}

static int copy_bytes(int from, int to)
{
    for (;;) {
        ssize_t sent = sendfile(to, from, NULL, 1 << 20);
        if (sent <= 0) {
            return (int)sent;
        }
    }
}

static int copy_file(struct copy *copy, int from, int to, const char *name, const struct stat *info)
{
    auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || remove_at(to, name) < 0) {
        return -1;
    }
    auto_close int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0 || copy_bytes(in, out) < 0 || give(copy, to, name) < 0 ||
        fchmod(out, info->st_mode & 07777) < 0) {
        return -1;
    }
    // Times last: Python compares a source's time with its bytecode's.
    struct timespec times[2] = {info->st_atim, info->st_mtim};
    return futimens(out, times);
}

static int copy_link(struct copy *copy, int from, int to, const char *name)
{
    char text[PATH_MAX];
    ssize_t len = readlinkat(from, name, text, sizeof text - 1);
    if (len < 0 || remove_at(to, name) < 0) {
        return -1;
    }
    text[len] = '\0';
    return symlinkat(text, to, name) < 0 ? -1 : give(copy, to, name);
}

static int copy_subdir(struct copy *copy, int from, int to, const char *name,
                       const struct stat *info)
{
    struct stat there;
    if (fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(there.st_mode) &&
        unlinkat(to, name, 0) < 0) {
        return -1;
    }
    if (mkdirat(to, name, 0700) < 0 && errno != EEXIST) {
        return -1;
    }
    auto_close int inner_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_close int inner_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner_from < 0 || inner_to < 0 || copy_dir(copy, inner_from, inner_to) < 0 ||
        give(copy, to, name) < 0 || fchmod(inner_to, info->st_mode & 07777) < 0) {
        return -1;
    }
    struct timespec times[2] = {info->st_atim, info->st_mtim};
    return futimens(inner_to, times);
}

static int copy_entry(struct copy *copy, int from, int to, const char *name)
{
    struct stat info;
    if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
        return -1;
    }
    if (is_whiteout(&info)) {
        return remove_at(to, name);
    }
    switch (info.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(copy, from, to, name, &info);
    case S_IFLNK:
        return copy_link(copy, from, to, name);
    case S_IFDIR:
        return copy_subdir(copy, from, to, name, &info);
    default:
        return 0;
    }
}

static int copy_dir(struct copy *copy, int from, int to)
{
    if (copy->depth >= MAX_DEPTH) {
        errno = ELOOP;
        return -1;
    }
    if (is_opaque(from) && empty_dir(to) < 0) {
        return -1;
    }
    __attribute__((cleanup(close_dir))) DIR *dir = open_stream(from);
    if (!dir) {
        return -1;
    }
    copy->depth++;
    struct dirent *entry;
    while ((entry = next_entry(dir))) {
        if (copy_entry(copy, from, to, entry->d_name) < 0) {
            return -1;
        }
    }
    copy->depth--;
    return errno ? -1 : 0;
}

int version_copy(char *const *lowers, size_t lower_count, const char *prefix, const char *to,
                 struct version_owner owner)
{
    struct copy copy = {.owner = owner};
    auto_close int into = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (into < 0) {
        return -1;
    }
    for (size_t i = lower_count; i-- > 0;) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s%s", prefix, lowers[i]);
        auto_close int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from < 0 || copy_dir(&copy, from, into) < 0) {
            return -1;
        }
    }
    return 0;
}
