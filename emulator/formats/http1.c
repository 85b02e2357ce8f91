// The head, line by line: each is checked as it ends, for what may stand in it; what the fields
// mean is asked once, at the end (http1_meaning.c). Both work on finished lines only, so a split
// cannot change the result; the two limits that must bite before a line ends are decided by which
// of them is crossed at the earlier byte.
#include "emulator/formats/http1.h"

#include <string.h>
#include <strings.h>

#include "emulator/formats/http1_parts.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

const struct http1_rule_row http1_rules[HTTP1_RULE__COUNT] = {
#define RULE(id, client, lenient, app, status, source, text)                                       \
    [HTTP1_RULE_##id] = {#id, source, text, status},
#include "emulator/formats/http1_rules.def"
#undef RULE
};

static const uint8_t treatments[HTTP1_RULE__COUNT][HTTP1_POLICY__COUNT] = {
#define RULE(id, client, lenient, app, status, source, text)                                       \
    [HTTP1_RULE_##id] = {HTTP1_##client, HTTP1_##lenient, HTTP1_##app},
#include "emulator/formats/http1_rules.def"
#undef RULE
};

static const struct {
    const char *text; // lower case
    uint8_t len;
    uint8_t id;
} names[] = {
#define NAME(text, id)                                                                             \
    {                                                                                              \
        text, sizeof text - 1, id                                                                  \
    }
    NAME("te", HTTP1_TE),
    NAME("etag", HTTP1_ETAG),
    NAME("host", HTTP1_HOST),
    NAME("vary", HTTP1_VARY),
    NAME("expect", HTTP1_EXPECT),
    NAME("trailer", HTTP1_TRAILER),
    NAME("upgrade", HTTP1_UPGRADE),
    NAME("if-match", HTTP1_IF_MATCH),
    NAME("if-range", HTTP1_IF_RANGE),
    NAME("forwarded", HTTP1_FORWARDED),
    NAME("x-real-ip", HTTP1_X_REAL_IP),
    NAME("connection", HTTP1_CONNECTION),
    NAME("keep-alive", HTTP1_KEEP_ALIVE),
    NAME("content-type", HTTP1_CONTENT_TYPE),
    NAME("accept-ranges", HTTP1_ACCEPT_RANGES),
    NAME("cache-control", HTTP1_CACHE_CONTROL),
    NAME("content-range", HTTP1_CONTENT_RANGE),
    NAME("authorization", HTTP1_AUTHORIZATION),
    NAME("if-none-match", HTTP1_IF_NONE_MATCH),
    NAME("content-length", HTTP1_CONTENT_LENGTH),
    NAME("accept-encoding", HTTP1_ACCEPT_ENCODING),
    NAME("x-forwarded-for", HTTP1_X_FORWARDED_FOR),
    NAME("content-encoding", HTTP1_CONTENT_ENCODING),
    NAME("proxy-connection", HTTP1_PROXY_CONNECTION),
    NAME("transfer-encoding", HTTP1_TRANSFER_ENCODING),
    NAME("x-forwarded-proto", HTTP1_X_FORWARDED_PROTO),
    NAME("if-modified-since", HTTP1_IF_MODIFIED_SINCE),
    NAME("x-leanlocal-inside", HTTP1_X_LEANLOCAL_INSIDE),
    NAME("if-unmodified-since", HTTP1_IF_UNMODIFIED_SINCE),
    NAME("proxy-authorization", HTTP1_PROXY_AUTHORIZATION),
#undef NAME
};

static const uint8_t classes[256] = {
    ['\t'] = TEXT,
    [' '] = TEXT,
    ['!'] = TOKEN | TEXT | HOST,
    ['"'] = TEXT,
    ['#'] = TOKEN | TEXT,
    ['$' ... '\''] = TOKEN | TEXT | HOST,
    ['(' ... ')'] = TEXT | HOST,
    ['*' ... '+'] = TOKEN | TEXT | HOST,
    [','] = TEXT | HOST,
    ['-' ... '.'] = TOKEN | TEXT | HOST,
    ['/'] = TEXT,
    ['0' ... '9'] = TOKEN | TEXT | HOST,
    [':' ... ';'] = TEXT | HOST,
    ['<'] = TEXT,
    ['='] = TEXT | HOST,
    ['>' ... '@'] = TEXT,
    ['A' ... 'Z'] = TOKEN | TEXT | HOST,
    ['['] = TEXT | HOST,
    ['\\'] = TEXT,
    [']'] = TEXT | HOST,
    ['^'] = TOKEN | TEXT,
    ['_'] = TOKEN | TEXT | HOST,
    ['`'] = TOKEN | TEXT,
    ['a' ... 'z'] = TOKEN | TEXT | HOST,
    ['{'] = TEXT,
    ['|'] = TOKEN | TEXT,
    ['}'] = TEXT,
    ['~'] = TOKEN | TEXT | HOST,
    [0x80 ... 0xFF] = TEXT,
};

bool http1_is(char byte, enum http1_class class)
{
    return (classes[(unsigned char)byte] & class) != 0;
}

enum http1_treatment http1_treatment(enum http1_rule rule, enum http1_policy policy)
{
    return treatments[rule][policy];
}

void http1_head_init(struct http1_head *head, enum http1_policy policy, bool answers_head)
{
    _Static_assert(sizeof head->method.at == 2, "HTTP1_HEAD_MAX fits a slice");
    memset(head, 0, offsetof(struct http1_head, fields));
    head->policy = policy;
    head->answers_head = answers_head;
    head->head_max = (uint32_t)(LIMIT_HEADER_TOTAL_BYTES < HTTP1_HEAD_MAX ? LIMIT_HEADER_TOTAL_BYTES
                                                                          : HTTP1_HEAD_MAX);
    // An app's single lines are bounded by the head alone.
    head->line_max = policy == HTTP1_APP ? head->head_max + 1 : (uint32_t)LIMIT_HEADER_LINE_BYTES;
    head->fields_max = policy == HTTP1_APP ? HTTP1_FIELDS_MAX : (unsigned)LIMIT_HEADER_FIELDS;
}

bool http1_broke(struct http1_head *head, enum http1_rule rule, size_t at)
{
    if (http1_treatment(rule, head->policy) == HTTP1_REFUSE) {
        head->error = rule;
        head->error_at = (uint32_t)at;
        return true;
    }
    head->reported |= (uint64_t)1 << rule;
    return false;
}

static struct http1_slice slice(size_t at, size_t end)
{
    return (struct http1_slice){.at = (uint16_t)at, .len = (uint16_t)(end - at)};
}

static uint8_t name_id(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(names) && names[i].len <= len; i++) {
        if (names[i].len == len && strncasecmp(names[i].text, name, len) == 0) {
            return names[i].id;
        }
    }
    return HTTP1_OTHER;
}

// ---- the first line ----

static bool check_version(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    bool readable = end - at == 8 && memcmp(bytes + at, "HTTP/", 5) == 0 && bytes[at + 6] == '.' &&
                    bytes[at + 5] >= '0' && bytes[at + 5] <= '9' && bytes[at + 7] >= '0' &&
                    bytes[at + 7] <= '9';
    if (!readable) {
        return !http1_broke(head, HTTP1_RULE_REQUEST_LINE, at);
    }
    if (bytes[at + 5] != '1') {
        return !http1_broke(head, bytes[at + 5] == '2' ? HTTP1_RULE_HTTP2 : HTTP1_RULE_VERSION, at);
    }
    head->minor = bytes[at + 7] == '0' ? 0 : 1;
    return true;
}

static bool check_authority(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    size_t slash = at;
    while (slash < end && bytes[slash] != '/' && bytes[slash] != '?') {
        if (!http1_is(bytes[slash], HOST)) {
            return !http1_broke(head, HTTP1_RULE_TARGET, slash);
        }
        slash++;
    }
    if (!http1_names_host(bytes + at, slash - at)) {
        return !http1_broke(head, HTTP1_RULE_TARGET, at);
    }
    head->authority = slice(at, slash);
    head->target = slice(slash, end);
    return true;
}

static bool check_target(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    head->target = slice(at, end);
    for (size_t i = at; i < end; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte <= ' ' || byte == 0x7F || byte == '#') {
            return !http1_broke(head, byte == '\0' ? HTTP1_RULE_NUL : HTTP1_RULE_TARGET, i);
        }
    }
    if (bytes[at] == '/') {
        return true;
    }
    bool options = head->method.len == 7 && memcmp(bytes + head->method.at, "OPTIONS", 7) == 0;
    if (end - at == 1 && bytes[at] == '*' && options) {
        return true;
    }
    if (end - at > 7 && strncasecmp(bytes + at, "http://", 7) == 0) {
        return check_authority(head, bytes, at + 7, end);
    }
    return !http1_broke(head, HTTP1_RULE_TARGET, at);
}

