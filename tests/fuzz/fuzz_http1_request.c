// What: libFuzzer target of formats/http1: heads of requests. ./dev fuzz http1_request. Input: byte
// 0 says whether bare LF is borne with (1) and whether limits are small (4), byte 1 how it is
// split, the rest is the head.
#include "tests/fuzz/http1_ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    const struct head_kind kind = {.policy = bytes[0] & 1 ? HTTP1_CLIENT_LENIENT : HTTP1_CLIENT,
                                   .small = bytes[0] & 4};
    head_check(&kind, (const char *)bytes + 2, len - 2, (size_t)bytes[1] + 1);
    return 0;
}
