// What: what the three targets of formats/http1 have in common: a head is fed whole, in steps of a
//       size that the input chooses, and byte by byte; the result must be the same. What is then
//       written of it is read again: equal, and written once more, the same bytes.
// Order: head_check(), with what the other side is told about the body.
// Owns: its buffers for the time of one call.
#ifndef TESTS_FUZZ_HTTP1_WAYS_H
#define TESTS_FUZZ_HTTP1_WAYS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/http1.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct head_kind {
    enum http1_policy policy;
    bool answers_head;
    bool until_close; // towards a client of 1.0: nothing can be chunked
    bool small;       // limits that short inputs reach
};

// step 0: all at once. Each part is a block of just its size, so that a sanitizer sees the first
// byte too many; byte by byte that would cost a square, and another step shows it.
static inline enum http1_progress head_read(struct http1_head *head, const struct head_kind *kind,
                                            const char *bytes, size_t len, size_t step)
{
    http1_head_init(head, kind->policy, kind->answers_head);
    if (kind->small) {
        head->head_max = 120;
        head->line_max = kind->policy == HTTP1_APP ? 121 : 40;
        head->fields_max = 4;
    }
    enum http1_progress progress = HTTP1_MORE;
    for (size_t at = 0; at < len && progress == HTTP1_MORE;) {
        at = step == 0 || len - at < step ? len : at + step;
        if (step == 1) {
            progress = http1_head_feed(head, bytes, at);
            continue;
        }
        char *copy = malloc(at);
        memcpy(copy, bytes, at);
        progress = http1_head_feed(head, copy, at);
        free(copy);
    }
    return progress;
}

static inline void same_slice(struct http1_slice a, struct http1_slice b, uint32_t len)
{
    CHECK(a.at == b.at && a.len == b.len && (uint32_t)a.at + a.len <= len);
}

static inline void head_same(const struct http1_head *a, const struct http1_head *b)
{
    CHECK(a->len == b->len && a->len <= HTTP1_HEAD_MAX && a->reported == b->reported);
    CHECK(a->body == b->body && a->content_length == b->content_length);
    CHECK(a->has_length == b->has_length && a->has_host == b->has_host);
    CHECK(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade);
    CHECK(a->status == b->status && a->minor == b->minor);
    CHECK(a->field_count == b->field_count && a->field_count <= a->fields_max);
    same_slice(a->method, b->method, a->len);
    same_slice(a->target, b->target, a->len);
    same_slice(a->authority, b->authority, a->len);
    same_slice(a->reason, b->reason, a->len);
    for (unsigned i = 0; i < a->field_count; i++) {
        const struct http1_field *x = &a->fields[i], *y = &b->fields[i];
        same_slice(x->name, y->name, a->len);
        same_slice(x->value, y->value, a->len);
        CHECK(x->name.len > 0 && x->id == y->id);
        CHECK(x->folded == y->folded && x->listed == y->listed);
    }
}

// ---- written, and read again ----

static inline struct http1_onward onward_of(const struct http1_head *head,
                                            const struct head_kind *kind)
{
    bool answer = kind->policy == HTTP1_APP;
    bool unknown = head->body == HTTP1_BODY_CHUNKED || head->body == HTTP1_BODY_UNTIL_CLOSE;
    enum http1_body body = answer && unknown
                               ? (kind->until_close ? HTTP1_BODY_UNTIL_CLOSE : HTTP1_BODY_CHUNKED)
                               : head->body;
    return (struct http1_onward){
        .switching = head->upgrade && (!answer || head->status == 101), .body = body, .own = ""};
}

static inline char *head_written(const struct http1_head *head, const char *bytes,
                                 const struct http1_onward *onward, size_t *ret_len)
{
    size_t room = http1_write_room(head, onward->own);
    char *out = malloc(room);
    *ret_len = http1_write(head, bytes, onward, out);
    CHECK(*ret_len <= room);
    return out;
}

static inline bool same_bytes(const char *a, struct http1_slice x, const char *b,
                              struct http1_slice y)
{
    bool same = x.len == y.len;
    for (unsigned i = 0; same && i < x.len; i++) {
        char byte = a[x.at + i];
        same = (byte == '\r' || byte == '\n' ? ' ' : byte) == b[y.at + i];
    }
    return same;
}

// Fields that mean nothing to a gateway arrive in order, with the same bytes (folds are blanks).
static inline void fields_arrive(const struct http1_head *head, const char *bytes,
                                 const struct http1_head *again, const char *written)
{
    unsigned at = 0;
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (field->id != HTTP1_OTHER || field->listed) {
            continue;
        }
        while (at < again->field_count && again->fields[at].id != HTTP1_OTHER) {
            at++;
        }
        CHECK(at < again->field_count);
        CHECK(same_bytes(bytes, field->name, written, again->fields[at].name));
        CHECK(same_bytes(bytes, field->value, written, again->fields[at].value));
        at++;
    }
    while (at < again->field_count) {
        CHECK(again->fields[at++].id != HTTP1_OTHER);
    }
}

static inline void head_round(const struct http1_head *head, const struct head_kind *kind,
                              const char *bytes)
{
    static struct http1_head again;
    struct http1_onward onward = onward_of(head, kind);
    struct head_kind strict = *kind;
    strict.policy = kind->policy == HTTP1_APP ? HTTP1_APP : HTTP1_CLIENT;
    strict.small = false; // it may have grown
    size_t len, len_2;
    char *written = head_written(head, bytes, &onward, &len);
    CHECK(head_read(&again, &strict, written, len, 0) == HTTP1_DONE);
    CHECK(again.len == len && again.reported == 0);
    CHECK(again.body == onward.body && again.status == head->status);
    CHECK(again.body != HTTP1_BODY_LENGTH || again.content_length == head->content_length);
    CHECK(same_bytes(bytes, head->method, written, again.method));
    CHECK(same_bytes(bytes, head->reason, written, again.reason));
    fields_arrive(head, bytes, &again, written);
    struct http1_onward onward_2 = onward_of(&again, &strict);
    char *written_2 = head_written(&again, written, &onward_2, &len_2);
    CHECK(len == len_2 && memcmp(written, written_2, len) == 0);
    free(written);
    free(written_2);
}

static inline void head_check(const struct head_kind *kind, const char *bytes, size_t len,
                              size_t step)
{
    static struct http1_head whole, parts;
    enum http1_progress progress = head_read(&whole, kind, bytes, len, 0);
    CHECK((progress == HTTP1_FAILED) == (whole.error != HTTP1_RULE_NONE));
    const size_t steps[] = {step, 1};
    for (int i = 0; i < 2; i++) {
        CHECK(head_read(&parts, kind, bytes, len, steps[i]) == progress);
        CHECK(whole.error == parts.error && whole.error_at == parts.error_at);
        if (progress == HTTP1_DONE) {
            head_same(&whole, &parts);
        }
    }
    if (progress == HTTP1_DONE) {
        head_round(&whole, kind, bytes);
    }
}

#endif
