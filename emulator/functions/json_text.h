// What: pieces of a JSON text as they stand there. Pure.
// Why: a tree of doubles loses what is beyond 2^53 and the order of digits; what people send and
//      get is passed on as it was written.
// Not: validation. The text has been through json_parse(); the others want it strict.
#ifndef EMULATOR_FUNCTIONS_JSON_TEXT_H
#define EMULATOR_FUNCTIONS_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// json_parse() takes more than JSON: controls in strings, bad escapes, odd blanks. What is not
// strict is not passed on as it was written.
bool json_text_is_strict(const char *text, size_t len);
// The value of a member of the outermost object. false: it is none, or has no such member.
bool json_text_member(const char *text, size_t len, const char *name, const char **ret_value,
                      size_t *ret_len);
// The object with one more member in front of its end: value is JSON. Owned by the caller.
char *json_text_with(const char *object, const char *name, const char *value);
// On one line, with blanks outside strings as they were and \u escapes of printable characters
// written out. Owned by the caller.
char *json_text_readable(const char *text, size_t len);

#endif
