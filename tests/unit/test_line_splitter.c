// Bytes to lines: the same lines come out however the bytes were cut into reads.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/logs/journal.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"

// Each line as "text|flags;", a long one as its length.
static void record_line(void *context, const char *text, size_t len, unsigned flags)
{
    struct buf *out = context;
    assert_true(len <= JOURNAL_LINE_MAX);
    if (len > 100) {
        buf_addf(out, "<%zu>", len);
    } else {
        buf_add(out, text, len);
    }
    buf_addf(out, "|%u;", flags);
}

static char *split(const char *bytes, size_t len, size_t step)
{
    struct buf out = {0};
    struct line_splitter *splitter = line_splitter_new(record_line, &out);
    for (size_t at = 0; at < len; at += step) {
        line_splitter_feed(splitter, bytes + at, len - at < step ? len - at : step);
    }
    line_splitter_finish(splitter);
    line_splitter_free(splitter);
    return buf_steal(&out);
}

static void expect_split(const char *bytes, size_t len, const char *expected)
{
    static const size_t steps[] = {1, 2, 3, 7, 4096, 65536, 1 << 24};
    for (size_t i = len > 100000 ? 3 : 0; i < ARRAY_LEN(steps); i++) {
        auto_free char *got = split(bytes, len, steps[i]);
        assert_string_equal(got, expected);
    }
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *expected;
    } rows[] = {
        {"", ""},
        {"\n", "|0;"},
        {"a\nb\n", "a|0;b|0;"},
        {"a\nb", "a|0;b|0;"},
        {"a\r\nb\r\n", "a|0;b|0;"},
        {"a\rb\n", "a\rb|0;"},
        {"a\r\r\n", "a\r|0;"},
        {"\r\n\r\n", "|0;|0;"},
        {"a\r", "a|0;"},
        {"\xff\xfe\n", "\xff\xfe|0;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_split(rows[i].bytes, strlen(rows[i].bytes), rows[i].expected);
    }
}

// `unit` repeated `count` times, then `tail`.
static void expect_long(const char *unit, size_t count, const char *tail, const char *expected)
{
    struct buf bytes = {0};
    for (size_t i = 0; i < count; i++) {
        buf_adds(&bytes, unit);
    }
    buf_adds(&bytes, tail);
    expect_split(bytes.data, bytes.len, expected);
    buf_release(&bytes);
}

static void test_cloud_limit_counts_characters(void **state)
{
    (void)state;
    expect_long("x", 4096, "\n", "<4096>|0;");
    expect_long("x", 4096, "\r\n", "<4096>|0;");
    expect_long("x", 4097, "\n", "<4097>|2;");
    expect_long("\xe4\xb8\xad", 4096, "\n", "<12288>|0;");
    expect_long("\xe4\xb8\xad", 4097, "\n", "<12291>|2;");
    expect_long("\xff", 4097, "\n", "<4097>|2;"); // not UTF-8: one each
}

static void test_own_bound(void **state)
{
    (void)state;
    expect_long("x", 65536, "\n", "<65536>|2;");
    expect_long("x", 65536, "\r\n", "<65536>|2;");
    expect_long("x", 65536, "", "<65536>|2;");
    expect_long("x", 65537, "\n", "<65536>|6;x|2;");
    expect_long("x", 65536, "\ry\nz\n", "<65536>|6;\ry|2;z|0;");
    expect_long("x", 200000, "\nshort\n", "<65536>|6;<65536>|6;<65536>|6;<3392>|2;short|0;");
    // Never in the middle of a character: 65536 = 21845 * 3 + 1.
    expect_long("\xe4\xb8\xad", 21846, "\n", "<65535>|6;\xe4\xb8\xad|2;");
    expect_long("\xf0\x9f\x98\x80", 16385, "\n", "<65536>|6;\xf0\x9f\x98\x80|2;");
    expect_long("\x80", 65540, "\n", "<65536>|6;\x80\x80\x80\x80|2;");
}

static void test_minute_limit(void **state)
{
    (void)state;
    struct line_limit limit = {0};
    for (int i = 0; i < 600; i++) {
        assert_true(line_limit_take(&limit, 60000 + i * 50, 600));
    }
    assert_false(line_limit_take(&limit, 119999, 600));
    assert_false(line_limit_take(&limit, 119999, 600));
    assert_int_equal(limit.dropped, 2);
    assert_true(line_limit_take(&limit, 120000, 600)); // the next minute
    assert_int_equal(limit.count, 1);
    assert_int_equal(limit.dropped, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_cloud_limit_counts_characters),
        cmocka_unit_test(test_own_bound),
        cmocka_unit_test(test_minute_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
