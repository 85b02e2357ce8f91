// The expression becomes a flat list of atoms with a repetition each; matching walks the text once
// with the set of atoms that could be next, so no pattern takes more than text x pattern steps.
#include "emulator/formats/ignore_pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

// ---- glob -> Go source ----

// The end of the group that begins at `open` ("[", one or more of not "]", "]"), or NULL.
static const char *group_end(const char *open)
{
    const char *close = strchr(open + 1, ']');
    return close && close > open + 1 ? close + 1 : NULL;
}

static void add_group(struct buf *out, const char *open, const char *end)
{
    const char *at = open + 1;
    buf_adds(out, "[");
    if (*at == '!') {
        buf_adds(out, "^");
        at++;
    } else if (*at == '^') {
        buf_adds(out, "\\^");
        at++;
    }
    buf_add(out, at, (size_t)(end - at));
}

static void add_plain(struct buf *out, char byte, bool *escaped)
{
    if (*escaped) {
        buf_add(out, &byte, 1); // as it stands: \d in a glob is Go's digit
        *escaped = false;
    } else if (byte == '\\') {
        buf_add(out, &byte, 1);
        *escaped = true;
    } else if (byte == '*') {
        buf_adds(out, ".*");
    } else if (byte == '?') {
        buf_adds(out, ".");
    } else {
        if (strchr("\\.+*?()|[]{}^$", byte)) {
            buf_adds(out, "\\");
        }
        buf_add(out, &byte, 1);
    }
}

char *ignore_glob_to_regex(const char *glob)
{
    struct buf out = {0};
    bool escaped = false;
    while (*glob) {
        const char *end = *glob == '[' ? group_end(glob) : NULL;
        if (end) {
            // A backslash before a group is written and then forgotten.
            escaped = false;
            add_group(&out, glob, end);
            glob = end;
        } else {
            add_plain(&out, *glob++, &escaped);
        }
    }
    buf_adds(&out, "$");
    return buf_steal(&out);
}

// ---- compiling ----

struct range {
    uint32_t low, high;
};

struct atom {
    bool negated;
    bool optional, repeated; // ? = optional, + = repeated, * = both
    struct range *ranges;
    size_t count;
};

struct ignore_regex {
    struct atom *atoms;
    size_t count;
    bool anchored; // at the end
};

static const struct {
    char name;
    const char *ranges; // pairs of bytes
} perl_classes[] = {
    {'d', "09"},
    {'s', "\t\n\f\r  "},
    {'w', "09AZ__az"},
};

static const struct {
    const char *name;
    const char *ranges;
} posix_classes[] = {
    {"[:alnum:]", "09AZaz"}, {"[:alpha:]", "AZaz"},     {"[:blank:]", "\t\t  "},
    {"[:digit:]", "09"},     {"[:graph:]", "!~"},       {"[:lower:]", "az"},
    {"[:print:]", " ~"},     {"[:punct:]", "!/:@[`{~"}, {"[:space:]", "\t\r  "},
    {"[:upper:]", "AZ"},     {"[:word:]", "09AZ__az"},  {"[:xdigit:]", "09AFaf"},
};

static void add_range(struct atom *atom, uint32_t low, uint32_t high)
{
    atom->ranges = mem_resize(atom->ranges, (atom->count + 1) * sizeof *atom->ranges);
    atom->ranges[atom->count++] = (struct range){low, high};
}

static void add_ranges(struct atom *atom, const char *pairs, bool negated)
{
    if (!negated) {
        for (; *pairs; pairs += 2) {
            add_range(atom, (unsigned char)pairs[0], (unsigned char)pairs[1]);
        }
        return;
    }
    uint32_t next = 0;
    for (; *pairs; pairs += 2) {
        if ((unsigned char)pairs[0] > next) {
            add_range(atom, next, (unsigned char)pairs[0] - 1u);
        }
        next = (unsigned char)pairs[1] + 1u;
    }
    add_range(atom, next, 0x10ffff);
}

static bool add_perl_class(struct atom *atom, char name)
{
    for (size_t i = 0; i < ARRAY_LEN(perl_classes); i++) {
        if (perl_classes[i].name == tolower((unsigned char)name)) {
            add_ranges(atom, perl_classes[i].ranges, name != perl_classes[i].name);
            return true;
        }
    }
    return false;
}

