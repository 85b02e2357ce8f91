// What: of the names that we know, the one that somebody meant. Pure.
// Why: a misspelt option, key or command gets a suggestion from the same table that knows the right
// ones.
// Not: abbreviations; those who call decide whether a beginning is enough.
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX 64 // longer names are compared up to here only; a longer text is nobody's slip

// The nearest of `count` names that a slip of the finger explains, or NULL. Case, '_', '-' and
// blanks do not count. names is passed through to name_of.
const char *nearest_name(const char *text, const char *(*name_of)(const void *names, size_t index),
                         const void *names, size_t count);

#endif
