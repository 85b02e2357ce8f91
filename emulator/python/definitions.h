// What: which versions this host's pyenv knows how to build: its python-build's definitions.
// Why: a prefix means the newest known one when it is installed (P-51), and "newest stable" needs a
//      list (P-42).
// Where: PYTHON_BUILD_DEFINITIONS, then share/python-build of each of pyenv's plugins.
// Not: running pyenv; a directory is read, which takes a millisecond.
#ifndef EMULATOR_PYTHON_DEFINITIONS_H
#define EMULATOR_PYTHON_DEFINITIONS_H

#include "sandbox/base/mem.h"

// The directory of pyenv's own files: <home>/libexec/pyenv is its program's real path. Owned by the
// caller.
char *python_pyenv_home(const char *program);

// The definition that `pyenv install WANTED` would take: of that very name, else the newest stable
// one that WANTED is a prefix of. NULL: pyenv knows none, or there is no pyenv (program NULL).
// Owned by the caller.
char *definitions_resolve(const char *program, const struct strlist *env, const char *wanted);

#endif
