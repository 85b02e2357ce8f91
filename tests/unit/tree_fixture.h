// What: a project in a temporary directory with a real loop, and the tree helper as this very
//      executable ("@tree"). Included once per test; main() must begin with tree_fixture_helper().
// Why no waiting for "nothing happens": a cut tells all that is pending before it answers, so it is
//      the barrier after which the count of reports is final.
#ifndef TESTS_UNIT_TREE_FIXTURE_H
#define TESTS_UNIT_TREE_FIXTURE_H

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/watch/tree.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"

#define LIMIT_MS 20000

struct fixture {
    char *dir, *root, *store;
    struct loop *loop;
    struct tree *tree;
    bool ready, polling, failed, watch, keep_modes;
    size_t file_count;
    unsigned changes, notices, versions;
    bool rescan;
    size_t total;
    struct strlist paths; // of all reports since fixture_clear
    struct strlist texts; // notices
    struct tree_version version;
    struct error error;
    unsigned cuts;
    int64_t changed_us; // when the last report came
};

static inline void fixture_ready(void *context, size_t file_count, bool polling, const char *note)
{
    struct fixture *f = context;
    (void)note;
    f->ready = true;
    f->polling = polling;
    f->file_count = file_count;
    loop_exit(f->loop, 0);
}

static inline void fixture_changed(void *context, const struct tree_change *change)
{
    struct fixture *f = context;
    f->changed_us = clock_now_us();
    f->changes++;
    f->total += change->total;
    f->rescan = change->rescan;
    for (size_t i = 0; i < change->paths.count; i++) {
        strlist_add(&f->paths, change->paths.items[i]);
    }
    loop_exit(f->loop, 0);
}

static inline void fixture_version(void *context, const struct tree_version *version,
                                   const struct error *error)
{
    struct fixture *f = context;
    f->versions++;
    f->failed = version == NULL;
    tree_version_release(&f->version);
    if (version) {
        tree_version_copy(&f->version, version);
    } else {
        f->error = *error;
    }
    loop_exit(f->loop, 0);
}

static inline void fixture_notice(void *context, const char *text)
{
    struct fixture *f = context;
    f->notices++;
    strlist_add(&f->texts, text);
}

// As plain lines have it.
static inline void fixture_diagnostic(void *context, const struct diagnostic *item)
{
    struct fixture *f = context;
    if (item->severity > DIAGNOSTIC_NOTE) {
        strlist_addf(&f->texts, "%s:%d: %s", item->file, item->line, item->text);
    }
}

static inline void fixture_stop(void *context)
{
    loop_exit(((struct fixture *)context)->loop, 0);
}

// The loop until something is said, 20 ms at most.
static inline void fixture_turn(struct fixture *f)
{
    struct loop_source *timer = loop_add_timer(f->loop, 20, fixture_stop, f);
    loop_run(f->loop);
    loop_source_free(timer);
}

// Turns of the loop until *counter reaches `want`, with a limit.
static inline void fixture_wait(struct fixture *f, const unsigned *counter, unsigned want)
{
    int64_t until = clock_now_ms() + LIMIT_MS;
    while (*counter < want) {
        if (clock_now_ms() > until) {
            fail_msg("waited for %u, have %u; reports %u, notices %u (%s)", want, *counter,
                     f->changes, f->notices, f->texts.count ? f->texts.items[0] : "");
        }
        fixture_turn(f);
    }
}

static inline void fixture_start(struct fixture *f, bool watch)
{
    const struct tree_options options = {
        .root = f->root, .store = f->store, .watch = watch, .keep_modes = f->keep_modes};
    const struct tree_callbacks callbacks = {
        .context = f,
        .on_ready = fixture_ready,
        .on_changed = fixture_changed,
        .on_version = fixture_version,
        .on_notice = fixture_notice,
        .on_diagnostic = fixture_diagnostic,
    };
    struct error error = {0};
    f->tree = tree_start(f->loop, &options, &callbacks, &error);
    if (!f->tree) {
        fail_msg("%s", error.message);
    }
    f->watch = watch;
}

