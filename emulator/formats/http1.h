// What: HTTP/1 on the wire: an incremental lexer for request heads, response heads and chunked
//       bodies, and the writer of the heads that go on.
// Why: no packaged library refuses all the smuggling shapes that nginx refuses (DESIGN 7). What is
//      refused, dropped or kept is one table, http1_rules.def, with a column per policy.
// Order: http1_head_init, then http1_head_feed with all bytes of the head so far, until it is not
//        HTTP1_MORE; then the framing fields are valid, and http1_write says the head to the other
//        side. Chunked: http1_chunks_init, http1_chunks_feed. The result never depends on where the
//        bytes were split (tests/fuzz/http1_ways.h).
// Owns: nothing, allocates nothing; positions are offsets into the caller's bytes, which may move.
// Not: limits on bodies, what to do next, our own answers (emulator/gateway).
// Sources: RFC 9110, RFC 9112; HTTP.md row by row; P-150.
#ifndef EMULATOR_FORMATS_HTTP1_H
#define EMULATOR_FORMATS_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http1_rule {
    HTTP1_RULE_NONE,
#define RULE(id, client, lenient, app, status, source, text) HTTP1_RULE_##id,
#include "emulator/formats/http1_rules.def"
#undef RULE
    HTTP1_RULE__COUNT,
};
_Static_assert(HTTP1_RULE__COUNT <= 64, "http1_head.reported is a 64 bit set");

struct http1_rule_row {
    const char *name;   // "BARE_LF"
    const char *source; // "RFC 9112 §2.2", "P-150"
    const char *text;   // one sentence without a full stop, to be translated
    int status;         // for a client: 400, 405, 414, 431, 501
};
extern const struct http1_rule_row http1_rules[HTTP1_RULE__COUNT];

enum http1_policy { HTTP1_CLIENT, HTTP1_CLIENT_LENIENT, HTTP1_APP, HTTP1_POLICY__COUNT };
enum http1_progress { HTTP1_MORE, HTTP1_DONE, HTTP1_FAILED };
enum http1_body { HTTP1_BODY_NONE, HTTP1_BODY_LENGTH, HTTP1_BODY_CHUNKED, HTTP1_BODY_UNTIL_CLOSE };

enum http1_name { // the fields that mean something to a gateway
    HTTP1_OTHER,
    HTTP1_CONNECTION,
    HTTP1_KEEP_ALIVE,
    HTTP1_PROXY_CONNECTION,
    HTTP1_PROXY_AUTHORIZATION,
    HTTP1_TE,
    HTTP1_TRAILER,
    HTTP1_TRANSFER_ENCODING,
    HTTP1_UPGRADE,
    HTTP1_CONTENT_LENGTH,
    HTTP1_CONTENT_TYPE,
    HTTP1_HOST,
    HTTP1_EXPECT,
    HTTP1_X_REAL_IP,
    HTTP1_X_FORWARDED_PROTO,
    HTTP1_FORWARDED,
    HTTP1_X_FORWARDED_FOR,
    HTTP1_X_LEANLOCAL_INSIDE,
    HTTP1_ACCEPT_ENCODING,
    HTTP1_ACCEPT_RANGES,
    HTTP1_CACHE_CONTROL,
    HTTP1_CONTENT_ENCODING,
    HTTP1_CONTENT_RANGE,
    HTTP1_ETAG,
    HTTP1_VARY,
    HTTP1_AUTHORIZATION,
    HTTP1_IF_MATCH,
    HTTP1_IF_MODIFIED_SINCE,
    HTTP1_IF_NONE_MATCH,
    HTTP1_IF_RANGE,
    HTTP1_IF_UNMODIFIED_SINCE,
    HTTP1_NAME__COUNT,
};
_Static_assert(HTTP1_NAME__COUNT <= 32, "http1_onward.without is a 32 bit set");

#define HTTP1_HEAD_MAX   65536 // bytes; offsets are 16 bits
#define HTTP1_FIELDS_MAX 256

struct http1_slice {
    uint16_t at, len;
};

