// What: `.leanignore`: which files an upload by the platform's CLI leaves out. Pure.
// Why: exactly as the CLI reads it, its oddities included: not anchored globs, "/x" that never
//      matches, "**" that ends the deploy. What gitignore would do is not what the cloud does.
// Order: parse; then for each path from the top down match; do not descend into an excluded
//      directory ("nothing below it is ever visited"). The first path to ask for is "." (a
//      directory): a rule like "*" excludes it, and with it everything.
// Sources: P-220 to P-225. A later rule wins; "!" turns one round.
#ifndef EMULATOR_FORMATS_LEANIGNORE_H
#define EMULATOR_FORMATS_LEANIGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/base/error.h"

#define LEANIGNORE_NAME ".leanignore"

// What the CLI writes when there is no file, for Python (P-221).
#define LEANIGNORE_DEFAULT                                                                         \
    ".git/\r\n.DS_Store\r\n.avoscloud/\r\n.leancloud/\r\nvenv\r\n*.pyc\r\n__pycache__/"

struct leanignore;

// NULL: the deploy would be aborted; ERROR_PROJECT with the CLI's own sentence ("parseignore:
// pattern \"a/**\" uses the unsupported ** syntax on line 3") as message, P-223.
struct leanignore *leanignore_parse(const char *bytes, size_t len, struct error *error);
// path: relative, "/" between names. *ret_line (may be NULL) is the deciding rule's line from 1, 0
// when no rule matched.
bool leanignore_excludes(const struct leanignore *ignore, const char *path, bool is_dir,
                         unsigned *ret_line);
void leanignore_free(struct leanignore *ignore); // NULL is fine

#endif
