#include "sandbox/base/utf8.h"

#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/mem.h"

size_t utf8_decode(const char *bytes, size_t len, uint32_t *ret_code)
{
    const unsigned char *in = (const unsigned char *)bytes;
    *ret_code = UTF8_REPLACEMENT;
    if (in[0] < 0x80) {
        *ret_code = in[0];
        return 1;
    }
    size_t need = in[0] >= 0xF0 ? 4 : in[0] >= 0xE0 ? 3 : 2;
    if (in[0] < 0xC2 || in[0] > 0xF4) {
        return 1;
    }
    uint32_t code = in[0] & (0xFFu >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if (i >= len || (in[i] & 0xC0) != 0x80) {
            return i;
        }
        code = code << 6 | (in[i] & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code >= least[need] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF)) {
        *ret_code = code;
    }
    return need;
}

size_t utf8_encode(uint32_t code, char out[static 4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t need = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = need - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(lead[need] | code);
    return need;
}

char *utf8_valid(const char *bytes, size_t len)
{
    struct buf out = {0};
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += utf8_decode(bytes + at, len - at, &code);
        char encoded[4];
        buf_add(&out, encoded, utf8_encode(code ? code : UTF8_REPLACEMENT, encoded));
    }
    return buf_steal(&out);
}

char *utf8_cut(const char *text, size_t max_bytes)
{
    size_t len = strlen(text);
    size_t at = 0;
    while (at < len) {
        uint32_t code;
        size_t used = utf8_decode(text + at, len - at, &code);
        if (at + used > max_bytes) {
            break;
        }
        at += used;
    }
    return str_dup_len(text, at);
}