static bool check_method(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    for (size_t i = at; i < end; i++) {
        if (!http1_is(bytes[i], TOKEN)) {
            return !http1_broke(head, HTTP1_RULE_METHOD, i);
        }
    }
    head->method = slice(at, end);
    if (end - at == 7 && memcmp(bytes + at, "CONNECT", 7) == 0) {
        return !http1_broke(head, HTTP1_RULE_CONNECT, at);
    }
    return true;
}

static bool request_line(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    const char *blank = memchr(bytes + at, ' ', end - at);
    if (!blank || blank == bytes + at) {
        return !http1_broke(head, HTTP1_RULE_REQUEST_LINE, at);
    }
    size_t target = (size_t)(blank - bytes) + 1;
    if (!check_method(head, bytes, at, target - 1)) {
        return false;
    }
    const char *second = memchr(bytes + target, ' ', end - target);
    if (!second) {
        bool path = target < end && bytes[target] == '/';
        return !http1_broke(head, path ? HTTP1_RULE_HTTP09 : HTTP1_RULE_REQUEST_LINE, target);
    }
    size_t version = (size_t)(second - bytes) + 1;
    if (version - 1 == target) {
        return !http1_broke(head, HTTP1_RULE_REQUEST_LINE, target);
    }
    return check_version(head, bytes, version, end) &&
           check_target(head, bytes, target, version - 1);
}

