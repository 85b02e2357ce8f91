// The journal: what was flushed is read back byte for byte, by any reader, in any order; what is
// not whole is not there. The disk may be full, a segment may go under the reader.
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/logs/journal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"

static struct journal *create(const char *dir, uint64_t max_bytes, uint64_t segment_bytes)
{
    const struct journal_options options = {
        .dir = dir, .max_bytes = max_bytes, .segment_bytes = segment_bytes};
    struct error error = {0};
    struct journal *journal = journal_create(&options, &error);
    if (!journal) {
        fail_msg("%s", error.message);
    }
    return journal;
}

static uint64_t put(struct journal *journal, const char *text)
{
    return journal_append(journal, 1234567, JOURNAL_OUT, 0, "web1", text, strlen(text));
}

static void expect_text(struct journal_reader *reader, uint64_t seq, const char *text)
{
    struct journal_record record;
    assert_true(journal_read(reader, seq, &record));
    assert_int_equal(record.seq, seq);
    assert_int_equal(record.len, strlen(text));
    assert_memory_equal(record.text, text, record.len);
}

static void test_read_back(void **state)
{
    struct journal *journal = create(*state, 0, 0);
    struct journal_reader *reader = journal_open(*state, NULL);
    assert_non_null(reader);
    uint64_t first, last;
    journal_range(reader, &first, &last);
    assert_true(first > last);

    static const char bytes[] = "a\0b\xff\x1b[31m";
    assert_int_equal(journal_append(journal, -5, JOURNAL_ERR, JOURNAL_CLOUD_CUTS, "install", bytes,
                                    sizeof bytes),
                     1);
    assert_int_equal(journal_append(journal, 9, JOURNAL_EVENT, 0,
                                    "a source name that is longer than its field", "", 0),
                     2);
    struct journal_record record;
    assert_false(journal_read(reader, 1, &record)); // not flushed yet
    journal_flush(journal);
    journal_range(reader, &first, &last);
    assert_int_equal(first, 1);
    assert_int_equal(last, 2);
    assert_true(journal_read(reader, 1, &record));
    assert_int_equal(record.wall_ms, -5);
    assert_int_equal(record.stream, JOURNAL_ERR);
    assert_int_equal(record.flags, JOURNAL_CLOUD_CUTS);
    assert_string_equal(record.source, "install");
    assert_int_equal(record.len, sizeof bytes);
    assert_memory_equal(record.text, bytes, sizeof bytes);
    assert_true(journal_read(reader, 2, &record));
    assert_int_equal(strlen(record.source), sizeof record.source - 1);
    assert_int_equal(record.len, 0);
    assert_false(journal_read(reader, 3, &record));
    assert_false(journal_read(reader, 0, &record));

    // What comes after the reader's window was filled is seen too.
    put(journal, "later");
    journal_flush(journal);
    expect_text(reader, 3, "later");
    journal_reader_free(reader);
    journal_close(journal);
}

static void test_long_text_is_split(void **state)
{
    struct journal *journal = create(*state, 0, 0);
    size_t len = 2 * JOURNAL_LINE_MAX + 7;
    auto_free char *text = mem_alloc(len);
    memset(text, 'x', len);
    assert_int_equal(journal_append(journal, 1, JOURNAL_OUT, 0, "web1", text, len), 3);
    journal_flush(journal);
    struct journal_reader *reader = journal_open(*state, NULL);
    struct journal_record record;
    assert_true(journal_read(reader, 1, &record));
    assert_int_equal(record.len, JOURNAL_LINE_MAX);
    assert_int_equal(record.flags, JOURNAL_PARTIAL);
    assert_true(journal_read(reader, 3, &record));
    assert_int_equal(record.len, 7);
    assert_int_equal(record.flags, 0);
    journal_reader_free(reader);
    journal_close(journal);
}

