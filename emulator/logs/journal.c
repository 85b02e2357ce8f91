// The writer. Lines are gathered in one buffer and written once per flush (or when it is full), so
// a flood costs one write of 256 KB per two thousand lines. The index is one offset per record
// rather than one per block: 4 bytes beside some 130, and a reader jumps anywhere with two reads.
//
// The disk may fill up at any write. Then the oldest segment is given up and the write tried once
// more; if that fails too the buffered lines are counted as lost and a new segment is begun, so
// that sequence numbers in one segment never have gaps.
#include "emulator/logs/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/logs/journal_format.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define DEFAULT_MAX_BYTES     (256u << 20)
#define DEFAULT_SEGMENT_BYTES (4u << 20)
#define BUFFER_SIZE           (256u << 10)
#define OFFSETS_SIZE          (BUFFER_SIZE / sizeof(struct record_head))
#define SOURCE_MAX            (sizeof((struct journal_record){0}.source) - 1)

struct segment {
    uint64_t first; // seq; also its name
    uint64_t bytes; // .log and .idx
};

struct journal {
    int dir_fd, head_fd;
    int log_fd, index_fd; // of the last segment; -1: none is open
    uint64_t max_bytes, segment_bytes;

    struct segment *segments; // oldest first; the last one is being written
    size_t segment_count, segment_cap;
    uint64_t total_bytes;
    uint32_t log_len; // written bytes of the open segment
    uint32_t index_len;

    uint64_t next_seq;
    uint64_t published; // last seq that head names
    uint64_t layout;
    uint64_t lost;
    bool head_stale;

    uint32_t buffer_len;
    uint32_t offset_count; // records in the buffer
    char buffer[BUFFER_SIZE];
    uint32_t offsets[OFFSETS_SIZE]; // within the buffer; where it will end up is not known yet
};
_Static_assert(BUFFER_SIZE > 2 * (JOURNAL_LINE_MAX + sizeof(struct record_head)),
               "a longest line must fit");

static void segment_name(char out[static JOURNAL_NAME_SIZE], uint64_t first, const char *suffix)
{
    snprintf(out, JOURNAL_NAME_SIZE, "%016" PRIx64 ".%s", first, suffix);
}

static bool is_ours(const char *name)
{
    return strcmp(name, JOURNAL_HEAD_NAME) == 0 ||
           (strlen(name) == 20 && strspn(name, "0123456789abcdef") == 16 &&
            (str_ends_with(name, ".log") || str_ends_with(name, ".idx")));
}

// What an older engine left. Its readers keep their open files and see them end.
static int remove_old_files(int dir_fd, const char *dir, struct error *error)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        error_set_errno(error, ERROR_SYSTEM, errno, "%s", dir);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (is_ours(entry->d_name)) {
            unlinkat(dir_fd, entry->d_name, 0);
        }
    }
    closedir(stream);
    return 0;
}

static int create_file(const struct journal *journal, const char *name)
{
    return openat(journal->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void publish(struct journal *journal)
{
    struct journal_head head = {
        .magic = JOURNAL_HEAD_MAGIC,
        .first = journal->segment_count ? journal->segments[0].first : journal->published + 1,
        .last = journal->published,
        .layout = journal->layout,
        .lost = journal->lost,
    };
    head.check = journal_head_check(&head);
    journal->head_stale = pwrite(journal->head_fd, &head, sizeof head, 0) != (ssize_t)sizeof head;
}

struct journal *journal_create(const struct journal_options *options, struct error *error)
{
    if (fs_mkdir_p(options->dir, 0700, error) < 0) {
        return NULL;
    }
    auto_close int dir_fd = open(options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || fchmod(dir_fd, 0700) < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, _("the log directory %s"), options->dir);
        return NULL;
    }
    if (remove_old_files(dir_fd, options->dir, error) < 0) {
        return NULL;
    }
    struct journal *journal = mem_alloc(sizeof *journal);
    journal->dir_fd = steal_fd(&dir_fd);
    journal->log_fd = journal->index_fd = -1;
    journal->max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
    journal->segment_bytes =
        options->segment_bytes ? options->segment_bytes : DEFAULT_SEGMENT_BYTES;
    journal->next_seq = 1;
    journal->head_fd = create_file(journal, JOURNAL_HEAD_NAME);
    if (journal->head_fd < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, _("the log directory %s"), options->dir);
        journal_close(journal);
        return NULL;
    }
    publish(journal);
    return journal;
}

