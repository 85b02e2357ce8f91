// Lines and times as the platform's tool has them.
#include "tests/unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"
#include "tui/cli_log.h"

#define NOW_MS 1795342531042 // 2026-11-22 10:15:31 UTC, 18:15:31 in Shanghai

static struct journal_record record_of(enum journal_stream stream, const char *source,
                                       int64_t wall_ms, const char *text)
{
    struct journal_record record = {
        .seq = 7, .wall_ms = wall_ms, .stream = stream, .text = text, .len = strlen(text)};
    snprintf(record.source, sizeof record.source, "%s", source);
    return record;
}

static void test_text(void **unused)
{
    (void)unused;
    static const struct {
        enum journal_stream stream;
        const char *source, *text;
        int64_t ago_ms;
        bool color;
        const char *line;
    } rows[] = {
        {JOURNAL_OUT, "web1", "hello", 0, false, "web1  18:15:31  hello\r\n"},
        {JOURNAL_OUT, "web1", "hello", 0, true, "web1 \033[37;42m 18:15:31 \033[0m hello\r\n"},
        {JOURNAL_ERR, "web12", "oh", 0, true, "web12 \033[37;41m 18:15:31 \033[0m oh\r\n"},
        {JOURNAL_OUT, "", "x", 0, false, "      18:15:31  x\r\n"},
        {JOURNAL_OUT, "web1", "then", 86400000, false, "web1  2026-11-21 18:15:31  then\r\n"},
        {JOURNAL_OUT, "web1", "morning", 18 * 3600000, false, "web1  00:15:31  morning\r\n"},
        {JOURNAL_OUT, "web1", "a\033[2Jb\007", 0, false, "web1  18:15:31  ab"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct journal_record record =
            record_of(rows[i].stream, rows[i].source, NOW_MS - rows[i].ago_ms, rows[i].text);
        auto_free char *line = cli_log_text(&record, NOW_MS, rows[i].color);
        if (strncmp(line, rows[i].line, strlen(rows[i].line)) != 0) {
            fail_msg("row %zu: \"%s\", wanted \"%s\"", i, line, rows[i].line);
        }
        assert_null(strstr(line, "\033[2J")); // what an app writes drives no terminal
    }
}

static void test_json(void **unused)
{
    (void)unused;
    struct journal_record record = record_of(JOURNAL_ERR, "web1", NOW_MS, "oh \"no\"");
    auto_free char *line = cli_log_json(&record);
    struct cJSON *tree = json_parse(line, strlen(line), "line", NULL);
    static const struct {
        const char *name, *value;
    } members[] = {{"instanceName", "web1"}, {"content", "oh \"no\""},
                   {"type", "error"},        {"time", "2026-11-22T10:15:31.042Z"},
                   {"groupName", "web"},     {"stream", "stderr"}};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        assert_string_equal(json_get_string(tree, members[i].name), members[i].value);
    }
    assert_int_equal(json_get_int(tree, "prod", -1), 1);
    assert_non_null(json_get_string(tree, "id"));
    assert_int_equal(json_count(tree), 8);
    json_free(tree);
}

static void test_times(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        bool ends;
        int64_t wall_ms; // -1: not a time
    } rows[] = {
        {"2026-11-22", false, 1795276800000},
        {"2026-11-22", true, 1795363200000},
        {"2026-11-30", true, 1796054400000}, // the first of December
        {"2026-11-22T10:15:31Z", false, 1795342531000},
        {"2026-11-22T10:15:31.042Z", true, 1795342531042},
        {"2026-11-22T10:15:31.5Z", false, 1795342531500},
        {"2026-11-22T18:15:31+08:00", false, 1795342531000},
        {"2026-11-22T05:45:31-04:30", false, 1795342531000},
        {"2026-11-22T10:15:31", false, -1},
        {"2026-11-22T10:15:31+0800", false, -1},
        {"2026-11-22T10:15:31Zulu", false, -1},
        {"2026-11-22 10:15", false, -1},
        {"22.11.2026", false, -1},
        {"yesterday", false, -1},
        {"", false, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t wall_ms = -1;
        assert_int_equal(cli_log_time(rows[i].text, rows[i].ends, &wall_ms), rows[i].wall_ms >= 0);
        if (wall_ms != rows[i].wall_ms) {
            fail_msg("%s: %lld", rows[i].text, (long long)wall_ms);
        }
    }
}

int main(void)
{
    setenv("TZ", "Asia/Shanghai", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