static void test_random_access_over_segments(void **state)
{
    struct journal *journal = create(*state, 0, 20000);
    char text[600];
    for (unsigned i = 1; i <= 5000; i++) {
        memset(text, 'a' + (int)(i % 26), sizeof text);
        int len = snprintf(text, sizeof text, "line %u", i);
        text[len] = ' ';
        journal_append(journal, i, JOURNAL_OUT, 0, "web1", text, (size_t)len + i % 500);
        if (i % 37 == 0) {
            journal_flush(journal);
        }
    }
    journal_flush(journal);
    struct journal_reader *reader = journal_open(*state, NULL);
    unsigned seed = 7;
    for (int i = 0; i < 20000; i++) {
        // Random, then forwards, then backwards.
        unsigned seq = (unsigned)rand_r(&seed) % 5000 + 1;
        if (i >= 10000) {
            seq = i < 15000 ? (unsigned)i - 9999 : 20000 - (unsigned)i;
        }
        struct journal_record record;
        assert_true(journal_read(reader, seq, &record));
        int len = snprintf(text, sizeof text, "line %u", seq);
        assert_int_equal(record.len, (size_t)len + seq % 500);
        assert_memory_equal(record.text, text, (size_t)len);
        assert_int_equal(record.wall_ms, seq);
    }
    journal_reader_free(reader);
    journal_close(journal);
}

static uint64_t directory_bytes(const char *dir)
{
    uint64_t total = 0;
    DIR *stream = opendir(dir);
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        struct stat st;
        if (fstatat(dirfd(stream), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
            assert_int_equal(st.st_mode & 0777, 0600);
            total += (uint64_t)st.st_size;
        }
    }
    closedir(stream);
    return total;
}

static void test_bound_drops_oldest(void **state)
{
    struct journal *journal = create(*state, 200000, 20000);
    struct journal_reader *reader = journal_open(*state, NULL);
    put(journal, "the first line");
    journal_flush(journal);
    expect_text(reader, 1, "the first line"); // the reader holds this segment open from here on
    for (int i = 0; i < 20000; i++) {
        put(journal, "a line that is long enough to fill a segment in reasonable time, we hope");
        if (i % 10 == 0) {
            journal_flush(journal);
        }
    }
    journal_flush(journal);
    uint64_t first, last;
    journal_range(reader, &first, &last);
    assert_int_equal(last, 20001);
    assert_true(first > 15000);
    assert_true(directory_bytes(*state) <= 230000);
    struct journal_record record;
    assert_false(journal_read(reader, 1, &record));
    assert_false(journal_read(reader, first - 1, &record));
    assert_true(journal_read(reader, first, &record));
    assert_true(journal_read(reader, last, &record));
    assert_int_equal(journal_lost(journal), 0);
    journal_reader_free(reader);
    journal_close(journal);
}

static void test_modes_and_old_files(void **state)
{
    auto_free char *dir = fs_join(*state, "journal");
    assert_int_equal(fs_mkdir_p(dir, 0755, NULL), 0);
    unit_write(dir, "00000000000003e8.log", "an older engine's");
    unit_write(dir, "00000000000003e8.idx", "an older engine's");
    unit_write(dir, "head", "an older engine's");
    unit_write(dir, "keep.log", "not ours");
    struct journal *journal = create(dir, 0, 0);
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    auto_free char *old = fs_join(dir, "00000000000003e8.log");
    auto_free char *keep = fs_join(dir, "keep.log");
    assert_false(fs_exists(old));
    assert_true(fs_exists(keep));
    assert_int_equal(unlink(keep), 0);
    put(journal, "new");
    journal_flush(journal);
    assert_true(directory_bytes(dir) > 0); // checks the modes
    journal_close(journal);
}

static void test_reader_outlives_its_engine(void **state)
{
    struct journal *journal = create(*state, 0, 0);
    put(journal, "old");
    journal_flush(journal);
    struct journal_reader *old = journal_open(*state, NULL);
    expect_text(old, 1, "old");
    journal_close(journal);
    journal = create(*state, 0, 0);
    put(journal, "new");
    journal_flush(journal);
    expect_text(old, 1, "old");
    struct journal_reader *fresh = journal_open(*state, NULL);
    expect_text(fresh, 1, "new");
    journal_reader_free(old);
    journal_reader_free(fresh);
    journal_close(journal);
}