static void close_segment(struct journal *journal)
{
    if (journal->log_fd >= 0) {
        close(journal->log_fd);
        close(journal->index_fd);
    }
    journal->log_fd = journal->index_fd = -1;
    journal->log_len = journal->index_len = 0;
}

static void unlink_segment(struct journal *journal, uint64_t first)
{
    char name[JOURNAL_NAME_SIZE];
    segment_name(name, first, "log");
    unlinkat(journal->dir_fd, name, 0);
    segment_name(name, first, "idx");
    unlinkat(journal->dir_fd, name, 0);
}

// Gives up the oldest segment; never the one being written.
static bool drop_oldest(struct journal *journal)
{
    if (journal->segment_count < 2) {
        return false;
    }
    struct segment oldest = journal->segments[0];
    journal->segment_count--;
    memmove(journal->segments, journal->segments + 1,
            journal->segment_count * sizeof *journal->segments);
    journal->total_bytes -= oldest.bytes;
    journal->layout++;
    // First said, then done: a reader that finds the file gone finds the new range too.
    publish(journal);
    unlink_segment(journal, oldest.first);
    return true;
}

static void add_segment(struct journal *journal, uint64_t first)
{
    if (journal->segment_count == journal->segment_cap) {
        journal->segment_cap = journal->segment_cap ? 2 * journal->segment_cap : 16;
        journal->segments =
            mem_resize(journal->segments, journal->segment_cap * sizeof *journal->segments);
    }
    journal->segments[journal->segment_count++] = (struct segment){.first = first};
    journal->layout++;
}

// Begins the segment whose first record is the first one in the buffer.
static bool open_segment(struct journal *journal)
{
    uint64_t first = journal->next_seq - journal->offset_count;
    char name[JOURNAL_NAME_SIZE];
    segment_name(name, first, "log");
    auto_close int log_fd = create_file(journal, name);
    segment_name(name, first, "idx");
    auto_close int index_fd = log_fd >= 0 ? create_file(journal, name) : -1;
    if (index_fd < 0) {
        int errnum = errno;
        unlink_segment(journal, first);
        errno = errnum;
        return false;
    }
    journal->log_fd = steal_fd(&log_fd);
    journal->index_fd = steal_fd(&index_fd);
    add_segment(journal, first);
    return true;
}

static bool write_at(int fd, const void *bytes, size_t len, off_t offset)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = pwrite(fd, (const char *)bytes + done, len - done, offset + (off_t)done);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool write_index(struct journal *journal)
{
    uint32_t absolute[512];
    for (size_t start = 0; start < journal->offset_count; start += ARRAY_LEN(absolute)) {
        size_t left = journal->offset_count - start;
        size_t count = left < ARRAY_LEN(absolute) ? left : ARRAY_LEN(absolute);
        for (size_t i = 0; i < count; i++) {
            absolute[i] = journal->log_len + journal->offsets[start + i];
        }
        if (!write_at(journal->index_fd, absolute, count * sizeof *absolute,
                      (off_t)(journal->index_len + start * sizeof *absolute))) {
            return false;
        }
    }
    return true;
}

