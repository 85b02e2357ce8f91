// What: the last requests through the gateway, each with heads, beginnings of bodies and times.
// Why: the Requests pane, `requests` on the socket, replay and "copy as curl" all ask the same log.
// Order: request_log_new -> request_log_add for each that has ended -> request_log_get by id.
// Owns: one area of memory of the size given at birth (touched only as far as it was ever filled);
//       the oldest records go when a new one needs their room, and are counted. Values of secret
//       fields stay in it, because a replay needs them; who shows a record masks (mask.h).
// Not: health checks; they do not come through the gateway (DESIGN 8).
#ifndef EMULATOR_REQUESTS_RECORD_H
#define EMULATOR_REQUESTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_LOG_BYTES (4u << 20)

struct request_bytes {
    const char *bytes; // followed by a NUL byte in records of the log
    size_t len;
    uint64_t total; // more than len: the rest was not kept
};

struct request_record {
    uint64_t id;        // from 1, no gaps
    uint64_t replay_of; // 0: none
    int64_t start_wall_ms, first_byte_us, total_us;
    uint64_t request_size, response_size; // with heads and framing
    int status;                           // 499: the client went away; 101: a tunnel
    unsigned retries;
    // Never NULL in records of the log.
    const char *method, *target; // "" when the head could not be read
    const char *host;            // made from the head
    const char *instance, *rule, *reason, *client;
    struct request_bytes request_head, request_body, response_head, response_body;
};

struct request_log;

struct request_log *request_log_new(size_t max_bytes);
void request_log_free(struct request_log *log);
// Copies *record, but for id and host, which it makes. The copy is valid until the next add. NULL:
// larger than the whole log; it has an id nevertheless.
const struct request_record *request_log_add(struct request_log *log,
                                             const struct request_record *record);
// NULL: dropped, or not there yet.
const struct request_record *request_log_get(const struct request_log *log, uint64_t id);
// The ids that are there: first > last when empty. Dropped so far: first - 1.
void request_log_range(const struct request_log *log, uint64_t *ret_first, uint64_t *ret_last);

// Whether all of the request was kept: only then can it be sent again.
bool request_is_whole(const struct request_record *record);
// The value of a head's field by its name in any case; false: there is none. The first one counts.
bool request_head_field(const struct request_bytes *head, const char *name,
                        struct request_bytes *ret_value);

#endif
