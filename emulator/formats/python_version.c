#include "emulator/formats/python_version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define FILE_MAX 65536
#define WORD_MAX 64
#define LINES    64
// The vendor's own words (P-47).
#define TEXT_WRONG_VERSION                                                                         \
    "Wrong pyenv version. We only support CPython. Please check and correct .python-version"

// false at a part that is no number. *ret_number -1 and true at the end.
static bool next_number(const char **at, int *ret_number)
{
    *ret_number = -1;
    if (**at == '\0') {
        return true;
    }
    size_t digits = strspn(*at, "0123456789");
    const char *rest = *at + digits;
    if (digits == 0 || digits > 6 || (*rest != '.' && *rest != '\0') ||
        (*rest == '.' && rest[1] == '\0')) {
        return false;
    }
    *ret_number = (int)strtol(*at, NULL, 10);
    *at = rest + (*rest == '.');
    return true;
}

bool python_version_numbers(const char *text, int ret_numbers[static 3])
{
    for (int i = 0; i < 3; i++) {
        if (!next_number(&text, &ret_numbers[i])) {
            return false;
        }
    }
    return *text == '\0' && ret_numbers[0] >= 0;
}

char *python_version_without_threads(const char *text)
{
    size_t len = strlen(text);
    if (len < 2 || text[len - 1] != 't') {
        return NULL;
    }
    int numbers[3];
    char *plain = str_dup_len(text, len - 1);
    if (!python_version_numbers(plain, numbers)) {
        free(plain);
        return NULL;
    }
    return plain;
}

bool python_version_has_prefix(const char *version, const char *prefix)
{
    int numbers[3];
    size_t len = strlen(prefix);
    auto_free char *plain_version = python_version_without_threads(version);
    auto_free char *plain_prefix = python_version_without_threads(prefix);
    if (plain_version && plain_prefix) {
        return python_version_has_prefix(plain_version, plain_prefix);
    }
    return python_version_numbers(version, numbers) && strncmp(version, prefix, len) == 0 &&
           (version[len] == '.' || version[len] == '\0');
}

int python_version_compare(const char *a, const char *b)
{
    int x[3] = {-1, -1, -1};
    int y[3] = {-1, -1, -1};
    sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2]);
    sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2]);
    for (int i = 0; i < 3; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

// ---- the file ----

static int refuse(struct error *error, int line, const char *word, const char *reason)
{
    auto_free char *valid = utf8_valid(word, strlen(word));
    auto_free char *shown = utf8_cut(valid, WORD_MAX);
    error_set(error, ERROR_PROJECT, "%s:%d: %s: %s", PYTHON_VERSION_NAME, line, shown, reason);
    error_set_rule(error, "P-41", TEXT_WRONG_VERSION);
    return error_set_hint(error, _("write a CPython version such as 3.11"));
}

static bool is_other_implementation(const char *word)
{
    static const char *const names[] = {"pypy",        "jython",       "ironpython", "graalpy",
                                        "anaconda",    "conda",        "miniconda",  "miniforge",
                                        "micropython", "stackless",    "cinder",     "pyston",
                                        "nogil",       "activepython", "mambaforge"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_starts_with(word, names[i])) {
            return true;
        }
    }
    return false;
}

// "3", "3.10", "3.10.13", with what may follow: rc1, a2, b3, t, -dev.
static bool looks_like_cpython(const char *word)
{
    const char *at = word;
    int parts = 0;
    do {
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 6 || (digits > 1 && *at == '0')) { // no version is "03.10"
            return false;
        }
        at += digits;
        parts++;
    } while (*at == '.' && parts < 3 && at++);
    static const char *const kinds[] = {"rc", "a", "b"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_starts_with(at, kinds[i])) {
            const char *number = at + strlen(kinds[i]);
            size_t digits = strspn(number, "0123456789");
            at = digits ? number + digits : at;
            break;
        }
    }
    at += *at == 't';
    return *at == '\0' || strcmp(at, "-dev") == 0;
}

