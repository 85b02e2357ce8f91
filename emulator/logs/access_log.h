// What: the balancer's access log on disk: one JSON object a line, files by day (P-122).
// Why: `leanlocal logs --access` prints it, also when nothing runs. The platform's own format is
//      not public, so this one is ours:
//        {"time":"2026-11-22T02:15:31.042Z","instanceName":"web1","method":"GET","url":"/a?b=c",
//         "host":"localhost:3000","status":200,"durationMs":3.214,"firstByteMs":2.981,
//         "requestBytes":412,"responseBytes":1830,"retries":0,"rule":"","client":"127.0.0.1",
//         "userAgent":"curl/7.88.1","referer":""}
//      `time` is when the first byte of the request came; sizes count heads and framing; status
//      499: the client went away first. `"replay":true` ends one that was sent
//      again from here.
// Order: writer: access_log_new (touches nothing) -> access_log_add ... access_log_flush (soon
// after
//        the first of some) -> access_log_free. Reader: access_reader_new -> access_reader_next
//        until it says false; again later, to follow.
// Owns: the directory's files (0600): <local day>-<number of its first line, 16 hex>.jsonl. Bounds:
//       ACCESS_MAX_BYTES and ACCESS_MAX_DAYS; the oldest files go, and since lines are numbered
//       from 1 for ever, what is gone is known.
// Not: secrets: who calls has masked url and referer (requests/mask.h).
#ifndef EMULATOR_LOGS_ACCESS_LOG_H
#define EMULATOR_LOGS_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/error.h"

#define ACCESS_MAX_BYTES     (64u << 20) // of a project
#define ACCESS_SEGMENT_BYTES (4u << 20)
#define ACCESS_MAX_DAYS      30

struct access_text { // any bytes
    const char *bytes;
    size_t len;
};

struct access_entry {
    int64_t wall_ms, total_us, first_byte_us;
    uint64_t request_bytes, response_bytes;
    int status;
    bool replay;
    unsigned retries;
    const char *instance, *method, *url, *host, *rule, *client;
    struct access_text user_agent, referer;
};

// Pure: the line with its newline. false: the buffer is full, nothing was added.
bool access_line(struct buf *out, const struct access_entry *entry);

struct access_log;
struct access_log_options {
    const char *dir;
    uint64_t max_bytes, segment_bytes; // 0: the bounds above
    int max_days;
};
struct access_log *access_log_new(const struct access_log_options *options);
// true: it is the first one that waits for a flush.
bool access_log_add(struct access_log *log, const struct access_entry *entry);
void access_log_flush(struct access_log *log);
uint64_t access_log_lost(const struct access_log *log); // that the disk did not take
void access_log_free(struct access_log *log);           // flushes

struct access_reader;
// An absent directory is an empty log.
struct access_reader *access_reader_new(const char *dir);
// Files of days that ended before this need not be read; before the first access_reader_next().
void access_reader_skip_until(struct access_reader *reader, int64_t wall_ms);
// The next whole line, without its newline, valid until the next call. *ret_wall_ms: -1 if it has
// no time. false: none for now.
bool access_reader_next(struct access_reader *reader, const char **ret_line, size_t *ret_len,
                        int64_t *ret_wall_ms);
// Lines that were dropped just before the first one that was read; 0 when older ones are there.
uint64_t access_reader_dropped(const struct access_reader *reader);
void access_reader_free(struct access_reader *reader);

#endif
