// The reader. It keeps one segment open and looks for another when the number asked for lies
// outside. All it trusts is what checks: magic, number, lengths. What does not check is not there
// (yet).

#include "emulator/logs/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/logs/format.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

#define PAYLOAD_MAX (JOURNAL_LINE_MAX + 64)

struct journal_reader {
    int dir_fd;
    uint64_t first; // of the open segment; 0: none
    int data_fd, index_fd;
    char *payload;
};

struct journal_reader *journal_open(const char *dir, struct error *error)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, "journal %s", dir);
        return NULL;
    }
    struct journal_reader *reader = mem_alloc(sizeof *reader);
    *reader = (struct journal_reader){
        .dir_fd = fd, .data_fd = -1, .index_fd = -1, .payload = mem_alloc(PAYLOAD_MAX)};
    return reader;
}

static void close_segment(struct journal_reader *reader)
{
    if (reader->data_fd >= 0) {
        close(reader->data_fd);
    }
    if (reader->index_fd >= 0) {
        close(reader->index_fd);
    }
    reader->data_fd = reader->index_fd = -1;
    reader->first = 0;
}

struct span {
    uint64_t oldest, newest; // first numbers of segments; 0: none
    uint64_t wanted;         // of the segment that would hold `seq`
};

static struct span list_segments(const struct journal_reader *reader, uint64_t seq)
{
    struct span span = {0};
    int fd = openat(reader->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (!str_ends_with(entry->d_name, ".index")) {
            continue;
        }
        uint64_t first = strtoull(entry->d_name, NULL, 10);
        span.oldest = span.oldest == 0 || first < span.oldest ? first : span.oldest;
        span.newest = first > span.newest ? first : span.newest;
        if (first <= seq && first > span.wanted) {
            span.wanted = first;
        }
    }
    if (entries) {
        closedir(entries);
    }
    return span;
}

static bool open_segment(struct journal_reader *reader, uint64_t first)
{
    char name[48];
    close_segment(reader);
    snprintf(name, sizeof name, JOURNAL_INDEX_NAME, (unsigned long long)first);
    reader->index_fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC);
    snprintf(name, sizeof name, JOURNAL_DATA_NAME, (unsigned long long)first);
    reader->data_fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (reader->index_fd < 0 || reader->data_fd < 0) {
        close_segment(reader);
        return false;
    }
    reader->first = first;
    return true;
}

static uint64_t records_in(int index_fd)
{
    struct stat status;
    return fstat(index_fd, &status) == 0 ? (uint64_t)status.st_size / sizeof(uint32_t) : 0;
}

void journal_range(struct journal_reader *reader, uint64_t *ret_first, uint64_t *ret_last)
{
    struct span span = list_segments(reader, 0);
    *ret_first = span.oldest ? span.oldest : 1;
    *ret_last = 0;
    if (!span.newest) {
        return;
    }
    char name[48];
    snprintf(name, sizeof name, JOURNAL_INDEX_NAME, (unsigned long long)span.newest);
    auto_close
    int fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC);
    *ret_last = span.newest - 1 + (fd >= 0 ? records_in(fd) : 0);
}

static bool read_open(struct journal_reader *reader, uint64_t seq, struct journal_record *record)
{
    struct journal_header header;
    uint32_t offset;
    off_t slot = (off_t)((seq - reader->first) * sizeof offset);
    if (pread(reader->index_fd, &offset, sizeof offset, slot) != (ssize_t)sizeof offset ||
        pread(reader->data_fd, &header, sizeof header, offset) != (ssize_t)sizeof header ||
        header.magic != JOURNAL_MAGIC || header.seq != seq ||
        header.check != journal_check(&header) || header.source_len >= sizeof record->source ||
        header.text_len > JOURNAL_LINE_MAX || header.stream >= JOURNAL_STREAM__COUNT) {
        return false;
    }
    size_t len = (size_t)header.source_len + header.text_len;
    if (pread(reader->data_fd, reader->payload, len, (off_t)offset + (off_t)sizeof header) !=
        (ssize_t)len) {
        return false;
    }
    *record = (struct journal_record){.seq = seq,
                                      .wall_ms = header.wall_ms,
                                      .stream = (enum journal_stream)header.stream,
                                      .flags = header.flags,
                                      .text = reader->payload + header.source_len,
                                      .len = header.text_len};
    memcpy(record->source, reader->payload, header.source_len);
    return true;
}

bool journal_read(struct journal_reader *reader, uint64_t seq, struct journal_record *ret_record)
{
    if (seq == 0) {
        return false;
    }
    if (reader->first && seq >= reader->first && read_open(reader, seq, ret_record)) {
        return true;
    }
    struct span span = list_segments(reader, seq);
    return span.wanted && open_segment(reader, span.wanted) && read_open(reader, seq, ret_record);
}

void journal_reader_free(struct journal_reader *reader)
{
    if (!reader) {
        return;
    }
    close_segment(reader);
    close(reader->dir_fd);
    free(reader->payload);
    free(reader);
}
