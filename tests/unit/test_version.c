// Versions: what an upload would hold (P-71), one base and one delta, right also where files and
// directories change places; what nobody uses goes; a killed helper costs nothing.
#include "tests/unit/tree_fixture.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void begin(struct fixture *f)
{
    put(f, "app.py", "a1");
    put(f, "pkg/one.py", "o1");
    put(f, "pkg/two.py", "t1");
    put(f, "pkg/sub/deep.py", "d1");
    put(f, "swap", "a file");
    put(f, "tree/x/y.py", "y1");
    put(f, "run.sh", "#!/bin/sh\n");
    assert_int_equal(chmod(at(f, "run.sh"), 0700), 0);
    assert_int_equal(mkdir(at(f, "empty"), 0755), 0);
    fixture_start(f, true);
    fixture_cut(f);
}

static unsigned store_dirs(const struct fixture *f)
{
    unsigned count = 0;
    DIR *stream = opendir(f->store);
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        count += entry->d_name[0] != '.';
    }
    closedir(stream);
    return count;
}

// Removals follow the answer.
static void expect_store_dirs(struct fixture *f, unsigned want)
{
    int64_t until = clock_now_ms() + LIMIT_MS;
    while (store_dirs(f) != want) {
        if (clock_now_ms() > until) {
            fail_msg("%u directories in the store, not %u", store_dirs(f), want);
        }
        fixture_turn(f);
    }
}

static void test_base(void **state)
{
    struct fixture *f = *state;
    begin(f);
    const struct tree_version *version = &f->version;
    assert_int_equal(version->lowers.count, 1);
    assert_int_equal(version->file_count, 7);
    assert_int_equal(version->changed_count, 7);
    assert_int_equal(version->bytes, 2 + 2 + 2 + 2 + 6 + 2 + 10);
    assert_int_equal(version->written_bytes, version->bytes);
    expect_in(version, "pkg/sub/deep.py", "d1");
    auto_free char *empty = fs_join(version->lowers.items[0], "empty");
    assert_false(fs_exists(empty)); // P-71
    auto_free char *script = fs_join(version->lowers.items[0], "run.sh");
    auto_free char *plain = fs_join(version->lowers.items[0], "app.py");
    struct stat copy, source;
    assert_int_equal(stat(script, &copy), 0);
    assert_int_equal(copy.st_mode & 0777, 0644); // P-71
    assert_int_equal(stat(plain, &copy), 0);
    assert_int_equal(copy.st_mode & 0777, 0644);
    assert_int_equal(stat(at(f, "app.py"), &source), 0);
    assert_int_equal(copy.st_mtim.tv_sec, source.st_mtim.tv_sec);
    assert_int_equal(copy.st_mtim.tv_nsec, source.st_mtim.tv_nsec);
    assert_int_not_equal(copy.st_ino, source.st_ino);
}

static void expect_all_changed(const struct tree_version *version)
{
    expect_in(version, "app.py", "a2");
    expect_in(version, "pkg/one.py", NULL);
    expect_in(version, "pkg/two.py", "t1");
    expect_in(version, "pkg/sub/deep.py", NULL);
    expect_in(version, "swap/inner.py", "i1");
    expect_in(version, "tree", "now a file");
    expect_in(version, "tree/x/y.py", NULL);
    expect_in(version, "fresh/new.py", "n1");
}

static void change_all(struct fixture *f)
{
    put(f, "app.py", "a2");
    assert_int_equal(unlink(at(f, "pkg/one.py")), 0);
    assert_int_equal(fs_remove_tree(at(f, "pkg/sub"), NULL), 0);
    assert_int_equal(unlink(at(f, "swap")), 0);
    put(f, "swap/inner.py", "i1");
    assert_int_equal(fs_remove_tree(at(f, "tree"), NULL), 0);
    put(f, "tree", "now a file");
    put(f, "fresh/new.py", "n1");
}

static void test_delta(void **state)
{
    struct fixture *f = *state;
    begin(f);
    auto_free char *base = str_dup(f->version.lowers.items[0]);
    change_all(f);
    const struct tree_version *version = fixture_cut(f);
    assert_int_equal(version->lowers.count, 2);
    assert_string_equal(version->lowers.items[1], base);
    assert_int_equal(version->file_count, 6);
    expect_all_changed(version);

    // Nothing new: the files are links into the next delta.
    version = fixture_cut(f);
    assert_int_equal(version->written_bytes, 0);
    assert_int_equal(version->changed_count, 0);
    expect_all_changed(version);

    // And back to where it began: no delta.
    put(f, "app.py", "a1");
    put(f, "pkg/one.py", "o1");
    put(f, "pkg/sub/deep.py", "d1");
    assert_int_equal(fs_remove_tree(at(f, "swap"), NULL), 0);
    put(f, "swap", "a file");
    assert_int_equal(unlink(at(f, "tree")), 0);
    put(f, "tree/x/y.py", "y1");
    assert_int_equal(fs_remove_tree(at(f, "fresh"), NULL), 0);
    version = fixture_cut(f);
    assert_int_equal(version->lowers.count, 1);
    assert_int_equal(version->file_count, 7);
    expect_in(version, "tree/x/y.py", "y1");
    expect_in(version, "swap", "a file");
}

// The same through a real overlay, in a user and mount namespace of a child.
static int mount_and_look(const struct tree_version *version, const char *dir)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
        return 77;
    }
    auto_free char *options =
        str_printf("userxattr,lowerdir=%s:%s", version->lowers.items[0], version->lowers.items[1]);
    if (mount("overlay", dir, "overlay", MS_RDONLY, options) < 0) {
        return 77;
    }
    struct tree_version mounted = {0};
    strlist_add(&mounted.lowers, dir);
    expect_all_changed(&mounted);
    for (unsigned i = 0; i < 2; i++) {
        auto_free char *gone = fs_join(dir, i ? "pkg/sub" : "pkg/one.py");
        assert_false(fs_exists(gone));
    }
    return 0;
}

