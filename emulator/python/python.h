// What: which Python the project gets: `.python-version` read as pyenv reads it, then looked for on
//      this host.
// Why: the cloud honours the file (P-40) and knows CPython only (P-41); without it the newest
//      stable (P-42).
// Sources: P-40 to P-54, P-309; DESIGN 5. Shims are bypassed: the real binary is resolved once.
// Owns: python_release().
// Not: asking or installing; it says what is missing and the command that mends it.
#ifndef EMULATOR_PYTHON_PYTHON_H
#define EMULATOR_PYTHON_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct python {
    char *version; // "3.11.7": what the interpreter itself says
    int major, minor;
    char *executable; // real path of the binary
    char *prefix;     // sys.base_prefix; to be mounted read-only at its own path unless below /usr
    struct strlist
        mounts;        // host directories that must be visible for it to run (prefix, libraries)
    char *source;      // "pyenv", "path": for people
    char *pip_dir;     // directory that holds a usable `pip` package (pip/__main__.py), or NULL
    char *pip_wheel;   // or a pip wheel file to run from, or NULL
    char *pip_version; // "23.2.1" or NULL
    bool has_venv;     // `venv --without-pip` works
    bool from_file;    // `.python-version` chose it
};

struct python_options {
    const char *version_file;  // .python-version; NULL: there is none
    const struct strlist *env; // PATH, HOME, PYENV_ROOT are read from here
    bool legacy_default;       // P-42: 2.7
    bool for_others;           // another user will run it, where it lies: none below a closed home
};

// What pyenv could install to be nearer to the cloud; version NULL: nothing, or there is no pyenv.
struct python_offer {
    char *version; // whole: "3.12.4"
    char *root;    // PYENV_ROOT
    char *program; // pyenv's command
};
void python_offer_release(struct python_offer *offer);

// Runs interpreters to ask them (some 20 ms each, cached by path+mtime in cache_dir): blocks, so
// call it in a helper or a command, never on the loop. Deviations (older newest, nearest patch) go
// to diagnostics. Errors: ERROR_PROJECT for a bad file or PyPy (P-41), ERROR_HOST with the pyenv
// command when none fits. ret_offer is set in either case, when something else is wanted than is
// there.
int python_find(const struct python_options *options, const char *cache_dir,
                struct python *ret_python, struct python_offer *ret_offer,
                struct diagnostics *diagnostics, struct error *error);
void python_release(struct python *python);

#endif