// P-43, P-47: 2.7 and what follows; "2" and "3" are prefixes.
static bool is_served(const char *word)
{
    char *end;
    long major = strtol(word, &end, 10);
    bool open = *end == '\0' || *end == 't' || *end == '-';
    return major == 3 || (major == 2 && (open || strtol(end + 1, NULL, 10) == 7));
}

static int check_word(const char *word, int line, struct error *error)
{
    if (strchr(word, '/') || word[0] == '.' || strchr(word, '\\')) {
        return refuse(error, line, word, _("is a path, not a version"));
    }
    if (strchr(word, ':')) {
        return refuse(error, line, word, _("several versions stand on lines of their own"));
    }
    if (is_other_implementation(word)) {
        return refuse(error, line, word, _("the cloud has CPython only"));
    }
    if (strcmp(word, "system") == 0) {
        return refuse(error, line, word, _("means this computer's Python; the cloud has no such"));
    }
    if (!looks_like_cpython(word)) {
        return refuse(error, line, word, _("is not a CPython version"));
    }
    if (!is_served(word)) {
        return refuse(error, line, word, _("the cloud has Python 2.7 and 3 only"));
    }
    return 0;
}

static void add_wanted(struct python_version *version, const char *word, int line)
{
    version->items = mem_resize(version->items, (version->count + 1) * sizeof *version->items);
    version->items[version->count++] = (struct python_wanted){.text = str_dup(word), .line = line};
}

static int take_line(struct python_version *version, const char *bytes, size_t len, int line,
                     struct error *error)
{
    const char *end = bytes + len;
    while (bytes < end && strchr(" \t\r", *bytes)) {
        bytes++;
    }
    size_t word_len = 0;
    while (bytes + word_len < end && !strchr(" \t\r", bytes[word_len])) {
        word_len++;
    }
    if (word_len == 0 || *bytes == '#') {
        return 0;
    }
    auto_free char *word = str_dup_len(bytes, word_len < WORD_MAX ? word_len : WORD_MAX);
    if (word_len > WORD_MAX) {
        return refuse(error, line, word, _("is not a CPython version"));
    }
    const char *plain = str_starts_with(word, "python-") ? word + 7 : word;
    if (check_word(plain, line, error) < 0) {
        return -1;
    }
    if (version->count == LINES) {
        return refuse(error, line, plain, _("too many versions"));
    }
    add_wanted(version, plain, line);
    return 0;
}

static int read_lines(struct python_version *version, const char *bytes, size_t len,
                      struct error *error)
{
    int line = 1;
    for (size_t at = 0; at < len; line++) {
        const char *newline = memchr(bytes + at, '\n', len - at);
        size_t line_len = newline ? (size_t)(newline - bytes) - at : len - at;
        if (take_line(version, bytes + at, line_len, line, error) < 0) {
            return -1;
        }
        at += line_len + 1;
    }
    return 0;
}

int python_version_parse(const char *bytes, size_t len, struct python_version *ret_version,
                         struct diagnostics *diagnostics, struct error *error)
{
    if (len > FILE_MAX || (len && memchr(bytes, '\0', len))) {
        error_set(error, ERROR_PROJECT, _("%s: not a text file"), PYTHON_VERSION_NAME);
        return error_set_hint(error, _("write a CPython version such as 3.11"));
    }
    if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        len -= 3;
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, PYTHON_VERSION_NAME, 1, 1, "P-50",
                        _("save it as UTF-8 without BOM"),
                        _("the byte order mark would be part of the version for pyenv"));
    }
    struct python_version version = {0};
    if (read_lines(&version, bytes, len, error) < 0) {
        python_version_release(&version);
        return -1;
    }
    *ret_version = version;
    return 0;
}

void python_version_release(struct python_version *version)
{
    for (size_t i = 0; i < version->count; i++) {
        free(version->items[i].text);
    }
    free(version->items);
    *version = (struct python_version){0};
}

char *python_version_of_runtime_txt(const char *bytes, size_t len)
{
    struct python_version version = {0};
    struct error ignored = {0};
    char *text = NULL;
    if (python_version_parse(bytes, len, &version, NULL, &ignored) == 0 && version.count > 0) {
        text = str_dup(version.items[0].text);
    }
    python_version_release(&version);
    return text;
}
