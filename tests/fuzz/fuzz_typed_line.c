// What: libFuzzer target of logs/typed_line: whatever a program writes to its terminal, and however
//       the reads cut it, the lines are the same, end where lines end, and the open one is in
//       bounds.
//       ./dev fuzz typed_line.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/logs/typed_line.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/mem.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *context, const char *bytes, size_t len)
{
    CHECK(len > 0 && len <= TYPED_LINE_MAX + 1);
    CHECK(memchr(bytes, '\n', len - 1) == NULL);
    buf_add(context, bytes, len);
    buf_adds(context, "|");
}

static void check_bounds(const struct typed_line *line)
{
    CHECK(line->len <= TYPED_LINE_MAX && line->at <= line->len);
    CHECK(line->sequence_len <= TYPED_SEQUENCE_MAX);
}

// What was handed on, with a mark behind each; the open line is finished.
static void feed(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
    struct typed_line *line = mem_alloc(sizeof *line);
    typed_line_init(line, take, out);
    for (size_t at = 0; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        typed_line_feed(line, (const char *)data + at, len);
        check_bounds(line);
    }
    typed_line_finish(line);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {0};
    feed(data, size, size ? size : 1, &whole);
    for (size_t step = 1; step <= 3; step += 2) {
        struct buf parts = {0};
        feed(data, size, step, &parts);
        CHECK(parts.len == whole.len);
        CHECK(parts.len == 0 || memcmp(parts.data, whole.data, whole.len) == 0);
        buf_release(&parts);
    }
    buf_release(&whole);
    return 0;
}
