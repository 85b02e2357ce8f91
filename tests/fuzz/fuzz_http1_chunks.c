// What: libFuzzer target of formats/http1: chunked bodies, of clients and of apps. ./dev fuzz
// http1_chunks. Input: byte 0 chooses whose body it is, byte 1 how it is split, the rest is the
// body. No split changes what comes of it; what comes of it, written as chunks, is read again.
#include "tests/fuzz/http1_ways.h"

struct decoded {
    enum http1_progress progress;
    struct http1_chunks chunks;
    char *data;
    size_t len, used;
};

static void decode(struct decoded *into, enum http1_policy policy, const char *bytes, size_t len,
                   size_t step)
{
    http1_chunks_init(&into->chunks, policy);
    into->progress = HTTP1_MORE;
    into->data = malloc(len + 1);
    into->len = into->used = 0;
    size_t limit = 0;
    while (limit < len && into->progress == HTTP1_MORE) {
        limit = step == 0 || len - limit < step ? len : limit + step;
        while (into->used < limit && into->progress == HTTP1_MORE) {
            size_t skip, got;
            into->progress = http1_chunks_feed(&into->chunks, bytes + into->used,
                                               limit - into->used, &skip, &got);
            CHECK(skip + got <= limit - into->used);
            CHECK(skip + got > 0 || into->progress != HTTP1_MORE);
            memcpy(into->data + into->len, bytes + into->used + skip, got);
            into->len += got;
            into->used += skip + got;
        }
    }
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
    CHECK(a->progress == b->progress && a->used == b->used);
    CHECK(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
    CHECK(a->chunks.error == b->chunks.error && a->chunks.reported == b->chunks.reported);
}

static void check_round(const struct decoded *whole, size_t step)
{
    char *out = malloc(whole->len + (whole->len / step + 2) * HTTP1_CHUNK_FRAME);
    size_t out_len = 0;
    for (size_t at = 0; at < whole->len; at += step) {
        size_t len = whole->len - at < step ? whole->len - at : step;
        out_len += http1_write_chunk(whole->data + at, len, out + out_len);
    }
    out_len += http1_write_chunk("", 0, out + out_len);
    struct decoded again;
    decode(&again, HTTP1_CLIENT, out, out_len, 0);
    CHECK(again.progress == HTTP1_DONE && again.used == out_len && again.chunks.reported == 0);
    CHECK(again.len == whole->len && memcmp(again.data, whole->data, again.len) == 0);
    free(again.data);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    enum http1_policy policy = (enum http1_policy)(bytes[0] % HTTP1_POLICY__COUNT);
    size_t step = (size_t)bytes[1] + 1;
    const char *text = (const char *)bytes + 2;
    struct decoded whole, parts, single;
    decode(&whole, policy, text, len - 2, 0);
    decode(&parts, policy, text, len - 2, step);
    decode(&single, policy, text, len - 2, 1);
    check_same(&whole, &parts);
    check_same(&whole, &single);
    CHECK((whole.progress == HTTP1_FAILED) == (whole.chunks.error != HTTP1_RULE_NONE));
    if (whole.progress == HTTP1_DONE) {
        check_round(&whole, step);
    }
    free(whole.data);
    free(parts.data);
    free(single.data);
    return 0;
}
