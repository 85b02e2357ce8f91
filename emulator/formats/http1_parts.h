// What: what the parts of the lexer share: lines (http1.c), their meaning (http1_meaning.c),
// chunks. Why: which byte may stand where, and what a broken rule does, is said once for all.
// Order: http1.c reads all lines, then calls http1_understand.
// Owns: nothing.
// Not: for others; they include http1.h.
#ifndef EMULATOR_FORMATS_HTTP1_PARTS_H
#define EMULATOR_FORMATS_HTTP1_PARTS_H

#include "emulator/formats/http1.h"

enum http1_class { TOKEN = 1, TEXT = 2, HOST = 4 }; // TEXT: a value

bool http1_is(char byte, enum http1_class class);

static inline bool http1_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

// True: refused, the head has failed.
bool http1_broke(struct http1_head *head, enum http1_rule rule, size_t at);

// Of signs that may stand in a host: is there a name? Not in ":80", ".", and not with a dot behind
// a dot.
bool http1_names_host(const char *host, size_t len);

// All lines of the head are in head->fields. False: refused.
bool http1_understand(struct http1_head *head, const char *bytes);

#endif
