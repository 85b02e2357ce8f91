// Saves, by every known editor's own sequence of system calls: exactly one report each, none for
// what changes nothing; new directories, renames, links; overflow, limits, a killed helper.
#include "tests/unit/tree_fixture.h"

#include <stdlib.h>
#include <sys/time.h>

static void begin(struct fixture *f)
{
    put(f, "app.py", "print(1)\n");
    put(f, "wsgi.py", "import app\n");
    put(f, "pkg/mod.py", "x = 1\n");
    fixture_start(f, true);
    fixture_cut(f);
    assert_true(f->ready);
    assert_int_equal(f->file_count, 3);
    assert_int_equal(f->changes, 0);
}

static void expect_one(struct fixture *f, const char *path)
{
    fixture_cut(f);
    if (f->changes != 1 || f->total != 1 || strcmp(f->paths.items[0], path) != 0) {
        fail_msg("%u reports of %zu files, first %s; expected one of %s", f->changes, f->total,
                 f->paths.count ? f->paths.items[0] : "(none)", path);
    }
    fixture_clear(f);
}

static void expect_none(struct fixture *f)
{
    fixture_cut(f);
    if (f->changes != 0) {
        fail_msg("reported: %s", f->paths.items[0]);
    }
}

// ---- editors ----

static void save_nano(struct fixture *f, const char *text)
{
    put(f, "app.py", text);
}

static void save_vim(struct fixture *f, const char *text)
{
    put(f, "4913", "");
    assert_int_equal(unlink(at(f, "4913")), 0);
    put(f, ".app.py.swp", "swap");
    assert_int_equal(rename(at(f, "app.py"), at(f, "app.py~")), 0);
    put(f, "app.py", text);
    assert_int_equal(chmod(at(f, "app.py"), 0644), 0);
    assert_int_equal(unlink(at(f, "app.py~")), 0);
    assert_int_equal(unlink(at(f, ".app.py.swp")), 0);
}

static void save_vim_copy(struct fixture *f, const char *text)
{
    put(f, "app.py~", "backup");
    put(f, "app.py", text);
    assert_int_equal(unlink(at(f, "app.py~")), 0);
}

static void save_emacs(struct fixture *f, const char *text)
{
    assert_int_equal(symlink("me@host.1:2", at(f, ".#app.py")), 0);
    put(f, "#app.py#", text);
    assert_int_equal(rename(at(f, "app.py"), at(f, "app.py~")), 0);
    put(f, "app.py", text);
    assert_int_equal(unlink(at(f, "#app.py#")), 0);
    assert_int_equal(unlink(at(f, ".#app.py")), 0);
}

static void save_pycharm(struct fixture *f, const char *text)
{
    put(f, "app.py___jb_tmp___", text);
    assert_int_equal(rename(at(f, "app.py"), at(f, "app.py___jb_old___")), 0);
    assert_int_equal(rename(at(f, "app.py___jb_tmp___"), at(f, "app.py")), 0);
    assert_int_equal(unlink(at(f, "app.py___jb_old___")), 0);
}

static void save_sed(struct fixture *f, const char *text)
{
    put(f, "sedAbC123", text);
    assert_int_equal(rename(at(f, "sedAbC123"), at(f, "app.py")), 0);
}

static void save_gedit(struct fixture *f, const char *text)
{
    put(f, ".goutputstream-X1Y2Z3", text);
    assert_int_equal(rename(at(f, ".goutputstream-X1Y2Z3"), at(f, "app.py")), 0);
}

