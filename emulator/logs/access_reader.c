// The reader. It knows the writer's order: a newer file is begun only when the one before is whole.
// So at the end of a file one looks for a newer one, and if there is one, once more for what was
// written before it was begun.
#include "emulator/logs/access_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "emulator/logs/access_files.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/mem.h"

#define WINDOW_MAX (512u << 10) // more than a longest line
#define READ_BYTES 65536
#define TIME_LEAD  "{\"time\":\""

struct access_reader {
    char *dir;
    int dir_fd, fd; // -1: not open
    uint64_t at;    // number in the name of the open file; 0: none yet
    uint64_t first; // of the oldest that was there at first; 0: none
    uint64_t began; // of the one that was opened first
    char from_day[ACCESS_DAY_SIZE];
    bool behind; // there is a newer file
    struct buf window;
    size_t used; // of the window: given out
};

struct access_reader *access_reader_new(const char *dir)
{
    struct access_reader *reader = mem_alloc(sizeof *reader);
    reader->dir = str_dup(dir);
    reader->dir_fd = reader->fd = -1;
    reader->window.max = WINDOW_MAX;
    return reader;
}

void access_reader_skip_until(struct access_reader *reader, int64_t wall_ms)
{
    clock_format_day(wall_ms, reader->from_day);
}

// The oldest file behind the one that is open; false: none.
static bool find_newer(struct access_reader *reader, struct access_file *ret_file)
{
    struct access_files files;
    if (reader->dir_fd < 0) {
        reader->dir_fd = open(reader->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (reader->dir_fd < 0 || access_files_list(reader->dir_fd, &files) < 0) {
        return false;
    }
    bool found = false;
    for (size_t i = 0; i < files.count && !found; i++) {
        const struct access_file *file = &files.items[i];
        reader->first = reader->first ? reader->first : file->first;
        found = file->first > reader->at && strcmp(file->day, reader->from_day) >= 0;
        *ret_file = *file;
    }
    access_files_release(&files);
    return found;
}

static bool open_file(struct access_reader *reader, const struct access_file *file)
{
    auto_close int fd =
        openat(reader->dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return false; // dropped just now
    }
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    reader->fd = steal_fd(&fd);
    reader->at = file->first;
    reader->began = reader->began ? reader->began : file->first;
    reader->behind = false;
    reader->window.len = reader->used = 0; // a half line of the one before stays half
    return true;
}

// More bytes of the open file; false: none for now.
static bool read_more(struct access_reader *reader)
{
    buf_consume(&reader->window, reader->used);
    reader->used = 0;
    char *room = reader->fd >= 0 ? buf_reserve(&reader->window, READ_BYTES) : NULL;
    ssize_t got = room ? read(reader->fd, room, READ_BYTES) : 0;
    if (got <= 0) {
        return false;
    }
    buf_added(&reader->window, (size_t)got);
    return true;
}

static bool go_on(struct access_reader *reader)
{
    struct access_file file;
    if (read_more(reader)) {
        return true;
    }
    if (!find_newer(reader, &file)) {
        return false;
    }
    if (reader->fd >= 0 && !reader->behind) {
        reader->behind = true;
        return true;
    }
    return open_file(reader, &file);
}

static int64_t time_of(const char *line, size_t len)
{
    struct tm parts = {0};
    if (len < strlen(TIME_LEAD) + 24 || strncmp(line, TIME_LEAD, strlen(TIME_LEAD)) != 0) {
        return -1;
    }
    const char *end = strptime(line + strlen(TIME_LEAD), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!end || *end != '.') {
        return -1;
    }
    return (int64_t)timegm(&parts) * 1000 + strtol(end + 1, NULL, 10);
}

bool access_reader_next(struct access_reader *reader, const char **ret_line, size_t *ret_len,
                        int64_t *ret_wall_ms)
{
    for (;;) {
        const char *start = reader->window.data ? reader->window.data + reader->used : NULL;
        size_t left = reader->window.len - reader->used;
        char *newline = left ? memchr(start, '\n', left) : NULL;
        if (!newline) {
            if (!go_on(reader)) {
                return false;
            }
            continue;
        }
        *newline = '\0';
        *ret_line = start;
        *ret_len = (size_t)(newline - start);
        *ret_wall_ms = time_of(*ret_line, *ret_len);
        reader->used += *ret_len + 1;
        return true;
    }
}

uint64_t access_reader_dropped(const struct access_reader *reader)
{
    return reader->began && reader->began == reader->first ? reader->first - 1 : 0;
}

void access_reader_free(struct access_reader *reader)
{
    if (!reader) {
        return;
    }
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    if (reader->dir_fd >= 0) {
        close(reader->dir_fd);
    }
    buf_release(&reader->window);
    free(reader->dir);
    free(reader);
}
