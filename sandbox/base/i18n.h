// What: gettext's marks. _() translates now, N_() only marks for extraction (tables).
#ifndef BASE_I18N_H
#define BASE_I18N_H

#include <libintl.h>

#define _(text)  gettext(text)
#define N_(text) text

#endif
