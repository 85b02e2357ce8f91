// The writer. Lines are gathered in one buffer and written with one write; a file is begun with
// each day, with each start of a writer that finds the last one of another day, and when it is
// full. A line that a killed engine left half written is cut off before anything follows it.
#include "emulator/logs/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "emulator/logs/access_files.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define BUFFER_MAX     (256u << 10)
#define TEXT_MAX       2048 // of one member
#define TEXTS          8
// An escaped byte takes six at most.
#define LINE_MAX_BYTES (512 + TEXTS * 6 * TEXT_MAX)
#define MINUTE_MS      60000
#define DAY_MS         (24 * 60 * MINUTE_MS)

struct access_log {
    char *dir;
    uint64_t max_bytes, segment_bytes;
    int max_days;
    int dir_fd, fd; // -1: not open
    uint64_t next;  // number of the next line that is written; 0: not known yet
    uint64_t file_bytes;
    char file_day[ACCESS_DAY_SIZE];
    int64_t minute; // for which day_now was made
    char day_now[ACCESS_DAY_SIZE];
    char day[ACCESS_DAY_SIZE]; // of the lines in the buffer
    struct buf buffer;
    uint64_t waiting; // lines in it
    uint64_t lost;
};

// ---- a line ----

static void add_escaped(struct buf *out, const char *bytes, size_t len)
{
    len = len < TEXT_MAX ? len : TEXT_MAX;
    for (size_t at = 0; at < len;) {
        size_t plain = at;
        while (plain < len && bytes[plain] >= ' ' && bytes[plain] < 0x7f && bytes[plain] != '"' &&
               bytes[plain] != '\\') {
            plain++;
        }
        buf_add(out, bytes + at, plain - at);
        at = plain;
        if (at == len) {
            break;
        }
        uint32_t code;
        char text[8];
        at += utf8_decode(bytes + at, len - at, &code);
        if (code == '"' || code == '\\') {
            buf_addf(out, "\\%c", (int)code);
        } else if (code < ' ' || code == 0x7f) {
            buf_addf(out, "\\u%04x", code);
        } else {
            buf_add(out, text, utf8_encode(code, text));
        }
    }
}

// A member whose name and punctuation stand in one literal: `,"method":"`.
static void add_text(struct buf *out, const char *lead, size_t lead_len, const char *bytes,
                     size_t len)
{
    buf_add(out, lead, lead_len);
    add_escaped(out, bytes, len);
    buf_add(out, "\"", 1);
}
#define LITERAL(text) (text), sizeof(text) - 1

static void add_string(struct buf *out, const char *lead, size_t lead_len, const char *text)
{
    add_text(out, lead, lead_len, text ? text : "", text ? strlen(text) : 0);
}

// printf(3) takes several times as long, and every request pays.
static void add_number(struct buf *out, const char *lead, size_t lead_len, uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_add(out, lead, lead_len);
    buf_add(out, digits + at, sizeof digits - at);
}

// Exactly `digits` of them.
static void add_digits(struct buf *out, int64_t value, size_t digits, const char *behind)
{
    char text[8];
    for (size_t at = digits; at > 0; at--, value /= 10) {
        text[at - 1] = (char)('0' + value % 10);
    }
    buf_add(out, text, digits);
    buf_adds(out, behind);
}

static void add_time(struct buf *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    gmtime_r(&seconds, &parts);
    buf_adds(out, "{\"time\":\"");
    add_digits(out, parts.tm_year + 1900, 4, "-");
    add_digits(out, parts.tm_mon + 1, 2, "-");
    add_digits(out, parts.tm_mday, 2, "T");
    add_digits(out, parts.tm_hour, 2, ":");
    add_digits(out, parts.tm_min, 2, ":");
    add_digits(out, parts.tm_sec, 2, ".");
    add_digits(out, wall_ms % 1000, 3, "Z\"");
}

