#include "sandbox/base/words.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

int words_to_fd(const char *const *words, struct error *error)
{
    auto_close int fd = memfd_create("words", MFD_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "memfd_create");
    }
    for (; *words; words++) {
        if (fs_write_all(fd, *words, strlen(*words) + 1) < 0) {
            return error_set_errno(error, ERROR_SYSTEM, errno, "write");
        }
    }
    return steal_fd(&fd);
}

int words_from_fd(int fd, struct strlist *ret_words, struct error *error)
{
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > WORDS_MAX_BYTES) {
        return error_set(error, ERROR_USAGE, "words: not a file, or too many");
    }
    size_t size = (size_t)info.st_size;
    auto_free char *bytes = mem_alloc(size + 1);
    size_t got = 0;
    while (got < size) {
        ssize_t len = pread(fd, bytes + got, size - got, (off_t)got);
        if (len <= 0) {
            return error_set_errno(error, ERROR_SYSTEM, len < 0 ? errno : EIO, "words");
        }
        got += (size_t)len;
    }
    for (size_t at = 0; at < size; at += strlen(bytes + at) + 1) {
        strlist_add(ret_words, bytes + at);
    }
    return 0;
}
