#include "sandbox/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

char *fs_read(const char *path, size_t max, size_t *ret_len, struct error *error)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
        return NULL;
    }
    struct buf content = {0};
    for (;;) {
        char *room = buf_reserve(&content, 16384);
        ssize_t got = read(fd, room, 16384);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
            buf_release(&content);
            return NULL;
        }
        if (got == 0) {
            break;
        }
        buf_added(&content, (size_t)got);
        if (content.len > max) {
            error_set_errno(error, ERROR_SYSTEM, EFBIG, "%s", path);
            buf_release(&content);
            return NULL;
        }
    }
    if (ret_len) {
        *ret_len = content.len;
    }
    return buf_steal(&content);
}

int fs_write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t written = write(fd, at, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return -1;
        }
        at += written;
        len -= (size_t)written;
    }
    return 0;
}

int fs_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode,
                    struct error *error)
{
    auto_free char *temporary = str_printf("%s.XXXXXX", path);
    auto_close int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    if (fs_write_all(fd, bytes, len) < 0 || fchmod(fd, mode) < 0 || rename(temporary, path) < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
        unlink(temporary);
        return -1;
    }
    return 0;
}

int fs_mkdir_p(const char *path, mode_t mode, struct error *error)
{
    auto_free char *copy = str_dup(path);
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
            int errnum = errno;
            if (!fs_is_dir(copy)) {
                return error_set_errno(error, ERROR_SYSTEM, errnum, "mkdir %s", copy);
            }
        }
        *at = kept;
        if (!kept) {
            break;
        }
    }
    if (!fs_is_dir(path)) {
        return error_set_errno(error, ERROR_SYSTEM, ENOTDIR, "%s", path);
    }
    return 0;
}

// A directory on another mount is left alone, and what it holds. Mounts are told by their id: on a
// layered file system the device number of a file says nothing.
static int remove_at(int dir_fd, const char *name, uint64_t mount_id)
{
    struct statx info;
    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE | STATX_MNT_ID, &info) <
        0) {
        return errno == ENOENT ? 0 : -1;
    }
    if (!S_ISDIR(info.stx_mode)) {
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -1 : 0;
    }
    if (mount_id && info.stx_mnt_id != mount_id) {
        errno = EBUSY;
        return -1;
    }
    if ((info.stx_mode & 0700) != 0700) {
        // A directory whose owner took away its own permission must not survive us.
        fchmodat(dir_fd, name, 0700, 0);
    }
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (!entries) {
        return errno == ENOENT ? 0 : -1;
    }
    int result = 0;
    struct dirent *entry;
    while ((entry = readdir(entries))) {
        bool self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!self && remove_at(dirfd(entries), entry->d_name, info.stx_mnt_id) < 0) {
            result = -1;
        }
    }
    closedir(entries);
    if (result == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        result = -1;
    }
    return result;
}

int fs_remove_tree(const char *path, struct error *error)
{
    if (remove_at(AT_FDCWD, path, 0) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "remove %s", path);
    }
    return 0;
}

bool fs_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool fs_is_dir(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool fs_is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool fs_is_open_to_all(const char *path)
{
    auto_free char *part = str_dup(path);
    struct stat info;
    for (char *end = part + strlen(part); end && end > part; end = strrchr(part, '/')) {
        *end = '\0';
        if (stat(part, &info) < 0 || !(info.st_mode & S_IXOTH)) {
            return false;
        }
    }
    return true;
}

char *fs_join(const char *dir, const char *name)
{
    const char *slash = str_ends_with(dir, "/") ? "" : "/";
    return str_printf("%s%s%s", dir, slash, name);
}
