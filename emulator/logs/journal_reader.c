// The reader. It never locks and never trusts: what may be read is in "head", whose check tells a
// torn read; each record carries its own. Files go away under it at any time; an open segment stays
// readable until another one is needed. Why pread into a window and not mmap: a truncated or
// vanished page would be SIGBUS in the screen.
#include "emulator/logs/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/logs/journal_format.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define WINDOW_SIZE  (256u << 10) // holds a longest record more than twice
#define JUMP_SIZE    (16u << 10)  // read at a jump, when no long record asks for more
#define HEAD_RETRIES 100

struct journal_reader {
    int dir_fd, head_fd;
    struct journal_head head;

    uint64_t *firsts; // sorted: first seq of each segment
    size_t first_count;
    uint64_t layout; // of head when firsts was read

    int log_fd, index_fd; // of the open segment, -1: none
    uint64_t open_first;

    uint64_t next_seq; // the record that begins at next_offset in the open segment; 0: unknown
    uint32_t next_offset;

    uint32_t window_start, window_len; // of the open segment's .log
    char window[WINDOW_SIZE];
};

// A write of head may be seen half done; it is repeated until the check fits.
static bool read_head(int fd, struct journal_head *ret_head)
{
    for (int i = 0; i < HEAD_RETRIES; i++) {
        struct journal_head head;
        if (pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
            head.magic == JOURNAL_HEAD_MAGIC && head.check == journal_head_check(&head)) {
            *ret_head = head;
            return true;
        }
    }
    return false;
}

struct journal_reader *journal_open(const char *dir, struct error *error)
{
    auto_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_close int head_fd =
        dir_fd >= 0 ? openat(dir_fd, JOURNAL_HEAD_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (head_fd < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, _("the log in %s cannot be read"), dir);
        return NULL;
    }
    struct journal_head head;
    if (!read_head(head_fd, &head)) {
        error_set(error, ERROR_SYSTEM, _("the log in %s is not one of this program's"), dir);
        return NULL;
    }
    struct journal_reader *reader = mem_alloc(sizeof *reader);
    reader->head = head;
    reader->layout = head.layout - 1;
    reader->dir_fd = steal_fd(&dir_fd);
    reader->head_fd = steal_fd(&head_fd);
    reader->log_fd = reader->index_fd = -1;
    return reader;
}

void journal_range(struct journal_reader *reader, uint64_t *ret_first, uint64_t *ret_last)
{
    read_head(reader->head_fd, &reader->head);
    *ret_first = reader->head.first;
    *ret_last = reader->head.last;
}

