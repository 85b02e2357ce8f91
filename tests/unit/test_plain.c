// The plain printer: records as lines (golden), and its ends against scenes of an engine.
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sandbox/base/clock.h"
#include "tests/unit/fake_engine.h"
#include "tui/client.h"
#include "tui/language.h"
#include "tui/plain.h"

struct line {
    int second; // after 10:15:00
    enum journal_stream stream;
    const char *source;
    const char *text;
};

#define EVENT(second, json)                                                                        \
    {                                                                                              \
        second, JOURNAL_EVENT, "", json                                                            \
    }

static const struct line lines[] = {
    EVENT(24, "{\"kind\":\"engine\",\"state\":\"started\",\"text\":\"/home/me/hello\"}"),
    EVENT(24, "{\"kind\":\"gateway\",\"text\":\"http://localhost:3000\"}"),
    EVENT(24, "{\"kind\":\"stage\",\"stage\":\"detect\",\"state\":\"done\",\"ms\":3,"
              "\"text\":\"Python runtime detected (wsgi.py, requirements.txt)\"}"),
    EVENT(24, "{\"kind\":\"stage\",\"stage\":\"python\",\"state\":\"running\"}"),
    EVENT(24, "{\"kind\":\"stage\",\"stage\":\"python\",\"state\":\"done\",\"text\":\"3.11.7\"}"),
    EVENT(24, "{\"kind\":\"notice\",\"severity\":\"deviation\",\"rule\":\"P-42\","
              "\"text\":\"the cloud would take 3.14\",\"mend\":\"write .python-version\"}"),
    EVENT(24, "{\"kind\":\"notice\",\"severity\":\"note\",\"text\":\"two\\nlines\"}"),
    EVENT(25, "{\"kind\":\"stage\",\"stage\":\"install\",\"state\":\"running\","
              "\"text\":\"pip install -r requirements.txt\"}"),
    {26, JOURNAL_BUILD, "install", "Collecting Flask"},
    EVENT(29, "{\"kind\":\"stage\",\"stage\":\"install\",\"state\":\"done\",\"ms\":4320}"),
    EVENT(29, "{\"kind\":\"stage\",\"stage\":\"install\",\"state\":\"cached\"}"),
    EVENT(29, "{\"kind\":\"stage\",\"stage\":\"build\",\"state\":\"skipped\"}"),
    EVENT(29, "{\"kind\":\"version\",\"version\":\"20261122-101530\",\"count\":4}"),
    EVENT(30, "{\"kind\":\"stage\",\"stage\":\"start\",\"state\":\"running\"}"),
    EVENT(30, "{\"kind\":\"instance\",\"instance\":\"web1\",\"version\":\"20261122-101530\","
              "\"state\":\"preparing\"}"),
    EVENT(30, "{\"kind\":\"instance\",\"instance\":\"web1\",\"version\":\"20261122-101530\","
              "\"state\":\"starting\"}"),
    EVENT(30, "{\"kind\":\"listen\",\"instance\":\"web1\",\"text\":\"0.0.0.0:3000\"}"),
    EVENT(30, "{\"kind\":\"probe\",\"instance\":\"web1\",\"path\":\"/\",\"status\":404,"
              "\"state\":\"not-yet\"}"),
    EVENT(30, "{\"kind\":\"probe\",\"instance\":\"web1\",\"path\":\"/\",\"status\":200,\"ms\":2,"
              "\"state\":\"healthy\"}"),
    EVENT(30, "{\"kind\":\"ready\",\"version\":\"20261122-101530\",\"ms\":1480,"
              "\"text\":\"http://localhost:3000\"}"),
    {31, JOURNAL_OUT, "web1", "Serving \033[32m'app'\033[0m \033]0;x\a\xff"},
    {31, JOURNAL_ERR, "web1", "Warning: 你好"},
    EVENT(52, "{\"kind\":\"save\",\"text\":\"app.py\",\"count\":1}"),
    EVENT(52, "{\"kind\":\"ready\",\"version\":\"20261122-101552\",\"ms\":8}"),
    EVENT(80, "{\"kind\":\"failed\",\"stage\":\"start\",\"text\":\"app.py:12: SyntaxError: invalid "
              "syntax\",\"version\":\"20261122-101552\"}"),
    EVENT(81, "{\"kind\":\"failed\",\"stage\":\"start\",\"text\":\"it listens on 127.0.0.1\","
              "\"rule\":\"P-105\",\"cloud\":\"实例启动失败\",\"mend\":\"host='0.0.0.0'\"}"),
    EVENT(82, "{\"kind\":\"probe\",\"instance\":\"web1\",\"path\":\"/\",\"state\":\"failed\","
              "\"text\":\"Connection refused\"}"),
    EVENT(83, "{\"kind\":\"cloud\",\"cloud\":\"[REMOTE] 部署完成\"}"),
    EVENT(84, "{\"kind\":\"engine\",\"state\":\"stopping\"}"),
    EVENT(84, "{\"kind\":\"done\",\"status\":0}"),
    EVENT(84, "{\"kind\":\"from-the-future\"}"),
    EVENT(84, "not json"),
};

