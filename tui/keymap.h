// What: keys as numbers and names, and the one table that says what they do (keys.def).
// Why: dispatch, help, footer and docs can not disagree.
// Not: the terminal's escape sequences (screen.c turns them into these numbers).
#ifndef TUI_KEYMAP_H
#define TUI_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A key: a Unicode code point, or one of these. Ctrl-X is 0x18 as on the wire.
enum key {
    KEY_NAME_TAB = 9,
    KEY_NAME_ENTER = 13,
    KEY_NAME_ESC = 27,
    KEY_NAME_BACKSPACE = 127,
    KEY_NAME_UP = 0x110000,
    KEY_NAME_DOWN,
    KEY_NAME_LEFT,
    KEY_NAME_RIGHT,
    KEY_NAME_HOME,
    KEY_NAME_END,
    KEY_NAME_PAGE_UP,
    KEY_NAME_PAGE_DOWN,
    KEY_NAME_SHIFT_TAB,
    KEY_NAME_DELETE,
};

enum action {
    ACTION_NONE,
#define KEY(map, keys, action, rank, label, help) ACTION_##action,
#include "tui/keys.def"
#undef KEY
    ACTION__COUNT,
};

enum keymap { // bits
    KEYMAP_GLOBAL = 1,
    KEYMAP_LINES = 2,
    KEYMAP_FILTERS = 4,
    KEYMAP_BUILD = 8,
    KEYMAP_MISSING = 16, // what the snapshot offers or tells, not a pane
    KEYMAP_OFFERED = 32,
    KEYMAP_INSTALLING = 64,
    KEYMAP_DEBUG = 128,
    KEYMAP_TYPING = 256, // alone: all other keys go to the app
    KEYMAP_REQUESTS = 512,
    KEYMAP_FUNCTIONS = 1024,
};

struct key_row {
    enum keymap map;
    const char *keys; // "k Up"
    enum action action;
    int rank;
    const char *label; // for _()
    const char *help;  // for _()
};

const struct key_row *keymap_rows(size_t *ret_count);
// What a key does where the maps are active; narrower maps go first.
enum action keymap_action(unsigned maps, uint32_t key);
// The keys of the action's row, for sentences; "" if it has none.
const char *keymap_keys_of(enum action action);
// What a key sends to a program on a terminal; the number of bytes.
size_t keymap_terminal_bytes(uint32_t key, char out[static 8]);
// One key name, "Tab", "C-c", "x"; 0: no such key. len of the name.
uint32_t keymap_key_from_name(const char *name, size_t len);

#endif
