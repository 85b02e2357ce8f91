// What: the interpreters that a host may have, by name and place only; nobody is asked yet.
// Where: pyenv's versions, PATH, /usr/local/bin, /usr/bin and ~/.local/bin, uv's directory, conda's
// usual places with their environments, what stands below /opt.
// Why no shims: they run whatever the current directory says (DESIGN 5).
// Owns: python_candidates_release().
#ifndef EMULATOR_PYTHON_CANDIDATES_H
#define EMULATOR_PYTHON_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/base/mem.h"

struct python_candidate {
    char *executable;   // real path
    char *name;         // its directory's in pyenv or uv: "3.12.1", "3.13.0rc1", "3.12"; or NULL
    const char *source; // "pyenv", "path", "uv", "conda", "opt"
};

struct python_candidates {
    struct python_candidate *items;
    size_t count;
    char *pyenv_root; // the first that exists, or NULL
};

// env: PATH, HOME, PYENV_ROOT, XDG_DATA_HOME, UV_PYTHON_INSTALL_DIR, CONDA_EXE are read. The order
// is the order of preference among equal versions; each binary comes once, but for pyenv's, which
// may have several names (links inside its versions).
void python_candidates_find(const struct strlist *env, struct python_candidates *ret_candidates);
void python_candidates_release(struct python_candidates *candidates);

// The newest minor that pyenv's own list knows as stable, as text ("3.14"); NULL without a list.
char *python_candidates_newest_known(const struct python_candidates *candidates);

#endif
