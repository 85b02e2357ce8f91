// A version costs what changed, not what exists (DESIGN 4): one changed file among many. Counted,
// not timed: inodes and bytes that are new in the store. LEANLOCAL_TREE_FILES: how many (./dev soak
// tree).
#include "tests/unit/tree_fixture.h"

#include <ftw.h>
#include <sys/statvfs.h>

#define FILES      20000
#define IN_A_DIR   100
#define ROOM_MIN   (1ull << 30)
#define INODES_MAX 50
#define BYTES_MAX  4096 // each file has some 20

struct census {
    ino_t *inodes;
    size_t count, cap;
    uint64_t bytes;
};

static struct census *counted;

static int count_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)path;
    (void)type;
    (void)ftw;
    if (counted->count == counted->cap) {
        counted->cap = counted->cap ? 2 * counted->cap : 4096;
        counted->inodes = mem_resize(counted->inodes, counted->cap * sizeof *counted->inodes);
    }
    counted->inodes[counted->count++] = info->st_ino;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    ino_t x = *(const ino_t *)a;
    ino_t y = *(const ino_t *)b;
    return (x > y) - (x < y);
}

static void take_census(const char *dir, struct census *census)
{
    counted = census;
    nftw(dir, count_one, 16, FTW_PHYS);
    qsort(census->inodes, census->count, sizeof *census->inodes, by_number);
}

static size_t count_new(const struct census *before, const struct census *after)
{
    size_t found = 0;
    for (size_t i = 0; i < after->count; i++) {
        bool repeated = i > 0 && after->inodes[i] == after->inodes[i - 1];
        found += !repeated && !bsearch(&after->inodes[i], before->inodes, before->count,
                                       sizeof *before->inodes, by_number);
    }
    return found;
}

static unsigned wanted_files(void)
{
    const char *text = getenv("LEANLOCAL_TREE_FILES");
    return text ? (unsigned)strtoul(text, NULL, 10) : FILES;
}

static void make_files(const struct fixture *f, unsigned files)
{
    for (unsigned i = 0; i < files; i++) {
        char path[64], text[32];
        if (i % IN_A_DIR == 0) {
            snprintf(path, sizeof path, "d%u", i / IN_A_DIR);
            assert_int_equal(mkdir(at(f, path), 0755), 0);
        }
        snprintf(path, sizeof path, "d%u/f%u.py", i / IN_A_DIR, i);
        int len = snprintf(text, sizeof text, "x = %u\n", i);
        auto_close int fd = open(at(f, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_int_equal(fs_write_all(fd, text, (size_t)len), 0);
    }
}

// In memory where there is room: a disk may need milliseconds a file to make and remove them.
static int setup(void **state)
{
    fixture_setup(state);
    struct fixture *f = *state;
    struct statvfs room;
    if (statvfs("/dev/shm", &room) < 0 || room.f_bavail * room.f_frsize < ROOM_MIN ||
        access("/dev/shm", W_OK) < 0) {
        return 0;
    }
    unit_remove_dir((void **)&f->dir);
    char *dir = str_dup("/dev/shm/leanlocal-unit-XXXXXX");
    f->dir = mkdtemp(dir);
    free(f->root);
    free(f->store);
    f->root = fs_join(f->dir, "project");
    f->store = fs_join(f->dir, "store");
    return f->dir && mkdir(f->root, 0755) == 0 ? 0 : -1;
}

// Saves one file and cuts. What the store has more of then.
static void save_one(struct fixture *f, unsigned number, unsigned round)
{
    struct census before = {0};
    struct census after = {0};
    char path[64], text[32];
    snprintf(path, sizeof path, "d%u/f%u.py", number / IN_A_DIR, number);
    snprintf(text, sizeof text, "round = %u\n", round);
    take_census(f->store, &before);
    unsigned want = f->changes + 1;
    put(f, path, text);
    fixture_wait(f, &f->changes, want);
    int64_t begun_us = clock_now_us();
    fixture_cut(f);
    int64_t took_us = clock_now_us() - begun_us;
    take_census(f->store, &after);
    size_t inodes = count_new(&before, &after);
    print_message("cut of one changed file: %lld us, %zu inodes, %llu bytes\n", (long long)took_us,
                  inodes, (unsigned long long)f->version.written_bytes);
    expect_in(&f->version, path, text);
    assert_in_range(inodes, 1, INODES_MAX);
    assert_in_range(f->version.written_bytes, 1, BYTES_MAX);
    free(before.inodes);
    free(after.inodes);
}

static void one_changed_file_among_many(void **state)
{
    struct fixture *f = *state;
    unsigned files = wanted_files();
    make_files(f, files);
    int64_t begun_us = clock_now_us();
    fixture_start(f, true);
    fixture_cut(f);
    print_message("%u files: the first version after %lld ms\n", files,
                  (long long)(clock_now_us() - begun_us) / 1000);
    assert_int_equal(f->file_count, files);
    for (unsigned i = 0; i < 5; i++) { // each in another directory: the delta grows
        save_one(f, i * (files / 5), i);
    }
    save_one(f, 0, 5);
}

int main(int argc, char **argv)
{
    int status;
    if (tree_fixture_helper(argc, argv, &status)) {
        return status;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_changed_file_among_many, setup, fixture_teardown)};
    return cmocka_run_group_tests_name("tree cost", tests, NULL, NULL);
}