static int compare_seq(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void list_segments(struct journal_reader *reader)
{
    int fd = openat(reader->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    size_t cap = 0;
    reader->first_count = 0;
    reader->layout = reader->head.layout;
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        uint64_t first;
        if (!str_ends_with(entry->d_name, ".idx") ||
            sscanf(entry->d_name, "%16" SCNx64 ".idx", &first) != 1) {
            continue;
        }
        if (reader->first_count == cap) {
            cap = cap ? 2 * cap : 32;
            reader->firsts = mem_resize(reader->firsts, cap * sizeof *reader->firsts);
        }
        reader->firsts[reader->first_count++] = first;
    }
    closedir(stream);
    if (reader->first_count > 0) {
        qsort(reader->firsts, reader->first_count, sizeof *reader->firsts, compare_seq);
    }
}

// The first seq of the segment that would hold seq, 0 if there is none.
static uint64_t find_segment(struct journal_reader *reader, uint64_t seq)
{
    if (reader->layout != reader->head.layout) {
        list_segments(reader);
    }
    size_t low = 0;
    size_t high = reader->first_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reader->firsts[middle] <= seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? reader->firsts[low - 1] : 0;
}

static void close_segment(struct journal_reader *reader)
{
    if (reader->log_fd >= 0) {
        close(reader->log_fd);
        close(reader->index_fd);
    }
    reader->log_fd = reader->index_fd = -1;
    reader->open_first = 0;
    reader->next_seq = 0;
    reader->window_len = 0;
}

static bool open_segment(struct journal_reader *reader, uint64_t first)
{
    if (first == 0 || reader->open_first == first) {
        return first != 0;
    }
    close_segment(reader);
    char name[JOURNAL_NAME_SIZE];
    snprintf(name, sizeof name, "%016" PRIx64 ".log", first);
    auto_close int log_fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    snprintf(name, sizeof name, "%016" PRIx64 ".idx", first);
    auto_close int index_fd = openat(reader->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (log_fd < 0 || index_fd < 0) {
        return false;
    }
    reader->log_fd = steal_fd(&log_fd);
    reader->index_fd = steal_fd(&index_fd);
    reader->open_first = first;
    return true;
}

// <len> bytes of the open segment at offset; NULL when they are not there.
static const char *segment_bytes(struct journal_reader *reader, uint32_t offset, size_t len)
{
    uint64_t window_end = (uint64_t)reader->window_start + reader->window_len;
    if (offset < reader->window_start || offset + (uint64_t)len > window_end) {
        // Going on reads much. A jump reads little, and what is before it too: the screen goes up
        // as often as down.
        bool onward = offset >= reader->window_start && offset <= window_end;
        bool jump = len <= JUMP_SIZE / 2 && !onward;
        uint32_t start = jump && offset > JUMP_SIZE / 2 ? offset - JUMP_SIZE / 2 : offset;
        ssize_t got = pread(reader->log_fd, reader->window, jump ? JUMP_SIZE : WINDOW_SIZE, start);
        reader->window_start = start;
        reader->window_len = got > 0 ? (uint32_t)got : 0;
        if (offset + (uint64_t)len > (uint64_t)start + reader->window_len) {
            return NULL;
        }
    }
    return reader->window + (offset - reader->window_start);
}

static bool find_offset(struct journal_reader *reader, uint64_t seq, uint32_t *ret_offset)
{
    if (reader->next_seq == seq) {
        *ret_offset = reader->next_offset;
        return true;
    }
    off_t at = (off_t)((seq - reader->open_first) * sizeof *ret_offset);
    return pread(reader->index_fd, ret_offset, sizeof *ret_offset, at) ==
           (ssize_t)sizeof *ret_offset;
}

static bool read_record(struct journal_reader *reader, uint64_t seq, uint32_t offset,
                        struct journal_record *ret_record)
{
    struct record_head head;
    const char *at = segment_bytes(reader, offset, sizeof head);
    if (!at) {
        return false;
    }
    memcpy(&head, at, sizeof head);
    if (head.seq != seq || head.text_len > JOURNAL_LINE_MAX ||
        head.source_len >= sizeof ret_record->source || head.stream >= JOURNAL_STREAM__COUNT) {
        return false;
    }
    size_t size = sizeof head + head.source_len + head.text_len;
    at = segment_bytes(reader, offset, size);
    if (!at || record_check(&head, at + sizeof head) != head.check) {
        return false;
    }
    *ret_record = (struct journal_record){
        .seq = seq,
        .wall_ms = head.wall_ms,
        .stream = (enum journal_stream)head.stream,
        .flags = head.flags,
        .text = at + sizeof head + head.source_len,
        .len = head.text_len,
    };
    memcpy(ret_record->source, at + sizeof head, head.source_len);
    reader->next_seq = seq + 1;
    reader->next_offset = offset + (uint32_t)size;
    return true;
}

static bool in_range(const struct journal_reader *reader, uint64_t seq)
{
    return seq != 0 && seq >= reader->head.first && seq <= reader->head.last;
}

static bool select_segment(struct journal_reader *reader, uint64_t seq)
{
    if (open_segment(reader, find_segment(reader, seq))) {
        return true;
    }
    // Dropped since head was read, or the list is older than head.
    read_head(reader->head_fd, &reader->head);
    list_segments(reader);
    return in_range(reader, seq) && open_segment(reader, find_segment(reader, seq));
}

bool journal_read(struct journal_reader *reader, uint64_t seq, struct journal_record *ret_record)
{
    if (!in_range(reader, seq)) {
        read_head(reader->head_fd, &reader->head);
    }
    if (!in_range(reader, seq) || !select_segment(reader, seq)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        uint32_t offset;
        if (find_offset(reader, seq, &offset) && read_record(reader, seq, offset, ret_record)) {
            return true;
        }
        // The window may have been read before its tail was written.
        reader->window_len = 0;
        reader->next_seq = 0;
    }
    return false;
}

void journal_reader_free(struct journal_reader *reader)
{
    if (!reader) {
        return;
    }
    close_segment(reader);
    close(reader->head_fd);
    close(reader->dir_fd);
    free(reader->firsts);
    free(reader);
}
