// The Functions pane: what it asks of the engine, what becomes of the answers, what its keys do; as
// whole screens in tests/golden/screen_functions_* (a result) and screen_function_* (a failure).
#include "tests/unit/screen_golden.h"

#include <locale.h>

#include "sandbox/base/json.h"

#define SET(field, text) snprintf(field, sizeof(field), "%s", text)

static void add_function(struct snapshot *s, const char *name, const char *kind)
{
    struct snapshot_function *row = &s->functions[s->function_count++];
    SET(row->name, name);
    SET(row->kind, kind);
}

static void add_timer(struct snapshot *s, const char *name, const char *cron, int64_t after_s,
                      const char *state)
{
    struct snapshot_timer *row = &s->timers[s->timer_count++];
    SET(row->name, name);
    SET(row->cron, cron);
    SET(row->function, "hello");
    SET(row->state, state);
    row->next_wall_ms = WALL_MS + after_s * 1000;
}

static struct snapshot *snapshot_of(const char *state)
{
    struct snapshot *s = mem_alloc(sizeof *s);
    *s = (struct snapshot){.protocol = 1, .healthy_ms = 2, .serving = SERVING_HEALTHY};
    SET(s->project, "demo");
    SET(s->url, "http://localhost:3000");
    SET(s->functions_state, state);
    s->utc_offset_s = 8L * 3600;
    return s;
}

static struct snapshot *full_snapshot(void)
{
    struct snapshot *s = snapshot_of("listed");
    add_function(s, "averageStars", "function");
    add_function(s, "hello", "function");
    add_function(s, "a_function_with_a_rather_long_name_of_its_own", "function");
    add_function(s, "Comment.beforeSave", "hook");
    add_function(s, "_User.onLogin", "hook");
    add_timer(s, "nightly", "0 0 3 * * ?", 31469, "");
    add_timer(s, "badly", "0 */5 * * * MON-FRI", 269, "stopped");
    return s;
}

static struct app *app_on(struct snapshot *snapshot)
{
    struct app *app = app_new();
    app_snapshot(app, snapshot, WALL_MS);
    app_key(app, '5');
    free(snapshot);
    return app;
}

// What the pane asks: "hello hook {...}"; "" for nothing. It is on its way as `id`.
static const char *asks(struct app *app, int64_t id)
{
    static char text[512];
    struct cJSON *command = app_ask(app);
    text[0] = '\0';
    if (command) {
        const char *data = json_get_string(command, "data");
        assert_string_equal(json_get_string(command, "command"), "call");
        snprintf(text, sizeof text, "%s%s%s %s", json_get_string(command, "name"),
                 json_get_bool(command, "hook", false) ? " hook" : "",
                 json_get_bool(command, "timer", false) ? " timer" : "", data ? data : "-");
        app_asked(app, id);
    }
    json_free(command);
    return text;
}

static void answers(struct app *app, int64_t id, const char *reply)
{
    unsigned effects = 0;
    struct cJSON *tree = json_parse(reply, strlen(reply), "reply", NULL);
    assert_non_null(tree);
    assert_true(app_answer(app, id, tree, &effects));
    json_free(tree);
}

#define GOOD                                                                                       \
    "{\"reply\":1,\"ok\":true,\"ms\":12,\"result\":\"{\\\"greeting\\\": \\\"Hello, 世界\\\", "   \
    "\\\"id\\\": 9007199254740993}\"}"
#define BAD                                                                                        \
    "{\"reply\":1,\"ok\":false,\"error\":{\"message\":\"averageStars did not answer within 15.0 "  \
    "s\",\"rule\":\"P-199\",\"cloud\":\"The request timed out on the "                             \
    "server\",\"hint\":\"answer at once and do the work in a background thread or a queue\"}}"

static void test_goldens(void **state)
{
    (void)state;
    for (size_t size = 0; size < ARRAY_LEN(sizes); size++) {
        for (size_t language = 0; language < ARRAY_LEN(languages); language++) {
            bool ascii = strcmp(languages[language], "ascii") == 0;
            use_language(languages[language]);
            struct app *app = app_on(full_snapshot());
            type(app, "j<Enter><Enter>");
            assert_string_equal(asks(app, 7), "hello {}");
            answers(app, 7, GOOD);
            auto_free char *good = screen_of(app, sizes[size].cols, sizes[size].rows, ascii);
            auto_free char *good_name =
                str_printf("screen_functions_%s_%s", sizes[size].name, languages[language]);
            compare(good_name, good);
            type(app, "k<Enter><Enter>");
            assert_string_equal(asks(app, 8), "averageStars {}");
            answers(app, 8, BAD);
            auto_free char *bad = screen_of(app, sizes[size].cols, sizes[size].rows, ascii);
            auto_free char *bad_name =
                str_printf("screen_function_%s_%s", sizes[size].name, languages[language]);
            compare(bad_name, bad);
            app_free(app);
        }
    }
    use_language("en");
}