static void add_ms(struct buf *out, const char *lead, size_t lead_len, int64_t us)
{
    add_number(out, lead, lead_len, (uint64_t)(us / 1000));
    buf_add(out, ".", 1);
    add_digits(out, us % 1000, 3, "");
}

bool access_line(struct buf *out, const struct access_entry *entry)
{
    if (out->max && out->max - out->len < LINE_MAX_BYTES) {
        return false;
    }
    add_time(out, entry->wall_ms);
    add_string(out, LITERAL(",\"instanceName\":\""), entry->instance);
    add_string(out, LITERAL(",\"method\":\""), entry->method);
    add_string(out, LITERAL(",\"url\":\""), entry->url);
    add_string(out, LITERAL(",\"host\":\""), entry->host);
    add_number(out, LITERAL(",\"status\":"), (uint64_t)entry->status);
    add_ms(out, LITERAL(",\"durationMs\":"), entry->total_us);
    add_ms(out, LITERAL(",\"firstByteMs\":"), entry->first_byte_us);
    add_number(out, LITERAL(",\"requestBytes\":"), entry->request_bytes);
    add_number(out, LITERAL(",\"responseBytes\":"), entry->response_bytes);
    add_number(out, LITERAL(",\"retries\":"), entry->retries);
    add_string(out, LITERAL(",\"rule\":\""), entry->rule);
    add_string(out, LITERAL(",\"client\":\""), entry->client);
    add_text(out, LITERAL(",\"userAgent\":\""), entry->user_agent.bytes, entry->user_agent.len);
    add_text(out, LITERAL(",\"referer\":\""), entry->referer.bytes, entry->referer.len);
    return buf_adds(out, entry->replay ? ",\"replay\":true}\n" : "}\n");
}

// ---- files ----

struct access_log *access_log_new(const struct access_log_options *options)
{
    struct access_log *log = mem_alloc(sizeof *log);
    log->dir = str_dup(options->dir);
    log->max_bytes = options->max_bytes ? options->max_bytes : ACCESS_MAX_BYTES;
    log->segment_bytes = options->segment_bytes ? options->segment_bytes : ACCESS_SEGMENT_BYTES;
    log->max_days = options->max_days ? options->max_days : ACCESS_MAX_DAYS;
    log->dir_fd = log->fd = -1;
    log->minute = -1;
    log->buffer.max = BUFFER_MAX;
    return log;
}

// Lines of a file, and where the last whole one ends.
static uint64_t count_lines(int fd, uint64_t *ret_end)
{
    auto_free char *block = mem_alloc(BUFFER_MAX);
    uint64_t lines = 0;
    uint64_t offset = 0;
    *ret_end = 0;
    for (ssize_t got; (got = pread(fd, block, BUFFER_MAX, (off_t)offset)) > 0;
         offset += (size_t)got) {
        const char *end = block + got;
        for (const char *at = block; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
            lines++;
            *ret_end = offset + (uint64_t)(at - block) + 1;
        }
    }
    return lines;
}

static int open_file(struct access_log *log, const char *day, uint64_t first, bool make)
{
    char name[ACCESS_NAME_SIZE];
    access_file_name(name, day, first);
    int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
    return openat(log->dir_fd, name, flags, 0600);
}

// Where the numbers stand, and the last file if lines of this day may go on in it.
static bool begin(struct access_log *log)
{
    if (fs_mkdir_p(log->dir, 0700, NULL) < 0) {
        return false;
    }
    struct access_files files;
    log->dir_fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log->dir_fd < 0 || access_files_list(log->dir_fd, &files) < 0) {
        return false;
    }
    log->next = 1;
    if (files.count) {
        const struct access_file *last = &files.items[files.count - 1];
        auto_close int fd = open_file(log, last->day, last->first, false);
        uint64_t end = 0;
        log->next = last->first + (fd >= 0 ? count_lines(fd, &end) : 0);
        if (fd >= 0 && ftruncate(fd, (off_t)end) == 0) {
            log->fd = steal_fd(&fd);
            log->file_bytes = end;
            memcpy(log->file_day, last->day, sizeof log->file_day);
        }
    }
    access_files_release(&files);
    return true;
}

