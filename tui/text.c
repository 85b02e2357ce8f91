// One pass, no state besides the cursor. What a terminal would obey is dropped when it is well
// formed (nobody wants to read "[2K"), shown as ^X when it is a lone control character.
#include "tui/text.h"

#include <string.h>
#include <wchar.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define TAB_COLS          8
#define SGR_PARAMS_MAX    32
#define CONTROL_BYTES_MAX 4096 // of one control string; a longer one is no control string

// wcwidth(), also in a locale of one byte a character ("C"), where libc knows no other character:
// there the blocks of wide and combining characters are enough, since all become ASCII.
static int width_of(uint32_t code)
{
    if (MB_CUR_MAX > 1) {
        return wcwidth((wchar_t)code);
    }
    if ((code >= 0x0300 && code <= 0x036F) || (code >= 0xFE00 && code <= 0xFE0F)) {
        return 0;
    }
    bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xD7A3) ||
                (code >= 0xF900 && code <= 0xFAFF) || (code >= 0xFE30 && code <= 0xFE6F) ||
                (code >= 0xFF00 && code <= 0xFF60) || (code >= 0x1F300 && code <= 0x3FFFD);
    return wide ? 2 : 1;
}

int text_code_cols(uint32_t code)
{
    if (code < 0x7F) {
        return code >= 0x20 ? 1 : 0;
    }
    int cols = width_of(code);
    return cols < 0 ? 1 : cols;
}

// Invisible characters that reorder or join what stands beside them (UAX #9, "Trojan source").
static bool is_format_control(uint32_t code)
{
    return (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || code == 0x061C;
}

static bool is_unprintable(uint32_t code)
{
    return (code >= 0x80 && code < 0xA0) || (code >= 0xE000 && code <= 0xF8FF) ||
           (code >= 0x80 && width_of(code) < 0);
}

// ---- SGR ----

// The nearest of the sixteen for a 256-colour index: the cube's axis values above half count as
// lit.
static uint8_t nearest_of_rgb(int red, int green, int blue)
{
    int bright = red > 200 || green > 200 || blue > 200;
    int top = red > green ? red : green;
    top = top > blue ? top : blue;
    if (top < 60) {
        return 1;
    }
    int half = top / 2;
    int index = (red > half) | (green > half) << 1 | (blue > half) << 2;
    if (index == 7 && !bright) {
        return top < 150 ? 9 : 8;
    }
    return (uint8_t)(1 + index + (bright ? 8 : 0));
}

static uint8_t nearest_of_256(int index)
{
    if (index < 16) {
        return (uint8_t)(index + 1);
    }
    if (index >= 232) {
        int level = 8 + (index - 232) * 10;
        return nearest_of_rgb(level, level, level);
    }
    static const int axis[6] = {0, 95, 135, 175, 215, 255};
    index -= 16;
    return nearest_of_rgb(axis[index / 36], axis[index / 6 % 6], axis[index % 6]);
}

// 38;5;N or 38;2;R;G;B at params[at]; returns the parameters used beyond the 38.
static size_t extended_color(const int *params, size_t count, size_t at, uint8_t *ret_color)
{
    if (at + 2 < count && params[at + 1] == 5) {
        *ret_color = nearest_of_256(params[at + 2] & 255);
        return 2;
    }
    if (at + 4 < count && params[at + 1] == 2) {
        *ret_color =
            nearest_of_rgb(params[at + 2] & 255, params[at + 3] & 255, params[at + 4] & 255);
        return 4;
    }
    return count;
}

static void apply_color(struct text_style *style, int param)
{
    if (param >= 30 && param <= 37) {
        style->fg = (uint8_t)(param - 29);
    } else if (param >= 90 && param <= 97) {
        style->fg = (uint8_t)(param - 81);
    } else if (param >= 40 && param <= 47) {
        style->bg = (uint8_t)(param - 39);
    } else if (param >= 100 && param <= 107) {
        style->bg = (uint8_t)(param - 91);
    } else if (param == 39) {
        style->fg = 0;
    } else if (param == 49) {
        style->bg = 0;
    }
}

static size_t apply_param(struct text_style *style, const int *params, size_t count, size_t at)
{
    switch (params[at]) {
    case 0:
        *style = (struct text_style){0};
        break;
    case 1:
        style->bold = true;
        break;
    case 2:
        style->dim = true;
        break;
    case 4:
        style->underline = true;
        break;
    case 7:
        style->reverse = true;
        break;
    case 22:
        style->bold = style->dim = false;
        break;
    case 24:
        style->underline = false;
        break;
    case 27:
        style->reverse = false;
        break;
    case 38:
        return extended_color(params, count, at, &style->fg);
    case 48:
        return extended_color(params, count, at, &style->bg);
    default:
        apply_color(style, params[at]);
    }
    return 0;
}

static void apply_sgr(struct text_style *style, const char *text, size_t len)
{
    int params[SGR_PARAMS_MAX] = {0};
    size_t count = 1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            int value = params[count - 1] * 10 + (text[i] - '0');
            params[count - 1] = value > 9999 ? 9999 : value;
        } else if ((text[i] == ';' || text[i] == ':') && count < SGR_PARAMS_MAX) {
            count++;
        } else {
            return; // "?", ">" ...: private, not a colour
        }
    }
    for (size_t i = 0; i < count; i++) {
        i += apply_param(style, params, count, i);
    }
}

