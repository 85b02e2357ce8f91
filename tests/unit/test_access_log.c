// The access log: each line is one JSON object whatever a client sends, files go by day and size,
// the oldest are dropped and counted, a half line of a killed engine spoils nothing.
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "emulator/logs/access_log.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/json.h"

#define DAY_MS 86400000

static int64_t now_ms(void)
{
    return clock_wall_ms() / 1000 * 1000 + 42;
}

static struct access_entry entry_of(int64_t wall_ms, const char *url)
{
    return (struct access_entry){.wall_ms = wall_ms,
                                 .total_us = 3214,
                                 .first_byte_us = 2981,
                                 .request_bytes = 412,
                                 .response_bytes = 1830,
                                 .status = 200,
                                 .retries = 1,
                                 .instance = "web1",
                                 .method = "GET",
                                 .url = url,
                                 .host = "localhost:3000",
                                 .rule = "",
                                 .client = "127.0.0.1",
                                 .user_agent = {"curl", 4}};
}

static void test_line(void **unused)
{
    (void)unused;
    struct buf out = {0};
    struct access_entry entry = entry_of(1795342531042, "/a?b=c");
    assert_true(access_line(&out, &entry));
    assert_string_equal(
        out.data,
        "{\"time\":\"2026-11-22T10:15:31.042Z\",\"instanceName\":\"web1\","
        "\"method\":\"GET\",\"url\":\"/a?b=c\",\"host\":\"localhost:3000\",\"status\":200,"
        "\"durationMs\":3.214,\"firstByteMs\":2.981,\"requestBytes\":412,"
        "\"responseBytes\":1830,\"retries\":1,\"rule\":\"\",\"client\":\"127.0.0.1\","
        "\"userAgent\":\"curl\",\"referer\":\"\"}\n");
    buf_release(&out);
}

static void test_any_bytes(void **unused)
{
    (void)unused;
    char every[512];
    for (size_t i = 0; i < sizeof every; i++) {
        every[i] = (char)(i % 255 + 1);
    }
    auto_free char *longer = mem_alloc(100001);
    memset(longer, '"', 100000);
    static const char nul[] = "a\0b";
    const struct access_text texts[] = {
        {every, sizeof every}, {nul, 3}, {longer, 100000}, {"\xff\xfe", 2}, {"\xf0\x9f\x98", 3}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf out = {.max = 1 << 20};
        auto_free char *url = str_dup_len(texts[i].bytes, strnlen(texts[i].bytes, texts[i].len));
        struct access_entry entry = entry_of(1, url);
        entry.user_agent = entry.referer = texts[i];
        assert_true(access_line(&out, &entry));
        assert_int_equal(out.data[out.len - 1], '\n');
        assert_ptr_equal(memchr(out.data, '\n', out.len), out.data + out.len - 1);
        struct error error = {0};
        struct cJSON *tree = json_parse(out.data, out.len, "line", &error);
        if (!tree) {
            fail_msg("text %zu: %s\n%s", i, error.message, out.data);
        }
        json_free(tree);
        buf_release(&out);
    }
}

static struct access_log *open_log(const char *dir, uint64_t max, uint64_t segment)
{
    const struct access_log_options options = {
        .dir = dir, .max_bytes = max, .segment_bytes = segment};
    return access_log_new(&options);
}

static size_t files_in(const char *dir, uint64_t *ret_bytes)
{
    DIR *stream = opendir(dir);
    size_t count = 0;
    *ret_bytes = 0;
    for (struct dirent *at; stream && (at = readdir(stream));) {
        auto_free char *path = fs_join(dir, at->d_name);
        auto_free char *text = at->d_name[0] == '.' ? NULL : fs_read(path, 1 << 24, NULL, NULL);
        count += text != NULL;
        *ret_bytes += text ? strlen(text) : 0;
    }
    if (stream) {
        closedir(stream);
    }
    return count;
}

static void expect_next(struct access_reader *reader, const char *part)
{
    const char *line;
    size_t len;
    int64_t wall_ms;
    assert_true(access_reader_next(reader, &line, &len, &wall_ms));
    assert_int_equal(len, strlen(line));
    if (!strstr(line, part)) {
        fail_msg("no %s in %s", part, line);
    }
}

static void expect_end(struct access_reader *reader)
{
    const char *line;
    size_t len;
    int64_t wall_ms;
    assert_false(access_reader_next(reader, &line, &len, &wall_ms));
}

static void add(struct access_log *log, int64_t wall_ms, int number)
{
    char url[32];
    snprintf(url, sizeof url, "/%d.", number);
    struct access_entry entry = entry_of(wall_ms, url);
    access_log_add(log, &entry);
}

