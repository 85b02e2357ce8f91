#include "tui/curl_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define TEXT_BODY_MAX 16384 // longer ones make a word that some shells refuse to take
#define NEXT          " \\\n  "

struct head {
    char *method, *target;
    bool minor_1;
    struct strlist fields; // "Name: value"
};

// ---- the head ----

static char *take_word(const char **at)
{
    size_t len = strcspn(*at, " ");
    char *word = str_dup_len(*at, len);
    *at += len + ((*at)[len] == ' ');
    return word;
}

static bool parse_head(const struct request_part *part, struct head *ret_head)
{
    const char *at = part->bytes ? part->bytes : "";
    size_t len = strcspn(at, "\r\n");
    auto_free char *line = str_dup_len(at, len);
    const char *word = line;
    *ret_head = (struct head){0};
    ret_head->method = take_word(&word);
    ret_head->target = take_word(&word);
    ret_head->minor_1 = strcmp(word, "HTTP/1.1") == 0;
    for (at += len; *at;) {
        at += strspn(at, "\r\n");
        len = strcspn(at, "\r\n");
        if (len) {
            strlist_take(&ret_head->fields, str_dup_len(at, len));
        }
        at += len;
    }
    return *ret_head->method && *ret_head->target && str_starts_with(word, "HTTP/1.");
}

static void release_head(struct head *head)
{
    free(head->method);
    free(head->target);
    strlist_clear(&head->fields);
}

// The value of the first field of that name; NULL: none.
static const char *field_of(const struct head *head, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < head->fields.count; i++) {
        const char *field = head->fields.items[i];
        if (strncasecmp(field, name, len) == 0 && field[len] == ':') {
            return field + len + 1 + strspn(field + len + 1, " \t");
        }
    }
    return NULL;
}

// ---- words ----

static bool is_plain(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789%+,-./:=@_")] == '\0';
}

static void put_quoted(struct buf *out, const char *text)
{
    buf_adds(out, "'");
    for (const char *at = text; *at; at++) {
        if (*at == '\'') {
            buf_adds(out, "'\\''");
        } else {
            buf_add(out, at, 1);
        }
    }
    buf_adds(out, "'");
}

char *curl_quote(const char *text)
{
    struct buf out = {0};
    if (is_plain(text)) {
        buf_adds(&out, text);
    } else {
        put_quoted(&out, text);
    }
    return buf_steal(&out);
}

static void put_option(struct buf *out, const char *name, const char *value)
{
    auto_free char *word = curl_quote(value);
    buf_adds(out, NEXT);
    buf_adds(out, name);
    if (*name) {
        buf_adds(out, " ");
    }
    buf_adds(out, word);
}

// ---- fields ----

static void put_field(struct buf *out, const char *field)
{
    const char *colon = strchr(field, ':');
    bool empty = colon && colon[1 + strspn(colon + 1, " \t")] == '\0';
    // An empty value is said by a semicolon; "Name:" alone would take the field away.
    auto_free char *bare = colon && empty ? str_printf("%.*s;", (int)(colon - field), field) : NULL;
    put_option(out, "--header", bare ? bare : field);
}

// What curl would add of its own.
static void put_absent(struct buf *out, const struct head *head, bool body)
{
    static const struct {
        const char *name;
        bool with_body;
    } own[] = {{"Host", false},
               {"User-Agent", false},
               {"Accept", false},
               {"Content-Type", true},
               {"Expect", true}};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if ((body || !own[i].with_body) && !field_of(head, own[i].name)) {
            auto_free char *unset = str_printf("%s:", own[i].name);
            put_option(out, "--header", unset);
        }
    }
}

static void put_fields(struct buf *out, const struct head *head)
{
    for (size_t i = 0; i < head->fields.count; i++) {
        if (strncasecmp(head->fields.items[i], "Content-Length:", 15) != 0) { // curl counts itself
            put_field(out, head->fields.items[i]);
        }
    }
}

// ---- body ----

