// What: libFuzzer target of formats/http1: no crash, and no split changes the result. ./dev fuzz
// http1. Input: byte 0 chooses what is read (head or chunks, and the policy), byte 1 how it is
// split.
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

static void check_slice(struct http1_slice slice, uint32_t len)
{
    CHECK((uint32_t)slice.at + slice.len <= len);
}

static enum http1_progress read_head(struct http1_head *head, enum http1_policy policy,
                                     const char *bytes, size_t len, size_t step)
{
    http1_head_init(head, policy, false);
    enum http1_progress progress = HTTP1_MORE;
    size_t at = 0;
    while (at < len && progress == HTTP1_MORE) {
        at = len - at < step ? len : at + step;
        char *copy = malloc(at); // moves, and ends where the sanitizer watches
        memcpy(copy, bytes, at);
        progress = http1_head_feed(head, copy, at);
        free(copy);
    }
    return progress;
}

static void check_head(enum http1_policy policy, const char *bytes, size_t len, size_t step)
{
    static struct http1_head whole, parts;
    enum http1_progress progress = read_head(&whole, policy, bytes, len, len ? len : 1);
    CHECK(read_head(&parts, policy, bytes, len, step) == progress);
    CHECK(whole.error == parts.error && whole.error_at == parts.error_at);
    CHECK((progress == HTTP1_FAILED) == (whole.error != 0));
    if (progress != HTTP1_DONE) {
        return;
    }
    CHECK(whole.len <= len && whole.len == parts.len && whole.len <= HTTP1_HEAD_MAX);
    CHECK(whole.body == parts.body && whole.content_length == parts.content_length);
    CHECK(whole.reported == parts.reported && whole.keep_alive == parts.keep_alive);
    CHECK(whole.field_count == parts.field_count && whole.field_count <= whole.fields_max);
    check_slice(whole.method, whole.len);
    check_slice(whole.target, whole.len);
    check_slice(whole.authority, whole.len);
    check_slice(whole.reason, whole.len);
    for (unsigned i = 0; i < whole.field_count; i++) {
        check_slice(whole.fields[i].name, whole.len);
        check_slice(whole.fields[i].value, whole.len);
        CHECK(whole.fields[i].name.len > 0);
        CHECK(memcmp(&whole.fields[i].value, &parts.fields[i].value, 4) == 0);
    }
}

static enum http1_progress read_chunks(struct http1_chunks *chunks, enum http1_policy policy,
                                       const char *bytes, size_t len, size_t step, char *data,
                                       size_t *ret_data, size_t *ret_used)
{
    http1_chunks_init(chunks, policy);
    enum http1_progress progress = HTTP1_MORE;
    size_t at = 0, limit = 0;
    *ret_data = 0;
    while (limit < len && progress == HTTP1_MORE) {
        limit = len - limit < step ? len : limit + step;
        while (at < limit && progress == HTTP1_MORE) {
            size_t skip, got;
            progress = http1_chunks_feed(chunks, bytes + at, limit - at, &skip, &got);
            CHECK(skip + got <= limit - at && (skip + got > 0 || progress != HTTP1_MORE));
            memcpy(data + *ret_data, bytes + at + skip, got);
            *ret_data += got;
            at += skip + got;
        }
    }
    *ret_used = at;
    return progress;
}

static void check_chunks(enum http1_policy policy, const char *bytes, size_t len, size_t step)
{
    struct http1_chunks whole, parts;
    char *data = malloc(len + 1), *other = malloc(len + 1);
    size_t data_len, other_len, used, other_used;
    enum http1_progress progress =
        read_chunks(&whole, policy, bytes, len, len ? len : 1, data, &data_len, &used);
    CHECK(read_chunks(&parts, policy, bytes, len, step, other, &other_len, &other_used) ==
          progress);
    CHECK(used == other_used && data_len == other_len && memcmp(data, other, data_len) == 0);
    CHECK(whole.error == parts.error && whole.reported == parts.reported);
    free(data);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    enum http1_policy policy = (enum http1_policy)((bytes[0] >> 1) % HTTP1_POLICY__COUNT);
    size_t step = (size_t)bytes[1] + 1;
    const char *text = (const char *)bytes + 2;
    if (bytes[0] & 1) {
        check_chunks(policy, text, len - 2, step);
    } else {
        check_head(policy, text, len - 2, step);
    }
    return 0;
}
