// What: what a parser or check has to say about the project besides its result: warnings and errors
//       with file, line and column.
#ifndef EMULATOR_FORMATS_DIAGNOSTICS_H
#define EMULATOR_FORMATS_DIAGNOSTICS_H

#include <stddef.h>

enum diagnostic_severity {
    DIAGNOSTIC_NOTE,
    DIAGNOSTIC_DEVIATION, // leanlocal differs from the cloud here
    DIAGNOSTIC_WARNING,
    DIAGNOSTIC_ERROR,
};

struct diagnostic {
    enum diagnostic_severity severity;
    char *file; // relative to the project, NULL if none
    int line;   // from 1, 0 if none
    int column;
    char *rule; // "P-29" or NULL
    char *text;
    char *hint; // what to do, or NULL
};

struct diagnostics {
    struct diagnostic *items;
    size_t count;
};

void diagnostics_add(struct diagnostics *list, enum diagnostic_severity severity, const char *file,
                     int line, int column, const char *rule, const char *hint, const char *format,
                     ...) __attribute__((format(printf, 8, 9)));
void diagnostics_clear(struct diagnostics *list);

#endif
