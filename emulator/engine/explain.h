// What: "explain": what would be done with this project, without doing it. A section is a row of
//      explain.def and a function.
// Why: detection, keys, variables and the sandbox are decided in many places; whoever wonders looks
//      here first.
// Order: explain_make() once, in an engine of mode "explain", which has started nothing: no
//      directory, no lock, no helper, no journal.
// Owns: what explain_make() returns is the caller's tree.
// Not: changing anything: it may only look. Interpreters are asked what they are, without the cache
//      of their answers, which would be written. It may block: nobody else is on that engine's
//      loop.
#ifndef EMULATOR_ENGINE_EXPLAIN_H
#define EMULATOR_ENGINE_EXPLAIN_H

#include <stdbool.h>

#include "emulator/engine/internal.h"

struct explanation {
    struct engine *engine;
    bool reveal;
    // Of the section that is being written.
    struct cJSON *rows;
    struct diagnostics diagnostics;
    struct error error;
    // Found out once, when a section asks.
    bool detected;
    struct rules rules;
    struct view upload;   // of the build root when the project is taken
    struct error refusal; // kind NONE: the project would be taken
    struct diagnostics detection;
    bool searched;
    struct build_result built; // the python; the layer when it is there already
    struct error python_error;
    struct diagnostics search;
};

// {"sections": [{name, title, rows: [{name, value, note}], notices: [{severity, text, rule, mend}],
// error}], "code": the exit code}. section NULL: all. NULL: unknown section.
struct cJSON *explain_make(struct engine *engine, const char *section, bool reveal,
                           struct error *error);

// A line of the section: name and value; note (may be NULL) says why or whence. A value of several
// lines is shown as such.
void explain_row(struct explanation *explanation, const char *name, const char *note,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
// 0: Python, and leanengine.yaml is read. -1: the section gets the refusal as its error.
int explain_need_project(struct explanation *explanation);
int explain_need_python(struct explanation *explanation);

// Of the host's section: how memory and processors are limited.
void size_explain_host(struct explanation *explanation);

#define SECTION(id, title) void explain_##id(struct explanation *explanation);
#include "emulator/engine/explain.def"
#undef SECTION

#endif
