// The whole screen, without a terminal, driven by scripts against scenes of an engine: keys reach
// the engine, events and log lines reach the screen, and every end is told apart.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sandbox/base/clock.h"
#include "tests/unit/fake_engine.h"
#include "tui/app.h"
#include "tui/client.h"
#include "tui/language.h"

static void set_stage(struct fake *fake, int stage, const char *state)
{
    static const char *const names[] = {"detect", "python", "install", "build", "start", "healthy"};
    snprintf(fake->snapshot.stages[stage].name, 16, "%s", names[stage]);
    snprintf(fake->snapshot.stages[stage].state, 12, "%s", state);
}

// A first start, a request for a reload, an end that was asked for.
static void scene_up(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    set_stage(fake, 2, "running");
    fake_snapshot(fake);
    fake_event(fake, "{\"kind\":\"stage\",\"stage\":\"install\",\"state\":\"running\"}");
    fake_log(fake, JOURNAL_BUILD, "install", "Collecting Flask");
    set_stage(fake, 2, "done");
    fake->snapshot.serving = SERVING_HEALTHY;
    fake_event(fake, "{\"kind\":\"ready\",\"version\":\"20261122-101530\",\"ms\":480}");
    fake_log(fake, JOURNAL_OUT, "web1", "Serving 'app'");
    fake_snapshot(fake);
    fake_wait(fake, "reload");
    for (int i = 0; i < 3000; i++) {
        auto_free char *line = str_printf("line %d", i);
        journal_append(fake->journal, fake->wall_ms, JOURNAL_OUT, 0, "web2", line, strlen(line));
    }
    fake_grown(fake);
    fake_event(fake, "{\"kind\":\"ready\",\"version\":\"20261122-101552\",\"ms\":8}");
    fake->snapshot.saves = 1;
    fake_snapshot(fake);
    fake_wait(fake, "stop");
    fake_event(fake, "{\"kind\":\"done\",\"status\":0}");
}

static void scene_dies(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_snapshot(fake);
    kill(getpid(), SIGKILL);
}

static void scene_fails(struct fake *fake)
{
    fake_wait(fake, "subscribe");
    fake_snapshot(fake);
    fake_event(fake, "{\"kind\":\"done\",\"status\":1,\"text\":\"over\"}");
}

static int run(void (*scene)(struct fake *fake), const char *script, const char *dump)
{
    struct fake_process fake = fake_start(scene);
    auto_free char *path = str_printf("%s/script", fake.dir);
    auto_free char *text =
        dump ? str_printf("%sdump %s\nkeys q\nwait event done\nlimit 5\nwait text nothing\n",
                          script, dump)
             : str_dup(script);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600, NULL), 0);
    struct client *client = client_from_fd(fake.fd);
    const struct screen_options options = {.script_path = path};
    int status = screen_run(client, &options);
    client_free(client);
    fake_end(&fake);
    return status;
}

static void expect(const char *text, const char *seen)
{
    if (!strstr(text, seen)) {
        fail_msg("no \"%s\" in\n%s", seen, text);
    }
}

static void test_whole_life(void **state)
{
    (void)state;
    auto_free char *dump = str_printf("/tmp/test-screen-script.%d", (int)getpid());
    int status = run(scene_up,
                     "# a first start\n"
                     "wait text Serving 'app'\n"
                     "wait text new version 20261122-101530\n"
                     "keys 2\n"
                     "wait text Collecting Flask\n"
                     "keys 1r\n"
                     "wait event ready 101552\n"
                     "wait text line 2999\n"
                     "resize 100x30\n"
                     "keys /line 17<Enter>\n"
                     "wait text line 1799\n"
                     "keys n\n"
                     "wait text line 1798\n"
                     "keys g\n"
                     "wait text line 3\n"
                     "wait gone line 2999\n"
                     "keys G\n"
                     "wait text line 2999\n"
                     "wait text 1 save\n"
                     "wait idle\n",
                     dump);
    assert_int_equal(status, 0);
    auto_free char *text = fs_read(dump, 1 << 20, NULL, NULL);
    assert_non_null(text);
    expect(text, "● healthy");
    expect(text, "web2 out  line 2990");
    expect(text, "follow ┐");
    unlink(dump);
}

static void test_ends(void **state)
{
    (void)state;
    assert_int_equal(run(scene_dies, "limit 5\nwait text never\n", NULL), 3);
    assert_int_equal(run(scene_fails, "limit 5\nwait text never\n", NULL), 1);
    assert_int_equal(run(scene_up, "wait text Serving\nquit\n", NULL), 0);
}

static void test_script_says_what_it_saw(void **state)
{
    (void)state;
    int64_t begun_ms = clock_now_ms();
    assert_int_equal(run(scene_up, "limit 0.2\nwait text never\n", NULL), 4);
    assert_true(clock_now_ms() - begun_ms < 5000);
    assert_int_equal(run(scene_up, "dance\n", NULL), 4);
}

int main(void)
{
    unsetenv("LC_ALL");
    setenv("LANG", "C.UTF-8", 1);
    language_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_life),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_script_says_what_it_saw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
