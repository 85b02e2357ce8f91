// Chunked bodies, one byte a step but for the data itself, so that no split can matter. The
// trailers are checked and dropped.
#include "emulator/formats/http1_parts.h"

#include "emulator/limits/limits.h"

#define EXTENSIONS_MAX 1024 // bytes in all chunks of one body (HTTP.md)
#define DIGITS_MAX     16

enum state {
    SIZE,
    SIZE_BLANK,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    END,
};

void http1_chunks_init(struct http1_chunks *chunks, enum http1_policy policy)
{
    *chunks = (struct http1_chunks){.policy = policy, .state = SIZE};
}

// True: refused.
static bool broke(struct http1_chunks *chunks, enum http1_rule rule)
{
    if (http1_treatment(rule, chunks->policy) == HTTP1_REFUSE) {
        chunks->error = rule;
        return true;
    }
    chunks->reported |= (uint64_t)1 << rule;
    return false;
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void size_done(struct http1_chunks *chunks)
{
    chunks->state = chunks->left ? DATA : TRAILER_START;
    chunks->digits = 0;
}

static void step_size(struct http1_chunks *chunks, char byte)
{
    int value = hex_value(byte);
    if (value >= 0) {
        if (chunks->digits == DIGITS_MAX || chunks->left > (INT64_MAX >> 4)) {
            broke(chunks, HTTP1_RULE_CHUNK_SIZE);
            return;
        }
        chunks->digits++;
        chunks->left = chunks->left << 4 | (uint64_t)value;
    } else if (chunks->digits == 0) {
        broke(chunks, HTTP1_RULE_CHUNK_SIZE);
    } else if (byte == '\r') {
        chunks->state = SIZE_LF;
    } else if (byte == '\n') {
        if (!broke(chunks, HTTP1_RULE_BARE_LF)) {
            size_done(chunks);
        }
    } else if (byte == ';') {
        chunks->state = EXTENSION;
    } else if (byte == ' ' || byte == '\t') {
        broke(chunks, HTTP1_RULE_CHUNK_BLANK);
        chunks->state = SIZE_BLANK;
    } else {
        broke(chunks, HTTP1_RULE_CHUNK_SIZE);
    }
}

static void step_size_blank(struct http1_chunks *chunks, char byte)
{
    if (++chunks->extensions > EXTENSIONS_MAX) {
        broke(chunks, HTTP1_RULE_CHUNK_EXT);
    } else if (byte == '\r') {
        chunks->state = SIZE_LF;
    } else if (byte == '\n') {
        size_done(chunks);
    } else if (byte == ';') {
        chunks->state = EXTENSION;
    } else if (byte != ' ' && byte != '\t') {
        broke(chunks, HTTP1_RULE_CHUNK_SIZE);
    }
}

static void step_extension(struct http1_chunks *chunks, char byte)
{
    if (byte == '\r') {
        chunks->state = SIZE_LF;
    } else if (byte == '\n') {
        if (!broke(chunks, HTTP1_RULE_BARE_LF)) {
            size_done(chunks);
        }
    } else if (++chunks->extensions > EXTENSIONS_MAX) {
        broke(chunks, HTTP1_RULE_CHUNK_EXT);
    } else if (byte == '\0') {
        broke(chunks, HTTP1_RULE_NUL);
    } else if (((unsigned char)byte < ' ' && byte != '\t') || byte == 0x7F) {
        broke(chunks, HTTP1_RULE_CHUNK_EXT_BYTE);
    }
}

static void step_trailer(struct http1_chunks *chunks, char byte)
{
    if (++chunks->trailers > LIMIT_HEADER_TOTAL_BYTES) {
        broke(chunks, HTTP1_RULE_TRAILER_LONG);
        return;
    }
    bool start = chunks->state == TRAILER_START;
    if (byte == '\r') {
        if (chunks->state == TRAILER_NAME && broke(chunks, HTTP1_RULE_TRAILER)) {
            return;
        }
        chunks->state = start ? END_LF : TRAILER_LF;
    } else if (byte == '\n') {
        if (!broke(chunks, HTTP1_RULE_BARE_LF)) {
            chunks->state = start ? END : TRAILER_START;
        }
    } else if (byte == '\0') {
        broke(chunks, HTTP1_RULE_NUL);
    } else if (chunks->state == TRAILER_VALUE) {
        if (((unsigned char)byte < ' ' && byte != '\t') || byte == 0x7F) {
            broke(chunks, HTTP1_RULE_TRAILER);
        }
    } else if (byte == ':' && !start) {
        chunks->state = TRAILER_VALUE;
    } else {
        chunks->state = TRAILER_NAME;
        if (!http1_is(byte, TOKEN)) {
            broke(chunks, HTTP1_RULE_TRAILER);
        }
    }
}

static void step(struct http1_chunks *chunks, char byte)
{
    switch ((enum state)chunks->state) {
    case SIZE:
        step_size(chunks, byte);
        return;
    case SIZE_BLANK:
        step_size_blank(chunks, byte);
        return;
    case EXTENSION:
        step_extension(chunks, byte);
        return;
    case SIZE_LF:
        if (byte == '\n') {
            size_done(chunks);
        } else {
            broke(chunks, HTTP1_RULE_BARE_CR);
        }
        return;
    case DATA_CR:
        if (byte == '\r') {
            chunks->state = DATA_LF;
        } else if (byte != '\n') {
            broke(chunks, HTTP1_RULE_CHUNK_END);
        } else if (!broke(chunks, HTTP1_RULE_BARE_LF)) {
            chunks->state = SIZE;
        }
        return;
    case DATA_LF:
        chunks->state = SIZE;
        if (byte != '\n') {
            broke(chunks, HTTP1_RULE_CHUNK_END);
        }
        return;
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        step_trailer(chunks, byte);
        return;
    case TRAILER_LF:
        chunks->state = TRAILER_START;
        if (byte != '\n') {
            broke(chunks, HTTP1_RULE_BARE_CR);
        }
        return;
    case END_LF:
        chunks->state = END;
        if (byte != '\n') {
            broke(chunks, HTTP1_RULE_BARE_CR);
        }
        return;
    case DATA:
    case END:
        return;
    }
}

enum http1_progress http1_chunks_feed(struct http1_chunks *chunks, const char *bytes, size_t len,
                                      size_t *ret_skip, size_t *ret_data)
{
    size_t at = 0;
    *ret_data = 0;
    while (!chunks->error && chunks->state != DATA && chunks->state != END && at < len) {
        step(chunks, bytes[at++]);
    }
    *ret_skip = at;
    if (chunks->error) {
        return HTTP1_FAILED;
    }
    if (chunks->state == DATA) {
        size_t data = len - at < chunks->left ? len - at : (size_t)chunks->left;
        *ret_data = data;
        chunks->left -= data;
        if (chunks->left == 0) {
            chunks->state = DATA_CR;
        }
    }
    return chunks->state == END ? HTTP1_DONE : HTTP1_MORE;
}
