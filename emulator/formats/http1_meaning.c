// What a head's fields mean, once all its lines have been read: how the body is framed, which host
// is meant, what is for this hop only.
#include "emulator/formats/http1_parts.h"

#include <string.h>
#include <strings.h>

#include "sandbox/base/cleanup.h"

// ---- words ----

bool http1_equal(const char *bytes, size_t len, const char *lower_case)
{
    return strlen(lower_case) == len && strncasecmp(bytes, lower_case, len) == 0;
}

bool http1_list_has(const char *value, size_t len, const char *token, size_t token_len)
{
    size_t at = 0;
    while (at < len) {
        const char *comma = memchr(value + at, ',', len - at);
        size_t end = comma ? (size_t)(comma - value) : len;
        size_t next = end + 1;
        while (at < end && http1_is_blank(value[at])) {
            at++;
        }
        while (end > at && http1_is_blank(value[end - 1])) {
            end--;
        }
        if (end - at == token_len && strncasecmp(value + at, token, token_len) == 0) {
            return true;
        }
        at = next;
    }
    return false;
}

bool http1_is_idempotent(const char *method, size_t len)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (strlen(methods[i]) == len && memcmp(method, methods[i], len) == 0) {
            return true;
        }
    }
    return false;
}

// ---- the meaning ----

const struct http1_field *http1_head_find(const struct http1_head *head, enum http1_name id)
{
    for (unsigned i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == id) {
            return &head->fields[i];
        }
    }
    return NULL;
}

// Digits only, below 2^63.
static bool parse_length(const char *bytes, size_t len, uint64_t *ret_length)
{
    uint64_t length = 0;
    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (unsigned char)bytes[i] - (uint64_t)'0';
        if (digit > 9 || length > (INT64_MAX - digit) / 10) {
            return false;
        }
        length = length * 10 + digit;
    }
    *ret_length = length;
    return len > 0;
}

static bool take_length(struct http1_head *head, const char *bytes, const struct http1_field *field)
{
    uint64_t length;
    if (!parse_length(bytes + field->value.at, field->value.len, &length)) {
        return !http1_broke(head, HTTP1_RULE_LENGTH_BAD, field->value.at);
    }
    if (head->has_length) {
        enum http1_rule rule =
            length == head->content_length ? HTTP1_RULE_LENGTH_TWO : HTTP1_RULE_LENGTH_DIFFERS;
        return !http1_broke(head, rule, field->value.at);
    }
    head->has_length = true;
    head->content_length = length;
    return true;
}

static bool take_coding(struct http1_head *head, const char *bytes, const struct http1_field *field)
{
    if (head->minor == 0 && http1_broke(head, HTTP1_RULE_CODING_10, field->name.at)) {
        return false;
    }
    bool chunked = http1_equal(bytes + field->value.at, field->value.len, "chunked");
    if (!chunked || head->body == HTTP1_BODY_CHUNKED) {
        return !http1_broke(head, HTTP1_RULE_CODING, field->value.at);
    }
    head->body = HTTP1_BODY_CHUNKED;
    return true;
}

bool http1_names_host(const char *host, size_t len)
{
    if (len == 0 || memmem(host, len, "..", 2)) {
        return false;
    }
    if (host[0] == '[') {
        return memchr(host, ']', len) != NULL;
    }
    const char *colon = memchr(host, ':', len);
    size_t name = colon ? (size_t)(colon - host) : len;
    return name > 0 && !(name == 1 && host[0] == '.');
}

static bool take_host(struct http1_head *head, const char *bytes, const struct http1_field *field)
{
    if (head->policy == HTTP1_APP) {
        return true;
    }
    if (head->has_host) {
        return !http1_broke(head, HTTP1_RULE_HOST_TWO, field->name.at);
    }
    head->has_host = true;
    const char *value = bytes + field->value.at;
    for (size_t i = 0; i < field->value.len; i++) {
        if (!http1_is(value[i], HOST)) {
            return !http1_broke(head, HTTP1_RULE_HOST_BAD, field->value.at + i);
        }
    }
    if (!http1_names_host(value, field->value.len)) {
        return !http1_broke(head, HTTP1_RULE_HOST_BAD, field->value.at);
    }
    bool same = !head->authority.len ||
                (head->authority.len == field->value.len &&
                 strncasecmp(bytes + head->authority.at, value, field->value.len) == 0);
    return same || !http1_broke(head, HTTP1_RULE_HOST_DIFFERS, field->value.at);
}

