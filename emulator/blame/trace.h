// What: Python's tracebacks in the text of a process' stderr: frames, exception, chain. Pure.
// Why: what broke stands in the last lines; which package broke it stands in the frames.
// Order: trace_parse() with the text; the last of the chain comes last.
// Owns: nothing: slices point into the text, which must outlive the result.
// Not: what an app's log calls an error. Only what Python's own printer writes is read: 2.7
// to 3.13.
#ifndef EMULATOR_BLAME_TRACE_H
#define EMULATOR_BLAME_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#define TRACE_FRAMES 64 // the innermost ones
#define TRACE_CHAIN  4  // "during handling of ...": the last ones

struct slice {
    const char *at; // not NUL-terminated; NULL when empty
    size_t len;
};

struct trace_frame {
    struct slice path; // "/opt/env/lib/python3.8/site-packages/flask/json.py"
    struct slice function;
    struct slice code; // the source line, "" if it was not there to be shown
    int line;
};

struct trace {
    struct trace_frame frames[TRACE_FRAMES];
    size_t count;
    struct slice kind;    // "ImportError": without its module
    struct slice message; // its first line
};

struct trace_chain {
    struct trace items[TRACE_CHAIN];
    size_t count;
};

// false: there is no traceback that ends with an exception.
bool trace_parse(const char *text, size_t len, struct trace_chain *ret_chain);

bool slice_equal(struct slice slice, const char *text);
bool slice_starts(struct slice slice, const char *prefix);
bool slice_ends(struct slice slice, const char *suffix);
// Where text begins in slice, or -1.
long slice_find(struct slice slice, const char *text);
struct slice slice_from(struct slice slice, size_t start); // the rest; clamped
struct slice slice_of(const char *text);
// The first part between two quotes of the same kind, searched from start. false: there is none.
bool slice_quoted(struct slice slice, size_t start, struct slice *ret_inner);
// The Python identifiers and dots at the slice's beginning.
struct slice slice_dotted(struct slice slice);
// Cut to the buffer.
void slice_copy(struct slice slice, char *out, size_t size);

#endif
