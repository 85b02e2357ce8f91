// The upload as the build sees it: over a version's directories as an overlay would show them, and
// over the live project without what the rules leave out.
#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "emulator/version/view.h"
#include "sandbox/base/cleanup.h"

static void white_out(const char *dir, const char *path)
{
    char *at = fs_join(dir, path);
    int result = mknod(at, S_IFCHR | 0600, makedev(0, 0));
    int why = errno;
    free(at); // skip() does not come back
    if (result < 0 && why == EPERM) {
        print_message("skipped: no whiteouts here\n");
        skip();
    }
    assert_int_equal(result, 0);
}

static void link_to(const char *dir, const char *path, const char *target)
{
    auto_free char *at = fs_join(dir, path);
    assert_int_equal(symlink(target, at), 0);
}

struct layers {
    char *delta, *base;
    struct view view;
};

// Once a test: the second one would find the first one's whiteouts.
static void make_layers(const char *dir, struct layers *layers)
{
    layers->delta = fs_join(dir, "delta");
    layers->base = fs_join(dir, "base");
    unit_write(layers->base, "app.py", "old");
    unit_write(layers->base, "kept.py", "kept");
    unit_write(layers->base, "gone.py", "gone");
    unit_write(layers->base, "tree/deep/a", "a");
    unit_write(layers->base, "was_dir/x", "x");
    unit_write(layers->base, "was_file", "w");
    unit_write(layers->base, "server/one", "1");
    unit_write(layers->delta, "app.py", "new");
    unit_write(layers->delta, "was_dir", "now a file");
    unit_write(layers->delta, "was_file/y", "y");
    unit_write(layers->delta, "server/two", "2");
    white_out(layers->delta, "gone.py");
    white_out(layers->delta, "tree");
    struct strlist lowers = {0};
    strlist_add(&lowers, layers->delta);
    strlist_add(&lowers, layers->base);
    view_of_version(&layers->view, &lowers);
    strlist_clear(&lowers);
}

static void release_layers(struct layers *layers)
{
    view_release(&layers->view);
    free(layers->delta);
    free(layers->base);
}

static const struct {
    const char *path;
    enum view_kind kind;
    const char *text;
} rows[] = {
    {"app.py", VIEW_FILE, "new"},
    {"./app.py", VIEW_FILE, "new"},
    {"server/../app.py", VIEW_FILE, "new"},
    {"../app.py", VIEW_NOTHING, NULL},
    {"/app.py", VIEW_NOTHING, NULL},
    {"kept.py", VIEW_FILE, "kept"},
    {"gone.py", VIEW_NOTHING, NULL},
    {"tree", VIEW_NOTHING, NULL},
    {"tree/deep/a", VIEW_NOTHING, NULL},
    {"was_dir", VIEW_FILE, "now a file"},
    {"was_dir/x", VIEW_NOTHING, NULL},
    {"was_file", VIEW_DIRECTORY, NULL},
    {"was_file/y", VIEW_FILE, "y"},
    {"app.py/", VIEW_FILE, "new"},
    {".", VIEW_DIRECTORY, NULL},
    {"", VIEW_DIRECTORY, NULL},
};

static void a_version_is_seen_as_an_overlay_shows_it(void **state)
{
    struct layers layers;
    make_layers(*state, &layers);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_free char *host = view_find(&layers.view, rows[i].path);
        auto_free char *text = host ? fs_read(host, 100, NULL, NULL) : NULL;
        if (view_kind(&layers.view, rows[i].path) != rows[i].kind ||
            !str_equal(text, rows[i].text)) {
            fail_msg("%s: kind %d, %s", rows[i].path, view_kind(&layers.view, rows[i].path),
                     text ? text : "no text");
        }
    }
    release_layers(&layers);
}

static char *joined(const struct strlist *list)
{
    char *text = str_dup("");
    for (size_t i = 0; i < list->count; i++) {
        char *longer = str_printf("%s%s%s", text, i ? " " : "", list->items[i]);
        free(text);
        text = longer;
    }
    return text;
}

static void names_and_lists_are_merged(void **state)
{
    struct layers layers;
    make_layers(*state, &layers);
    struct strlist names = {0};
    struct strlist files = {0};
    view_names(&layers.view, ".", &names);
    auto_free char *text = joined(&names);
    assert_string_equal(text, "app.py kept.py server was_dir was_file");
    view_list(&layers.view, "server", 100, &files);
    auto_free char *below = joined(&files);
    assert_string_equal(below, "one two");
    strlist_clear(&files);
    view_list(&layers.view, "app.py", 100, &files);
    assert_int_equal(files.count, 1);
    assert_string_equal(files.items[0], "");
    strlist_clear(&names);
    strlist_clear(&files);
    release_layers(&layers);
}