// Names that Connection lists are for this hop only, but for those that we frame by.
static void take_connection(struct http1_head *head, const char *bytes,
                            const struct http1_field *field)
{
    const char *value = bytes + field->value.at;
    size_t len = field->value.len;
    if (http1_list_has(value, len, "close", 5)) {
        head->keep_alive = false;
    } else if (head->minor == 0 && http1_list_has(value, len, "keep-alive", 10)) {
        head->keep_alive = true;
    }
    for (unsigned i = 0; i < head->field_count; i++) {
        struct http1_field *other = &head->fields[i];
        bool essential = other->id == HTTP1_HOST || other->id == HTTP1_CONTENT_LENGTH ||
                         other->id == HTTP1_CONTENT_TYPE;
        if (!essential && http1_list_has(value, len, bytes + other->name.at, other->name.len)) {
            other->listed = true;
        }
    }
}

static bool take_field(struct http1_head *head, const char *bytes, const struct http1_field *field)
{
    switch (field->id) {
    case HTTP1_CONTENT_LENGTH:
        return take_length(head, bytes, field);
    case HTTP1_TRANSFER_ENCODING:
        return take_coding(head, bytes, field);
    case HTTP1_HOST:
        return take_host(head, bytes, field);
    case HTTP1_CONNECTION:
        take_connection(head, bytes, field);
        return true;
    case HTTP1_EXPECT:
        head->expect_continue = head->minor == 1 && http1_equal(bytes + field->value.at,
                                                                field->value.len, "100-continue");
        return true;
    default:
        return true;
    }
}

static void frame_response(struct http1_head *head)
{
    bool no_body = head->status < 200 || head->status == 204 || head->status == 304;
    if (no_body || head->answers_head) {
        head->body = HTTP1_BODY_NONE;
    } else if (head->body != HTTP1_BODY_CHUNKED) {
        head->body = head->has_length ? HTTP1_BODY_LENGTH : HTTP1_BODY_UNTIL_CLOSE;
    }
    if (head->body == HTTP1_BODY_UNTIL_CLOSE) {
        head->keep_alive = false;
    }
}

// What a request may say once only: two of it cannot be joined to one, and which of them counts
// would be for each reader to choose. nginx refuses the same ones.
#define ONCE                                                                                       \
    (1u << HTTP1_AUTHORIZATION | 1u << HTTP1_CONTENT_RANGE | 1u << HTTP1_EXPECT |                  \
     1u << HTTP1_IF_MATCH | 1u << HTTP1_IF_MODIFIED_SINCE | 1u << HTTP1_IF_NONE_MATCH |            \
     1u << HTTP1_IF_RANGE | 1u << HTTP1_IF_UNMODIFIED_SINCE)

static bool check_single(struct http1_head *head)
{
    uint32_t seen = 0;
    for (unsigned i = 0; i < head->field_count; i++) {
        uint32_t bit = 1u << head->fields[i].id & ONCE;
        if (seen & bit && http1_broke(head, HTTP1_RULE_FIELD_TWO, head->fields[i].name.at)) {
            return false;
        }
        seen |= bit;
    }
    return true;
}

bool http1_understand(struct http1_head *head, const char *bytes)
{
    const struct http1_field *coding = http1_head_find(head, HTTP1_TRANSFER_ENCODING);
    if (coding && http1_head_find(head, HTTP1_CONTENT_LENGTH) &&
        http1_broke(head, HTTP1_RULE_LENGTH_CODING, coding->name.at)) {
        return false;
    }
    head->keep_alive = head->minor == 1;
    for (unsigned i = 0; i < head->field_count; i++) {
        if (!take_field(head, bytes, &head->fields[i])) {
            return false;
        }
    }
    head->has_length = head->has_length && !coding; // chunked wins
    const struct http1_field *upgrade = http1_head_find(head, HTTP1_UPGRADE);
    head->upgrade = upgrade && upgrade->listed && head->minor == 1;
    if (head->policy == HTTP1_APP) {
        frame_response(head);
        return true;
    }
    if (!check_single(head)) {
        return false;
    }
    if (!head->has_host && head->minor == 1) {
        return !http1_broke(head, HTTP1_RULE_HOST_MISSING, 0);
    }
    if (head->has_length && head->content_length > 0) {
        head->body = HTTP1_BODY_LENGTH;
    }
    return true;
}
