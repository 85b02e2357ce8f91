// What: the interpreters that a host may have, by name and place only; nobody is asked yet.
// Where: pyenv's versions, PATH, /usr/local/bin, /usr/bin and ~/.local/bin, uv's directory, conda's
// usual places with their environments, what stands below /opt.
// Why no shims: they run whatever the current directory says (DESIGN 5).
// Owns: python_candidates_release().
#ifndef EMULATOR_PYTHON_CANDIDATES_H
#define EMULATOR_PYTHON_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/base/mem.h"

struct python_candidate {
    char *executable;   // real path
    char *name;         // its directory's in pyenv or uv: "3.12.1", "3.13.0rc1", "3.12"; or NULL
    const char *source; // "pyenv", "path", "uv", "conda", "opt"
};

struct python_candidates {
    struct python_candidate *items;
    size_t count;
    char *pyenv_root;    // where its versions are or would be; NULL: no pyenv
    char *pyenv_program; // real path of its command; NULL: versions without it, or no pyenv
};

// env: PATH, HOME, PYENV_ROOT, XDG_DATA_HOME, UV_PYTHON_INSTALL_DIR, CONDA_EXE are read. The order
// is the order of preference among equal versions; each binary comes once, but for pyenv's, which
// may have several names (links inside its versions).
void python_candidates_find(const struct strlist *env, struct python_candidates *ret_candidates);
void python_candidates_release(struct python_candidates *candidates);

// Where pyenv keeps its versions, whether it is there or not. Owned by the caller.
char *python_versions_dir(const struct strlist *env);
// Changes when one of the versions there becomes complete or goes. *ret_incomplete, which may be
// NULL: one is being made. A directory is read.
uint64_t python_versions_stamp(const struct strlist *env, bool *ret_incomplete);

#endif