static void a_build_root_is_all_there_is(void **state)
{
    struct layers layers;
    make_layers(*state, &layers);
    assert_int_equal(view_enter(&layers.view, "nowhere"), -1);
    assert_int_equal(view_enter(&layers.view, "gone.py"), -1);
    assert_int_equal(view_enter(&layers.view, "server"), 0);
    assert_int_equal(view_kind(&layers.view, "one"), VIEW_FILE);
    assert_int_equal(view_kind(&layers.view, "app.py"), VIEW_NOTHING);
    assert_int_equal(view_kind(&layers.view, "../app.py"), VIEW_NOTHING);
    struct strlist lowers = {0};
    view_lowers(&layers.view, &lowers);
    assert_int_equal(lowers.count, 2);
    assert_true(str_ends_with(lowers.items[0], "delta/server"));
    assert_true(str_ends_with(lowers.items[1], "base/server"));
    strlist_clear(&lowers);
    release_layers(&layers);
}

static void a_directory_that_took_a_files_place_has_nothing_below_it(void **state)
{
    struct layers layers;
    make_layers(*state, &layers);
    struct strlist lowers = {0};
    assert_int_equal(view_enter(&layers.view, "was_file"), 0);
    view_lowers(&layers.view, &lowers);
    assert_int_equal(lowers.count, 1);
    strlist_clear(&lowers);
    release_layers(&layers);
}

static void links_stay_inside(void **state)
{
    auto_free char *base = fs_join(*state, "linked");
    unit_write(base, "real/file", "text");
    link_to(base, "here", "real/file");
    link_to(base, "dir", "real");
    link_to(base, "real/up", "../here");
    link_to(base, "out", "../../../etc/passwd");
    link_to(base, "root", "/etc/passwd");
    link_to(base, "round", "round");
    struct strlist lowers = {0};
    strlist_add(&lowers, base);
    struct view view;
    view_of_version(&view, &lowers);
    assert_int_equal(view_kind(&view, "here"), VIEW_FILE);
    assert_int_equal(view_kind(&view, "dir/file"), VIEW_FILE);
    assert_int_equal(view_kind(&view, "dir/up"), VIEW_FILE);
    assert_int_equal(view_kind(&view, "out"), VIEW_NOTHING);
    assert_int_equal(view_kind(&view, "root"), VIEW_NOTHING);
    assert_int_equal(view_kind(&view, "round"), VIEW_NOTHING);
    assert_int_equal(view_enter(&view, "dir"), 0);
    assert_int_equal(view_kind(&view, "file"), VIEW_FILE);
    strlist_clear(&lowers);
    view_release(&view);
}

static void what_the_rules_leave_out_is_absent(void **state)
{
    auto_free char *dir = fs_join(*state, "live");
    unit_write(dir, ".leanignore", "*.txt\nprivate/\n");
    unit_write(dir, "requirements.txt", "");
    unit_write(dir, "wsgi.py", "");
    unit_write(dir, "private/wsgi.py", "");
    unit_write(dir, "x.pyc", ""); // noise
    struct rules rules = {0};
    assert_int_equal(rules_load(&rules, dir, NULL, NULL, NULL), 0);
    struct view view;
    view_of_directory(&view, dir, &rules);
    assert_int_equal(view_kind(&view, "wsgi.py"), VIEW_FILE);
    assert_int_equal(view_kind(&view, "WSGI.py"), VIEW_NOTHING);
    assert_int_equal(view_kind(&view, "requirements.txt"), VIEW_NOTHING);
    assert_int_equal(view_kind(&view, "private"), VIEW_NOTHING);
    assert_int_equal(view_kind(&view, "private/wsgi.py"), VIEW_NOTHING);
    assert_int_equal(view_kind(&view, "x.pyc"), VIEW_NOTHING);
    rules_release(&rules);
    view_release(&view);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_make_dir, unit_remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(a_version_is_seen_as_an_overlay_shows_it),
        TEST(names_and_lists_are_merged),
        TEST(a_build_root_is_all_there_is),
        TEST(a_directory_that_took_a_files_place_has_nothing_below_it),
        TEST(links_stay_inside),
        TEST(what_the_rules_leave_out_is_absent),
    };
    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
