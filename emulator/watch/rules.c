#include "emulator/watch/rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/project_options.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define LEANIGNORE_MAX (1u << 20)

enum noise_rule { NEVER, PASSING, QUIET };

static const struct {
    enum noise_rule rule;
    const char *pattern;
    const char *reason;
} noise[] = {
#define NOISE(rule, pattern, reason) {rule, pattern, reason},
#include "emulator/watch/noise.def"
};

_Static_assert(ARRAY_LEN(noise) <= 64, "scan_report_noise() has a bit for each row");

// ---- the file ----

static void forget(struct rules *rules)
{
    leanignore_free(rules->ignore);
    free(rules->name);
    free(rules->shown);
    *rules = (struct rules){0};
}

static int refuse_reading(const char *file, const char *shown, const struct error *reading,
                          struct error *error)
{
    if (file && reading->errnum == ENOENT) { // P-222
        auto_free char *cloud = str_printf("The designated ignore file '%s' doesn't exist", file);
        error_set(error, ERROR_USAGE, "%s", cloud);
        error_set_hint(error, _("--leanignore names a file, from where you are"));
        return error_set_rule(error, "P-222", cloud);
    }
    error_set_errno(error, file ? ERROR_USAGE : ERROR_PROJECT, reading->errnum,
                    _("%s cannot be read"), shown);
    return error_set_rule(error, "P-220", NULL);
}

// P-221: the CLI writes the file then.
static void tell_default(const char *root, struct diagnostics *diagnostics)
{
    auto_free char *old = fs_join(root, LEANIGNORE_OLD_NAME);
    diagnostics_add(diagnostics, DIAGNOSTIC_NOTE, NULL, 0, 0, "P-221", NULL,
                    "%s Not found. Default %s created.", LEANIGNORE_NAME, LEANIGNORE_NAME);
    if (fs_is_file(old)) {
        auto_free char *hint = str_printf(_("rename it to %s"), LEANIGNORE_NAME);
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, LEANIGNORE_OLD_NAME, 0, 0, "P-224", hint,
                        _("an old name that is not read any more"));
    }
}

static void take_name(struct rules *rules, const char *root, const char *file)
{
    size_t len = strlen(root);
    bool inside = file && strncmp(file, root, len) == 0 && file[len] == '/';
    rules->name = !file ? str_dup(LEANIGNORE_NAME) : inside ? str_dup(file + len + 1) : NULL;
    rules->shown = str_dup(rules->name ? rules->name : file);
}

static int load(struct rules *rules, const char *root, const char *file, struct error *error)
{
    auto_free char *usual = fs_join(root, LEANIGNORE_NAME);
    size_t len = 0;
    struct error reading = {0};
    auto_free char *text = fs_read(file ? file : usual, LEANIGNORE_MAX, &len, &reading);
    rules->is_default = !text;
    if (!text && !file && reading.errnum == ENOENT) {
        return 0;
    }
    if (!text) {
        return refuse_reading(file, rules->shown, &reading, error);
    }
    rules->ignore = leanignore_parse(text, len, error);
    return rules->ignore ? 0 : -1;
}

int rules_load(struct rules *rules, const char *root, const char *file,
               struct diagnostics *diagnostics, struct error *error)
{
    forget(rules);
    take_name(rules, root, file);
    int result = load(rules, root, file, error);
    if (result == 0 && rules->is_default && diagnostics) {
        tell_default(root, diagnostics);
    }
    if (!rules->ignore) {
        rules->ignore = leanignore_parse(LEANIGNORE_DEFAULT, strlen(LEANIGNORE_DEFAULT), NULL);
    }
    if (diagnostics) {
        leanignore_compare(rules->ignore, rules->shown, diagnostics);
    }
    // The walk of the upload begins with "." itself.
    if (!leanignore_excludes(rules->ignore, ".", true, &rules->root_line)) {
        rules->root_line = 0;
    }
    return result;
}

void rules_release(struct rules *rules)
{
    forget(rules);
}

// ---- names ----

// leanlocal's own options: never uploaded, but whoever saves them is told what that does.
static bool is_options(const char *name)
{
    return strcmp(name, PROJECT_OPTIONS_NAME) == 0;
}

int rules_noise(const char *name)
{
    if (is_options(name)) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(noise); i++) {
        const char *pattern = noise[i].pattern;
        // Asked once per file of the tree: most patterns are out by their first letter.
        if ((*pattern == '*' || *pattern == *name) && fnmatch(pattern, name, 0) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool rules_is_skipped(int row)
{
    return noise[row].rule != QUIET;
}

const char *rules_noise_pattern(int row)
{
    return noise[row].pattern;
}

const char *rules_noise_reason(int row)
{
    return noise[row].rule == NEVER ? _(noise[row].reason) : NULL;
}

bool rules_would_upload(const struct rules *rules, const char *path, bool is_dir)
{
    return !rules->root_line &&
           (!rules->ignore || !leanignore_excludes(rules->ignore, path, is_dir, NULL));
}

// Read by leanlocal itself where the upload leaves them out: a change must be told. Whose .env
// counts is not known here: that of the build root (P-11).
static bool is_always_told(const struct rules *rules, const char *path, const char *name)
{
    return str_equal(path, rules->name) || strcmp(name, ".env") == 0;
}

struct verdict rules_judge(const struct rules *rules, const char *path, const char *name,
                           bool is_dir)
{
    if (is_options(name)) {
        return (struct verdict){.noise = -1, .reports = !is_dir && strcmp(path, name) == 0};
    }
    int row = rules_noise(name);
    if (row >= 0 && noise[row].rule != QUIET) {
        return (struct verdict){.noise = row};
    }
    struct verdict verdict = {.noise = row, .line = rules->root_line};
    if (!verdict.line && rules->ignore &&
        leanignore_excludes(rules->ignore, path, is_dir, &verdict.line)) {
        verdict.uploaded = false;
    } else if (!rules->root_line) {
        verdict.uploaded = true;
        verdict.back = verdict.line;
        verdict.line = 0;
    }
    verdict.reports = verdict.uploaded && row < 0;
    verdict.reports = verdict.reports || (!is_dir && is_always_told(rules, path, name));
    return verdict;
}

struct verdict rules_judge_path(const struct rules *rules, const char *path, bool is_dir,
                                char **ret_decided)
{
    auto_free char *copy = str_dup(path);
    bool reports = true;
    int quiet = -1;
    for (char *at = copy;;) {
        char *end = strchr(at, '/');
        if (end) {
            *end = '\0';
        }
        struct verdict verdict = rules_judge(rules, copy, at, end || is_dir);
        reports = reports && verdict.reports;
        quiet = quiet >= 0 ? quiet : verdict.noise;
        if (!end || !verdict.uploaded) {
            verdict.reports = !end && reports;
            verdict.noise = verdict.noise >= 0 ? verdict.noise : quiet;
            if (ret_decided) {
                *ret_decided = steal(copy);
            }
            return verdict;
        }
        *end = '/';
        at = end + 1;
    }
}