// Can it stand between quotes, and be pasted? Line ends other than \n are changed by terminals.
static bool is_text(const struct request_part *body)
{
    auto_free char *valid = utf8_valid(body->bytes, body->len);
    if (body->len > TEXT_BODY_MAX || strlen(valid) != body->len ||
        memcmp(valid, body->bytes, body->len) != 0) {
        return false;
    }
    for (size_t i = 0; i < body->len; i++) {
        unsigned char byte = (unsigned char)body->bytes[i];
        if ((byte < ' ' && byte != '\n') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

// printf(1)'s format: a digit behind an octal escape must not join it, so three digits always.
static void put_printf(struct buf *out, const struct request_part *body)
{
    buf_adds(out, "printf '");
    for (size_t i = 0; i < body->len; i++) {
        unsigned char byte = (unsigned char)body->bytes[i];
        bool plain = byte >= ' ' && byte < 0x7f && !strchr("'\\%", byte);
        if (plain && (byte != '-' || i)) {
            buf_add(out, &body->bytes[i], 1);
        } else {
            buf_addf(out, "\\%03o", byte);
        }
    }
    buf_adds(out, "' | ");
}

// ---- the command ----

// Where curl would read something else into it: "*", "host:port", "/a#b".
static bool is_odd(const char *target)
{
    return *target != '/' || strpbrk(target, "#\\\"<>^`{|}") != NULL;
}

static void put_target(struct buf *out, const char *target, const char *base)
{
    bool odd = is_odd(target);
    auto_free char *url = str_printf("%s%s", base, odd ? "/" : target);
    put_option(out, "", url);
    if (odd) {
        put_option(out, "--request-target", target);
    }
}

static int check(const struct request_detail *detail, const struct head *head, bool readable,
                 struct error *error)
{
    const struct request_part *body = &detail->request_body;
    if (!readable) {
        return error_set(error, ERROR_USAGE,
                         _("its head cannot be said to curl; p sends it again"));
    }
    if (field_of(head, "Upgrade") && detail->summary.status == 101) {
        return error_set(error, ERROR_USAGE, _("curl speaks no WebSocket"));
    }
    if ((int64_t)body->len < body->size ||
        (int64_t)detail->request_head.len < detail->request_head.size) {
        return error_set(error, ERROR_USAGE, _("only %zu of %lld bytes of its body were kept"),
                         body->len, (long long)body->size);
    }
    return 0;
}

static void put_command(struct buf *out, const struct request_detail *detail,
                        const struct head *head, const char *base)
{
    const struct request_part *body = &detail->request_body;
    bool text = body->len && is_text(body);
    if (body->len && !text) {
        put_printf(out, body);
    }
    buf_adds(out, "curl --globoff --path-as-is --noproxy '*' --silent --show-error");
    buf_adds(out, head->minor_1 ? " --http1.1" : " --http1.0");
    if (strcmp(head->method, "HEAD") == 0) {
        buf_adds(out, NEXT "--head"); // --request HEAD would wait for a body
    } else {
        put_option(out, "--request", head->method);
    }
    put_target(out, head->target, base);
    put_fields(out, head);
    // A body of no bytes is one too, where its length was said.
    const char *length = field_of(head, "Content-Length");
    bool sends = body->len || (length && strcmp(head->method, "HEAD") != 0);
    put_absent(out, head, sends);
    if (text) {
        put_option(out, "--data-raw", body->bytes);
    } else if (body->len) {
        put_option(out, "--data-binary", "@-");
    } else if (sends) {
        put_option(out, "--data-raw", "");
    }
    buf_adds(out, "\n");
}

char *curl_text(const struct request_detail *detail, const char *base, struct error *error)
{
    struct head head;
    struct buf out = {0};
    bool readable = parse_head(&detail->request_head, &head) && *detail->summary.method;
    if (check(detail, &head, readable, error) < 0) {
        release_head(&head);
        return NULL;
    }
    put_command(&out, detail, &head, base);
    release_head(&head);
    return buf_steal(&out);
}
