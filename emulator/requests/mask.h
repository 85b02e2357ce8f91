// What: heads and targets as they may be shown or saved: values that look secret are "***".
// Why: a request carries sessions, keys and passwords; a screenshot or a log file must not
//      (DESIGN 10).
// Owns: what is returned is the caller's.
#ifndef EMULATOR_REQUESTS_MASK_H
#define EMULATOR_REQUESTS_MASK_H

#include <stdbool.h>
#include <stddef.h>

// "Authorization", "X-LC-Key", "Cookie", "sessionToken", in any case; <name, len>.
bool mask_is_secret(const char *name, size_t len);
// A head, line by line. *ret_len of the text, which may hold NUL bytes.
char *mask_head(const char *head, size_t len, size_t *ret_len);
// "/login?user=me&password=***".
char *mask_target(const char *target);

#endif
