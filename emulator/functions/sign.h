// What: the platform's two signatures. Pure.
// Sources: P-194 (X-LC-Sign: md5 of time and key), P-202 (hooks: HMAC-SHA1 of name and time).
// Owns: what is returned belongs to the caller.
#ifndef EMULATOR_FUNCTIONS_SIGN_H
#define EMULATOR_FUNCTIONS_SIGN_H

#include <stdint.h>

// "<md5 of time and key>,<time>[,suffix]"; suffix: "master", "ax-sig-1" or NULL.
char *sign_request(const char *key, int64_t wall_ms, const char *suffix);
// "<time>,<HMAC-SHA1 of name:time>", keyed by the master key.
char *sign_hook(const char *master_key, const char *name, int64_t wall_ms);

#endif
