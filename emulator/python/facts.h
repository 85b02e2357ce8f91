// What: what an interpreter says about itself, by running python_probe.py in it once.
// Why: names and directories lie (shims, links, patched builds); the interpreter knows. Cached by
//      path, mtime and size of the binary and the mtimes of its package directories.
// Owns: python_facts_release().
// Not: on the loop; a probe takes some 50 ms.
#ifndef EMULATOR_PYTHON_FACTS_H
#define EMULATOR_PYTHON_FACTS_H

#include <stdbool.h>

#include "emulator/python/python.h"

struct python_facts {
    struct python python;
    bool is_cpython;
    bool is_final;       // a stable release with the usual threading: no rc, no free-threaded build
    bool in_environment; // somebody's virtual environment that could not be left
    int pip_requires;    // lowest Python its pip supports, 307 for 3.7; 0: unknown
};

// cache_dir: <cache_dir>/python/ holds the answers; NULL: no cache. env: for the interpreter;
// PYTHON* variables are ignored. One that does not answer within 20 s: errnum ETIMEDOUT.
int python_facts_read(const char *executable, const struct strlist *env, const char *cache_dir,
                      struct python_facts *ret_facts, struct error *error);
void python_facts_release(struct python_facts *facts);

// As JSON, for the cache and for the helper's answer.
struct cJSON;
struct cJSON *python_to_json(const struct python *python);
// false: not what python_to_json() wrote.
bool python_from_json(const struct cJSON *tree, struct python *ret_python);

#endif
