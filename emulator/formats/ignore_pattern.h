// What: the two kinds of pattern that the upload's ignore rules are made of, as Go's library reads
//      them: a regular expression that a glob was turned into, and filepath.Match. Pure.
// Why our own: the upload's oddities come from exactly these two (P-223), and POSIX regular
//      expressions or fnmatch differ in classes, escapes and what "/" is.
// Sources: P-223; pkg.go.dev/regexp/syntax, pkg.go.dev/path/filepath#Match.
// Not: all of Go's syntax. Groups, alternatives, {n}, \b, \p and octal escapes, which a glob
//      reaches only through a backslash, are refused as "not supported here".
#ifndef EMULATOR_FORMATS_IGNORE_PATTERN_H
#define EMULATOR_FORMATS_IGNORE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct ignore_regex;

// Go source of the expression for a glob without "/": "*" -> ".*", "[!a]" -> "[^a]", anchored at
// the end only. Owned by the caller.
char *ignore_glob_to_regex(const char *glob);
// NULL and *ret_problem (a static text) when it does not compile.
struct ignore_regex *ignore_regex_new(const char *source, const char **ret_problem);
bool ignore_regex_match(const struct ignore_regex *regex, const char *text);
void ignore_regex_free(struct ignore_regex *regex);

// filepath.Match: the whole path, "*" and "?" never match "/". A malformed pattern matches nothing.
bool ignore_path_match(const char *pattern, const char *path);
bool ignore_path_pattern_valid(const char *pattern);

#endif
