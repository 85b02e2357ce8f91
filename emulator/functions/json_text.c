#include "emulator/functions/json_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

// As the parser has it, which is lenient here too.
static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len && is_blank(text[at])) {
        at++;
    }
    return at;
}

// at: a quote. Behind the closing one.
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++) {
        at += text[at] == '\\';
    }
    return at < len ? at + 1 : len;
}

// at: a value's beginning. Its end, without blanks behind it.
static size_t skip_value(const char *text, size_t len, size_t at)
{
    int depth = 0;
    while (at < len) {
        char c = text[at];
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            break;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at = c == '"' ? skip_string(text, len, at) : at + 1;
    }
    while (at > 0 && is_blank(text[at - 1])) {
        at--;
    }
    return at;
}

bool json_text_member(const char *text, size_t len, const char *name, const char **ret_value,
                      size_t *ret_len)
{
    size_t at = skip_blanks(text, len, 0);
    if (at >= len || text[at] != '{') {
        return false;
    }
    at = skip_blanks(text, len, at + 1);
    while (at < len && text[at] == '"') {
        size_t key = at + 1;
        at = skip_string(text, len, at);
        size_t key_len = at - 1 - key;
        at = skip_blanks(text, len, at);
        size_t value = skip_blanks(text, len, at + 1); // behind the colon
        if (value >= len) {
            return false;
        }
        at = skip_value(text, len, value);
        if (key_len == strlen(name) && memcmp(text + key, name, key_len) == 0) {
            *ret_value = text + value;
            *ret_len = at - value;
            return true;
        }
        at = skip_blanks(text, len, at);
        at = skip_blanks(text, len, at + 1); // behind the comma
    }
    return false;
}

char *json_text_with(const char *object, const char *name, const char *value)
{
    const char *end = strrchr(object, '}');
    size_t begin = skip_blanks(object, strlen(object), 0) + 1;
    size_t first = skip_blanks(object, strlen(object), begin);
    bool is_empty = object + first == end;
    return str_printf("%.*s%s\"%s\":%s}", (int)(end - object), object, is_empty ? "" : ",", name,
                      value);
}

static bool read_unit(const char *text, size_t len, uint32_t *ret_unit)
{
    char digits[5] = {0};
    if (len < 6 || text[0] != '\\' || text[1] != 'u') {
        return false;
    }
    memcpy(digits, text + 2, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") < 4) {
        return false;
    }
    *ret_unit = (uint32_t)strtoul(digits, NULL, 16);
    return true;
}

// Bytes of the escape that stands for a printable character beyond ASCII; 0: it stays as it is.
static size_t read_escape(const char *text, size_t len, uint32_t *ret_code)
{
    uint32_t high, low;
    if (!read_unit(text, len, &high) || high < 0xA0) {
        return 0;
    }
    if (high < 0xD800 || high > 0xDFFF) {
        *ret_code = high;
        // What reorders or hides text stays an escape.
        bool is_hidden = (high >= 0x200B && high <= 0x200F) || (high >= 0x2028 && high <= 0x202E) ||
                         (high >= 0x2060 && high <= 0x206F) || high == 0xFEFF || high >= 0xFFF9;
        return is_hidden ? 0 : 6;
    }
    if (high >= 0xDC00 || !read_unit(text + 6, len - 6, &low) || low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    *ret_code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

// Bytes of the escape at a backslash; 0: it is none.
static size_t strict_escape(const char *text, size_t len)
{
    uint32_t unit;
    if (len >= 2 && text[1] == 'u') {
        return read_unit(text, len, &unit) ? 6 : 0;
    }
    return len >= 2 && text[1] && strchr("\"\\/bfnrt", text[1]) ? 2 : 0;
}

bool json_text_is_strict(const char *text, size_t len)
{
    bool in_string = false;
    for (size_t at = 0; at < len;) {
        size_t step = 1;
        if (in_string && text[at] == '\\') {
            step = strict_escape(text + at, len - at);
        } else if ((unsigned char)text[at] < ' ') {
            step = !in_string && text[at] && strchr("\t\r\n", text[at]) ? 1 : 0;
        }
        if (step == 0) {
            return false;
        }
        in_string = in_string != (text[at] == '"');
        at += step;
    }
    return true;
}

char *json_text_readable(const char *text, size_t len)
{
    struct buf out = {0};
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t escape = text[at] == '\\' ? read_escape(text + at, len - at, &code) : 0;
        if (escape) {
            char bytes[4];
            buf_add(&out, bytes, utf8_encode(code, bytes));
            at += escape;
        } else if (text[at] == '\\' && at + 1 < len) {
            buf_add(&out, text + at, 2);
            at += 2;
        } else {
            bool is_break = text[at] == '\n' || text[at] == '\r'; // never inside a string
            buf_add(&out, is_break ? " " : text + at, 1);
            at++;
        }
    }
    return buf_steal(&out);
}