static void save_in_pieces(struct fixture *f, const char *text)
{
    auto_close int fd = open(at(f, "app.py"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    for (; *text; text++) {
        assert_int_equal(fs_write_all(fd, text, 1), 0);
    }
}

static void test_editors(void **state)
{
    struct fixture *f = *state;
    begin(f);
    static void (*const editors[])(struct fixture *, const char *) = {
        save_nano,    save_vim, save_vim_copy, save_emacs,
        save_pycharm, save_sed, save_gedit,    save_in_pieces,
    };
    for (size_t i = 0; i < ARRAY_LEN(editors); i++) {
        char text[64];
        snprintf(text, sizeof text, "print(%zu)\n", i + 10); // the same size, the same second
        editors[i](f, text);
        expect_one(f, "app.py");
        expect_in(&f->version, "app.py", text);
        // Saved again without a change.
        editors[i](f, text);
        expect_none(f);
    }
}

static void test_what_changes_nothing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(utimes(at(f, "app.py"), NULL), 0);
    expect_none(f);
    assert_int_equal(chmod(at(f, "app.py"), 0600), 0);
    expect_none(f);
    put(f, "app.py", "print(2)\n"); // there and back before anybody looks
    put(f, "app.py", "print(1)\n");
    fixture_cut(f);
    fixture_clear(f); // told at once or not at all: the content is what counts at the end
    put(f, "__pycache__/app.cpython-311.pyc", "x");
    put(f, ".git/index", "x");
    put(f, "venv/lib.py", "x");
    put(f, ".idea/workspace.xml", "x");
    assert_int_equal(mkdir(at(f, "empty"), 0755), 0);
    assert_int_equal(rmdir(at(f, "empty")), 0);
    expect_none(f);
}

static mode_t mode_in_version(struct fixture *f)
{
    auto_free char *path = fs_join(f->version.lowers.items[0], "app.py");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void test_executable_bits_are_lost(void **state) // P-71
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(chmod(at(f, "app.py"), 0755), 0);
    expect_none(f);
    assert_int_equal(mode_in_version(f), 0644);
    assert_int_equal(f->version.lowers.count, 1); // nothing was written for it
}

static void test_executable_bits_can_be_kept(void **state)
{
    struct fixture *f = *state;
    f->keep_modes = true;
    begin(f);
    assert_int_equal(chmod(at(f, "app.py"), 0755), 0);
    expect_none(f);
    assert_int_equal(mode_in_version(f), 0755);
}

static void test_latency_of_a_save(void **state)
{
    struct fixture *f = *state;
    begin(f);
    int64_t best = INT64_MAX;
    int64_t sum = 0;
    for (unsigned i = 0; i < 20; i++) {
        char text[64];
        snprintf(text, sizeof text, "print(%u)\n", i + 10);
        unsigned want = f->changes + 1;
        put(f, "app.py", text);
        int64_t closed_us = clock_now_us();
        fixture_wait(f, &f->changes, want);
        int64_t took = f->changed_us - closed_us;
        best = took < best ? took : best;
        sum += took;
    }
    print_message("save -> report: best %d us, mean %d us\n", (int)best, (int)(sum / 20));
    // A wait for quiet would be 20 ms or more each time.
    assert_true(best < 15000);
}

// ---- many files, directories ----

static void test_many_new_files_are_one_report(void **state)
{
    struct fixture *f = *state;
    begin(f);
    fixture_halt(f);
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "copy/d%d/e/f%d.py", i % 17, i);
        put(f, name, "x = 1\n");
    }
    fixture_go(f);
    fixture_cut(f);
    assert_int_equal(f->total, 300);
    assert_int_equal(f->changes, 1);
    assert_int_equal(f->paths.count, 256);
    fixture_clear(f);
    // And each of the new directories is watched.
    put(f, "copy/d3/e/f3.py", "x = 2\n");
    expect_one(f, "copy/d3/e/f3.py");
}

static void test_checkout_under_a_lock_is_one_report(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "pkg/f%d.py", i);
        put(f, name, "a\n");
    }
    put(f, ".git/HEAD", "x");
    fixture_start(f, true);
    fixture_cut(f);
    put(f, ".git/index.lock", "");
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "pkg/f%d.py", i);
        assert_int_equal(unlink(at(f, name)), 0);
        put(f, name, "b\n");
        if (i == 150) {
            // Time passes in the middle of it.
            struct loop_source *timer = loop_add_timer(f->loop, 150, fixture_stop, f);
            loop_run(f->loop);
            loop_source_free(timer);
        }
    }
    assert_int_equal(f->changes, 0);
    assert_int_equal(rename(at(f, ".git/index.lock"), at(f, ".git/index")), 0);
    fixture_wait(f, &f->changes, 1);
    fixture_cut(f);
    assert_int_equal(f->changes, 1);
    assert_int_equal(f->total, 300);
}

