#include "sandbox/base/hash.h"

#include <string.h>

void hash_init(struct hash *hash)
{
    sha256_init(&hash->context);
}

void hash_add(struct hash *hash, const void *bytes, size_t len)
{
    sha256_update(&hash->context, len, bytes);
}

void hash_adds(struct hash *hash, const char *text)
{
    const char *bytes = text ? text : "";
    hash_add(hash, bytes, strlen(bytes) + 1);
}

void hash_hex(struct hash *hash, char out[static HASH_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_SIZE];
    sha256_digest(&hash->context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
}
