// What editors, version control and caches strew about: each row of emulator/watch/noise.def by a
// name that is met in the field, and names that look like it and are a project's own.
#include "tests/unit/unit.h"

#include "emulator/watch/rules.h"
#include "sandbox/base/cleanup.h"

static const char *const kept[] = {
    ".git",        ".hg",     ".svn",    ".bzr",    ".leancloud", ".avoscloud",
    "__pycache__", "app.pyc", "app.pyo", "app.py~", ".DS_Store",
}; // left out, and told where the upload would have taken it

static const char *const passing[] = {
    ".leanlocal",
    ".leanlocal.lock",
    "app.cpython-310.pyc.140233",
    ".app.py.swp",
    ".app.py.swo",
    ".app.py.swpx",
    "4913",
    ".#app.py",
    "#app.py#",
    "app.py___jb_tmp___",
    "app.py___jb_old___",
    ".goutputstream-X1Y2Z3",
    ".app.py.kate-swp",
    "app.py.tmp.4711",
    ".~lock.table.ods#",
    ".nfs00000000012345",
    ".fuse_hidden0000001",
};

static const char *const quiet[] = {
    ".idea",     ".vscode", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints",
    ".coverage",
};

static const char *const ordinary[] = {
    "app.py",  "git",      ".gitignore", ".github", "leanlocal.py", "pycache",
    "app.pyx", "a.swp",    "49130",      "#notes",  "nfs",          "DS_Store",
    "idea",    "coverage", "app.py.tmp", ".env",    "lock.table",
};

static struct verdict judge(const char *name)
{
    struct rules none = {0};
    return rules_judge(&none, name, name, false);
}

static void check_left_out(const char *name, bool told)
{
    struct verdict verdict = judge(name);
    int row = rules_noise(name);
    if (verdict.uploaded || verdict.reports || row < 0 || !rules_is_skipped(row)) {
        fail_msg("%s counts", name);
    }
    if ((rules_noise_reason(row) != NULL) != told) {
        fail_msg("%s: is there a reason to be told?", name);
    }
}

static void left_out_and_not_watched(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        check_left_out(kept[i], true);
    }
    for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
        check_left_out(passing[i], false);
    }
}

static void quiet_ones_are_uploaded_and_not_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(quiet); i++) {
        struct verdict verdict = judge(quiet[i]);
        if (!verdict.uploaded || verdict.reports || rules_is_skipped(rules_noise(quiet[i]))) {
            fail_msg("%s: uploaded %d, told %d", quiet[i], verdict.uploaded, verdict.reports);
        }
    }
}

static void names_of_a_project_are_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ordinary); i++) {
        struct verdict verdict = judge(ordinary[i]);
        if (!verdict.uploaded || !verdict.reports) {
            fail_msg("%s: uploaded %d, told %d", ordinary[i], verdict.uploaded, verdict.reports);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_out_and_not_watched),
        cmocka_unit_test(quiet_ones_are_uploaded_and_not_told),
        cmocka_unit_test(names_of_a_project_are_both),
    };
    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
