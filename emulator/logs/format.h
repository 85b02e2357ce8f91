// What: how a journal stands on disk; shared by its writer and its reader only.
// Why: a reader that looks while the writer writes must never take half a record for a whole one:
// the
//       index is written after the data, and each record carries its own number and lengths twice
//       over.
// Files: <first seq, 20 digits>.data holds records; <same>.index holds one uint32 offset per
// record.
#ifndef EMULATOR_LOGS_FORMAT_H
#define EMULATOR_LOGS_FORMAT_H

#include <stdint.h>

#define JOURNAL_MAGIC      0x4C4A3031u // "10JL"
#define JOURNAL_DATA_NAME  "%020llu.data"
#define JOURNAL_INDEX_NAME "%020llu.index"

struct journal_header { // then source_len bytes of source, text_len bytes of text
    uint32_t magic;
    uint32_t text_len;
    uint64_t seq;
    int64_t wall_ms;
    uint8_t stream;
    uint8_t flags;
    uint16_t source_len;
    uint32_t check; // of all fields above and the text's length; see journal_check()
};

static inline uint32_t journal_check(const struct journal_header *header)
{
    uint64_t mixed = header->seq * 0x9E3779B97F4A7C15u ^ (uint64_t)header->wall_ms ^
                     ((uint64_t)header->text_len << 24) ^ ((uint64_t)header->source_len << 8) ^
                     ((uint64_t)header->stream << 4) ^ header->flags;
    return (uint32_t)(mixed ^ mixed >> 32);
}

#endif
