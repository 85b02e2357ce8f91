// What: the line one types into (search, filter): pure editing of UTF-8.
// Owns: its text, at most INPUT_MAX bytes; more is not taken.
#ifndef TUI_INPUT_H
#define TUI_INPUT_H

#include <stddef.h>
#include <stdint.h>

#define INPUT_MAX 256

struct input {
    char text[INPUT_MAX];
    size_t len;
    size_t at; // the cursor, a byte offset at a character's beginning
};

enum input_result {
    INPUT_GOES_ON,
    INPUT_ENTERED,
    INPUT_CANCELLED,
};

void input_clear(struct input *input);
// The text to begin with, the cursor behind it; what is too long is cut.
void input_set(struct input *input, const char *text);
enum input_result input_key(struct input *input, uint32_t key);

#endif
