#include "tui/keymap.h"

#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/utf8.h"

static const struct key_row rows[] = {
#define KEY(map, keys, action, rank, label, help)                                                  \
    {KEYMAP_##map, keys, ACTION_##action, rank, label, help},
#include "tui/keys.def"
#undef KEY
};

static const struct {
    const char *name;
    uint32_t key;
} names[] = {
    {"Tab", KEY_NAME_TAB},
    {"Enter", KEY_NAME_ENTER},
    {"Esc", KEY_NAME_ESC},
    {"BS", KEY_NAME_BACKSPACE},
    {"Up", KEY_NAME_UP},
    {"Down", KEY_NAME_DOWN},
    {"Left", KEY_NAME_LEFT},
    {"Right", KEY_NAME_RIGHT},
    {"Home", KEY_NAME_HOME},
    {"End", KEY_NAME_END},
    {"PgUp", KEY_NAME_PAGE_UP},
    {"PgDn", KEY_NAME_PAGE_DOWN},
    {"S-Tab", KEY_NAME_SHIFT_TAB},
    {"Del", KEY_NAME_DELETE},
    {"Space", ' '},
    {"lt", '<'},
};

const struct key_row *keymap_rows(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(rows);
    return rows;
}

uint32_t keymap_key_from_name(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strlen(names[i].name) == len && strncmp(names[i].name, name, len) == 0) {
            return names[i].key;
        }
    }
    if (len == 3 && name[0] == 'C' && name[1] == '-') {
        return (uint32_t)(name[2] & 0x1F);
    }
    uint32_t code = 0;
    return len > 0 && utf8_decode(name, len, &code) == len ? code : 0;
}

size_t keymap_terminal_bytes(uint32_t key, char out[static 8])
{
    static const struct {
        uint32_t key;
        const char *bytes;
    } special[] = {
        {KEY_NAME_UP, "\033[A"},        {KEY_NAME_DOWN, "\033[B"},
        {KEY_NAME_RIGHT, "\033[C"},     {KEY_NAME_LEFT, "\033[D"},
        {KEY_NAME_HOME, "\033[H"},      {KEY_NAME_END, "\033[F"},
        {KEY_NAME_PAGE_UP, "\033[5~"},  {KEY_NAME_PAGE_DOWN, "\033[6~"},
        {KEY_NAME_SHIFT_TAB, "\033[Z"}, {KEY_NAME_DELETE, "\033[3~"},
    };
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (special[i].key == key) {
            size_t len = strlen(special[i].bytes);
            memcpy(out, special[i].bytes, len);
            return len;
        }
    }
    return utf8_encode(key, out);
}

static bool row_has_key(const struct key_row *row, uint32_t key)
{
    for (const char *at = row->keys; *at;) {
        size_t len = strcspn(at, " ");
        if (keymap_key_from_name(at, len) == key) {
            return true;
        }
        at += len + (at[len] == ' ');
    }
    return false;
}

enum action keymap_action(unsigned maps, uint32_t key)
{
    enum action found = ACTION_NONE;
    unsigned found_map = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((maps & rows[i].map) && rows[i].map > found_map && row_has_key(&rows[i], key)) {
            found = rows[i].action;
            found_map = rows[i].map;
        }
    }
    return found;
}

const char *keymap_keys_of(enum action action)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].action == action) {
            return rows[i].keys;
        }
    }
    return "";
}