static void test_renamed_directories(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(rename(at(f, "pkg"), at(f, "lib")), 0);
    fixture_cut(f);
    assert_int_equal(f->changes, 1);
    assert_int_equal(f->total, 2); // one gone, one new
    expect_in(&f->version, "lib/mod.py", "x = 1\n");
    expect_in(&f->version, "pkg/mod.py", NULL);
    fixture_clear(f);
    put(f, "lib/mod.py", "x = 2\n");
    expect_one(f, "lib/mod.py");
    // The old name again, by another directory: the library would answer with the old descriptor.
    put(f, "pkg/mod.py", "x = 3\n");
    expect_one(f, "pkg/mod.py");
    put(f, "pkg/mod.py", "x = 4\n");
    expect_one(f, "pkg/mod.py");
    put(f, "lib/mod.py", "x = 5\n");
    expect_one(f, "lib/mod.py");
    // Removed and made again, over and over.
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fs_remove_tree(at(f, "pkg"), NULL), 0);
        expect_one(f, "pkg/mod.py");
        expect_in(&f->version, "pkg/mod.py", NULL);
        put(f, "pkg/mod.py", "x = 6\n");
        expect_one(f, "pkg/mod.py");
        expect_in(&f->version, "pkg/mod.py", "x = 6\n");
    }
    // Moved in from outside, and out again.
    auto_free char *outside = fs_join(f->dir, "outside");
    assert_int_equal(rename(at(f, "lib"), outside), 0);
    expect_one(f, "lib/mod.py");
    unit_write(outside, "mod.py", "x = 7\n");
    expect_none(f);
    assert_int_equal(rename(outside, at(f, "lib")), 0);
    expect_one(f, "lib/mod.py");
}

