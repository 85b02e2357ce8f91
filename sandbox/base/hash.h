// What: SHA-256 (nettle) as hex text.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>

#include <nettle/sha2.h>

#define HASH_HEX_SIZE 65 // 64 digits and NUL

struct hash {
    struct sha256_ctx context;
};

void hash_init(struct hash *hash);
void hash_add(struct hash *hash, const void *bytes, size_t len);
// Adds the text and its terminating NUL, so that ("ab","c") differs from ("a","bc"); NULL counts as
// "".
void hash_adds(struct hash *hash, const char *text);
void hash_hex(struct hash *hash, char out[static HASH_HEX_SIZE]);

#endif