// ---- escape sequences ----

// ESC [ parameters intermediates final. Returns its length, 0 when it is cut or malformed.
static size_t control_sequence(struct text_style *style, const char *bytes, size_t len)
{
    size_t at = 2;
    while (at < len && bytes[at] >= 0x20 && bytes[at] <= 0x3F) {
        at++;
    }
    if (at >= len || bytes[at] < 0x40 || bytes[at] > 0x7E) {
        return 0;
    }
    if (bytes[at] == 'm') {
        apply_sgr(style, bytes + 2, at - 2);
    }
    return at + 1;
}

// OSC, DCS, SOS, PM, APC: up to BEL or ESC \. Returns its length, 0 when its end is missing.
static size_t control_string(const char *bytes, size_t len)
{
    for (size_t at = 2; at < len && at < CONTROL_BYTES_MAX; at++) {
        if (bytes[at] == '\a') {
            return at + 1;
        }
        if (bytes[at] == '\033' && at + 1 < len && bytes[at + 1] == '\\') {
            return at + 2;
        }
    }
    return 0;
}

// Length of the sequence at an ESC; 0: it is none, the ESC is shown.
static size_t escape_sequence(struct text_style *style, const char *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    if (bytes[1] == '[') {
        return control_sequence(style, bytes, len);
    }
    if (strchr("]PX^_", bytes[1]) && bytes[1]) {
        return control_string(bytes, len);
    }
    size_t at = 1;
    while (at < len && bytes[at] >= 0x20 && bytes[at] <= 0x2F) {
        at++; // ESC ( B and the like
    }
    return at < len && bytes[at] >= 0x30 && bytes[at] <= 0x7E ? at + 1 : 0;
}

// ---- the cursor ----

void text_begin(struct text_cursor *cursor, const char *bytes, size_t len)
{
    *cursor = (struct text_cursor){.bytes = bytes, .len = len};
    while (cursor->len > 0 && bytes[cursor->len - 1] == '\r') {
        cursor->len--;
    }
    const char *last = cursor->len ? memrchr(bytes, '\r', cursor->len) : NULL;
    if (last) {
        cursor->at = (size_t)(last + 1 - bytes);
    }
}

static bool give(struct text_cursor *cursor, uint32_t code, int cols, struct text_glyph *ret)
{
    *ret = (struct text_glyph){.code = code, .cols = cols, .style = cursor->style};
    cursor->col += cols;
    return true;
}

static bool give_control(struct text_cursor *cursor, unsigned char byte, struct text_glyph *ret)
{
    if (byte == '\t') {
        cursor->pending_count = (size_t)(TAB_COLS - 1 - cursor->col % TAB_COLS);
        cursor->pending[0] = ' ';
        return give(cursor, ' ', 1, ret);
    }
    cursor->pending_count = 1;
    cursor->pending[0] = byte == 0x7F ? '?' : (char)(byte + '@');
    return give(cursor, '^', 1, ret);
}

