// Each key by its name and what it does (keys.def), in the map that knows it and in no other.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "sandbox/base/cleanup.h"
#include "tui/keymap.h"

// One has the focus at a time: their keys may be the same.
#define PANES (KEYMAP_BUILD | KEYMAP_REQUESTS | KEYMAP_FUNCTIONS)

static const struct {
    enum keymap map;
    const char *keys;
    enum action action;
} facts[] = {
    {KEYMAP_DEBUG, "t", ACTION_TYPE},
    {KEYMAP_TYPING, "C-]", ACTION_STOP_TYPING},
    {KEYMAP_GLOBAL, "Tab", ACTION_NEXT_PANE},
    {KEYMAP_GLOBAL, "S-Tab", ACTION_PREVIOUS_PANE},
    {KEYMAP_GLOBAL, "1", ACTION_PANE_1},
    {KEYMAP_GLOBAL, "2", ACTION_PANE_2},
    {KEYMAP_GLOBAL, "3", ACTION_PANE_3},
    {KEYMAP_GLOBAL, "5", ACTION_PANE_5},
    {KEYMAP_FUNCTIONS, "Enter", ACTION_CALL},
    {KEYMAP_GLOBAL, "4", ACTION_PANE_4},
    {KEYMAP_REQUESTS, "Enter", ACTION_SHOW},
    {KEYMAP_REQUESTS, "p", ACTION_REPLAY},
    {KEYMAP_REQUESTS, "c", ACTION_COPY_CURL},
    {KEYMAP_REQUESTS, "l", ACTION_LOG_LINES},
    {KEYMAP_FUNCTIONS, "c", ACTION_COPY_RESULT},
    {KEYMAP_GLOBAL, "4", ACTION_PANE_4},
    {KEYMAP_REQUESTS, "Enter", ACTION_SHOW},
    {KEYMAP_REQUESTS, "p", ACTION_REPLAY},
    {KEYMAP_REQUESTS, "c", ACTION_COPY_CURL},
    {KEYMAP_REQUESTS, "l", ACTION_LOG_LINES},
    {KEYMAP_LINES, "/", ACTION_SEARCH},
    {KEYMAP_LINES, "n", ACTION_SEARCH_NEXT},
    {KEYMAP_LINES, "N", ACTION_SEARCH_BACK},
    {KEYMAP_FILTERS, "&", ACTION_FILTER},
    {KEYMAP_BUILD, "b", ACTION_ALL_OUTPUT},
    {KEYMAP_LINES, "F", ACTION_FOLLOW},
    {KEYMAP_GLOBAL, "z", ACTION_ZOOM},
    {KEYMAP_GLOBAL, "r", ACTION_RELOAD},
    {KEYMAP_GLOBAL, "R", ACTION_RESTART},
    {KEYMAP_GLOBAL, "e", ACTION_EDIT},
    {KEYMAP_LINES, "k Up", ACTION_LINE_UP},
    {KEYMAP_LINES, "j Down", ACTION_LINE_DOWN},
    {KEYMAP_LINES, "PgUp C-u", ACTION_PAGE_UP},
    {KEYMAP_LINES, "PgDn C-d Space", ACTION_PAGE_DOWN},
    {KEYMAP_LINES, "g Home", ACTION_TOP},
    {KEYMAP_LINES, "G End", ACTION_BOTTOM},
    {KEYMAP_GLOBAL, "C-l", ACTION_REPAINT},
    {KEYMAP_GLOBAL, "C-z", ACTION_SUSPEND},
    {KEYMAP_GLOBAL, "?", ACTION_HELP},
    {KEYMAP_GLOBAL, "Esc", ACTION_CANCEL},
    {KEYMAP_GLOBAL, "q C-c", ACTION_QUIT},
};

static void each_key_does_its_work_where_it_belongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        char keys[64];
        snprintf(keys, sizeof keys, "%s", facts[i].keys);
        for (char *rest = keys, *name; (name = strsep(&rest, " "));) {
            uint32_t key = keymap_key_from_name(name, strlen(name));
            assert_int_not_equal(key, 0);
            if (keymap_action(facts[i].map, key) != facts[i].action) {
                fail_msg("%s: action %d", name, keymap_action(facts[i].map, key));
            }
            unsigned own = facts[i].map | KEYMAP_TYPING | (facts[i].map & PANES ? PANES : 0);
            assert_int_equal(keymap_action(~own, key), ACTION_NONE);
        }
    }
}

static void a_key_is_sent_as_a_terminal_sends_it(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *bytes;
    } sent[] = {
        {"n", "n"},
        {"Enter", "\r"},
        {"BS", "\x7f"},
        {"C-d", "\x04"},
        {"Tab", "\t"},
        {"Up", "\033[A"},
        {"Left", "\033[D"},
        {"Home", "\033[H"},
        {"Del", "\033[3~"},
        {"S-Tab", "\033[Z"},
        {"\xe4\xbd\xa0", "\xe4\xbd\xa0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        char bytes[8];
        uint32_t key = keymap_key_from_name(sent[i].key, strlen(sent[i].key));
        size_t len = keymap_terminal_bytes(key, bytes);
        assert_int_equal(len, strlen(sent[i].bytes));
        assert_memory_equal(bytes, sent[i].bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_sent_as_a_terminal_sends_it),
        cmocka_unit_test(each_key_does_its_work_where_it_belongs),
    };
    return cmocka_run_group_tests_name("keymap", tests, NULL, NULL);
}
