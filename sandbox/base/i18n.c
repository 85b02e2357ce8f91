#include "sandbox/base/i18n.h"

#include <stddef.h>

// Set once, before anything is printed; constant from then on.
static const char *(*hook)(const char *text);

void i18n_set_hook(const char *(*translate)(const char *text))
{
    hook = translate;
}

const char *i18n_text(const char *text)
{
    return hook && *text ? hook(text) : text;
}
