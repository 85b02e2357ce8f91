// What: libFuzzer target of formats/http1: heads of answers. ./dev fuzz http1_response. Input: byte
// 0 says whether HEAD was asked (1), whether by a client of 1.0 (2), and whether limits are small
// (4); byte 1 how it is split; the rest is the head.
#include "tests/fuzz/http1_ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    const struct head_kind kind = {.policy = HTTP1_APP,
                                   .answers_head = bytes[0] & 1,
                                   .until_close = bytes[0] & 2,
                                   .small = bytes[0] & 4};
    head_check(&kind, (const char *)bytes + 2, len - 2, (size_t)bytes[1] + 1);
    return 0;
}