bool text_next(struct text_cursor *cursor, struct text_glyph *ret_glyph)
{
    if (cursor->pending_count > 0) {
        cursor->pending_count--;
        return give(cursor, (unsigned char)cursor->pending[0], 1, ret_glyph);
    }
    while (cursor->at < cursor->len) {
        const char *bytes = cursor->bytes + cursor->at;
        size_t left = cursor->len - cursor->at;
        unsigned char byte = (unsigned char)*bytes;
        if (byte == 0x1B) {
            size_t used = escape_sequence(&cursor->style, bytes, left);
            cursor->at += used ? used : 1;
            if (used) {
                continue;
            }
            return give_control(cursor, byte, ret_glyph);
        }
        uint32_t code;
        cursor->at += utf8_decode(bytes, left, &code);
        if (code < 0x20 || code == 0x7F) {
            return give_control(cursor, (unsigned char)code, ret_glyph);
        }
        if (is_format_control(code)) {
            continue;
        }
        if (is_unprintable(code)) {
            code = UTF8_REPLACEMENT;
        }
        return give(cursor, code, text_code_cols(code), ret_glyph);
    }
    return false;
}

int text_cols(const char *text)
{
    struct text_cursor cursor;
    struct text_glyph glyph;
    text_begin(&cursor, text, strlen(text));
    while (text_next(&cursor, &glyph)) {
    }
    return cursor.col;
}

size_t text_fit(const char *text, int cols)
{
    struct text_cursor cursor;
    struct text_glyph glyph;
    text_begin(&cursor, text, strlen(text));
    size_t fits = 0;
    while (text_next(&cursor, &glyph) && cursor.col <= cols) {
        fits = cursor.at;
    }
    return fits;
}

static void add_code(struct buf *buf, uint32_t code)
{
    char bytes[4];
    buf_add(buf, bytes, utf8_encode(code, bytes));
}

char *text_plain(const char *bytes, size_t len)
{
    struct buf buf = {0};
    struct text_cursor cursor;
    struct text_glyph glyph;
    text_begin(&cursor, bytes, len);
    while (text_next(&cursor, &glyph)) {
        add_code(&buf, glyph.code);
    }
    return buf_steal(&buf);
}

static bool same_style(const struct text_style *a, const struct text_style *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->bold == b->bold && a->dim == b->dim &&
           a->underline == b->underline && a->reverse == b->reverse;
}

static void add_sgr(struct buf *buf, const struct text_style *style)
{
    buf_adds(buf, "\033[0");
    static const char *const marks[] = {";1", ";2", ";4", ";7"};
    const bool on[] = {style->bold, style->dim, style->underline, style->reverse};
    for (size_t i = 0; i < ARRAY_LEN(on); i++) {
        buf_adds(buf, on[i] ? marks[i] : "");
    }
    if (style->fg) {
        buf_addf(buf, ";%d", style->fg <= 8 ? style->fg + 29 : style->fg + 81);
    }
    if (style->bg) {
        buf_addf(buf, ";%d", style->bg <= 8 ? style->bg + 39 : style->bg + 91);
    }
    buf_adds(buf, "m");
}

char *text_colored(const char *bytes, size_t len)
{
    struct buf buf = {0};
    struct text_cursor cursor;
    struct text_glyph glyph;
    struct text_style now = {0};
    text_begin(&cursor, bytes, len);
    while (text_next(&cursor, &glyph)) {
        if (!same_style(&now, &glyph.style)) {
            now = glyph.style;
            add_sgr(&buf, &now);
        }
        add_code(&buf, glyph.code);
    }
    if (!same_style(&now, &(struct text_style){0})) {
        buf_adds(&buf, "\033[0m");
    }
    return buf_steal(&buf);
}

bool text_matches(const char *bytes, size_t len, const char *pattern)
{
    bool exact = false;
    for (const char *c = pattern; *c; c++) {
        exact = exact || (*c >= 'A' && *c <= 'Z');
    }
    auto_free char *plain = text_plain(bytes, len);
    return (exact ? strstr(plain, pattern) : strcasestr(plain, pattern)) != NULL;
}
