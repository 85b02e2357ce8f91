#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "tui/command.h"
#include "tui/commands.h"

const struct verb verbs[] = {
#define VERB(name, arguments, handler, help) {#name, arguments, handler, help},
#include "tui/verbs.def"
#undef VERB
};
const size_t verb_count = ARRAY_LEN(verbs);