static void test_calls(void **state)
{
    (void)state;
    struct app *app = app_on(full_snapshot());
    assert_string_equal(asks(app, 1), "");
    type(app, "<Enter>");
    expect_screen(app, "JSON {}", "saves"); // the prompt line
    type(app, "<Esc>");
    assert_string_equal(asks(app, 1), "");
    type(app, "<Enter><BS>\"n\":3}<Enter>");
    assert_string_equal(asks(app, 1), "averageStars {\"n\":3}");
    expect_screen(app, "calling averageStars", "JSON {");
    type(app, "j<Enter>");
    expect_screen(app, "one call at a time", "JSON {");
    answers(app, 1, "{\"reply\":1,\"ok\":true,\"result\":\"5\",\"ms\":3}");
    expect_screen(app, "averageStars  3 ms", "calling");
    type(app, "<Enter>"); // what was typed last is there again
    expect_screen(app, "JSON {\"n\":3}", "calling");
    type(app, "<Enter>");
    assert_string_equal(asks(app, 2), "hello {\"n\":3}");
    answers(app, 2, "{\"reply\":2,\"ok\":false,\"error\":{\"message\":\"no [2J\\u001b[2Jsuch\"}}");
    expect_screen(app, "such", "calling");
    type(app, "<Esc>");
    expect_screen(app, "Comment.beforeSave", "such");
    // A hook; a timer, whose data is its own; a later pane's keys do not disturb an answer.
    type(app, "jj<Enter><Enter>");
    assert_string_equal(asks(app, 3), "Comment.beforeSave hook {\"n\":3}");
    type(app, "1");
    answers(app, 3, "{\"reply\":3,\"ok\":true,\"result\":\"{}\"}");
    type(app, "5G");
    expect_screen(app, "Comment.beforeSave  0 ms", "calling");
    type(app, "k<Enter>");
    assert_string_equal(asks(app, 4), "nightly timer -");
    app_free(app);
}

static void test_keys(void **state)
{
    (void)state;
    struct app *app = app_on(full_snapshot());
    const char *what;
    type(app, "c");
    expect_screen(app, "no result yet", "copied");
    type(app, "/LOGIN<Enter>");
    expect_screen(app, "not found", "calling"); // upper case counts
    type(app, "/login<Enter>");
    expect_screen(app, "▶ _User.onLogin", "not found");
    type(app, "/hello<Enter>n");
    expect_screen(app, "▶ hello", "not found");
    type(app, "<Enter><Enter>");
    assert_string_equal(asks(app, 1), "hello {}");
    answers(app, 1, GOOD);
    assert_int_equal(app_key(app, 'c'), APP_COPY);
    const char *copied = app_copied(app, &what);
    assert_string_equal(copied, "{\"greeting\": \"Hello, 世界\", \"id\": 9007199254740993}");
    // The list has become shorter meanwhile.
    type(app, "G");
    struct snapshot *snapshot = snapshot_of("listed");
    add_function(snapshot, "only", "function");
    app_snapshot(app, snapshot, WALL_MS);
    expect_screen(app, "▶ only", "hello  function");
    free(snapshot);
    app_free(app);
}

static void test_why_there_is_no_list(void **state)
{
    (void)state;
    static const struct {
        const char *state, *note, *seen;
    } rows[] = {
        {"", "", "when it serves"},
        {"none", "", "404"},
        {"disabled", "", "functionsMode is disabled"},
        {"failed", "status 500", "status 500"},
        {"listed", "", "no cloud functions"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct snapshot *snapshot = snapshot_of(rows[i].state);
        SET(snapshot->functions_note, rows[i].note);
        struct app *app = app_on(snapshot);
        expect_screen(app, rows[i].seen, "▶");
        type(app, "<Enter>jkGgc");
        assert_string_equal(asks(app, 1), "");
        app_free(app);
    }
    struct snapshot *snapshot = snapshot_of("none"); // timers alone
    add_timer(snapshot, "nightly", "0 0 3 * * ?", 60, "");
    struct app *app = app_on(snapshot);
    expect_screen(app, "▶ nightly", "hello");
    expect_screen(app, "404", "hello");
    app_free(app);
}

// Whatever the size, with a long list and a long result: nothing is drawn outside.
static void test_every_size(void **state)
{
    (void)state;
    struct snapshot *snapshot = full_snapshot();
    while (snapshot->function_count < SNAPSHOT_FUNCTIONS) {
        add_function(snapshot, "函数函数函数函数函数函数函数函数", "function");
    }
    struct app *app = app_on(snapshot);
    type(app, "<Enter><Enter>");
    asks(app, 1);
    auto_free char *filler = mem_alloc(6001);
    memset(filler, 'x', 6000);
    auto_free char *reply = str_printf("{\"reply\":1,\"ok\":true,\"result\":\"世%s\"}", filler);
    answers(app, 1, reply);
    for (int rows = APP_ROWS_MIN; rows < 30; rows++) {
        for (int cols = APP_COLS_MIN; cols < 100; cols += 3) {
            auto_free char *text = screen_of(app, cols, rows, false);
            assert_non_null(text);
            type(app, cols % 2 ? "<PgDn>" : "<PgUp>");
        }
    }
    app_free(app);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),    cmocka_unit_test(test_calls),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_why_there_is_no_list),
        cmocka_unit_test(test_every_size),
    };
    return cmocka_run_group_tests_name("pane_functions", tests, NULL, NULL);
}
