#include "sandbox/base/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const char *bytes, size_t len)
{
    char *text = mem_alloc((len + 2) / 3 * 4 + 1);
    char *out = text;
    for (size_t at = 0; at < len; at += 3) {
        size_t left = len - at;
        uint32_t word = (uint32_t)(unsigned char)bytes[at] << 16;
        word |= left > 1 ? (uint32_t)(unsigned char)bytes[at + 1] << 8 : 0;
        word |= left > 2 ? (uint32_t)(unsigned char)bytes[at + 2] : 0;
        *out++ = digits[word >> 18];
        *out++ = digits[word >> 12 & 63];
        *out++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[word & 63] : '=';
    }
    return text;
}

char *base64_decode(const char *text, size_t *ret_len)
{
    size_t size = strlen(text);
    size_t padding = size && text[size - 1] == '=' ? 1 + (size > 1 && text[size - 2] == '=') : 0;
    auto_free char *bytes = mem_alloc(size / 4 * 3 + 1);
    size_t len = 0;
    for (size_t at = 0; at < size; at += 4) {
        uint32_t word = 0;
        for (size_t i = at; i < at + 4; i++) {
            bool pads = i >= size - padding;
            const char *digit = i < size && !pads ? strchr(digits, text[i]) : NULL;
            if (size % 4 || (!pads && (!digit || !*digit))) {
                return NULL;
            }
            word = word << 6 | (digit ? (uint32_t)(digit - digits) : 0);
        }
        bytes[len++] = (char)(word >> 16);
        bytes[len++] = (char)(word >> 8);
        bytes[len++] = (char)word;
    }
    *ret_len = len - (len ? padding : 0);
    bytes[*ret_len] = '\0';
    return steal(bytes);
}
