#include "tui/input.h"

#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/utf8.h"
#include "tui/keymap.h"

#define CTRL(letter) ((letter)&0x1F)

void input_clear(struct input *input)
{
    *input = (struct input){0};
}

void input_set(struct input *input, const char *text)
{
    input_clear(input);
    auto_free char *cut = utf8_cut(text, sizeof input->text - 1);
    input->len = input->at = strlen(cut);
    memcpy(input->text, cut, input->len + 1);
}

static size_t before(const struct input *input)
{
    size_t at = input->at;
    while (at > 0 && ((unsigned char)input->text[--at] & 0xC0) == 0x80) {
    }
    return at;
}

static size_t after(const struct input *input)
{
    size_t at = input->at + (input->at < input->len);
    while (at < input->len && ((unsigned char)input->text[at] & 0xC0) == 0x80) {
        at++;
    }
    return at;
}

static void erase(struct input *input, size_t from, size_t to)
{
    memmove(input->text + from, input->text + to, input->len - to + 1);
    input->len -= to - from;
    input->at = from;
}

static void insert(struct input *input, uint32_t code)
{
    char bytes[4];
    size_t used = utf8_encode(code, bytes);
    if (input->len + used >= INPUT_MAX) {
        return;
    }
    memmove(input->text + input->at + used, input->text + input->at, input->len - input->at + 1);
    memcpy(input->text + input->at, bytes, used);
    input->len += used;
    input->at += used;
}

static size_t word_before(const struct input *input)
{
    size_t at = input->at;
    while (at > 0 && input->text[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && input->text[at - 1] != ' ') {
        at--;
    }
    return at;
}

enum input_result input_key(struct input *input, uint32_t key)
{
    switch (key) {
    case KEY_NAME_ENTER:
    case '\n':
        return INPUT_ENTERED;
    case KEY_NAME_ESC:
    case CTRL('C'):
    case CTRL('G'):
        return INPUT_CANCELLED;
    case KEY_NAME_BACKSPACE:
    case CTRL('H'):
        if (input->len == 0) {
            return INPUT_CANCELLED;
        }
        erase(input, before(input), input->at);
        return INPUT_GOES_ON;
    case KEY_NAME_DELETE:
        erase(input, input->at, after(input));
        return INPUT_GOES_ON;
    case CTRL('U'):
        erase(input, 0, input->at);
        return INPUT_GOES_ON;
    case CTRL('W'):
        erase(input, word_before(input), input->at);
        return INPUT_GOES_ON;
    case KEY_NAME_LEFT:
        input->at = before(input);
        return INPUT_GOES_ON;
    case KEY_NAME_RIGHT:
        input->at = after(input);
        return INPUT_GOES_ON;
    case KEY_NAME_HOME:
        input->at = 0;
        return INPUT_GOES_ON;
    case KEY_NAME_END:
        input->at = input->len;
        return INPUT_GOES_ON;
    default:
        if (key >= 0x20 && key < 0x110000 && key != 0x7F) {
            insert(input, key);
        }
        return INPUT_GOES_ON;
    }
}