// One character, possibly escaped; *at moves behind it.
static const char *parse_character(const char **at, uint32_t *ret_code)
{
    if (**at == '\0') {
        return "missing closing ]";
    }
    if (**at != '\\') {
        *at += utf8_decode(*at, strlen(*at), ret_code);
        return NULL;
    }
    char escape = *++*at;
    static const char letters[] = "afnrtv";
    static const char codes[] = "\a\f\n\r\t\v";
    const char *letter = escape ? strchr(letters, escape) : NULL;
    if (letter) {
        *ret_code = (unsigned char)codes[letter - letters];
    } else if ((unsigned char)escape < 0x80 && ispunct((unsigned char)escape)) {
        *ret_code = (unsigned char)escape;
    } else if (escape == '\0') {
        return "trailing backslash at end of expression";
    } else {
        return "escape sequence not supported here";
    }
    ++*at;
    return NULL;
}

static bool parse_named_class(struct atom *atom, const char **at)
{
    for (size_t i = 0; i < ARRAY_LEN(posix_classes); i++) {
        if (str_starts_with(*at, posix_classes[i].name)) {
            add_ranges(atom, posix_classes[i].ranges, false);
            *at += strlen(posix_classes[i].name);
            return true;
        }
    }
    if (**at == '\\' && (*at)[1] && add_perl_class(atom, (*at)[1])) {
        *at += 2;
        return true;
    }
    return false;
}

// Behind "[".
static const char *parse_class(struct atom *atom, const char **at)
{
    if (**at == '^') {
        atom->negated = true;
        ++*at;
    }
    for (bool first = true; first || **at != ']'; first = false) {
        if (parse_named_class(atom, at)) {
            continue;
        }
        if (!first && **at == '-' && (*at)[1] != ']' && (*at)[1] != '\0') {
            return "invalid character class range"; // Go: "a--b" and the like
        }
        uint32_t low;
        const char *problem = parse_character(at, &low);
        uint32_t high = low;
        if (!problem && **at == '-' && (*at)[1] != ']' && (*at)[1] != '\0') {
            ++*at;
            problem = parse_character(at, &high);
        }
        if (problem) {
            return problem;
        }
        if (high < low) {
            return "invalid character class range";
        }
        add_range(atom, low, high);
    }
    ++*at;
    return NULL;
}

static const char *parse_atom(struct atom *atom, const char **at)
{
    switch (**at) {
    case '.':
        atom->negated = true;
        add_range(atom, '\n', '\n');
        ++*at;
        return NULL;
    case '[':
        ++*at;
        return parse_class(atom, at);
    case '(':
    case ')':
    case '|':
    case '^':
    case '$':
        return "groups, alternatives and anchors are not supported here";
    case '*':
    case '+':
    case '?':
        return "missing argument to repetition operator";
    default:
        break;
    }
    if (**at == '\\' && (*at)[1] && add_perl_class(atom, (*at)[1])) {
        *at += 2;
        return NULL;
    }
    uint32_t code;
    const char *problem = parse_character(at, &code);
    if (!problem) {
        add_range(atom, code, code);
    }
    return problem;
}

static const char *parse_regex(struct ignore_regex *regex, const char *at)
{
    while (*at) {
        if (at[0] == '$' && at[1] == '\0') {
            regex->anchored = true;
            return NULL;
        }
        regex->atoms = mem_resize(regex->atoms, (regex->count + 1) * sizeof *regex->atoms);
        struct atom *atom = &regex->atoms[regex->count++];
        *atom = (struct atom){0};
        const char *problem = parse_atom(atom, &at);
        if (problem) {
            return problem;
        }
        if (*at && strchr("*+?", *at)) {
            atom->optional = *at != '+';
            atom->repeated = *at != '?';
            at++;
        }
    }
    return NULL;
}

struct ignore_regex *ignore_regex_new(const char *source, const char **ret_problem)
{
    struct ignore_regex *regex = mem_alloc(sizeof *regex);
    *ret_problem = parse_regex(regex, source);
    if (*ret_problem) {
        ignore_regex_free(regex);
        return NULL;
    }
    return regex;
}

void ignore_regex_free(struct ignore_regex *regex)
{
    if (!regex) {
        return;
    }
    for (size_t i = 0; i < regex->count; i++) {
        free(regex->atoms[i].ranges);
    }
    free(regex->atoms);
    free(regex);
}

// ---- matching ----

#define SMALL_SET 64

