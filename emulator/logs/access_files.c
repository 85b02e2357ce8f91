#include "emulator/logs/access_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/mem.h"

#define SUFFIX ".jsonl"

void access_file_name(char out[static ACCESS_NAME_SIZE], const char *day, uint64_t first)
{
    snprintf(out, ACCESS_NAME_SIZE, "%.10s-%016" PRIx64 SUFFIX, day, first);
}

static bool read_name(const char *name, struct access_file *ret_file)
{
    char again[ACCESS_NAME_SIZE];
    if (strlen(name) != 10 + 1 + 16 + strlen(SUFFIX) ||
        sscanf(name + 11, "%16" SCNx64, &ret_file->first) != 1) {
        return false;
    }
    memcpy(ret_file->day, name, 10);
    ret_file->day[10] = '\0';
    access_file_name(again, ret_file->day, ret_file->first);
    memcpy(ret_file->name, again, sizeof again);
    return strcmp(name, again) == 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = ((const struct access_file *)a)->first;
    uint64_t right = ((const struct access_file *)b)->first;
    return left < right ? -1 : left > right;
}

int access_files_list(int dir_fd, struct access_files *ret_files)
{
    *ret_files = (struct access_files){0};
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        int errnum = errno;
        if (fd >= 0) {
            close(fd);
        }
        errno = errnum;
        return -1;
    }
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        struct access_file file;
        struct stat info;
        if (!read_name(entry->d_name, &file) ||
            fstatat(dir_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(info.st_mode)) {
            continue;
        }
        file.bytes = (uint64_t)info.st_size;
        ret_files->items =
            mem_resize(ret_files->items, (ret_files->count + 1) * sizeof *ret_files->items);
        ret_files->items[ret_files->count++] = file;
    }
    closedir(stream);
    if (ret_files->count) {
        qsort(ret_files->items, ret_files->count, sizeof *ret_files->items, compare);
    }
    return 0;
}

void access_files_release(struct access_files *files)
{
    free(files->items);
    *files = (struct access_files){0};
}