static bool drop_oldest(struct access_log *log, struct access_files *files)
{
    if (!files->count || files->items[0].first >= log->next) {
        return false;
    }
    unlinkat(log->dir_fd, files->items[0].name, 0);
    memmove(files->items, files->items + 1, --files->count * sizeof *files->items);
    return true;
}

// Room for one more file, and nothing that is too old.
static void prune(struct access_log *log, bool for_want_of_room)
{
    struct access_files files;
    if (access_files_list(log->dir_fd, &files) < 0) {
        return;
    }
    if (for_want_of_room) {
        drop_oldest(log, &files);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < files.count; i++) {
        total += files.items[i].bytes;
    }
    char oldest_day[ACCESS_DAY_SIZE];
    clock_format_day(clock_wall_ms() - (int64_t)log->max_days * DAY_MS, oldest_day);
    while (files.count && (total + log->segment_bytes > log->max_bytes ||
                           strcmp(files.items[0].day, oldest_day) < 0)) {
        total -= files.items[0].bytes;
        if (!drop_oldest(log, &files)) {
            break;
        }
    }
    access_files_release(&files);
}

static bool choose_file(struct access_log *log)
{
    if (log->fd >= 0 &&
        (strcmp(log->file_day, log->day) != 0 || log->file_bytes >= log->segment_bytes)) {
        close(log->fd);
        log->fd = -1;
    }
    if (log->fd < 0) {
        prune(log, false);
        log->fd = open_file(log, log->day, log->next, true);
        log->file_bytes = 0;
        memcpy(log->file_day, log->day, sizeof log->file_day);
    }
    return log->fd >= 0;
}

static bool write_lines(struct access_log *log)
{
    if ((!log->next && !begin(log)) || !choose_file(log)) {
        return false;
    }
    if (fs_write_all(log->fd, log->buffer.data, log->buffer.len) < 0) {
        int errnum = errno;
        if (ftruncate(log->fd, (off_t)log->file_bytes) < 0) {
            log_debug("access log: half a line stays");
        }
        errno = errnum;
        return false;
    }
    log->file_bytes += log->buffer.len;
    log->next += log->waiting;
    return true;
}

void access_log_flush(struct access_log *log)
{
    if (!log->waiting) {
        return;
    }
    bool written = write_lines(log);
    if (!written && log->dir_fd >= 0 && (errno == ENOSPC || errno == EDQUOT)) {
        prune(log, true);
        written = write_lines(log);
    }
    if (!written) {
        log_debug("access log: %s", strerror(errno));
        log->lost += log->waiting;
    }
    log->buffer.len = 0;
    log->waiting = 0;
}

bool access_log_add(struct access_log *log, const struct access_entry *entry)
{
    if (entry->wall_ms / MINUTE_MS != log->minute) {
        log->minute = entry->wall_ms / MINUTE_MS;
        clock_format_day(entry->wall_ms, log->day_now);
    }
    // A day that is over is not begun again by a request that began on it.
    if (strcmp(log->day, log->day_now) < 0 || log->buffer.len + LINE_MAX_BYTES > BUFFER_MAX) {
        access_log_flush(log);
    }
    if (strcmp(log->day, log->day_now) < 0) {
        memcpy(log->day, log->day_now, sizeof log->day);
    }
    access_line(&log->buffer, entry);
    return ++log->waiting == 1;
}

uint64_t access_log_lost(const struct access_log *log)
{
    return log->lost;
}

void access_log_free(struct access_log *log)
{
    if (!log) {
        return;
    }
    access_log_flush(log);
    if (log->fd >= 0) {
        close(log->fd);
    }
    if (log->dir_fd >= 0) {
        close(log->dir_fd);
    }
    buf_release(&log->buffer);
    free(log->dir);
    free(log);
}