// Any single wrong byte of the files: a record is right or not there.
static void test_damage_is_never_misread(void **state)
{
    struct journal *journal = create(*state, 0, 0);
    static const char *const texts[] = {"one", "two and more", "three", "four four four"};
    for (int i = 0; i < 4; i++) {
        put(journal, texts[i]);
    }
    journal_close(journal);
    static const char *const names[] = {"0000000000000001.log", "0000000000000001.idx", "head"};
    for (int n = 0; n < 3; n++) {
        auto_free char *path = fs_join(*state, names[n]);
        auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
        unsigned char byte;
        for (off_t at = 0; pread(fd, &byte, 1, at) == 1; at++) {
            unsigned char wrong = byte ^ (unsigned char)(1 << at % 8);
            assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
            struct journal_reader *reader = journal_open(*state, NULL);
            for (uint64_t seq = 1; reader && seq <= 4; seq++) {
                struct journal_record record;
                if (journal_read(reader, seq, &record)) {
                    assert_int_equal(record.len, strlen(texts[seq - 1]));
                    assert_memory_equal(record.text, texts[seq - 1], record.len);
                    assert_string_equal(record.source, "web1");
                    assert_int_equal(record.wall_ms, 1234567);
                }
            }
            journal_reader_free(reader);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
    }
    // A cut tail, too.
    auto_free char *log = fs_join(*state, names[0]);
    assert_int_equal(truncate(log, 100), 0);
    struct journal_reader *reader = journal_open(*state, NULL);
    struct journal_record record;
    assert_true(journal_read(reader, 1, &record));
    assert_false(journal_read(reader, 4, &record));
    journal_reader_free(reader);
}

// RLIMIT_FSIZE makes writes fail as a full disk does (EFBIG), in the middle of a buffer.
static void test_failing_disk_is_counted(void **state)
{
    struct journal *journal = create(*state, 0, 0);
    put(journal, "before");
    journal_flush(journal);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 2000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 100; i++) {
        put(journal, "lost lost lost lost lost lost lost lost lost lost lost lost lost lost");
    }
    journal_flush(journal);
    assert_int_equal(journal_lost(journal), 100);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    uint64_t after = put(journal, "after");
    assert_int_equal(after, 102);
    journal_flush(journal);
    struct journal_reader *reader = journal_open(*state, NULL);
    struct journal_record record;
    expect_text(reader, 1, "before");
    for (uint64_t seq = 2; seq < after; seq++) {
        assert_false(journal_read(reader, seq, &record));
    }
    expect_text(reader, after, "after");
    journal_reader_free(reader);
    journal_close(journal);
}

static void test_vanished_directory_is_no_crash(void **state)
{
    auto_free char *dir = fs_join(*state, "gone");
    struct journal *journal = create(dir, 0, 10000);
    assert_int_equal(fs_remove_tree(dir, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        put(journal, "into the void, which is not fatal and has to be counted at some point");
    }
    journal_flush(journal);
    assert_int_equal(journal_lost(journal), 1000);
    assert_null(journal_open(dir, NULL));
    journal_close(journal);
}

int main(void)
{
#define JOURNAL_TEST(name) cmocka_unit_test_setup_teardown(name, unit_make_dir, unit_remove_dir)
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_read_back),
        JOURNAL_TEST(test_long_text_is_split),
        JOURNAL_TEST(test_random_access_over_segments),
        JOURNAL_TEST(test_bound_drops_oldest),
        JOURNAL_TEST(test_modes_and_old_files),
        JOURNAL_TEST(test_reader_outlives_its_engine),
        JOURNAL_TEST(test_damage_is_never_misread),
        JOURNAL_TEST(test_failing_disk_is_counted),
        JOURNAL_TEST(test_vanished_directory_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
