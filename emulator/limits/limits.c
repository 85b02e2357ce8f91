#include "emulator/limits/limits.h"

#include <stdlib.h>
#include <string.h>

const struct limit_row limit_rows[LIMIT__COUNT] = {
#define LIMIT(id, value, source, where) {#id, value, source, where},
#include "emulator/limits/limits.def"
#undef LIMIT
};

void limits_read_words(const char *text, const struct limit_word *words, size_t count)
{
    while (text && *text) {
        for (size_t i = 0; i < count; i++) {
            size_t len = strlen(words[i].name);
            if (strncmp(text, words[i].name, len) == 0) {
                *words[i].value = atoll(text + len) * words[i].unit;
            }
        }
        text += strcspn(text, ",");
        text += *text == ',';
    }
}
