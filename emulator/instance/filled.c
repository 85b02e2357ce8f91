// The app can change what is walked while it is walked: each step goes from a descriptor and
// follows no link, so that nothing outside of its own places is ever looked at.

#include "emulator/instance/filled.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/mem.h"

#define LARGEST   3
#define DEPTH_MAX 32
#define TIME_US   8000
#define WORTH_IT  (1 << 20) // less is not worth a word

struct place {
    char *path;
    int64_t bytes; // of the files right in it
};

struct walk {
    struct place largest[LARGEST]; // largest first
    int64_t since_wall_ms;
    int64_t until_us;
};

static void note(struct walk *walk, const char *path, int64_t bytes)
{
    size_t at = LARGEST;
    while (at > 0 && bytes > walk->largest[at - 1].bytes) {
        at--;
    }
    if (at == LARGEST || bytes < WORTH_IT) {
        return;
    }
    free(walk->largest[LARGEST - 1].path);
    memmove(&walk->largest[at + 1], &walk->largest[at], (LARGEST - 1 - at) * sizeof *walk->largest);
    walk->largest[at] = (struct place){str_dup(path), bytes};
}

static void add_dir(struct walk *walk, int dir_fd, const char *path, int depth);

// Takes fd.
static void add_below(struct walk *walk, int fd, const char *path, const char *name, int depth)
{
    if (fd >= 0) {
        auto_free char *below = str_printf("%s/%s", path, name);
        add_dir(walk, fd, below, depth + 1);
    }
}

// Takes dir_fd.
static void add_dir(struct walk *walk, int dir_fd, const char *path, int depth)
{
    DIR *entries = depth > DEPTH_MAX ? NULL : fdopendir(dir_fd);
    if (!entries) {
        close(dir_fd);
        return;
    }
    int64_t bytes = 0;
    struct dirent *entry;
    while (clock_now_us() < walk->until_us && (entry = readdir(entries))) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            int fd = openat(dirfd(entries), entry->d_name,
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            add_below(walk, fd, path, entry->d_name, depth);
        } else if (status.st_ctim.tv_sec * 1000LL + 999 >= walk->since_wall_ms) {
            bytes += (int64_t)status.st_blocks * 512;
        }
    }
    note(walk, path, bytes);
    closedir(entries);
}

char *filled_by(pid_t root, int64_t since_wall_ms)
{
    static const char *const places[] = {"/tmp", "/home/leanengine"};
    struct walk walk = {.since_wall_ms = since_wall_ms};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        auto_free char *path = str_printf("/proc/%d/root%s", (int)root, places[i]);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        walk.until_us = clock_now_us() + TIME_US / (int64_t)ARRAY_LEN(places);
        if (fd >= 0) {
            add_dir(&walk, fd, places[i], 0);
        }
    }
    char *text = str_dup("");
    for (size_t i = 0; i < LARGEST; i++) {
        if (walk.largest[i].path) {
            char *longer =
                str_printf("%s%s%s %lld MB", text, *text ? ", " : "", walk.largest[i].path,
                           (long long)(walk.largest[i].bytes >> 20));
            free(text);
            text = longer;
        }
        free(walk.largest[i].path);
    }
    return text;
}