// HTTP/1.1 SP 3DIGIT [SP reason]
static bool status_line(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    const char *line = bytes + at;
    bool readable = end - at >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && line[7] >= '0' &&
                    line[7] <= '9' && line[8] == ' ' && (end - at == 12 || line[12] == ' ');
    int status = 0;
    for (size_t i = 9; readable && i < 12; i++) {
        readable = line[i] >= '0' && line[i] <= '9';
        status = status * 10 + (line[i] - '0');
    }
    if (!readable || status < 100) {
        return !http1_broke(head, HTTP1_RULE_STATUS_LINE, at);
    }
    for (size_t i = 12; i < end - at; i++) {
        if (!http1_is(line[i], TEXT)) {
            return !http1_broke(head, HTTP1_RULE_STATUS_LINE, at + i);
        }
    }
    head->status = status;
    head->minor = line[7] == '0' ? 0 : 1;
    head->reason = slice(end - at > 13 ? at + 13 : end, end);
    return true;
}

// ---- a field line ----

// True: may be kept. *ret_failed: the head is refused.
static bool check_value(struct http1_head *head, const char *bytes, size_t at, size_t end,
                        bool *ret_failed)
{
    bool keep = true;
    for (size_t i = at; i < end; i++) {
        if (http1_is(bytes[i], TEXT)) {
            continue;
        }
        enum http1_rule rule = bytes[i] == '\0'   ? HTTP1_RULE_NUL
                               : bytes[i] == '\r' ? HTTP1_RULE_BARE_CR
                                                  : HTTP1_RULE_CONTROL;
        if (http1_broke(head, rule, i)) {
            *ret_failed = true;
            return false;
        }
        keep = keep && http1_treatment(rule, head->policy) == HTTP1_KEEP;
    }
    return keep;
}

static enum http1_rule name_rule(const char *bytes, size_t at, size_t end, size_t *ret_colon)
{
    size_t i = at;
    while (i < end && http1_is(bytes[i], TOKEN)) {
        i++;
    }
    *ret_colon = i;
    if (i < end && bytes[i] == ':') {
        return i == at ? HTTP1_RULE_NAME_EMPTY : HTTP1_RULE_NONE;
    }
    while (i > at && i < end && http1_is_blank(bytes[i])) {
        i++;
    }
    return i > *ret_colon && i < end && bytes[i] == ':' ? HTTP1_RULE_NAME_BLANK
                                                        : HTTP1_RULE_NAME_TOKEN;
}

// A folded value may begin and end with line ends, too.
static bool is_edge(char byte)
{
    return http1_is_blank(byte) || byte == '\r' || byte == '\n';
}

static struct http1_slice trimmed(const char *bytes, size_t at, size_t end)
{
    while (at < end && is_edge(bytes[at])) {
        at++;
    }
    while (end > at && is_edge(bytes[end - 1])) {
        end--;
    }
    return slice(at, end);
}

static bool folded_line(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    bool failed = false;
    if (http1_broke(head, HTTP1_RULE_FOLDED, at)) {
        return false;
    }
    bool keep = check_value(head, bytes, at, end, &failed);
    if (failed || head->last_dropped || head->field_count == 0) {
        return !failed;
    }
    struct http1_field *last = &head->fields[head->field_count - 1];
    if (!keep) {
        head->field_count--;
        head->last_dropped = true;
        return true;
    }
    last->folded = true;
    last->value = trimmed(bytes, last->value.at, end);
    return true;
}