// May be repeated after a failure: nothing counts as written before all of it is.
static bool write_buffer(struct journal *journal)
{
    if (journal->log_fd < 0 && !open_segment(journal)) {
        return false;
    }
    if (!write_at(journal->log_fd, journal->buffer, journal->buffer_len, journal->log_len) ||
        !write_index(journal)) {
        return false;
    }
    uint32_t index_bytes = journal->offset_count * (uint32_t)sizeof *journal->offsets;
    journal->log_len += journal->buffer_len;
    journal->index_len += index_bytes;
    journal->segments[journal->segment_count - 1].bytes += journal->buffer_len + index_bytes;
    journal->total_bytes += journal->buffer_len + index_bytes;
    return true;
}

// A segment that got nothing leaves no file; one with records keeps them.
static void abandon_segment(struct journal *journal)
{
    if (journal->log_fd < 0) {
        return;
    }
    // Where cutting fails too, bytes stay behind that head never names.
    if (ftruncate(journal->log_fd, journal->log_len) < 0 ||
        ftruncate(journal->index_fd, journal->index_len) < 0) {
        journal->head_stale = true;
    }
    if (journal->log_len == 0) {
        unlink_segment(journal, journal->segments[--journal->segment_count].first);
        journal->layout++;
    }
    close_segment(journal);
}

void journal_flush(struct journal *journal)
{
    if (journal->offset_count == 0) {
        if (journal->head_stale) {
            publish(journal);
        }
        return;
    }
    bool written = write_buffer(journal);
    if (!written && (errno == ENOSPC || errno == EDQUOT) && drop_oldest(journal)) {
        written = write_buffer(journal);
    }
    if (written) {
        journal->published = journal->next_seq - 1;
    } else {
        journal->lost += journal->offset_count;
        abandon_segment(journal);
    }
    journal->buffer_len = journal->offset_count = 0;
    while (journal->total_bytes > journal->max_bytes && drop_oldest(journal)) {
    }
    publish(journal);
    if (journal->log_len >= journal->segment_bytes) {
        close_segment(journal);
    }
}

static void append_record(struct journal *journal, struct record_head *head, const char *source,
                          const char *text)
{
    size_t size = sizeof *head + head->source_len + head->text_len;
    // Flushed when the segment is full, too, so that segments keep near their size in a flood.
    if (size > BUFFER_SIZE - journal->buffer_len ||
        journal->log_len + (uint64_t)journal->buffer_len >= journal->segment_bytes) {
        journal_flush(journal);
    }
    char *at = journal->buffer + journal->buffer_len;
    char *body = at + sizeof *head;
    memcpy(body, source, head->source_len);
    memcpy(body + head->source_len, text, head->text_len);
    head->seq = journal->next_seq++;
    head->check = record_check(head, body);
    memcpy(at, head, sizeof *head);
    journal->offsets[journal->offset_count++] = journal->buffer_len;
    journal->buffer_len += (uint32_t)size;
}

uint64_t journal_append(struct journal *journal, int64_t wall_ms, enum journal_stream stream,
                        unsigned flags, const char *source, const char *text, size_t len)
{
    source = source ? source : "";
    text = text ? text : "";
    struct record_head head = {
        .wall_ms = wall_ms,
        .stream = (uint8_t)stream,
        .source_len = (uint8_t)strnlen(source, SOURCE_MAX),
    };
    for (; len > JOURNAL_LINE_MAX; len -= JOURNAL_LINE_MAX, text += JOURNAL_LINE_MAX) {
        head.flags = (uint8_t)(flags | JOURNAL_PARTIAL);
        head.text_len = JOURNAL_LINE_MAX;
        append_record(journal, &head, source, text);
    }
    head.flags = (uint8_t)flags;
    head.text_len = (uint32_t)len;
    append_record(journal, &head, source, text);
    return journal->next_seq - 1;
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
    if (journal->head_fd >= 0) {
        journal_flush(journal);
        close(journal->head_fd);
    }
    close_segment(journal);
    close(journal->dir_fd);
    free(journal->segments);
    free(journal);
}
