#include "emulator/formats/leanignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/ignore_pattern.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

// Go's bufio.Scanner ends silently at a line of 64 KB with its newline: what follows is never read.
#define SCANNER_LINE_MAX 65535

enum rule_kind {
    RULE_NAME,  // equal to one component of the path
    RULE_REGEX, // a glob without "/"
    RULE_PATH,  // a glob with "/": the whole path
};

struct rule {
    enum rule_kind kind;
    bool negated, only_dirs;
    unsigned line;
    char *source; // the line, for people
    char *text;   // of RULE_NAME and RULE_PATH
    struct ignore_regex *regex;
};

struct leanignore {
    struct rule *rules;
    size_t count;
};

// unicode.IsSpace
static bool is_space(uint32_t code)
{
    return (code >= '\t' && code <= '\r') || code == ' ' || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

// The length without blanks at the end.
static size_t trimmed_length(const char *line, size_t len)
{
    size_t kept = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += utf8_decode(line + at, len - at, &code);
        if (!is_space(code)) {
            kept = at;
        }
    }
    return kept;
}

static bool is_plain_name(const char *pattern)
{
    bool escaped = false;
    for (; *pattern; pattern++) {
        if (*pattern == '/') {
            return false;
        }
        if (!escaped && strchr("*?[", *pattern)) {
            return false;
        }
        escaped = !escaped && *pattern == '\\';
    }
    return true;
}

// "\x" becomes "x", but a backslash before a backslash stays.
static char *unescape(const char *pattern)
{
    struct buf out = {0};
    for (; *pattern; pattern++) {
        if (pattern[0] == '\\' && pattern[1] && pattern[1] != '\\') {
            pattern++;
        }
        buf_add(&out, pattern, 1);
    }
    return buf_steal(&out);
}

// As Go's %q, for what a pattern may hold.
static char *quote(const char *text)
{
    struct buf out = {0};
    buf_adds(&out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            buf_addf(&out, "\\%c", *text);
        } else if (*text == '\t') {
            buf_adds(&out, "\\t");
        } else if ((unsigned char)*text < ' ' || *text == 0x7f) {
            buf_addf(&out, "\\x%02x", (unsigned char)*text);
        } else {
            buf_add(&out, text, 1);
        }
    }
    buf_adds(&out, "\"");
    return buf_steal(&out);
}

static int refuse(struct error *error, unsigned line, const char *pattern, const char *before,
                  const char *after)
{
    auto_free char *quoted = quote(pattern);
    error_set(error, ERROR_PROJECT, "parseignore: %s%s%s on line %u", before, quoted, after, line);
    error_set_where(error, "%s:%u", LEANIGNORE_NAME, line);
    error_set_rule(error, "P-223", error ? error->message : NULL);
    return error_set_hint(error,
                          _("the deploy is aborted by this line of %s: rewrite or remove it"),
                          LEANIGNORE_NAME);
}

static int compile_glob(struct rule *rule, const char *pattern, struct error *error)
{
    if (strchr(pattern, '/')) {
        rule->kind = RULE_PATH;
        rule->text = str_dup(pattern);
        if (!ignore_path_pattern_valid(pattern)) {
            return refuse(error, rule->line, pattern, "pattern ", ": syntax error in pattern");
        }
        return 0;
    }
    rule->kind = RULE_REGEX;
    auto_free char *source = ignore_glob_to_regex(pattern);
    const char *problem;
    rule->regex = ignore_regex_new(source, &problem);
    if (!rule->regex) {
        auto_free char *after = str_printf(": error parsing regexp: %s: `%s`", problem, source);
        return refuse(error, rule->line, pattern, "invalid pattern ", after);
    }
    return 0;
}

static int compile(struct rule *rule, const char *line, struct error *error)
{
    if (strstr(line, "**")) {
        return refuse(error, rule->line, line, "pattern ", " uses the unsupported ** syntax");
    }
    size_t len = strlen(line);
    size_t kept = trimmed_length(line, len);
    // A backslash keeps the blanks behind it.
    auto_free char *copy = str_dup_len(line, kept > 0 && line[kept - 1] == '\\' ? len : kept);
    char *pattern = copy;
    if (*pattern == '!') {
        rule->negated = true;
        pattern++;
    }
    len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '/') {
        rule->only_dirs = true;
        pattern[len - 1] = '\0';
    }
    if (*pattern == '\0') {
        return refuse(error, rule->line, line, "pattern ", " is invalid");
    }
    if (is_plain_name(pattern)) {
        rule->kind = RULE_NAME;
        rule->text = unescape(pattern);
        return 0;
    }
    return compile_glob(rule, pattern, error);
}

static int add_line(struct leanignore *ignore, const char *line, size_t len, unsigned number,
                    struct error *error)
{
    if (len > 0 && line[len - 1] == '\r') {
        len--;
    }
    if (trimmed_length(line, len) == 0 || line[0] == '#') {
        return 0;
    }
    ignore->rules = mem_resize(ignore->rules, (ignore->count + 1) * sizeof *ignore->rules);
    struct rule *rule = &ignore->rules[ignore->count++];
    *rule = (struct rule){.line = number, .source = str_dup_len(line, len)};
    return compile(rule, rule->source, error);
}

struct leanignore *leanignore_parse(const char *bytes, size_t len, struct error *error)
{
    struct leanignore *ignore = mem_alloc(sizeof *ignore);
    unsigned number = 0;
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t line = newline ? (size_t)(newline - bytes) : len;
        if (line > SCANNER_LINE_MAX) {
            break;
        }
        if (add_line(ignore, bytes, line, ++number, error) < 0) {
            leanignore_free(ignore);
            return NULL;
        }
        size_t used = newline ? line + 1 : line;
        bytes += used;
        len -= used;
    }
    return ignore;
}

