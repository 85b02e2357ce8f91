// Compressing answers (P-151, HTTP.md "Fields"). Which ones: gateway_gzip_suits(); what their heads
// then say: gateway_response.c.
//
// A stream's memory is bounded: a window of 8 K, and what deflate holds back is never more than
// SCRATCH_BYTES can take together with one run of input. So each run is swallowed whole, and there
// is no state in which half of it waits. No more than STREAMS_MAX at a time; the others go as they
// are.
#include "emulator/gateway/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// zlib.h only declares its buffers as what they are with this.
#define ZLIB_CONST
#include <zlib.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"

#define WINDOW_BITS   13 // 8 K; with MEMORY_LEVEL 64 K a stream
#define MEMORY_LEVEL  6
#define GZIP_FORMAT   16 // added to the window's bits: a gzip header instead of zlib's
#define SPEED         1  // the loop is shared with all other requests
#define STREAMS_MAX   64
#define SCRATCH_BYTES (2 * BLOCK_BYTES)
#define ETAG_MAX      256

struct gateway_gzip {
    z_stream stream;
    bool held_back; // deflate has something that it has not given out
    char scratch[SCRATCH_BYTES];
};

// What zlib.h says that deflate takes, but for its own state, which is less than 8 K.
_Static_assert((1 << (WINDOW_BITS + 2)) + (1 << (MEMORY_LEVEL + 9)) + sizeof(struct gateway_gzip) +
                       8192 <=
                   GZIP_BYTES,
               "a stream's memory is what gateway_most_bytes() says");

// ---- what is asked for ----

struct text {
    const char *at;
    size_t len;
};

static struct text trimmed(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (struct text){at, (size_t)(end - at)};
}

// Up to the separator; what is left of the value follows in *value.
static struct text next_part(struct text *value, char separator)
{
    const char *end = value->at + value->len;
    const char *stop = memchr(value->at, separator, value->len);
    struct text part = trimmed(value->at, stop ? stop : end);
    value->at = stop ? stop + 1 : end;
    value->len = (size_t)(end - value->at);
    return part;
}

// "q=0", "q=0.000": not at all (RFC 9110 §12.4.2).
static bool is_refused(struct text parameters)
{
    while (parameters.len) {
        struct text parameter = next_part(&parameters, ';');
        if (parameter.len >= 3 && strncasecmp(parameter.at, "q=", 2) == 0) {
            return strspn(parameter.at + 2, "0.") >= parameter.len - 2;
        }
    }
    return false;
}

// One Accept-Encoding; a coding that is named counts more than "*".
static void read_codings(struct text value, int *named, int *any)
{
    while (value.len) {
        struct text element = next_part(&value, ',');
        struct text coding = next_part(&element, ';');
        int answer = is_refused(element) ? -1 : 1;
        if (http1_equal(coding.at, coding.len, "gzip") ||
            http1_equal(coding.at, coding.len, "x-gzip")) {
            *named = answer;
        } else if (http1_equal(coding.at, coding.len, "*")) {
            *any = answer;
        }
    }
}

bool gateway_gzip_accepted(const struct http1_head *head, const char *bytes)
{
    int named = 0, any = 0;
    for (unsigned i = 0; head->minor == 1 && i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (field->id == HTTP1_ACCEPT_ENCODING) {
            read_codings((struct text){bytes + field->value.at, field->value.len}, &named, &any);
        }
    }
    return named ? named > 0 : any > 0;
}

// ---- what suits ----

static bool ends_with(struct text text, const char *tail)
{
    size_t len = strlen(tail);
    return text.len > len && strncasecmp(text.at + text.len - len, tail, len) == 0;
}

static bool is_text_like(struct text value)
{
    static const char *const types[] = {
        "application/json",       "application/javascript", "application/x-javascript",
        "application/ecmascript", "application/xml",        "application/x-ndjson",
    };
    struct text type = next_part(&value, ';');
    if (http1_equal(type.at, type.len, "text/event-stream")) {
        return false;
    }
    if ((type.len > 5 && strncasecmp(type.at, "text/", 5) == 0) || ends_with(type, "+json") ||
        ends_with(type, "+xml")) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (http1_equal(type.at, type.len, types[i])) {
            return true;
        }
    }
    return false;
}

static bool forbids(const struct http1_field *field, const char *bytes)
{
    switch (field->id) {
    case HTTP1_CONTENT_ENCODING: // it has one already, even if that is "identity"
    case HTTP1_CONTENT_RANGE:    // its bytes are counted in the original
        return true;
    case HTTP1_CACHE_CONTROL:
        return http1_list_has(bytes + field->value.at, field->value.len, "no-transform", 12);
    default:
        return false;
    }
}

