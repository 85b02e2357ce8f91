#include "emulator/functions/sign.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/md5.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

static void to_hex(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

char *sign_request(const char *key, int64_t wall_ms, const char *suffix)
{
    struct md5_ctx md5;
    uint8_t digest[MD5_DIGEST_SIZE];
    char hex[2 * MD5_DIGEST_SIZE + 1];
    auto_free char *text = str_printf("%lld%s", (long long)wall_ms, key);
    md5_init(&md5);
    md5_update(&md5, strlen(text), (const uint8_t *)text);
    md5_digest(&md5, sizeof digest, digest);
    to_hex(digest, sizeof digest, hex);
    return str_printf("%s,%lld%s%s", hex, (long long)wall_ms, suffix ? "," : "",
                      suffix ? suffix : "");
}

char *sign_hook(const char *master_key, const char *name, int64_t wall_ms)
{
    struct hmac_sha1_ctx hmac;
    uint8_t digest[SHA1_DIGEST_SIZE];
    char hex[2 * SHA1_DIGEST_SIZE + 1];
    auto_free char *text = str_printf("%s:%lld", name, (long long)wall_ms);
    hmac_sha1_set_key(&hmac, strlen(master_key), (const uint8_t *)master_key);
    hmac_sha1_update(&hmac, strlen(text), (const uint8_t *)text);
    hmac_sha1_digest(&hmac, sizeof digest, digest);
    to_hex(digest, sizeof digest, hex);
    return str_printf("%lld,%s", (long long)wall_ms, hex);
}
