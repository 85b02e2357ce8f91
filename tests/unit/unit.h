// What: what every unit test includes, in cmocka's order, and a temporary directory per test.
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

// A new empty directory; *state owns its path. Use with unit_remove_dir as teardown.
static inline int unit_make_dir(void **state)
{
    char *path = str_dup("/tmp/leanlocal-unit-XXXXXX");
    *state = mkdtemp(path);
    return *state ? 0 : -1;
}

static inline int unit_remove_dir(void **state)
{
    int result = fs_remove_tree(*state, NULL);
    free(*state);
    return result;
}

static inline void unit_write(const char *dir, const char *name, const char *text)
{
    char *path = fs_join(dir, name);
    char *parent = str_dup(path);
    *strrchr(parent, '/') = '\0';
    assert_int_equal(fs_mkdir_p(parent, 0755, NULL), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, NULL), 0);
    free(parent);
    free(path);
}

#endif
