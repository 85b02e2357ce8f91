#include "emulator/watch/rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

#define LEANIGNORE_MAX (1u << 20)

enum noise_rule { NEVER, QUIET };

static const struct {
    enum noise_rule rule;
    const char *pattern;
} noise[] = {
#define NOISE(rule, pattern, why) {rule, pattern},
#include "emulator/watch/noise.def"
};

// Read by leanlocal itself where the upload leaves them out: a change must be told. Whose .env
// counts is not known here: that of the build root (P-11).
static bool is_always_told(const char *path, const char *name)
{
    return strcmp(path, LEANIGNORE_NAME) == 0 || strcmp(name, ".env") == 0;
}

int rules_load(struct rules *rules, const char *root, struct error *error)
{
    rules_release(rules);
    auto_free char *path = fs_join(root, LEANIGNORE_NAME);
    size_t len = strlen(LEANIGNORE_DEFAULT);
    struct error problem = {0};
    auto_free char *text = fs_read(path, LEANIGNORE_MAX, &len, &problem);
    if (text) {
        rules->ignore = leanignore_parse(text, len, error);
        if (rules->ignore) {
            return 0;
        }
    } else if (problem.errnum != ENOENT && error) {
        *error = problem;
    }
    rules->ignore = leanignore_parse(LEANIGNORE_DEFAULT, strlen(LEANIGNORE_DEFAULT), NULL);
    return text || problem.errnum != ENOENT ? -1 : 0;
}

void rules_release(struct rules *rules)
{
    leanignore_free(rules->ignore);
    rules->ignore = NULL;
}

static int noise_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(noise); i++) {
        const char *pattern = noise[i].pattern;
        // Asked once per file of the tree: most patterns are out by their first letter.
        if ((*pattern == '*' || *pattern == *name) && fnmatch(pattern, name, 0) == 0) {
            return (int)noise[i].rule;
        }
    }
    return -1;
}

bool rules_is_noise(const char *name)
{
    return noise_of(name) == NEVER;
}

struct verdict rules_judge(const struct rules *rules, const char *path, const char *name,
                           bool is_dir)
{
    int noisy = noise_of(name);
    if (noisy == NEVER) {
        return (struct verdict){0};
    }
    bool uploaded = !rules->ignore || !leanignore_excludes(rules->ignore, path, is_dir, NULL);
    struct verdict verdict = {.uploaded = uploaded, .reports = uploaded && noisy != QUIET};
    verdict.reports = verdict.reports || (!is_dir && is_always_told(path, name));
    return verdict;
}
