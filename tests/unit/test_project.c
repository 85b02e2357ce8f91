// Detection (P-1 to P-14): a table of directories and what the cloud takes them for.
#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "emulator/project/project.h"

struct row {
    const char *name;
    const char *files[5][2];
    enum error_kind kind; // NONE: Python
    const char *rule;
    const char *says;
};

static const struct row rows[] = {
    {"P-1 both files", {{"wsgi.py", ""}, {"requirements.txt", ""}}, ERROR_NONE, "", ""},
    {"P-1 nothing", {{NULL}}, ERROR_PROJECT, "P-1", "neither wsgi.py nor requirements.txt"},
    {"P-1 no wsgi.py", {{"requirements.txt", ""}}, ERROR_PROJECT, "P-1", "wsgi.py is missing"},
    {"P-1 no requirements", {{"wsgi.py", ""}}, ERROR_PROJECT, "P-1", "requirements.txt is missing"},
    {"P-2 .python-version is no sign", {{".python-version", "3.10"}}, ERROR_PROJECT, "P-1", ""},
    {"P-4 front-end tooling",
     {{"wsgi.py", ""},
      {"requirements.txt", ""},
      {"package.json", "{\"scripts\":{\"start\":\"x\"}}"}},
     ERROR_PROJECT,
     "P-4",
     "nodejs"},
    {"P-5 package.json without start",
     {{"wsgi.py", ""}, {"requirements.txt", ""}, {"package.json", "{\"scripts\":{}}"}},
     ERROR_NONE,
     "",
     ""},
    {"P-5 broken package.json",
     {{"wsgi.py", ""}, {"requirements.txt", ""}, {"package.json", "{"}},
     ERROR_NONE,
     "",
     ""},
    {"P-3 server.js first",
     {{"wsgi.py", ""}, {"requirements.txt", ""}, {"package.json", "{"}, {"server.js", ""}},
     ERROR_PROJECT,
     "P-4",
     "nodejs"},
    {"P-10 runtime: python overrides",
     {{"wsgi.py", ""},
      {"requirements.txt", ""},
      {"package.json", "{\"scripts\":{\"start\":\"x\"}}"},
      {"leanengine.yaml", "runtime: python\n"}},
     ERROR_NONE,
     "",
     ""},
    {"P-10 another runtime",
     {{"wsgi.py", ""}, {"requirements.txt", ""}, {"leanengine.yaml", "runtime: php\n"}},
     ERROR_PROJECT,
     "P-10",
     "php"},
    {"P-14 names are case-sensitive",
     {{"WSGI.py", ""}, {"requirements.txt", ""}},
     ERROR_PROJECT,
     "P-1",
     "wsgi.py is missing"},
    {"P-11 buildRoot",
     {{"server/wsgi.py", ""},
      {"server/requirements.txt", ""},
      {"leanengine.yaml", "buildRoot: server\n"}},
     ERROR_NONE,
     "",
     ""},
    {"P-11 buildRoot outside",
     {{"wsgi.py", ""}, {"requirements.txt", ""}, {"leanengine.yaml", "buildRoot: ..\n"}},
     ERROR_PROJECT,
     "P-11",
     "leads out"},
    {"P-11 buildRoot missing",
     {{"wsgi.py", ""}, {"requirements.txt", ""}, {"leanengine.yaml", "buildRoot: nowhere\n"}},
     ERROR_PROJECT,
     "P-11",
     "no directory"},
};

// The live files as one upload.
static int load_and_detect(struct project *project, struct diagnostics *diagnostics,
                           struct error *error)
{
    struct view upload;
    view_of_directory(&upload, project->dir, NULL);
    int result = project_load(project, &upload, NULL, NULL, diagnostics, error);
    if (result == 0) {
        result = project_detect(project, &upload, diagnostics, error);
    }
    view_release(&upload);
    return result;
}

static void check_row(const struct row *row)
{
    void *dir = NULL;
    unit_make_dir(&dir);
    for (size_t i = 0; i < 5 && row->files[i][0]; i++) {
        unit_write(dir, row->files[i][0], row->files[i][1]);
    }
    struct project project = {0};
    struct diagnostics diagnostics = {0};
    struct error error = {0};
    assert_int_equal(project_open(dir, &project, &error), 0);
    load_and_detect(&project, &diagnostics, &error);
    if (error.kind != row->kind || strcmp(error.rule, row->rule) != 0 ||
        !strstr(error.message, row->says)) {
        fail_msg("%s: kind %d rule %s: %s", row->name, error.kind, error.rule, error.message);
    }
    if (error.kind != ERROR_NONE && !*error.hint) {
        fail_msg("%s: no way out is told", row->name);
    }
    diagnostics_clear(&diagnostics);
    project_release(&project);
    unit_remove_dir(&dir);
}

static void rows_are_detected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i]);
    }
}

static void similar_name_is_suggested(void **state)
{
    unit_write(*state, "WSGI.py", "");
    unit_write(*state, "requirements.txt", "");
    struct project project = {0};
    struct diagnostics diagnostics = {0};
    struct error error = {0};
    assert_int_equal(project_open(*state, &project, &error), 0);
    assert_int_equal(load_and_detect(&project, &diagnostics, &error), -1);
    assert_non_null(strstr(error.hint, "WSGI.py"));
    project_release(&project);
}

static void runtime_txt_is_ignored_aloud(void **state)
{
    unit_write(*state, "wsgi.py", "");
    unit_write(*state, "requirements.txt", "");
    unit_write(*state, "runtime.txt", "python-2.7");
    struct project project = {0};
    struct diagnostics diagnostics = {0};
    assert_int_equal(project_open(*state, &project, NULL), 0);
    assert_int_equal(load_and_detect(&project, &diagnostics, NULL), 0);
    assert_int_equal(diagnostics.count, 1);
    assert_string_equal(diagnostics.items[0].rule, "P-46");
    assert_non_null(strstr(diagnostics.items[0].hint, "the line 2.7 into .python-version"));
    diagnostics_clear(&diagnostics);
    project_release(&project);
}

static void bad_directories_are_usage_errors(void **state)
{
    struct project project = {0};
    struct error error = {0};
    assert_int_equal(project_open("/nonexistent/dir", &project, &error), -1);
    assert_int_equal(error.kind, ERROR_USAGE);
    unit_write(*state, "file", "");
    char *file = fs_join(*state, "file");
    assert_int_equal(project_open(file, &project, &error), -1);
    assert_int_equal(error.kind, ERROR_USAGE);
    assert_non_null(strstr(error.message, "not a directory"));
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_detected),
        cmocka_unit_test_setup_teardown(similar_name_is_suggested, unit_make_dir, unit_remove_dir),
        cmocka_unit_test_setup_teardown(runtime_txt_is_ignored_aloud, unit_make_dir,
                                        unit_remove_dir),
        cmocka_unit_test_setup_teardown(bad_directories_are_usage_errors, unit_make_dir,
                                        unit_remove_dir),
    };
    return cmocka_run_group_tests_name("project", tests, NULL, NULL);
}
