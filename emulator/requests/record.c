// A ring of bytes. A record is one run: its struct, then its strings, each behind the other. Where
// the rest of the area is too short for the next one it is left empty and the ring goes on at the
// beginning. A ring of offsets beside it finds a record by id.
#include "emulator/requests/record.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sandbox/base/mem.h"

#define SLOTS          2048 // records at most, however small
#define HOST_MAX       255
#define ALIGNED(size_) (((size_) + 15) & ~(size_t)15)

struct request_log {
    char *area;
    size_t size;
    size_t end;           // where the next record goes, if it fits there
    uint64_t first, last; // ids; first > last: empty
    size_t starts[SLOTS]; // of each record, by id % SLOTS
};

struct request_log *request_log_new(size_t max_bytes)
{
    struct request_log *log = mem_alloc(sizeof *log);
    log->area = mem_alloc(max_bytes);
    log->size = max_bytes;
    log->first = 1;
    return log;
}

void request_log_free(struct request_log *log)
{
    if (log) {
        free(log->area);
        free(log);
    }
}

// Gives up the oldest records as long as they begin in [from, to).
static void drop_between(struct request_log *log, size_t from, size_t to)
{
    while (log->first <= log->last) {
        size_t start = log->starts[log->first % SLOTS];
        if (start < from || start >= to) {
            return;
        }
        log->first++;
    }
}

// Behind `end` the oldest record comes next, up to the area's end and then from its beginning: so
// only the oldest are ever in the way.
static char *take_run(struct request_log *log, size_t size)
{
    if (log->first > log->last) {
        log->end = 0;
    }
    if (log->end + size > log->size) {
        drop_between(log, log->end, log->size);
        log->end = 0;
    }
    drop_between(log, log->end, log->end + size);
    if (log->last + 1 - log->first == SLOTS) {
        log->first++;
    }
    size_t start = log->end;
    log->end += size;
    log->starts[++log->last % SLOTS] = start;
    return log->area + start;
}

static const char *put_bytes(char **at, const char *bytes, size_t len)
{
    char *start = *at;
    if (len) {
        memcpy(start, bytes, len);
    }
    start[len] = '\0';
    *at += len + 1;
    return start;
}

static const char *put_text(char **at, const char *text)
{
    return put_bytes(at, text ? text : "", text ? strlen(text) : 0);
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 1;
}

static size_t size_of(const struct request_record *record, size_t host_len)
{
    return ALIGNED(sizeof *record + text_size(record->method) + text_size(record->target) +
                   host_len + 1 + text_size(record->instance) + text_size(record->rule) +
                   text_size(record->reason) + text_size(record->client) +
                   record->request_head.len + record->request_body.len + record->response_head.len +
                   record->response_body.len + 4);
}

static void copy(struct request_record *to, const struct request_record *from,
                 const struct request_bytes *host)
{
    char *at = (char *)(to + 1);
    *to = *from;
    to->method = put_text(&at, from->method);
    to->target = put_text(&at, from->target);
    to->host = put_bytes(&at, host->bytes, host->len);
    to->instance = put_text(&at, from->instance);
    to->rule = put_text(&at, from->rule);
    to->reason = put_text(&at, from->reason);
    to->client = put_text(&at, from->client);
    struct request_bytes *parts[] = {&to->request_head, &to->request_body, &to->response_head,
                                     &to->response_body};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        parts[i]->bytes = put_bytes(&at, parts[i]->bytes, parts[i]->len);
    }
}

const struct request_record *request_log_add(struct request_log *log,
                                             const struct request_record *record)
{
    struct request_bytes host = {0};
    request_head_field(&record->request_head, "host", &host);
    host.len = host.len < HOST_MAX ? host.len : HOST_MAX;
    size_t size = size_of(record, host.len);
    if (size > log->size) { // cannot be, of a request within its bounds
        log->first = ++log->last + 1;
        return NULL;
    }
    struct request_record *to = (struct request_record *)(void *)take_run(log, size);
    copy(to, record, &host);
    to->id = log->last;
    return to;
}

const struct request_record *request_log_get(const struct request_log *log, uint64_t id)
{
    if (id < log->first || id > log->last) {
        return NULL;
    }
    return (const struct request_record *)(const void *)(log->area + log->starts[id % SLOTS]);
}

void request_log_range(const struct request_log *log, uint64_t *ret_first, uint64_t *ret_last)
{
    *ret_first = log->first;
    *ret_last = log->last;
}

bool request_is_whole(const struct request_record *record)
{
    return record->request_head.len && record->request_head.len == record->request_head.total &&
           record->request_body.len == record->request_body.total;
}

// ---- fields of a head ----

// The end of the line that begins at `at`, without its CR LF; *ret_next is behind them.
static const char *line_end(const char *at, const char *end, const char **ret_next)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *ret_next = newline ? newline + 1 : end;
    newline = newline ? newline : end;
    return newline > at && newline[-1] == '\r' ? newline - 1 : newline;
}

bool request_head_field(const struct request_bytes *head, const char *name,
                        struct request_bytes *ret_value)
{
    const char *at = head->bytes;
    const char *end = at ? at + head->len : NULL;
    size_t name_len = strlen(name);
    for (const char *next; at < end; at = next) {
        const char *stop = line_end(at, end, &next);
        const char *value = at + name_len;
        if (value >= stop || *value != ':' || strncasecmp(at, name, name_len) != 0) {
            continue;
        }
        for (value++; value < stop && (*value == ' ' || *value == '\t');) {
            value++;
        }
        while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t')) {
            stop--;
        }
        *ret_value =
            (struct request_bytes){value, (size_t)(stop - value), (uint64_t)(stop - value)};
        return true;
    }
    return false;
}
