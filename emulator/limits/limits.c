#include "emulator/limits/limits.h"

const struct limit_row limit_rows[LIMIT__COUNT] = {
#define LIMIT(id, value, source, where) {#id, value, source, where},
#include "emulator/limits/limits.def"
#undef LIMIT
};
