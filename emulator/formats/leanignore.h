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

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/error.h"

#define LEANIGNORE_NAME     ".leanignore"
#define LEANIGNORE_OLD_NAME ".leanengineignore" // P-224: read by nobody any more

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
// Warns of the lines that .gitignore would read otherwise whatever files there are, with what to
// write instead. name: of the file, for people.
void leanignore_compare(const struct leanignore *ignore, const char *name,
                        struct diagnostics *diagnostics);
// The rule on `line` decided on path: would it not have matched in a .gitignore, and changes that
// something? A glob without "/" hits in the middle of a name, and what takes back takes back all
// below a directory of that name (P-223).
bool leanignore_is_surprise(const struct leanignore *ignore, unsigned line, const char *path,
                            bool is_dir);
// The text of that line; NULL: no rule stands there.
const char *leanignore_pattern(const struct leanignore *ignore, unsigned line);
void leanignore_free(struct leanignore *ignore); // NULL is fine

#endif
