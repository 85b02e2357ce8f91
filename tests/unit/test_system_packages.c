// What apt-get is told to install for each name of systemDependencies, and each place where a font
// or a library may lie (system_dependencies.def): a slip there is a command that does not help.
#include "tests/unit/unit.h"

#include "emulator/system/system_dependencies.h"
#include "sandbox/base/cleanup.h"

static void each_missing_name_is_mended_by_its_packages(void **state)
{
    static const struct {
        const char *name;
        const char *hint; // part of it
    } rows[] = {
        {"ffmpeg", "install ffmpeg"},
        {"imagemagick", "install imagemagick"},
        {"fonts-wqy", "install fonts-wqy-microhei fonts-wqy-zenhei"},
        {"fonts-noto", "install fonts-noto"},
        {"chrome-headless", "install chromium"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strlist names = {0};
        struct diagnostics found = {0};
        strlist_add(&names, rows[i].name);
        system_dependencies_check(&names, 1, *state, &found);
        assert_int_equal(found.count, 1);
        if (!strstr(found.items[0].hint, rows[i].hint)) {
            fail_msg("%s: %s", rows[i].name, found.items[0].hint);
        }
        diagnostics_clear(&found);
        strlist_clear(&names);
    }
}

static void each_place_proves_its_name(void **state)
{
    static const char *const rows[][2] = {
        {"fonts-wqy", "usr/share/fonts/truetype/wqy/wqy-microhei.ttc"},
        {"fonts-wqy", "usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"},
        {"fonts-wqy", "usr/share/fonts/wqy-microhei/wqy-microhei.ttc"},
        {"fonts-wqy", "usr/share/fonts/wqy-zenhei-fonts/wqy-zenhei.ttc"},
        {"fonts-noto", "usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"},
        {"fonts-noto", "usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"},
        {"fonts-noto", "usr/share/fonts/noto/NotoSans-Regular.ttf"},
        {"fonts-noto", "usr/share/fonts/google-noto/NotoSans-Regular.ttf"},
        {"python-talib", "usr/lib/libta_lib.so"},
        {"python-talib", "usr/lib/libta-lib.so"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *root = str_printf("%s/%zu", (char *)*state, i);
        unit_write(root, rows[i][1], "");
        if (!system_dependency_present(rows[i][0], root)) {
            fail_msg("%s is not proved by %s", rows[i][0], rows[i][1]);
        }
    }
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, unit_make_dir, unit_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(each_missing_name_is_mended_by_its_packages),
        IN_DIR(each_place_proves_its_name),
    };
    return cmocka_run_group_tests_name("system_packages", tests, NULL, NULL);
}