static bool atom_takes(const struct atom *atom, uint32_t code)
{
    for (size_t i = 0; i < atom->count; i++) {
        if (code >= atom->ranges[i].low && code <= atom->ranges[i].high) {
            return !atom->negated;
        }
    }
    return atom->negated;
}

// Marks atom `at` as next, and those behind it that may be reached without a character.
static void reach(const struct ignore_regex *regex, unsigned char *set, size_t at)
{
    for (;;) {
        if (set[at]) {
            return;
        }
        set[at] = 1;
        if (at == regex->count || !regex->atoms[at].optional) {
            return;
        }
        at++;
    }
}

bool ignore_regex_match(const struct ignore_regex *regex, const char *text)
{
    size_t size = regex->count + 1;
    auto_free unsigned char *sets = mem_alloc(2 * size);
    unsigned char *now = sets;
    unsigned char *next = sets + size;
    size_t len = strlen(text);
    size_t at = 0;
    for (;;) {
        reach(regex, now, 0); // not anchored at the start
        if (now[regex->count] && (!regex->anchored || at == len)) {
            return true;
        }
        if (at == len) {
            return false;
        }
        uint32_t code;
        at += utf8_decode(text + at, len - at, &code);
        memset(next, 0, size);
        for (size_t i = 0; i < regex->count; i++) {
            if (now[i] && atom_takes(&regex->atoms[i], code)) {
                reach(regex, next, i + 1);
                if (regex->atoms[i].repeated) {
                    reach(regex, next, i);
                }
            }
        }
        unsigned char *swap = now;
        now = next;
        next = swap;
    }
}

// ---- filepath.Match ----

// One character of a class; NULL when malformed.
static const char *class_character(const char *at, uint32_t *ret_code)
{
    if (*at == '\0' || *at == '-' || *at == ']') {
        return NULL;
    }
    if (*at == '\\' && *++at == '\0') {
        return NULL;
    }
    return at + utf8_decode(at, strlen(at), ret_code);
}

// Behind "["; returns what follows "]" or NULL when malformed.
static const char *match_class(const char *at, uint32_t code, bool *ret_match)
{
    bool negated = *at == '^';
    at += negated;
    bool match = false;
    for (size_t count = 0; *at != ']' || count == 0; count++) {
        uint32_t low, high;
        at = class_character(at, &low);
        high = low;
        if (at && *at == '-') {
            at = class_character(at + 1, &high);
        }
        if (!at) {
            return NULL;
        }
        match = match || (code >= low && code <= high);
    }
    *ret_match = match != negated;
    return at + 1;
}

// One character of pattern against one of path; what follows in the pattern, or NULL. *ret_used is
// how many bytes of path it took.
static const char *match_one(const char *pattern, const char *path, size_t *ret_used)
{
    uint32_t code, wanted;
    *ret_used = utf8_decode(path, strlen(path), &code);
    bool match = false;
    switch (*pattern) {
    case '?':
        return *path == '/' ? NULL : pattern + 1;
    case '[':
        pattern = match_class(pattern + 1, code, &match);
        return match ? pattern : NULL;
    case '\\':
        pattern++;
        break;
    default:
        break;
    }
    pattern += utf8_decode(pattern, strlen(pattern), &wanted);
    return wanted == code ? pattern : NULL;
}

bool ignore_path_match(const char *pattern, const char *path)
{
    if (!ignore_path_pattern_valid(pattern)) {
        return false;
    }
    // "*" stops at "/", so only the last star needs to be gone back to.
    const char *star = NULL;
    const char *star_path = NULL;
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            star_path = path;
            continue;
        }
        if (*pattern == '\0' && *path == '\0') {
            return true;
        }
        size_t used;
        const char *rest = *pattern && *path ? match_one(pattern, path, &used) : NULL;
        if (rest) {
            pattern = rest;
            path += used;
            continue;
        }
        if (!star || *star_path == '\0' || *star_path == '/') {
            return false;
        }
        path = ++star_path;
        pattern = star;
    }
}

bool ignore_path_pattern_valid(const char *pattern)
{
    while (*pattern) {
        bool match;
        if (*pattern == '[') {
            pattern = match_class(pattern + 1, 0, &match);
            if (!pattern) {
                return false;
            }
            continue;
        }
        if (*pattern == '\\' && *++pattern == '\0') {
            return false;
        }
        pattern++;
    }
    return true;
}