bool gateway_gzip_suits(const struct http1_head *head, const char *bytes)
{
    bool bodiless = head->status < 200 || head->status == 204 || head->status == 304;
    const struct http1_field *type = http1_head_find(head, HTTP1_CONTENT_TYPE);
    if (bodiless || head->status == 206 || !type ||
        (head->has_length && head->content_length < (uint64_t)LIMIT_GZIP_MIN_BYTES)) {
        return false;
    }
    for (unsigned i = 0; i < head->field_count; i++) {
        if (forbids(&head->fields[i], bytes)) {
            return false;
        }
    }
    return is_text_like((struct text){bytes + type->value.at, type->value.len});
}

// ---- what the head says then ----

static bool varies_by_encoding(const struct http1_head *head, const char *bytes)
{
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *field = &head->fields[i];
        const char *value = bytes + field->value.at;
        if (field->id == HTTP1_VARY &&
            (http1_list_has(value, field->value.len, "*", 1) ||
             http1_list_has(value, field->value.len, "accept-encoding", 15))) {
            return true;
        }
    }
    return false;
}

// An ETag names bytes; ours are others that mean the same (RFC 9110 §8.8.1). One that is longer
// than any is left out.
void gateway_gzip_print(const struct gateway_exchange *exchange, const char *bytes, char *out,
                        size_t size)
{
    const struct http1_head *head = &exchange->head;
    int len = snprintf(
        out, size, "%s%s",
        exchange->gzip_suits && !varies_by_encoding(head, bytes) ? "Vary: Accept-Encoding\r\n" : "",
        exchange->gzip ? "Content-Encoding: gzip\r\n" : "");
    const struct http1_field *tag = exchange->gzip ? http1_head_find(head, HTTP1_ETAG) : NULL;
    if (tag && !tag->folded && tag->value.len < ETAG_MAX) {
        const char *value = bytes + tag->value.at;
        snprintf(out + len, size - (size_t)len, "ETag: %s%.*s\r\n", *value == '"' ? "W/" : "",
                 (int)tag->value.len, value);
    }
}

// ---- streams ----

struct gateway_gzip *gateway_gzip_new(struct gateway *gateway)
{
    struct gateway_gzip *gzip = gateway->spare_gzip;
    if (gzip) {
        gateway->spare_gzip = NULL;
        gateway->gzip_streams++;
        return gzip;
    }
    gzip = gateway->gzip_streams < STREAMS_MAX ? calloc(1, sizeof *gzip) : NULL;
    if (!gzip || deflateInit2(&gzip->stream, SPEED, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT,
                              MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    gateway->gzip_streams++;
    return gzip;
}

static void destroy(struct gateway_gzip *gzip)
{
    if (gzip) {
        deflateEnd(&gzip->stream);
        free(gzip);
    }
}

void gateway_gzip_drop_spare(struct gateway *gateway)
{
    destroy(gateway->spare_gzip);
    gateway->spare_gzip = NULL;
}

void gateway_gzip_free(struct gateway *gateway, struct gateway_gzip *gzip)
{
    if (!gzip) {
        return;
    }
    gateway->gzip_streams--;
    if (gateway->spare_gzip || deflateReset(&gzip->stream) != Z_OK) {
        destroy(gzip);
        return;
    }
    gzip->held_back = false;
    gateway->spare_gzip = gzip;
}

static bool run(struct gateway_exchange *exchange, const char *bytes, size_t len, int flush)
{
    struct gateway_gzip *gzip = exchange->gzip;
    struct gateway_client *client = exchange->client;
    gzip->stream.next_in = (const Bytef *)bytes;
    gzip->stream.avail_in = (uInt)len;
    gzip->stream.next_out = (Bytef *)gzip->scratch;
    gzip->stream.avail_out = SCRATCH_BYTES;
    deflate(&gzip->stream, flush);
    gzip->held_back = flush == Z_NO_FLUSH;
    size_t made = SCRATCH_BYTES - gzip->stream.avail_out;
    if (gzip->stream.avail_in || gzip->stream.avail_out == 0 ||
        !gateway_block_need(client->gateway, &client->out, made + 2 * CHUNK_FRAME,
                            2 * BLOCK_HEAD_MAX)) {
        return false;
    }
    if (made) {
        size_t before = block_len(&client->out);
        gateway_put_chunk(&client->out, gzip->scratch, made);
        exchange->response_bytes += block_len(&client->out) - before;
    }
    return true;
}

bool gateway_gzip_put(struct gateway_exchange *exchange, const char *bytes, size_t len)
{
    return run(exchange, bytes, len, Z_NO_FLUSH);
}

bool gateway_gzip_finish(struct gateway_exchange *exchange)
{
    return run(exchange, "", 0, Z_FINISH);
}

bool gateway_gzip_flush(struct gateway_exchange *exchange)
{
    if (!exchange->gzip || !exchange->gzip->held_back) {
        return false;
    }
    if (!run(exchange, "", 0, Z_SYNC_FLUSH)) {
        gateway_client_close(exchange->client, false);
    }
    return true;
}
