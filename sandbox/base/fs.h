// What: the few things done to files everywhere: read whole, write atomically, make and remove
//       trees.
// Owns: returned memory belongs to the caller. Descriptors are close-on-exec from birth.
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sandbox/base/error.h"

// Whole file, NUL-terminated. Fails with errnum ENOENT kept, EFBIG when larger than max bytes.
char *fs_read(const char *path, size_t max, size_t *ret_len, struct error *error);
// Temporary file in the same directory, then rename.
int fs_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode,
                    struct error *error);
int fs_mkdir_p(const char *path, mode_t mode, struct error *error);
// Removes path and all below it; missing is fine. Follows no symbolic link, crosses no mount.
int fs_remove_tree(const char *path, struct error *error);
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);
bool fs_is_file(const char *path);
// Any user may pass through path (a file: run it) and through all directories above it.
bool fs_is_open_to_all(const char *path);
// "a/b" + "c" = "a/b/c"; owned by the caller.
char *fs_join(const char *dir, const char *name);
// write() until done; 0 or -1 with errno.
int fs_write_all(int fd, const void *bytes, size_t len);

#endif
