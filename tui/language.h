// What: the locale and the catalogue: which language the program speaks and whether it may draw
//       beyond ASCII.
// Why: zh_CN must show where that locale was never generated, and gettext is silent there: it
//      ignores every catalogue in the C locale, and since glibc 2.39 in C.UTF-8 too. So we read the
//      .mo file ourselves.
// Order: language_init() first thing in main(), before any output and any thread of curses.
// Sources: gettext manual "Locating Message Catalogs", "The Format of GNU MO Files"; setlocale(3).
// Owns: the mapped catalogue, for the life of the process.
#ifndef TUI_LANGUAGE_H
#define TUI_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>

// Sets the locale (the environment's; LANG unset or not generated: C.UTF-8; else C) and loads the
// catalogue: $LEANLOCAL_LOCALE_DIR, "locale" beside our executable, "../share/locale" beside it,
// the installed place. Numbers keep their point (LC_NUMERIC stays C). Never fails: English is
// always there.
void language_init(void);
// false: the terminal takes ASCII only, as far as the locale says.
bool language_is_utf8(void);
// "zh_CN", or "en".
const char *language_name(void);

// ---- pure, for tests ----
// The catalogue that a locale variable's value asks for: "zh_CN", or NULL for English. `languages`
// is LANGUAGE's value or NULL; it counts only when locale is set and not "C".
const char *language_choose(const char *locale, const char *languages);
// Uses the .mo file at path from now on; false: not there or not a catalogue, nothing changed.
bool language_load(const char *path);
void language_unload(void);

#endif
