// What: everything that scrolls by, in one order: the app's output, build output, and the engine's
//       events. Segment files with an index; the engine writes, any number of clients read the
//       files themselves.
// Why: log bulk never goes through JSON trees, snapshots or the socket; memory holds no log. A
//      flood costs disk up to a bound (oldest segments dropped and counted), never memory, and
//      never blocks the app.
// Order: writer: journal_create, journal_append..., journal_flush (once per loop turn),
//        journal_close. reader: journal_open, journal_read(seq) ...; a reader polls journal_last()
//        when the engine says that the journal grew (protocol event) and never blocks the writer.
// Owns: the directory's files (0600) are the writer's; removed by journal_create of the next
//       engine.
// Sources: P-120 (4096 characters, 600 lines a minute), P-121, P-126; DESIGN 9.
#ifndef EMULATOR_LOGS_JOURNAL_H
#define EMULATOR_LOGS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/error.h"

enum journal_stream {
    JOURNAL_OUT,   // the app's stdout
    JOURNAL_ERR,   // the app's stderr
    JOURNAL_BUILD, // output of install and build commands
    JOURNAL_EVENT, // text is one event as JSON (control/protocol.h)
    JOURNAL_STREAM__COUNT,
};

enum journal_flags {
    JOURNAL_CLOUD_DROPS = 1, // over 600 lines a minute: the cloud would drop it (P-120)
    JOURNAL_CLOUD_CUTS = 2,  // longer than 4096 characters: the cloud would cut it (P-120)
    JOURNAL_PARTIAL = 4,     // longer than our own line bound: continued in the next record
    JOURNAL_STEP = 8,        // of the build: a step begins, the text is its command
    JOURNAL_OWN = 16,        // of the build: our own word about it, not the step's output
};

struct journal_record {
    uint64_t seq; // from 1, no gaps but dropped segments
    int64_t wall_ms;
    enum journal_stream stream;
    unsigned flags;
    char source[32];  // "web1", "install"
    const char *text; // any bytes, no newline; valid until the next call on this reader
    size_t len;
};

#define JOURNAL_LINE_MAX 65536 // bytes of one record's text

struct journal;
struct journal_options {
    const char *dir;
    uint64_t max_bytes;     // of all segments; 0: 256 MB
    uint64_t segment_bytes; // 0: 4 MB
};
struct journal *journal_create(const struct journal_options *options, struct error *error);
// Returns the record's seq. Errors of the disk are counted, see journal_lost(), never fatal.
uint64_t journal_append(struct journal *journal, int64_t wall_ms, enum journal_stream stream,
                        unsigned flags, const char *source, const char *text, size_t len);
void journal_flush(struct journal *journal);
uint64_t journal_last_seq(const struct journal *journal);
uint64_t journal_lost(const struct journal *journal);
void journal_close(struct journal *journal);

struct journal_reader;
struct journal_reader *journal_open(const char *dir, struct error *error);
// The range that can be read now; first > last when empty.
void journal_range(struct journal_reader *reader, uint64_t *ret_first, uint64_t *ret_last);
// false: not there (dropped, or not yet written).
bool journal_read(struct journal_reader *reader, uint64_t seq, struct journal_record *ret_record);
void journal_reader_free(struct journal_reader *reader);

// ---- splitter: bytes of one pipe -> lines; pure ----
// Splits at \n (a \r before it is dropped), marks P-120's limits, keeps a partial last line until
// more comes or line_splitter_finish(). Memory bound: JOURNAL_LINE_MAX.
struct line_splitter;
typedef void (*line_fn)(void *context, const char *text, size_t len, unsigned flags);
struct line_splitter *line_splitter_new(line_fn fn, void *context);
void line_splitter_feed(struct line_splitter *splitter, const char *bytes, size_t len);
void line_splitter_finish(struct line_splitter *splitter);
void line_splitter_free(struct line_splitter *splitter);

// ---- P-120's 600 lines a minute of one instance, both streams together; pure ----
struct line_limit {
    int64_t minute;   // now_ms / 60000 of the current window
    unsigned count;   // lines in it
    uint64_t dropped; // lines the cloud would have dropped, in all
};
// true: within the limit.
bool line_limit_take(struct line_limit *limit, int64_t now_ms, unsigned per_minute);

#endif