static void test_links_are_followed(void **state)
{
    struct fixture *f = *state;
    auto_free char *shared = fs_join(f->dir, "shared");
    unit_write(shared, "lib/util.py", "u = 1\n");
    unit_write(shared, "one.py", "o = 1\n");
    auto_free char *one = fs_join(shared, "one.py");
    auto_free char *lib = fs_join(shared, "lib");
    assert_int_equal(symlink(one, at(f, "one.py")), 0);
    assert_int_equal(symlink(lib, at(f, "lib")), 0);
    assert_int_equal(symlink("nowhere", at(f, "broken")), 0);
    assert_int_equal(symlink(".", at(f, "circle")), 0);
    assert_int_equal(mkfifo(at(f, "fifo"), 0600), 0);
    assert_int_equal(symlink("app.py", at(f, "alias.py")), 0);
    put(f, "app.py", "a = 1\n");
    fixture_start(f, true);
    fixture_cut(f);
    assert_int_equal(f->file_count, 4);
    assert_true(has_notice(f, "broken:0: a link to nothing"));
    assert_true(has_notice(f, "circle:0: a link in a circle"));
    assert_true(has_notice(f, "fifo:0: not a regular file"));
    expect_in(&f->version, "lib/util.py", "u = 1\n");
    expect_in(&f->version, "one.py", "o = 1\n");
    unit_write(shared, "lib/util.py", "u = 2\n");
    expect_one(f, "lib/util.py");
    unit_write(shared, "one.py", "o = 2\n"); // by rename
    expect_one(f, "one.py");
    auto_close int fd = open(one, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(fs_write_all(fd, "o = 3\n", 6), 0);
    close(steal_fd(&fd));
    expect_one(f, "one.py");
    unit_write(shared, "other.py", "not ours\n");
    expect_none(f);
    put(f, "app.py", "a = 2\n"); // under two names
    fixture_cut(f);
    assert_int_equal(f->changes, 1);
    assert_int_equal(f->total, 2);
    fixture_clear(f);
    put(f, "nowhere", "now there\n");
    fixture_cut(f);
    expect_in(&f->version, "broken", "now there\n");
}

// ---- rules ----

static void test_leanignore(void **state)
{
    struct fixture *f = *state;
    put(f, ".leanignore", "*.log\n/never.txt\n.env\n");
    put(f, "a.log", "1");
    put(f, "never.txt", "1");
    put(f, ".env", "A=1\n");
    put(f, ".leanlocal.yaml", "port: 3001\n");
    put(f, ".venv/pyvenv.cfg", "home = /usr\n");
    put(f, ".venv/lib/x.py", "1");
    put(f, "app.py", "1");
    fixture_start(f, true);
    fixture_cut(f);
    assert_true(has_notice(f, ".venv:0: a virtualenv"));
    expect_in(&f->version, "a.log", NULL);
    expect_in(&f->version, "never.txt", "1"); // "/x" never matches (P-223)
    expect_in(&f->version, ".env", NULL);
    expect_in(&f->version, ".leanlocal.yaml", NULL);
    expect_in(&f->version, ".venv/lib/x.py", NULL);
    expect_in(&f->version, ".leanignore", "*.log\n/never.txt\n.env\n");
    put(f, "a.log", "2");
    expect_none(f);
    put(f, ".env", "A=2\n"); // not uploaded, but told: it makes the app's variables
    expect_one(f, ".env");
    expect_in(&f->version, ".env", NULL);
    put(f, ".leanignore", "never.txt\n");
    fixture_cut(f);
    assert_int_equal(f->changes, 1);
    expect_in(&f->version, "a.log", "2");
    expect_in(&f->version, "never.txt", NULL);
    expect_in(&f->version, ".env", "A=2\n");
    fixture_clear(f);
    put(f, "a.log", "3");
    expect_one(f, "a.log");
    put(f, ".leanignore", "a/**\n");
    fixture_try_cut(f);
    assert_true(f->failed); // the deploy is aborted
    assert_string_equal(f->error.rule, "P-223");
    assert_non_null(strstr(f->error.message, "unsupported ** syntax on line 1"));
    put(f, ".leanignore", "a.log\n");
    fixture_cut(f);
    assert_false(f->failed);
    expect_in(&f->version, "a.log", NULL);
}

// What the upload would do otherwise, or .gitignore, is said.
static void test_words_about_the_upload(void **state)
{
    struct fixture *f = *state;
    put(f, ".leanignore", "/build\ntest*\na/[!b].py\n");
    put(f, "latest.json", "1");
    put(f, "tests/x.py", "1");
    put(f, ".git/HEAD", "1");
    put(f, "x.pyc", "1");
    put(f, "y.pyc", "1");
    put(f, ".app.py.swp", "1");
    put(f, "app.py", "1");
    fixture_start(f, true);
    fixture_cut(f);
    assert_true(has_notice(f, ".leanignore:1: /build: matches nothing"));
    assert_true(has_notice(f, ".leanignore:2: test* leaves out latest.json"));
    assert_true(has_notice(f, ".leanignore:3: a/[!b].py: in a pattern with /"));
    assert_true(has_notice(f, ".git:0: version control: left out here"));
    assert_true(has_notice(f, "x.pyc:0: bytecode") != has_notice(f, "y.pyc:0: bytecode"));
    assert_false(has_notice(f, "swp"));
    assert_int_equal(f->texts.count, 5);
    expect_in(&f->version, "latest.json", NULL);
    expect_in(&f->version, "tests/x.py", NULL);
    expect_in(&f->version, "app.py", "1");
}

static void test_the_root_left_out_is_an_empty_upload(void **state)
{
    struct fixture *f = *state;
    put(f, ".leanignore", "*.*\n");
    put(f, "app.py", "1");
    put(f, "plain", "1");
    fixture_start(f, true);
    fixture_cut(f);
    assert_int_equal(f->file_count, 0);
    assert_true(has_notice(f, ".leanignore:1: *.* leaves out the project's directory itself"));
    put(f, ".leanignore", "*.log\n");
    fixture_cut(f);
    expect_in(&f->version, "app.py", "1");
}

// ---- trouble ----

static void test_killed_helper(void **state)
{
    struct fixture *f = *state;
    begin(f);
    pid_t first = tree_helper_pid(f->tree);
    assert_int_equal(kill(first, SIGKILL), 0);
    expect_none(f); // answered by the new one, and nothing differs
    assert_int_not_equal(tree_helper_pid(f->tree), first);
    put(f, "app.py", "print(2)\n");
    expect_one(f, "app.py");
    // What is saved while there is no helper is told once, marked.
    fixture_halt(f);
    put(f, "app.py", "print(3)\n");
    assert_int_equal(unlink(at(f, "wsgi.py")), 0);
    assert_int_equal(kill(tree_helper_pid(f->tree), SIGKILL), 0);
    fixture_cut(f);
    assert_int_equal(f->changes, 1);
    assert_true(f->rescan);
    assert_true(strlist_contains(&f->paths, "app.py"));
    expect_in(&f->version, "app.py", "print(3)\n");
    expect_in(&f->version, "wsgi.py", NULL);
    fixture_clear(f);
    put(f, "app.py", "print(4)\n");
    expect_one(f, "app.py");
}

static void test_overflow_is_one_report(void **state)
{
    struct fixture *f = *state;
    begin(f);
    auto_free char *text = fs_read("/proc/sys/fs/inotify/max_queued_events", 100, NULL, NULL);
    long queue = text ? strtol(text, NULL, 10) : 0;
    if (queue <= 0 || queue > 100000) {
        print_message("skipped: the queue holds %ld events\n", queue);
        skip();
    }
    put(f, "pkg/junk0", "x");
    fixture_cut(f);
    fixture_clear(f);
    fixture_halt(f);
    for (long i = 0; i < queue; i++) { // two events each
        const char *names[] = {"pkg/junk0", "pkg/junk1"};
        assert_int_equal(rename(at(f, names[i % 2]), at(f, names[(i + 1) % 2])), 0);
    }
    assert_int_equal(unlink(at(f, queue % 2 ? "pkg/junk1" : "pkg/junk0")), 0);
    put(f, "pkg/mod.py", "x = 2\n");
    put(f, "new/deep/er.py", "x = 1\n");
    fixture_go(f);
    fixture_cut(f);
    assert_int_equal(f->changes, 1);
    assert_int_equal(f->total, 3);
    assert_true(f->rescan);
    fixture_clear(f);
    put(f, "new/deep/er.py", "x = 2\n");
    expect_one(f, "new/deep/er.py");
}

static void test_polling(void **state)
{
    struct fixture *f = *state;
    static const char *const variables[] = {"LEANLOCAL_WATCH_POLL", "LEANLOCAL_WATCH_LIMIT"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        put(f, "app.py", "print(1)\n");
        put(f, "pkg/mod.py", "x = 1\n");
        setenv(variables[i], "1", 1);
        fixture_start(f, true);
        unsetenv(variables[i]);
        fixture_cut(f);
        assert_true(f->polling);
        if (i == 1) {
            assert_true(has_notice(f, "sysctl fs.inotify.max_user_watches="));
        }
        unsigned want = f->changes + 1;
        put(f, "pkg/mod.py", "x = 2\n");
        fixture_wait(f, &f->changes, want);
        assert_string_equal(f->paths.items[f->paths.count - 1], "pkg/mod.py");
        want++;
        assert_int_equal(fs_remove_tree(at(f, "pkg"), NULL), 0);
        fixture_wait(f, &f->changes, want);
        tree_free(f->tree);
        f->tree = NULL;
        fixture_clear(f);
    }
}

static void test_unreadable_project(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(rmdir(f->root), 0);
    fixture_start(f, true);
    tree_cut(f->tree, "20261122-101500");
    fixture_wait(f, &f->versions, 1);
    assert_true(f->failed);
    assert_non_null(strstr(f->error.message, f->root));
    // It comes back, and so does the helper.
    put(f, "app.py", "1");
    fixture_cut(f);
    expect_in(&f->version, "app.py", "1");
}

static void free_in_callback(void *context, const struct tree_change *change)
{
    struct fixture *f = context;
    (void)change;
    f->changes++;
    tree_free(f->tree);
    f->tree = NULL;
}

static void test_freed_in_its_own_callback(void **state)
{
    struct fixture *f = *state;
    put(f, "app.py", "1");
    const struct tree_options options = {.root = f->root, .store = f->store, .watch = true};
    const struct tree_callbacks callbacks = {
        .context = f,
        .on_ready = fixture_ready,
        .on_changed = free_in_callback,
        .on_version = fixture_version,
        .on_notice = fixture_notice,
    };
    f->tree = tree_start(f->loop, &options, &callbacks, NULL);
    fixture_cut(f);
    put(f, "app.py", "2");
    fixture_wait(f, &f->changes, 1);
    assert_null(f->tree);
}

int main(int argc, char **argv)
{
    int status;
    if (tree_fixture_helper(argc, argv, &status)) {
        return status;
    }
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_editors),
        TREE_TEST(test_what_changes_nothing),
        TREE_TEST(test_executable_bits_are_lost),
        TREE_TEST(test_executable_bits_can_be_kept),
        TREE_TEST(test_latency_of_a_save),
        TREE_TEST(test_many_new_files_are_one_report),
        TREE_TEST(test_checkout_under_a_lock_is_one_report),
        TREE_TEST(test_renamed_directories),
        TREE_TEST(test_links_are_followed),
        TREE_TEST(test_leanignore),
        TREE_TEST(test_words_about_the_upload),
        TREE_TEST(test_the_root_left_out_is_an_empty_upload),
        TREE_TEST(test_killed_helper),
        TREE_TEST(test_overflow_is_one_report),
        TREE_TEST(test_polling),
        TREE_TEST(test_unreadable_project),
        TREE_TEST(test_freed_in_its_own_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
