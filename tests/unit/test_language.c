// Which language for which variables; the catalogue's reader against good and broken files.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/language.h"

static void test_choose(void **state)
{
    (void)state;
    static const struct {
        const char *locale, *languages, *name;
    } rows[] = {
        {NULL, NULL, NULL},
        {"", "zh_CN", NULL},
        {"C", "zh_CN", NULL}, // as gettext: LANGUAGE counts only where a language was asked for
        {"C.UTF-8", "zh_CN", NULL},
        {"POSIX", "zh_CN", NULL},
        {"zh_CN.UTF-8", NULL, "zh_CN"},
        {"zh_CN", "", "zh_CN"},
        {"zh_CN.UTF-8@pinyin", NULL, "zh_CN"},
        {"zh_SG.utf8", NULL, "zh_CN"},
        {"zh", NULL, "zh_CN"},
        {"de_DE.UTF-8", NULL, NULL},
        {"de_DE.UTF-8", "zh_CN:en", "zh_CN"},
        {"zh_CN.UTF-8", "en_GB:zh_CN", NULL},
        {"zh_CN.UTF-8", "fr:zh", "zh_CN"},
        {"zhuang", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = language_choose(rows[i].locale, rows[i].languages);
        if (!str_equal(name, rows[i].name)) {
            fail_msg("%s, %s: %s", rows[i].locale, rows[i].languages, name);
        }
    }
}

static char *catalogue_path(void)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    *strrchr(path, '/') = '\0';
    return str_printf("%s/../locale/zh_CN/LC_MESSAGES/leanlocal.mo", path);
}

static void test_catalogue(void **state)
{
    (void)state;
    auto_free char *path = catalogue_path();
    assert_true(language_load(path));
    assert_string_equal(_("Logs"), "日志");
    assert_string_equal(_("not a text of ours"), "not a text of ours");
    assert_string_equal(_(""), ""); // not the catalogue's header
    language_unload();
    assert_string_equal(_("Logs"), "Logs");
}

// A damaged catalogue is refused or says English; it never reads beyond its end.
static void test_broken_catalogues(void **state)
{
    (void)state;
    auto_free char *path = catalogue_path();
    size_t len;
    auto_free char *bytes = fs_read(path, 1 << 20, &len, NULL);
    assert_non_null(bytes);
    char name[] = "/tmp/test-language-XXXXXX";
    close(mkstemp(name));
    srand(3);
    for (int round = 0; round < 300; round++) {
        auto_free char *copy = mem_alloc(len);
        memcpy(copy, bytes, len);
        size_t cut = round % 2 ? len : (size_t)rand() % len;
        for (int i = 0; i < 20 && round % 2; i++) {
            copy[(size_t)rand() % (rand() % 2 ? 2048 : 28)] = (char)rand();
        }
        assert_int_equal(fs_write_atomic(name, copy, cut, 0600, NULL), 0);
        if (language_load(name)) {
            (void)strlen(_("Logs"));
            (void)strlen(_("zoom"));
            (void)strlen(_("all output"));
        }
        language_unload();
    }
    assert_false(language_load("/nonexistent"));
    assert_false(language_load("/tmp"));
    unlink(name);
}

// zh_CN shows on a host where that locale was never generated, and C says what it means.
static void test_init(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *lc_all, *name;
        bool utf8;
    } rows[] = {
        {NULL, NULL, "en", true},          {"zh_CN.UTF-8", NULL, "zh_CN", true},
        {"zh_CN", NULL, "zh_CN", true},    {"C", NULL, "en", false},
        {"zh_CN.UTF-8", "C", "en", false}, {"zh_CN.GB18030x", NULL, "en", false},
    };
    auto_free char *path = catalogue_path();
    *strstr(path, "/zh_CN/") = '\0';
    setenv("LEANLOCAL_LOCALE_DIR", path, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        pid_t pid = fork(); // the choice is made once a process
        if (pid == 0) {
            unsetenv("LC_CTYPE");
            unsetenv("LC_MESSAGES");
            unsetenv("LANGUAGE");
            rows[i].lang ? setenv("LANG", rows[i].lang, 1) : unsetenv("LANG");
            rows[i].lc_all ? setenv("LC_ALL", rows[i].lc_all, 1) : unsetenv("LC_ALL");
            language_init();
            char number[16];
            snprintf(number, sizeof number, "%.1f", 4.3);
            _exit(strcmp(language_name(), rows[i].name) != 0 ||
                  language_is_utf8() != rows[i].utf8 || strcmp(number, "4.3") != 0);
        }
        int status;
        waitpid(pid, &status, 0);
        if (status != 0) {
            fail_msg("LANG=%s LC_ALL=%s", rows[i].lang, rows[i].lc_all);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_catalogue),
        cmocka_unit_test(test_broken_catalogues),
        cmocka_unit_test(test_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