// Any component; with only_dirs the last one counts only when it is a directory.
static bool matches_component(const struct rule *rule, const char *path, bool is_dir)
{
    size_t len = strlen(rule->text);
    for (;;) {
        const char *slash = strchr(path, '/');
        if (!slash && rule->only_dirs && !is_dir) {
            return false;
        }
        size_t part = slash ? (size_t)(slash - path) : strlen(path);
        if (part == len && memcmp(path, rule->text, len) == 0) {
            return true;
        }
        if (!slash) {
            return false;
        }
        path = slash + 1;
    }
}

static bool rule_matches(const struct rule *rule, const char *path, bool is_dir)
{
    if (rule->kind == RULE_NAME) {
        return matches_component(rule, path, is_dir);
    }
    if (rule->only_dirs && !is_dir) {
        return false;
    }
    return rule->kind == RULE_REGEX ? ignore_regex_match(rule->regex, path)
                                    : ignore_path_match(rule->text, path);
}

bool leanignore_excludes(const struct leanignore *ignore, const char *path, bool is_dir,
                         unsigned *ret_line)
{
    // The last rule that matches decides, so the search goes backwards.
    for (size_t i = ignore->count; i > 0; i--) {
        const struct rule *rule = &ignore->rules[i - 1];
        if (rule_matches(rule, path, is_dir)) {
            if (ret_line) {
                *ret_line = rule->line;
            }
            return !rule->negated;
        }
    }
    if (ret_line) {
        *ret_line = 0;
    }
    return false;
}

// ---- beside .gitignore ----

static const struct rule *rule_of(const struct leanignore *ignore, unsigned line)
{
    for (size_t i = 0; i < ignore->count; i++) {
        if (ignore->rules[i].line == line) {
            return &ignore->rules[i];
        }
    }
    return NULL;
}

const char *leanignore_pattern(const struct leanignore *ignore, unsigned line)
{
    const struct rule *rule = rule_of(ignore, line);
    return rule ? rule->source : NULL;
}

// "a/[!b]" -> "a/[^b]"
static char *with_carets(const char *pattern)
{
    char *copy = str_dup(pattern);
    for (char *at = copy; (at = strstr(at, "[!")); at++) {
        at[1] = '^';
    }
    return copy;
}

// Would the rule match path in a .gitignore? There it is compared with the whole last name, and
// knows
// [!a] as well as [^a].
static bool matches_in_git(const struct rule *rule, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (rule->kind == RULE_NAME) {
        return strcmp(name, rule->text) == 0;
    }
    auto_free char *pattern = with_carets(rule->source + rule->negated);
    size_t len = trimmed_length(pattern, strlen(pattern));
    pattern[len - (rule->only_dirs && len > 0 && pattern[len - 1] == '/')] = '\0';
    return ignore_path_match(pattern, name);
}

bool leanignore_is_surprise(const struct leanignore *ignore, unsigned line, const char *path,
                            bool is_dir)
{
    const struct rule *rule = rule_of(ignore, line);
    if (!rule || rule->kind == RULE_PATH || matches_in_git(rule, path)) {
        return false;
    }
    if (!rule->negated) {
        return rule->kind == RULE_REGEX; // a name hits no path below: that is not visited
    }
    // Taken back, though nothing has to be where no rule above leaves it out.
    while (rule-- > ignore->rules) {
        if (rule_matches(rule, path, is_dir)) {
            return !rule->negated;
        }
    }
    return false;
}

static void warn(struct diagnostics *diagnostics, const char *name, const struct rule *rule,
                 const char *instead, const char *text)
{
    auto_free char *hint = str_printf(_("write %s"), instead);
    diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, name, (int)rule->line, 0, "P-223", hint,
                    "%s: %s", rule->source, text);
}

static void compare_rule(const struct rule *rule, const char *name, struct diagnostics *diagnostics)
{
    const char *pattern = rule->source + rule->negated;
    if (str_starts_with(pattern, "\xef\xbb\xbf")) {
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, name, (int)rule->line, 0, "P-223",
                        _("save the file without a byte order mark"),
                        _("the byte order mark is taken for a part of the first pattern"));
    } else if (rule->kind == RULE_PATH && *pattern == '/') {
        auto_free char *instead =
            str_printf("%s%s", rule->negated ? "!" : "", pattern + strspn(pattern, "/"));
        warn(diagnostics, name, rule, instead,
             _("matches nothing, as no path of an upload begins with /; .gitignore means the root "
               "by "
               "it"));
    } else if (rule->kind == RULE_PATH && strstr(pattern, "[!")) {
        auto_free char *instead = with_carets(rule->source);
        warn(diagnostics, name, rule, instead,
             _("in a pattern with / a group is turned round by ^; ! is one of its characters"));
    } else if (!rule->negated && rule_matches(rule, ".", true)) {
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, name, (int)rule->line, 0, "P-223",
                        _("name what is to be left out"),
                        _("%s leaves out the project's directory itself: nothing is uploaded"),
                        rule->source);
    }
}

void leanignore_compare(const struct leanignore *ignore, const char *name,
                        struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < ignore->count; i++) {
        compare_rule(&ignore->rules[i], name, diagnostics);
    }
}

void leanignore_free(struct leanignore *ignore)
{
    if (!ignore) {
        return;
    }
    for (size_t i = 0; i < ignore->count; i++) {
        free(ignore->rules[i].source);
        free(ignore->rules[i].text);
        ignore_regex_free(ignore->rules[i].regex);
    }
    free(ignore->rules);
    free(ignore);
}
