// A head for the other side. Of the fields only those go on that are meant for whoever is behind
// us; how the body is framed is said anew, once, from what was understood and never from what was
// written (HTTP.md "Fields"). What is written here is read again as the same message: tests/fuzz.
#include "emulator/formats/http1.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GROWTH   2   // of a field: a blank behind the colon, CR before LF
#define OWN_ROOM 128 // what was not there: framing, Connection, Host

static char *put(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

static char *puts_to(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

static char *put_number(char *out, uint64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    return put(out, digits, (size_t)len);
}

size_t http1_write_room(const struct http1_head *head, const char *own)
{
    return (size_t)head->len + GROWTH * (size_t)head->field_count + strlen(own) + OWN_ROOM;
}

static bool goes_on(const struct http1_head *head, const char *bytes,
                    const struct http1_field *field, uint32_t without)
{
    bool answer = head->policy == HTTP1_APP;
    switch (field->id) {
    case HTTP1_TE:
        return !answer && http1_equal(bytes + field->value.at, field->value.len, "trailers");
    case HTTP1_CONNECTION:
    case HTTP1_KEEP_ALIVE:
    case HTTP1_PROXY_CONNECTION:
    case HTTP1_PROXY_AUTHORIZATION:
    case HTTP1_TRAILER:
    case HTTP1_UPGRADE:
    case HTTP1_TRANSFER_ENCODING:
    case HTTP1_CONTENT_LENGTH:
        return false;
    case HTTP1_EXPECT: // who speaks 1.0 never waits for it
        return answer || head->minor == 1;
    default:
        return !field->listed && !(without >> field->id & 1);
    }
}

static char *put_field(char *out, const char *bytes, const struct http1_field *field)
{
    out = put(out, bytes + field->name.at, field->name.len);
    out = puts_to(out, ": ");
    char *value = out;
    out = put(out, bytes + field->value.at, field->value.len);
    for (; field->folded && value < out; value++) {
        if (*value == '\r' || *value == '\n') {
            *value = ' ';
        }
    }
    return puts_to(out, "\r\n");
}

static char *put_framing(char *out, const struct http1_head *head, enum http1_body body)
{
    bool bodiless = head->policy == HTTP1_APP && (head->status < 200 || head->status == 204);
    if (body == HTTP1_BODY_CHUNKED) {
        return puts_to(out, "Transfer-Encoding: chunked\r\n");
    }
    if (head->has_length && !bodiless) {
        return puts_to(put_number(puts_to(out, "Content-Length: "), head->content_length), "\r\n");
    }
    return out;
}

static char *put_switch(char *out, const struct http1_head *head, const char *bytes)
{
    const struct http1_field *upgrade = http1_head_find(head, HTTP1_UPGRADE);
    return upgrade ? put_field(puts_to(out, "Connection: upgrade\r\n"), bytes, upgrade) : out;
}

size_t http1_write_target(const struct http1_head *head, const char *bytes, char *out)
{
    // "http://host" and "http://host?query" have no path of their own.
    bool slash = head->target.len == 0 || bytes[head->target.at] == '?';
    char *end = slash ? puts_to(out, "/") : out;
    return (size_t)(put(end, bytes + head->target.at, head->target.len) - out);
}

size_t http1_write_chunk(const char *bytes, size_t len, char *out)
{
    char size[HTTP1_CHUNK_FRAME];
    size_t at = sizeof size;
    size[--at] = '\n';
    size[--at] = '\r';
    size_t left = len;
    do {
        size[--at] = "0123456789abcdef"[left & 15];
        left >>= 4;
    } while (left);
    char *end = put(out, size + at, sizeof size - at);
    return (size_t)(puts_to(put(end, bytes, len), "\r\n") - out);
}

static char *put_request_line(char *out, const struct http1_head *head, const char *bytes)
{
    out = puts_to(put(out, bytes + head->method.at, head->method.len), " ");
    out += http1_write_target(head, bytes, out);
    return puts_to(out, " HTTP/1.1\r\n");
}

static char *put_status_line(char *out, const struct http1_head *head, const char *bytes)
{
    out = puts_to(put_number(puts_to(out, "HTTP/1.1 "), (uint64_t)head->status), " ");
    return puts_to(put(out, bytes + head->reason.at, head->reason.len), "\r\n");
}

size_t http1_write(const struct http1_head *head, const char *bytes,
                   const struct http1_onward *onward, char *out)
{
    bool answer = head->policy == HTTP1_APP;
    char *end = answer ? put_status_line(out, head, bytes) : put_request_line(out, head, bytes);
    for (unsigned i = 0; i < head->field_count; i++) {
        if (goes_on(head, bytes, &head->fields[i], onward->without)) {
            end = put_field(end, bytes, &head->fields[i]);
        }
    }
    if (!answer && !head->has_host) { // 1.0: what 1.1 asks for
        bool known = head->authority.len > 0;
        end = puts_to(end, "Host: ");
        end = known ? put(end, bytes + head->authority.at, head->authority.len)
                    : puts_to(end, "localhost");
        end = puts_to(end, "\r\n");
    }
    end = put_framing(end, head, onward->body);
    end = puts_to(end, onward->own);
    if (onward->switching) {
        end = put_switch(end, head, bytes);
    }
    end = puts_to(end, "\r\n");
    return (size_t)(end - out);
}