static void compare(const char *name, const char *text)
{
    auto_free char *path = str_printf("%s/golden/%s.txt", TESTS_DIR, name);
    if (getenv("GENERATE")) {
        assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, NULL), 0);
        return;
    }
    auto_free char *expected = fs_read(path, 1 << 20, NULL, NULL);
    if (!str_equal(expected, text)) {
        fail_msg("%s differs; is:\n%s\nexpected:\n%s", path, text, expected ? expected : "(none)");
    }
}

static char *format_all(const struct plain_options *options)
{
    char *all = str_dup("");
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct journal_record record = {
            .seq = i + 1,
            .wall_ms = FAKE_WALL_MS - 31000 + lines[i].second * 1000,
            .stream = lines[i].stream,
            .text = lines[i].text,
            .len = strlen(lines[i].text),
        };
        snprintf(record.source, sizeof record.source, "%s", lines[i].source);
        auto_free char *text = plain_format_record(&record, options);
        char *longer = str_printf("%s%s", all, text ? text : "");
        free(all);
        all = longer;
    }
    return all;
}

static void test_records(void **state)
{
    (void)state;
    auto_free char *all = format_all(&(struct plain_options){.build_output = true});
    compare("plain_all", all);
    auto_free char *color =
        format_all(&(struct plain_options){.color = true, .build_output = true});
    compare("plain_color", color);
    auto_free char *quiet = format_all(&(struct plain_options){.quiet_app = true});
    assert_null(strstr(quiet, "Serving"));
    assert_null(strstr(quiet, "Collecting"));
    assert_non_null(strstr(quiet, "ready"));
}

// ---- runs ----

static void scene_until_stop(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_snapshot(fake);
    fake_event(fake, "{\"kind\":\"ready\",\"version\":\"20261122-101530\",\"ms\":480}");
    fake_log(fake, JOURNAL_OUT, "web1", "hello");
    fake_wait(fake, "stop");
    fake_log(fake, JOURNAL_OUT, "web1", "the last word");
    fake_event(fake, "{\"kind\":\"done\",\"status\":0}");
}

static void scene_fails(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_snapshot(fake);
    fake_event(fake, "{\"kind\":\"failed\",\"stage\":\"install\",\"text\":\"pip failed\"}");
    fake_event(fake, "{\"kind\":\"done\",\"status\":1}");
}

static void build_line(struct fake *fake, unsigned flags, const char *text)
{
    journal_append(fake->journal, fake->wall_ms, JOURNAL_BUILD, flags, "install", text,
                   strlen(text));
    fake_grown(fake);
}

// P-67: of three steps the second fails; what is said about it ends with its last line.
static void scene_step_fails(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_snapshot(fake);
    build_line(fake, JOURNAL_STEP, "$ one");
    build_line(fake, 0, "of the first");
    build_line(fake, JOURNAL_STEP, "$ two");
    build_line(fake, 0, "of the second");
    build_line(fake, JOURNAL_OWN, "no output for 10 s");
    build_line(fake, 0, "why");
    build_line(fake, 0, "");
    fake_event(fake, "{\"kind\":\"failed\",\"stage\":\"install\",\"text\":\"two: exit 1\\nof the "
                     "second\\nwhy\"}");
    fake_event(fake, "{\"kind\":\"stage\",\"stage\":\"install\",\"state\":\"running\"}");
    fake_event(fake, "{\"kind\":\"failed\",\"stage\":\"install\",\"text\":\"no pip\\nwhy\"}");
    fake_event(fake, "{\"kind\":\"done\",\"status\":1}");
}

// It ends before anybody learnt where its journal is.
static void scene_early(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_event(fake, "{\"kind\":\"failed\",\"stage\":\"detect\",\"text\":\"no project\"}");
    fake_event(fake, "{\"kind\":\"done\",\"status\":2}");
}

static void scene_dies(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    kill(getpid(), SIGKILL);
}