static void test_delta_under_a_real_overlay(void **state)
{
    struct fixture *f = *state;
    begin(f);
    change_all(f);
    fixture_cut(f);
    auto_free char *dir = fs_join(f->dir, "mounted");
    assert_int_equal(mkdir(dir, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(mount_and_look(&f->version, dir));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: no overlay in a user namespace here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_release(void **state)
{
    struct fixture *f = *state;
    begin(f);
    char tags[6][20];
    for (int i = 0; i < 6; i++) {
        snprintf(tags[i], sizeof tags[i], "%s", f->version.tag);
        char text[16];
        snprintf(text, sizeof text, "v%d", i);
        put(f, "app.py", text);
        fixture_cut(f);
    }
    expect_store_dirs(f, 7); // the base and six deltas
    for (int i = 0; i < 6; i++) {
        tree_release_version(f->tree, tags[i]);
    }
    tree_release_version(f->tree, tags[0]); // twice is harmless
    fixture_cut(f);                         // behind the removals
    tree_release_version(f->tree, f->version.tag);
    const struct tree_version *version = fixture_cut(f);
    expect_in(version, "app.py", "v5");
    // The base, this delta, and the one that nobody released.
    expect_store_dirs(f, 3);
}

static void test_a_large_delta_begins_a_new_base(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d.py", i);
        put(f, name, "1");
    }
    fixture_start(f, true);
    fixture_cut(f);
    auto_free char *base = str_dup(f->version.lowers.items[0]);
    fixture_halt(f);
    for (int i = 0; i < 60; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d.py", i);
        put(f, name, "2");
    }
    fixture_go(f);
    fixture_cut(f);
    assert_int_equal(f->version.lowers.count, 2);
    put(f, "f99.py", "3");
    fixture_cut(f);
    assert_int_equal(f->version.lowers.count, 1);
    assert_string_not_equal(f->version.lowers.items[0], base);
    expect_in(&f->version, "f99.py", "3");
    expect_in(&f->version, "f59.py", "2");
    expect_in(&f->version, "f60.py", "1");
}

static void test_without_watching(void **state)
{
    struct fixture *f = *state;
    put(f, "app.py", "a1");
    put(f, "old.py", "o");
    fixture_start(f, false);
    fixture_cut(f);
    put(f, "app.py", "a2");
    assert_int_equal(unlink(at(f, "old.py")), 0);
    // The first look may have been this very moment: then the cut does not look again.
    int64_t until = clock_now_ms() + 50;
    while (clock_now_ms() < until) {
        fixture_turn(f);
    }
    fixture_cut(f);
    expect_in(&f->version, "app.py", "a2");
    expect_in(&f->version, "old.py", NULL);
    assert_int_equal(f->changes, 0);
}

static void test_store_is_swept(void **state)
{
    struct fixture *f = *state;
    auto_free char *dead = fs_join(f->store, "base-20200101-000000");
    auto_free char *other = fs_join(f->store, "keep");
    unit_write(dead, "x/y", "of a dead engine");
    unit_write(other, "x", "not ours");
    put(f, "app.py", "a1");
    fixture_start(f, true);
    fixture_cut(f);
    assert_false(fs_exists(dead));
    assert_true(fs_exists(other));
    // A helper that dies keeps what is in use.
    put(f, "app.py", "a2");
    fixture_cut(f);
    struct tree_version version;
    tree_version_copy(&version, &f->version);
    unsigned want = f->cuts;
    assert_int_equal(kill(tree_helper_pid(f->tree), SIGKILL), 0);
    fixture_cut(f);
    assert_int_equal(f->cuts, want + 1);
    expect_in(&version, "app.py", "a2");
    expect_in(&f->version, "app.py", "a2");
    tree_version_release(&version);
}

// Written to all the time: no copy may hold a mixture.
static void test_a_file_that_changes_under_the_copy(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 400000 };
    put(f, "big", "0");
    fixture_start(f, true);
    fixture_cut(f);
    pid_t writer = fork();
    if (writer == 0) {
        char *text = mem_alloc(SIZE + 1);
        auto_close int fd = open(at(f, "big"), O_WRONLY | O_CLOEXEC);
        for (int i = 0; i < 300 && fd >= 0; i++) {
            memset(text, 'a' + i % 26, SIZE);
            if (pwrite(fd, text, SIZE, 0) != SIZE) {
                _exit(1);
            }
            usleep(3000);
        }
        _exit(0);
    }
    for (int i = 0; i < 5; i++) {
        fixture_cut(f);
        auto_free char *text = look_into(&f->version, "big");
        assert_non_null(text);
    }
    int status;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    fixture_cut(f);
    auto_free char *last = look_into(&f->version, "big");
    assert_int_equal(strlen(last), SIZE);
    assert_int_equal(strspn(last, (char[]){last[0], 0}), SIZE);
    assert_int_equal(last[0], 'a' + 299 % 26);
}

int main(int argc, char **argv)
{
    int status;
    if (tree_fixture_helper(argc, argv, &status)) {
        return status;
    }
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_base),
        TREE_TEST(test_delta),
        TREE_TEST(test_delta_under_a_real_overlay),
        TREE_TEST(test_release),
        TREE_TEST(test_a_large_delta_begins_a_new_base),
        TREE_TEST(test_without_watching),
        TREE_TEST(test_store_is_swept),
        TREE_TEST(test_a_file_that_changes_under_the_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
