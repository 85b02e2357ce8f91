#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "emulator/version/cut.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/hash.h"

static unsigned nibble(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
}

int digest_file(const char *path, unsigned char ret_digest[static DIGEST_SIZE])
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return -1;
    }
    struct hash hash;
    hash_init(&hash);
    char chunk[65536];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        if (got > 0) {
            hash_add(&hash, chunk, (size_t)got);
        }
    }
    char hex[HASH_HEX_SIZE];
    hash_hex(&hash, hex);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        ret_digest[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    return 0;
}
