// What: the platform's numbers as constants LIMIT_<id>, from limits.def, the only place that has
// them.
#ifndef EMULATOR_LIMITS_LIMITS_H
#define EMULATOR_LIMITS_LIMITS_H

#include <stddef.h>
#include <stdint.h>

enum limit_id {
#define LIMIT(id, value, source, where) LIMIT_INDEX_##id,
#include "emulator/limits/limits.def"
#undef LIMIT
    LIMIT__COUNT,
};

#define LIMIT(id, value, source, where)                                                            \
    __attribute__((unused)) static const int64_t LIMIT_##id = (value);
#include "emulator/limits/limits.def"
#undef LIMIT

struct limit_row {
    const char *name;
    int64_t value;
    const char *source; // "P-29", "[I]"
    const char *where;
};
extern const struct limit_row limit_rows[LIMIT__COUNT];

// Limits made smaller by a text like "cpus=1,memory-mb=100": for tests, and for who wants to know
// how near a project is. NULL: none; words that are not in the list are ignored.
struct limit_word {
    const char *name; // "memory-mb="
    int64_t *value;
    int64_t unit;
};
void limits_read_words(const char *text, const struct limit_word *words, size_t count);

#endif
