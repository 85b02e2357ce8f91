#include "emulator/requests/mask.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "emulator/environment/environment.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

#define STARS          "***"
#define NAME_MAX_BYTES 128

// Besides the words that make the name of a variable secret (KEY, TOKEN, PASSWORD ...).
static const char *const words[] = {"authorization", "cookie", "session", "sign", "api_key"};

bool mask_is_secret(const char *name, size_t len)
{
    char plain[NAME_MAX_BYTES + 1];
    len = len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES;
    for (size_t i = 0; i < len; i++) {
        plain[i] = isalnum((unsigned char)name[i]) ? name[i] : '_';
    }
    plain[len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasestr(plain, words[i])) {
            return true;
        }
    }
    return environment_looks_secret(plain, "");
}

char *mask_head(const char *head, size_t len, size_t *ret_len)
{
    struct buf out = {0};
    bool first = true; // the request line has no name
    bool secret = false;
    for (size_t at = 0; at < len;) {
        const char *line = head + at;
        const char *newline = memchr(line, '\n', len - at);
        size_t size = newline ? (size_t)(newline - line) + 1 : len - at;
        bool folded = *line == ' ' || *line == '\t';
        const char *colon = first || folded ? NULL : memchr(line, ':', size);
        secret = folded ? secret : colon && mask_is_secret(line, (size_t)(colon - line));
        if (first && memchr(line, '?', size)) {
            auto_free char *text = str_dup_len(line, size);
            auto_free char *masked = mask_target(text);
            buf_adds(&out, masked);
        } else if (secret) {
            buf_add(&out, line, colon ? (size_t)(colon - line) + 1 : 0);
            buf_adds(&out, colon ? " " STARS "\r\n" : "");
        } else {
            buf_add(&out, line, size);
        }
        first = false;
        at += size;
    }
    *ret_len = out.len;
    return buf_steal(&out);
}

char *mask_target(const char *target)
{
    struct buf out = {0};
    const char *query = strchr(target, '?');
    size_t path = query ? (size_t)(query - target) + 1 : strlen(target);
    buf_add(&out, target, path);
    for (const char *at = target + path; *at;) {
        size_t size = strcspn(at, "&; \r\n#");
        const char *equals = memchr(at, '=', size);
        size_t name = equals ? (size_t)(equals - at) : size;
        if (equals && mask_is_secret(at, name)) {
            buf_add(&out, at, name + 1);
            buf_adds(&out, STARS);
        } else {
            buf_add(&out, at, size);
        }
        at += size;
        size_t rest = *at == '&' || *at == ';' ? 1 : strlen(at);
        buf_add(&out, at, rest);
        at += rest;
    }
    return buf_steal(&out);
}
