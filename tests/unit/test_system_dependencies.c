// The names of systemDependencies (P-26), each proved below a root of the test's own.
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "emulator/system/system_dependencies.h"

static void place(const char *root, const char *name, mode_t mode)
{
    char *path = fs_join(root, name);
    unit_write(root, name, "");
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

static void each_name_is_proved_by_one_of_its_files(void **state)
{
    static const struct {
        const char *name;
        const char *file;
        mode_t mode;
    } rows[] = {
        {"ffmpeg", "usr/bin/ffmpeg", 0755},
        {"ffmpeg", "usr/local/bin/ffmpeg", 0755},
        {"imagemagick", "usr/bin/convert", 0755},
        {"imagemagick", "usr/bin/magick", 0755},
        {"fonts-wqy", "usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0644},
        {"fonts-noto", "usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 0644},
        {"phantomjs", "usr/local/bin/phantomjs", 0755},
        {"chrome-headless", "usr/bin/chromium", 0755},
        {"chrome-headless", "opt/google/chrome/chrome", 0755},
        {"python-talib", "usr/lib/libta_lib.so.0", 0644},
        {"python-talib", "usr/local/lib/libta-lib.so.0", 0644},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *root = str_printf("%s/%zu", (char *)*state, i);
        assert_false(system_dependency_present(rows[i].name, root));
        place(root, rows[i].file, rows[i].mode);
        print_message("%s by %s\n", rows[i].name, rows[i].file);
        assert_true(system_dependency_present(rows[i].name, root));
        free(root);
    }
    assert_true(system_dependency_present("node-canvas", *state)); // nothing is looked for
    assert_false(system_dependency_present("no-such-name", *state));
}

static void a_command_that_cannot_be_run_proves_nothing(void **state)
{
    place(*state, "usr/bin/ffmpeg", 0644);
    assert_false(system_dependency_present("ffmpeg", *state));
}

static void all_that_is_missing_is_one_deviation_with_one_command(void **state)
{
    struct strlist names = {0};
    struct diagnostics found = {0};
    strlist_add(&names, "ffmpeg");
    strlist_add(&names, "chrome-headless");
    strlist_add(&names, "fonts-noto");
    strlist_add(&names, "python-talib");
    place(*state, "usr/bin/chromium", 0755);
    system_dependencies_check(&names, 7, *state, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].severity, DIAGNOSTIC_DEVIATION);
    assert_int_equal(found.items[0].line, 7);
    assert_string_equal(found.items[0].rule, "P-26");
    assert_non_null(strstr(found.items[0].text, "ffmpeg, fonts-noto, python-talib"));
    assert_non_null(strstr(found.items[0].hint, "apt-get install ffmpeg fonts-noto"));
    assert_non_null(strstr(found.items[0].hint, "TA-Lib"));
    diagnostics_clear(&found);
    strlist_clear(&names);
}

static void names_for_node_are_warned_of(void **state)
{
    struct strlist names = {0};
    struct diagnostics found = {0};
    strlist_add(&names, "node-canvas");
    system_dependencies_check(&names, 1, *state, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].severity, DIAGNOSTIC_WARNING);
    diagnostics_clear(&found);
    strlist_clear(&names);
    system_dependencies_check(&names, 0, *state, &found);
    assert_int_equal(found.count, 0);
}

static void directories_are_named_once(void **state)
{
    (void)state;
    struct strlist names = {0};
    struct strlist paths = {0};
    strlist_add(&names, "fonts-noto");
    strlist_add(&names, "fonts-wqy");
    strlist_add(&names, "no-such-name");
    system_dependencies_directories(&names, &paths);
    assert_int_equal(paths.count, 1);
    assert_string_equal(paths.items[0], "/var/cache/fontconfig");
    strlist_clear(&names);
    strlist_clear(&paths);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, unit_make_dir, unit_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(each_name_is_proved_by_one_of_its_files),
        IN_DIR(a_command_that_cannot_be_run_proves_nothing),
        IN_DIR(all_that_is_missing_is_one_deviation_with_one_command),
        IN_DIR(names_for_node_are_warned_of),
        cmocka_unit_test(directories_are_named_once),
    };
    return cmocka_run_group_tests_name("system_dependencies", tests, NULL, NULL);
}