static bool field_line(struct http1_head *head, const char *bytes, size_t at, size_t end)
{
    if (http1_is_blank(bytes[at])) {
        return folded_line(head, bytes, at, end);
    }
    size_t colon;
    bool failed = false;
    enum http1_rule rule = name_rule(bytes, at, end, &colon);
    // NUL and bare CR are worse than a bad name, wherever they stand.
    bool keep = check_value(head, bytes, colon < end ? colon : at, end, &failed);
    if (failed) {
        return false;
    }
    if (rule) {
        head->last_dropped = true;
        return !http1_broke(head, rule, colon);
    }
    head->last_dropped = !keep;
    if (!keep) {
        return true;
    }
    if (head->field_count == head->fields_max) {
        return !http1_broke(head, HTTP1_RULE_FIELDS, at);
    }
    head->fields[head->field_count++] = (struct http1_field){
        .name = slice(at, colon),
        .value = trimmed(bytes, colon + 1, end),
        .id = name_id(bytes + at, colon - at),
    };
    return true;
}

// ---- lines ----

// True: the line or the head is too long. Of the two the one that could be known at the earlier
// byte counts. A line's end is part of its 8 K, as with nginx: the byte where it had to be at the
// latest is the one that is too many.
static bool too_long(struct http1_head *head, size_t available, bool ended)
{
    size_t line_cross = (size_t)head->line_start + head->line_max - 1;
    bool line_over = available - head->line_start + !ended > head->line_max;
    bool head_over = available > head->head_max;
    if (!line_over && !head_over) {
        return false;
    }
    if (head_over && (!line_over || head->head_max <= line_cross)) {
        return http1_broke(head, HTTP1_RULE_HEAD_LONG, head->head_max);
    }
    return http1_broke(head, head->line_one_done ? HTTP1_RULE_LINE_LONG : HTTP1_RULE_TARGET_LONG,
                       line_cross);
}

static enum http1_progress take_line(struct http1_head *head, const char *bytes, size_t end)
{
    size_t at = head->line_start;
    if (end == at) {
        if (head->line_one_done) {
            return http1_understand(head, bytes) ? HTTP1_DONE : HTTP1_FAILED;
        }
        // RFC 9112 §2.2: one empty line before a request is ignored.
        bool skip = !head->blank_skipped && head->policy != HTTP1_APP;
        head->blank_skipped = true;
        return skip || !http1_broke(head,
                                    head->policy == HTTP1_APP ? HTTP1_RULE_STATUS_LINE
                                                              : HTTP1_RULE_REQUEST_LINE,
                                    at)
                   ? HTTP1_MORE
                   : HTTP1_FAILED;
    }
    bool good;
    if (head->line_one_done) {
        good = field_line(head, bytes, at, end);
    } else {
        head->line_one_done = true;
        good = head->policy == HTTP1_APP ? status_line(head, bytes, at, end)
                                         : request_line(head, bytes, at, end);
    }
    return good ? HTTP1_MORE : HTTP1_FAILED;
}

enum http1_progress http1_head_feed(struct http1_head *head, const char *bytes, size_t len)
{
    if (head->error) {
        return HTTP1_FAILED;
    }
    if (len && bytes[0] == 0x16 && head->policy != HTTP1_APP) {
        http1_broke(head, HTTP1_RULE_TLS, 0);
        return HTTP1_FAILED;
    }
    while (head->scanned < len) {
        const char *lf = memchr(bytes + head->scanned, '\n', len - head->scanned);
        size_t available = lf ? (size_t)(lf - bytes) + 1 : len;
        size_t end = lf ? available - 1 : len;
        bool cr = end > head->line_start && bytes[end - 1] == '\r';
        end -= cr;
        head->scanned = (uint32_t)(available > UINT32_MAX ? UINT32_MAX : available);
        if (too_long(head, available, lf)) {
            return HTTP1_FAILED;
        }
        if (!lf) {
            return HTTP1_MORE;
        }
        if (!cr && http1_broke(head, HTTP1_RULE_BARE_LF, available - 1)) {
            return HTTP1_FAILED;
        }
        enum http1_progress progress = take_line(head, bytes, end);
        head->line_start = head->scanned;
        head->len = head->scanned;
        if (progress != HTTP1_MORE) {
            return progress;
        }
    }
    return HTTP1_MORE;
}
