// What: the bytes of a journal on disk, shared by its writer and its reader.
// Why a check in every record: a reader never locks; a torn tail, a segment of another engine or a
//      full disk must read as "not there", never as a wrong line.
// Layout (host byte order, the files never leave the machine):
//      head                     one struct journal_head, rewritten at each flush: what may be read
//      <first seq, 16 hex>.log  records one after the other: struct record_head, source, text
//      <first seq, 16 hex>.idx  one uint32_t per record: its offset in the .log
// Order of writes: .log, .idx, head. So what head names is complete.
#ifndef EMULATOR_LOGS_JOURNAL_FORMAT_H
#define EMULATOR_LOGS_JOURNAL_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JOURNAL_HEAD_NAME  "head"
#define JOURNAL_HEAD_MAGIC 0x314a4c4c // "LLJ1"
#define JOURNAL_NAME_SIZE  24         // "0123456789abcdef.log" and NUL

struct journal_head {
    uint32_t magic;
    uint32_t check; // of all that follows
    uint64_t first; // first seq that may be read; first > last when empty
    uint64_t last;
    uint64_t layout; // grows whenever a segment is made or dropped
    uint64_t lost;
};

struct record_head {
    uint32_t check; // of the rest of this head, the source and the text
    uint32_t text_len;
    uint64_t seq;
    int64_t wall_ms;
    uint8_t stream;
    uint8_t flags;
    uint8_t source_len;
    uint8_t zero[5];
};
_Static_assert(sizeof(struct record_head) == 32, "no holes: the check covers every byte");

// Word-wise multiply and rotate: some GB/s, and a flipped bit or a shifted record is seen.
static inline uint32_t journal_check(uint64_t seed, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t sum = seed ^ (len * 0x9e3779b97f4a7c15u);
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sum = (sum ^ word) * 0xff51afd7ed558ccdu;
        sum ^= sum >> 29;
    }
    uint64_t rest = 0;
    memcpy(&rest, at, len);
    sum = (sum ^ rest) * 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(sum >> 32) ^ (uint32_t)sum;
}

// The head's own check field is left out. `body` is the source and the text, side by side.
static inline uint32_t record_check(const struct record_head *head, const void *body)
{
    uint32_t seed = journal_check(1, (const char *)head + sizeof head->check,
                                  sizeof *head - sizeof head->check);
    return journal_check(seed, body, (size_t)head->source_len + head->text_len);
}

static inline uint32_t journal_head_check(const struct journal_head *head)
{
    size_t skip = offsetof(struct journal_head, first);
    return journal_check(JOURNAL_HEAD_MAGIC, (const char *)head + skip, sizeof *head - skip);
}

#endif
