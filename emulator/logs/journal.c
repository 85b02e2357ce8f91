// The writer. Records are gathered in memory and written once per flush: data first, then the
// index, so that what the index names is there. A segment that is full is closed and a new one
// begun; when all of them exceed the bound the oldest is removed. A disk that refuses costs the
// records of that flush, which are counted; the app is never held up.

#include "emulator/logs/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/logs/format.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

#define DEFAULT_MAX_BYTES     (256ull << 20) // DESIGN 9
#define DEFAULT_SEGMENT_BYTES (4ull << 20)
#define BUFFER_BYTES          (256u << 10) // flushed early beyond this

struct segment {
    uint64_t first;
    uint64_t bytes;
};

struct journal {
    char *dir;
    uint64_t max_bytes, segment_bytes;
    struct segment *segments; // oldest first; the last one is open
    size_t segment_count;
    int data_fd, index_fd;
    uint64_t data_bytes; // of the open segment, on disk
    uint64_t total_bytes;
    struct buf data, index;
    uint64_t next_seq, lost;
};

static char *file_path(const struct journal *journal, const char *format, uint64_t first)
{
    char name[48];
    // The formats are the two constants of format.h.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, sizeof name, format, (unsigned long long)first);
#pragma GCC diagnostic pop
    return fs_join(journal->dir, name);
}

static int open_file(const struct journal *journal, const char *format, uint64_t first)
{
    auto_free
    char *path = file_path(journal, format, first);
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
}

static int begin_segment(struct journal *journal)
{
    if (journal->data_fd >= 0) {
        close(journal->data_fd);
        close(journal->index_fd);
    }
    journal->data_fd = open_file(journal, JOURNAL_DATA_NAME, journal->next_seq);
    journal->index_fd = open_file(journal, JOURNAL_INDEX_NAME, journal->next_seq);
    journal->data_bytes = 0;
    journal->segments =
        mem_resize(journal->segments, (journal->segment_count + 1) * sizeof *journal->segments);
    journal->segments[journal->segment_count++] = (struct segment){.first = journal->next_seq};
    return journal->data_fd < 0 || journal->index_fd < 0 ? -1 : 0;
}

static void drop_oldest(struct journal *journal)
{
    auto_free
    char *data = file_path(journal, JOURNAL_DATA_NAME, journal->segments[0].first);
    auto_free
    char *index = file_path(journal, JOURNAL_INDEX_NAME, journal->segments[0].first);
    unlink(index); // first: a reader that still finds the data has no way in
    unlink(data);
    journal->total_bytes -= journal->segments[0].bytes;
    memmove(journal->segments, journal->segments + 1,
            --journal->segment_count * sizeof *journal->segments);
}

static void remove_old_files(const char *dir)
{
    DIR *entries = opendir(dir);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (str_ends_with(entry->d_name, ".data") || str_ends_with(entry->d_name, ".index")) {
            unlinkat(dirfd(entries), entry->d_name, 0);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

struct journal *journal_create(const struct journal_options *options, struct error *error)
{
    if (fs_mkdir_p(options->dir, 0700, error) < 0) {
        return NULL;
    }
    remove_old_files(options->dir);
    struct journal *journal = mem_alloc(sizeof *journal);
    journal->dir = str_dup(options->dir);
    journal->max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
    journal->segment_bytes =
        options->segment_bytes ? options->segment_bytes : DEFAULT_SEGMENT_BYTES;
    journal->data_fd = journal->index_fd = -1;
    journal->next_seq = 1;
    if (begin_segment(journal) < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, "journal %s", options->dir);
        journal_close(journal);
        return NULL;
    }
    return journal;
}

uint64_t journal_append(struct journal *journal, int64_t wall_ms, enum journal_stream stream,
                        unsigned flags, const char *source, const char *text, size_t len)
{
    size_t source_len = strlen(source);
    source_len = source_len < 31 ? source_len : 31;
    len = len < JOURNAL_LINE_MAX ? len : JOURNAL_LINE_MAX;
    uint32_t offset = (uint32_t)(journal->data_bytes + journal->data.len);
    struct journal_header header = {.magic = JOURNAL_MAGIC,
                                    .text_len = (uint32_t)len,
                                    .seq = journal->next_seq++,
                                    .wall_ms = wall_ms,
                                    .stream = (uint8_t)stream,
                                    .flags = (uint8_t)flags,
                                    .source_len = (uint16_t)source_len};
    header.check = journal_check(&header);
    buf_add(&journal->data, &header, sizeof header);
    buf_add(&journal->data, source, source_len);
    buf_add(&journal->data, text, len);
    buf_add(&journal->index, &offset, sizeof offset);
    if (journal->data.len > BUFFER_BYTES) {
        journal_flush(journal);
    }
    return header.seq;
}

void journal_flush(struct journal *journal)
{
    if (journal->data.len == 0) {
        return;
    }
    struct segment *open_segment = &journal->segments[journal->segment_count - 1];
    uint64_t records = journal->index.len / sizeof(uint32_t);
    bool written = fs_write_all(journal->data_fd, journal->data.data, journal->data.len) == 0 &&
                   fs_write_all(journal->index_fd, journal->index.data, journal->index.len) == 0;
    uint64_t bytes = journal->data.len + journal->index.len;
    journal->data_bytes += journal->data.len;
    open_segment->bytes += bytes;
    journal->total_bytes += bytes;
    journal->data.len = journal->index.len = 0;
    if (!written) {
        journal->lost += records;
    }
    // A segment with a torn tail is closed: the next one begins at a known number.
    if (!written || journal->data_bytes >= journal->segment_bytes) {
        begin_segment(journal);
    }
    while (journal->total_bytes > journal->max_bytes && journal->segment_count > 1) {
        drop_oldest(journal);
    }
}

uint64_t journal_last_seq(const struct journal *journal)
{
    return journal->next_seq - 1;
}

uint64_t journal_lost(const struct journal *journal)
{
    return journal->lost;
}

void journal_close(struct journal *journal)
{
    if (!journal) {
        return;
    }
    journal_flush(journal);
    if (journal->data_fd >= 0) {
        close(journal->data_fd);
    }
    if (journal->index_fd >= 0) {
        close(journal->index_fd);
    }
    buf_release(&journal->data);
    buf_release(&journal->index);
    free(journal->segments);
    free(journal->dir);
    free(journal);
}