static void scene_never_ends(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_snapshot(fake);
    fake_log(fake, JOURNAL_OUT, "web1", "hello");
    fake_wait(fake, "stop");
    fake_log(fake, JOURNAL_OUT, "web1", "stopping for ever");
    for (;;) {
        pause();
    }
}

struct printed {
    pid_t pid;
    int fd;
    char text[65536];
    size_t len;
    struct fake_process fake;
};

// The printer in a process of its own, its output in a pipe.
static void start_printer_with(struct printed *printed, void (*scene)(struct fake *fake),
                               bool build_output)
{
    int ends[2];
    *printed = (struct printed){.fake = fake_start(scene)};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    printed->pid = fork();
    if (printed->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        struct client *client = client_from_fd(printed->fake.fd);
        const struct plain_options options = {.build_output = build_output, .stopped_status = 42};
        _exit(plain_run(client, &options));
    }
    close(printed->fake.fd);
    close(ends[1]);
    printed->fd = ends[0];
}

static void start_printer(struct printed *printed, void (*scene)(struct fake *fake))
{
    start_printer_with(printed, scene, true);
}

static void wait_text(struct printed *printed, const char *text)
{
    int64_t until_ms = clock_now_ms() + 5000;
    while (!strstr(printed->text, text)) {
        struct pollfd fd = {.fd = printed->fd, .events = POLLIN};
        int64_t left_ms = until_ms - clock_now_ms();
        ssize_t got = left_ms > 0 && poll(&fd, 1, (int)left_ms) > 0
                          ? read(printed->fd, printed->text + printed->len,
                                 sizeof printed->text - 1 - printed->len)
                          : -1;
        if (got <= 0) {
            fail_msg("no \"%s\" in\n%s", text, printed->text);
        }
        printed->len += (size_t)got;
    }
}

static int end_printer(struct printed *printed)
{
    int status;
    waitpid(printed->pid, &status, 0);
    if (printed->fd >= 0) {
        close(printed->fd);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void test_stop_by_signal(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct printed printed;
        start_printer(&printed, scene_until_stop);
        wait_text(&printed, "web1    out hello\n");
        kill(printed.pid, numbers[i]);
        wait_text(&printed, "the last word\n"); // what came while it stopped is not lost
        assert_int_equal(end_printer(&printed), 0);
        assert_int_equal(fake_end(&printed.fake), 0);
    }
}

static void test_second_signal(void **state)
{
    (void)state;
    struct printed printed;
    start_printer(&printed, scene_never_ends);
    wait_text(&printed, "hello\n");
    kill(printed.pid, SIGINT);
    wait_text(&printed, "for ever\n");
    kill(printed.pid, SIGINT);
    assert_int_equal(end_printer(&printed), 128 + SIGINT);
    kill(printed.fake.pid, SIGKILL);
    fake_end(&printed.fake);
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        void (*scene)(struct fake *fake);
        const char *text;
        int status;
    } rows[] = {
        {scene_fails, "failed  install: pip failed\n", 1},
        {scene_early, "failed  detect: no project\n", 2},
        {scene_dies, "", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct printed printed;
        start_printer(&printed, rows[i].scene);
        wait_text(&printed, rows[i].text);
        assert_int_equal(end_printer(&printed), rows[i].status);
        fake_end(&printed.fake);
    }
}

static int times_in(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) {
        count++;
    }
    return count;
}

static void test_last_step(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        struct printed printed;
        start_printer_with(&printed, scene_step_fails, all);
        wait_text(&printed, "no pip");
        assert_int_equal(end_printer(&printed), 1);
        assert_int_equal(times_in(printed.text, "of the first"), all);
        assert_int_equal(times_in(printed.text, "of the second"), 1);
        assert_int_equal(times_in(printed.text, "no output for 10 s"), 1);
        assert_int_equal(times_in(printed.text, "$ one"), 1);
        assert_int_equal(times_in(printed.text, "install: two: exit 1"), 1);
        assert_true(times_in(printed.text, "why") >= 1); // the second failure is no step's
        fake_end(&printed.fake);
    }
}

static void test_closed_output(void **state)
{
    (void)state;
    struct printed printed;
    start_printer(&printed, scene_until_stop);
    wait_text(&printed, "hello\n");
    close(printed.fd);
    printed.fd = -1;
    assert_int_equal(end_printer(&printed), 128 + SIGPIPE);
    fake_end(&printed.fake);
}

int main(void)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),       cmocka_unit_test(test_stop_by_signal),
        cmocka_unit_test(test_second_signal), cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_last_step),     cmocka_unit_test(test_closed_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