// Sets f->failed and f->error, or f->version.
static inline void fixture_try_cut(struct fixture *f)
{
    char tag[32];
    snprintf(tag, sizeof tag, "20261122-1015%02u", f->cuts++);
    unsigned want = f->versions + 1;
    tree_cut(f->tree, tag);
    fixture_wait(f, &f->versions, want);
}

// A version; all that was saved before has been told when this returns.
static inline const struct tree_version *fixture_cut(struct fixture *f)
{
    char tag[32];
    snprintf(tag, sizeof tag, "20261122-1015%02u", f->cuts);
    fixture_try_cut(f);
    if (f->failed) {
        fail_msg("cut: %s", f->error.message);
    }
    assert_string_equal(f->version.tag, tag);
    return &f->version;
}

static inline void fixture_clear(struct fixture *f)
{
    f->changes = 0;
    f->total = 0;
    f->rescan = false;
    strlist_clear(&f->paths);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    unit_make_dir((void **)&f->dir);
    f->root = fs_join(f->dir, "project");
    f->store = fs_join(f->dir, "store");
    f->loop = loop_new(NULL);
    assert_int_equal(fs_mkdir_p(f->root, 0755, NULL), 0);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    tree_free(f->tree);
    loop_free(f->loop);
    strlist_clear(&f->paths);
    strlist_clear(&f->texts);
    tree_version_release(&f->version);
    free(f->root);
    free(f->store);
    unit_remove_dir((void **)&f->dir);
    free(f);
    return 0;
}

// "a/b" of the project, absolute; from a small ring of buffers.
static inline const char *at(const struct fixture *f, const char *name)
{
    static char paths[8][600];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", f->root, name);
    return path;
}

// In place, as an editor does: truncate, write, close.
static inline void put(const struct fixture *f, const char *name, const char *text)
{
    char *parent = str_dup(at(f, name));
    *strrchr(parent, '/') = '\0';
    assert_int_equal(fs_mkdir_p(parent, 0755, NULL), 0);
    free(parent);
    auto_close int fd = open(at(f, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
}

static inline bool has_notice(const struct fixture *f, const char *part)
{
    for (size_t i = 0; i < f->texts.count; i++) {
        if (strstr(f->texts.items[i], part)) {
            return true;
        }
    }
    return false;
}

// Everything up to fixture_go() happens in one moment for the helper, however busy the machine is.
static inline void fixture_halt(const struct fixture *f)
{
    assert_int_equal(kill(tree_helper_pid(f->tree), SIGSTOP), 0);
}

static inline void fixture_go(const struct fixture *f)
{
    assert_int_equal(kill(tree_helper_pid(f->tree), SIGCONT), 0);
}

// What the version holds at path, seen through its layers: NULL, or the text (owned by the caller).
static inline char *look_into(const struct tree_version *version, const char *path)
{
    for (size_t i = 0; i < version->lowers.count; i++) {
        // A whiteout, or a file, at or above the name hides what is below.
        auto_free char *full = fs_join(version->lowers.items[i], path);
        size_t base = strlen(version->lowers.items[i]) + 1;
        struct stat info;
        if (lstat(full, &info) == 0 && S_ISREG(info.st_mode)) {
            return fs_read(full, 1 << 20, NULL, NULL);
        }
        for (char *end = full + strlen(full); end; end = strrchr(full + base, '/')) {
            *end = '\0';
            if (lstat(full, &info) == 0 && !S_ISDIR(info.st_mode)) {
                return NULL;
            }
        }
    }
    return NULL;
}

static inline void expect_in(const struct tree_version *version, const char *path, const char *text)
{
    auto_free char *got = look_into(version, path);
    if (!str_equal(got, text)) {
        fail_msg("%s: \"%s\", not \"%s\"", path, got ? got : "(none)", text ? text : "(none)");
    }
}

static inline bool tree_fixture_helper(int argc, char **argv, int *ret_status)
{
    if (argc > 1 && strcmp(argv[1], "@tree") == 0) {
        *ret_status = tree_helper_main(argc, argv);
        return true;
    }
    return false;
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