struct http1_field {
    struct http1_slice name, value; // the value without blanks around it
    uint8_t id;                     // enum http1_name
    bool folded;                    // the value holds line ends: write blanks instead
    bool listed;                    // named by Connection: hop-by-hop
};

struct http1_head {
    // set by init
    enum http1_policy policy;
    bool answers_head; // app: the request was HEAD
    uint32_t line_max, head_max;
    unsigned fields_max;
    // progress
    uint32_t line_start, scanned;
    bool line_one_done, blank_skipped, last_dropped;
    // result
    enum http1_rule error; // HTTP1_FAILED
    uint32_t error_at;     // offset of the byte
    uint64_t reported;     // bit 1 << rule: kept or dropped, but wrong
    uint32_t len;          // bytes of the whole head
    struct http1_slice method, target, authority, reason;
    int status;
    int minor; // 0 or 1
    bool keep_alive;
    bool upgrade; // "Connection: upgrade" and an Upgrade field
    bool expect_continue;
    bool has_host;
    enum http1_body body;
    uint64_t content_length; // HTTP1_BODY_LENGTH, or has_length (an answer to HEAD)
    bool has_length;
    unsigned field_count;
    struct http1_field fields[HTTP1_FIELDS_MAX];
};

// answers_head: only for HTTP1_APP. Bounds come from the limits table.
void http1_head_init(struct http1_head *head, enum http1_policy policy, bool answers_head);
// <bytes, len>: the head from its first byte, as far as it has arrived; never fewer than before.
enum http1_progress http1_head_feed(struct http1_head *head, const char *bytes, size_t len);
// NULL if there is none.
const struct http1_field *http1_head_find(const struct http1_head *head, enum http1_name id);

// Is token (lower case or not) one element of the comma-separated value?
bool http1_list_has(const char *value, size_t len, const char *token, size_t token_len);
bool http1_equal(const char *bytes, size_t len, const char *lower_case);
bool http1_is_idempotent(const char *method, size_t len);

struct http1_chunks {
    enum http1_policy policy;
    uint8_t state;
    uint8_t digits;
    uint64_t left;       // of the current chunk's data
    uint32_t extensions; // bytes so far, in all
    uint32_t trailers;   // bytes so far
    enum http1_rule error;
    uint64_t reported;
};

void http1_chunks_init(struct http1_chunks *chunks, enum http1_policy policy);
// One step: reads framing up to the next data. *ret_skip bytes of framing were read, *ret_data
// bytes of data follow them (both are consumed). Call again with what is left, until it is not
// HTTP1_MORE or nothing is left.
enum http1_progress http1_chunks_feed(struct http1_chunks *chunks, const char *bytes, size_t len,
                                      size_t *ret_skip, size_t *ret_data);

// What the policy does with a broken rule; refuse is true when the message cannot go on. Reports
// else.
enum http1_treatment { HTTP1_REFUSE, HTTP1_DROP, HTTP1_KEEP };
enum http1_treatment http1_treatment(enum http1_rule rule, enum http1_policy policy);

// ---- writing ----

struct http1_onward {     // what changes in a head on its way
    uint32_t without;     // bit 1 << enum http1_name: left out, because `own` says it
    bool switching;       // Upgrade goes on, with "Connection: upgrade"
    enum http1_body body; // how the body is framed from here on; its length stays what it was
    const char *own;      // lines of ours, each with its CR LF; "" for none
};

// The head that was read (HTTP1_DONE) from <bytes>, as the other side gets it: without what is for
// one hop only. Returns how many bytes of <out, http1_write_room()> it has. A request without Host
// gets its target's authority, or localhost.
size_t http1_write(const struct http1_head *head, const char *bytes,
                   const struct http1_onward *onward, char *out);
size_t http1_write_room(const struct http1_head *head, const char *own);
// <bytes, len> as one chunk, at most len + HTTP1_CHUNK_FRAME bytes; none: the last one, with the
// end.
#define HTTP1_CHUNK_FRAME 24
size_t http1_write_chunk(const char *bytes, size_t len, char *out);
// The target alone, which always has a path; at most target.len + 1 bytes.
size_t http1_write_target(const struct http1_head *head, const char *bytes, char *out);

#endif
