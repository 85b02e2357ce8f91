// What: `.python-version`, read the way pyenv reads it (P-50), as far as the cloud follows (P-41).
//      Pure.
// Reads: the first word of each line; blank lines and those that begin with '#' are skipped; CR
//      tolerated; no final newline needed; a leading `python-` is dropped; several lines are an
//      order of preference.
// Refuses: words that are paths, other implementations than CPython, names of virtual
//      environments, `system`.
// Owns: python_version_release().
// Not: looking for it on the host (python/python.h).
#ifndef EMULATOR_FORMATS_PYTHON_VERSION_H
#define EMULATOR_FORMATS_PYTHON_VERSION_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/error.h"

#define PYTHON_VERSION_NAME ".python-version"

struct python_wanted {
    char *text; // "3.10", "3.10.13", "3.13.0rc1", without `python-`
    int line;
};

struct python_version {
    struct python_wanted *items;
    size_t count; // 0: nothing but comments
};

// -1: `.python-version:line: reason`, ERROR_PROJECT.
int python_version_parse(const char *bytes, size_t len, struct python_version *ret_version,
                         struct diagnostics *diagnostics, struct error *error);
void python_version_release(struct python_version *version);

// "3.10.13" -> 3, 10, 13; parts that are not there are -1. False: not a stable release's number
// ("3.13.0rc1", "3.13t", "3.14-dev").
bool python_version_numbers(const char *text, int ret_numbers[static 3]);
// P-51: whether the stable version matches the prefix, at a '.' boundary: 3.1 is not 3.10. "3.13t"
// is the prefix of free-threaded builds alone, 3.13 of the others alone.
bool python_version_has_prefix(const char *version, const char *prefix);
// "3.13.0t" without its t, owned by the caller; NULL: not a free-threaded build's name.
char *python_version_without_threads(const char *text);
// As strcmp, part by part as numbers.
int python_version_compare(const char *a, const char *b);
// The first word of an old `runtime.txt` ("python-3.5", P-46) as `.python-version` would have it;
// NULL: no CPython version is named there. Owned by the caller.
char *python_version_of_runtime_txt(const char *bytes, size_t len);

#endif
