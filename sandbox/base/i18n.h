// What: gettext's marks. _() translates now, N_() only marks for extraction (tables). Why a hook:
//       gettext ignores catalogues in the C and C.UTF-8 locales, where the program must still speak
//       Chinese; tui/language.h sets the hook. Without one every text stays English.
#ifndef BASE_I18N_H
#define BASE_I18N_H

// The hook returns its argument when it knows no translation; NULL takes it away.
void i18n_set_hook(const char *(*translate)(const char *text));
const char *i18n_text(const char *text) __attribute__((format_arg(1)));

#define _(text)  i18n_text(text)
#define N_(text) text

#endif
