// Each row of detection.def on its own, and the order between neighbours (P-3).
#include "tests/unit/unit.h"

#include "emulator/project/project.h"
#include "sandbox/base/cleanup.h"

static const struct {
    const char *files[4];
    const char *taken_for; // a word of the refusal
} rows[] = {
    {{"cloud/main.js"}, "cloudcode"},
    {{"cloud/main.js", "wsgi.py", "requirements.txt"}, "cloudcode"},
    {{"server.js", "package.json"}, "nodejs"},
    {{"server.js", "package.json", "wsgi.py", "requirements.txt"}, "nodejs"},
    {{"composer.json", "public/index.php"}, "php"},
    {{"pom.xml"}, "java"},
    {{"gradlew"}, "java"},
    {{"app.sln"}, "dotnet"},
    {{"index.html"}, "static"},
    {{"static.json"}, "static"},
    {{"go.mod"}, "go project"},
    {{"go.mod", "index.html"}, "static"},
    {{"app.sln", "pom.xml"}, "java"},
};

static void each_kind_is_named(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *dir = str_printf("%s/%zu", (char *)*state, i);
        for (size_t j = 0; j < ARRAY_LEN(rows[i].files) && rows[i].files[j]; j++) {
            unit_write(dir, rows[i].files[j], "{}");
        }
        struct project project = {0};
        struct view upload;
        struct error error = {0};
        assert_int_equal(project_open(dir, &project, &error), 0);
        view_of_directory(&upload, project.dir, NULL);
        assert_int_equal(project_load(&project, &upload, NULL, NULL, NULL, &error), 0);
        assert_int_equal(project_detect(&project, &upload, NULL, &error), -1);
        if (!strstr(error.message, rows[i].taken_for)) {
            fail_msg("%s: not \"%s\": %s", rows[i].files[0], rows[i].taken_for, error.message);
        }
        view_release(&upload);
        project_release(&project);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_is_named, unit_make_dir, unit_remove_dir),
    };
    return cmocka_run_group_tests_name("detection", tests, NULL, NULL);
}