static void test_follow_over_days_and_starts(void **state)
{
    auto_free char *dir = fs_join(*state, "access");
    struct access_reader *reader = access_reader_new(dir);
    expect_end(reader); // not even a directory
    int64_t now = now_ms();
    struct access_log *log = open_log(dir, 0, 0);
    assert_false(fs_exists(dir)); // nothing before the first line
    struct access_entry entry = entry_of(now - 2 * DAY_MS, "/1.");
    assert_true(access_log_add(log, &entry));
    assert_false(access_log_add(log, &entry)); // a flush is on its way already
    expect_end(reader);
    access_log_flush(log);
    expect_next(reader, "/1.");
    expect_next(reader, "/1.");
    expect_end(reader);
    add(log, now - 2 * DAY_MS, 3);
    add(log, now - DAY_MS, 4);
    add(log, now, 5);
    add(log, now - DAY_MS, 6); // began before midnight, ended behind it
    access_log_free(log);
    expect_next(reader, "/3.");
    expect_next(reader, "/4.");
    expect_next(reader, "/5.");
    expect_next(reader, "/6.");
    expect_end(reader);
    uint64_t bytes;
    assert_int_equal(files_in(dir, &bytes), 3);
    // Another start on the same day goes on in the same file.
    log = open_log(dir, 0, 0);
    add(log, now, 7);
    access_log_free(log);
    expect_next(reader, "/7.");
    expect_end(reader);
    assert_int_equal(files_in(dir, &bytes), 3);
    assert_int_equal(access_reader_dropped(reader), 0);
    access_reader_free(reader);
    // Days that are over are not even opened.
    reader = access_reader_new(dir);
    access_reader_skip_until(reader, now);
    expect_next(reader, "/5.");
    access_reader_free(reader);
}

static void test_bounds(void **state)
{
    auto_free char *dir = fs_join(*state, "access");
    struct access_log *log = open_log(dir, 20000, 4000);
    for (int i = 1; i <= 1000; i++) {
        add(log, now_ms(), i);
        access_log_flush(log);
    }
    access_log_free(log);
    uint64_t bytes;
    size_t files = files_in(dir, &bytes);
    assert_true(files >= 4 && files <= 6);
    assert_true(bytes > 12000 && bytes <= 21000);
    struct access_reader *reader = access_reader_new(dir);
    const char *line;
    size_t len;
    int64_t wall_ms;
    uint64_t count = 0;
    while (access_reader_next(reader, &line, &len, &wall_ms)) {
        count++;
    }
    assert_int_equal(access_reader_dropped(reader), 1000 - count);
    access_reader_free(reader);
    // Numbers go on after a restart.
    log = open_log(dir, 20000, 4000);
    add(log, now_ms(), 1001);
    access_log_free(log);
    reader = access_reader_new(dir);
    for (count = 0; access_reader_next(reader, &line, &len, &wall_ms); count++) {
    }
    assert_int_equal(access_reader_dropped(reader), 1001 - count);
    access_reader_free(reader);
}

static void test_old_days_go(void **state)
{
    auto_free char *dir = fs_join(*state, "access");
    struct access_log *log = open_log(dir, 0, 0);
    for (int day = 40; day >= 0; day -= 10) {
        add(log, now_ms() - (int64_t)day * DAY_MS, day);
    }
    access_log_free(log);
    struct access_reader *reader = access_reader_new(dir);
    expect_next(reader, "/30.");
    assert_int_equal(access_reader_dropped(reader), 1);
    access_reader_free(reader);
}

static void test_half_a_line(void **state)
{
    auto_free char *dir = fs_join(*state, "access");
    struct access_log *log = open_log(dir, 0, 0);
    add(log, now_ms(), 1);
    access_log_free(log);
    DIR *stream = opendir(dir);
    struct dirent *at;
    while ((at = readdir(stream)) && at->d_name[0] == '.') {
    }
    auto_free char *path = fs_join(dir, at->d_name);
    closedir(stream);
    auto_fclose FILE *file = fopen(path, "a");
    assert_true(fputs("{\"time\":\"20", file) >= 0);
    assert_int_equal(fflush(file), 0);
    struct access_reader *reader = access_reader_new(dir);
    expect_next(reader, "/1.");
    expect_end(reader); // the half one is not there
    access_reader_free(reader);
    log = open_log(dir, 0, 0);
    add(log, now_ms(), 2);
    access_log_free(log);
    reader = access_reader_new(dir);
    expect_next(reader, "/1.");
    expect_next(reader, "/2.");
    expect_end(reader);
    access_reader_free(reader);
}

static void test_disk_that_takes_nothing(void **state)
{
    unit_write(*state, "file", "");
    auto_free char *dir = fs_join(*state, "file/access");
    struct access_log *log = open_log(dir, 0, 0);
    add(log, now_ms(), 1);
    access_log_flush(log);
    assert_int_equal(access_log_lost(log), 1);
    access_log_free(log);
}

int main(void)
{
    setenv("TZ", "Asia/Shanghai", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test_setup_teardown(test_follow_over_days_and_starts, unit_make_dir,
                                        unit_remove_dir),
        cmocka_unit_test_setup_teardown(test_bounds, unit_make_dir, unit_remove_dir),
        cmocka_unit_test_setup_teardown(test_old_days_go, unit_make_dir, unit_remove_dir),
        cmocka_unit_test_setup_teardown(test_half_a_line, unit_make_dir, unit_remove_dir),
        cmocka_unit_test_setup_teardown(test_disk_that_takes_nothing, unit_make_dir,
                                        unit_remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
