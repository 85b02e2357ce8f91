// The Requests pane: what it asks of the engine, what it makes of the answers, what its keys do; as
// whole screens in tests/golden/screen_requests_* (the list) and screen_request_* (one).
#include "tests/unit/screen_golden.h"

#include <locale.h>

#include "emulator/control/request_wire.h"
#include "sandbox/base/json.h"

// ---- a log of three lines, two of them of request 2 ----

static void log_range(void *context, uint64_t *ret_first, uint64_t *ret_last)
{
    (void)context;
    *ret_first = 1;
    *ret_last = 4;
}

static bool log_read(void *context, uint64_t seq, struct journal_record *ret_record)
{
    static const struct {
        int64_t after_ms;
        const char *source, *text;
    } lines[] = {{-60000, "web1", "long before"},
                 {1, "web2", "another instance"},
                 {2, "web1", "saw request two"},
                 {90000, "web1", "long after"}};
    (void)context;
    if (seq < 1 || seq > 4) {
        return false;
    }
    *ret_record = (struct journal_record){.seq = seq,
                                          .wall_ms = WALL_MS + 1000 + lines[seq - 1].after_ms,
                                          .stream = JOURNAL_OUT,
                                          .text = lines[seq - 1].text,
                                          .len = strlen(lines[seq - 1].text)};
    snprintf(ret_record->source, sizeof ret_record->source, "%s", lines[seq - 1].source);
    return true;
}

static const struct log_source fake_log = {NULL, log_range, log_read};

// ---- requests made by hand ----

static const struct request_summary requests[] = {
    {.id = 1,
     .wall_ms = WALL_MS,
     .first_byte_us = 2900,
     .total_us = 3140,
     .request_size = 412,
     .response_size = 1830,
     .status = 200,
     .method = "GET",
     .target = "/",
     .instance = "web1",
     .client = "127.0.0.1",
     .host = "localhost:3000"},
    {.id = 2,
     .wall_ms = WALL_MS + 1000,
     .first_byte_us = 12000,
     .total_us = 143000,
     .request_size = 2048,
     .response_size = 512,
     .status = 404,
     .method = "POST",
     .target = "/api/items?name=\xe4\xbd\xa0\xe5\xa5\xbd&token=***",
     .instance = "web1",
     .client = "127.0.0.1",
     .host = "localhost:3000"},
    {.id = 3,
     .wall_ms = WALL_MS + 2000,
     .total_us = 90,
     .status = 302,
     .method = "GET",
     .target = "/login",
     .instance = "web1",
     .response_size = 200},
    {.id = 4,
     .wall_ms = WALL_MS + 3000,
     .total_us = 60001000,
     .status = 504,
     .method = "GET",
     .target = "/slow/and/with/a/path/that/is/longer/than/the/pane/is/wide/so/that/it/is/cut/here",
     .instance = "web1",
     .rule = "P-150",
     .reason = "the app did not answer within 60 s",
     .response_size = 300},
    {.id = 5,
     .wall_ms = WALL_MS + 4000,
     .total_us = 40,
     .status = 400,
     .rule = "RFC 9112 \xc2\xa7"
             "5.1",
     .reason = "a field name with a blank in it",
     .response_size = 250},
    {.id = 6,
     .wall_ms = WALL_MS + 5000,
     .total_us = 70000,
     .status = 499,
     .method = "DELETE",
     .target = "/gone",
     .instance = "web2",
     .retries = 1},
    {.id = 7,
     .wall_ms = WALL_MS + 6000,
     .total_us = 5000000,
     .status = 101,
     .method = "GET",
     .target = "/socket",
     .instance = "web2",
     .response_size = 5 << 20},
    {.id = 8,
     .wall_ms = WALL_MS + 7000,
     .total_us = 2100,
     .status = 200,
     .method = "GET",
     .target = "/",
     .instance = "web2",
     .replay_of = 1,
     .response_size = 1830},
};

static struct cJSON *list_reply(void)
{
    struct cJSON *reply = json_new_object();
    struct cJSON *list = json_new_array();
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        json_push(list, request_summary_encode(&requests[i]));
    }
    json_put_bool(reply, "ok", true);
    json_put_int(reply, "last", ARRAY_LEN(requests));
    json_put_tree(reply, "requests", list);
    return reply;
}

static void put_part(struct cJSON *object, const char *name, const char *text, size_t size)
{
    json_put_tree(object, name,
                  request_part_encode(text, strlen(text), size ? size : strlen(text)));
}

static struct cJSON *detail_reply(const struct request_summary *request, const char *token)
{
    struct cJSON *reply = json_new_object();
    struct cJSON *object = request_summary_encode(request);
    auto_free char *head = str_printf("POST /api/items HTTP/1.1\r\nHost: localhost:3000\r\n"
                                      "X-LC-Session: %s\r\nContent-Length: 23\r\n\r\n",
                                      token);
    put_part(object, "request_head", head, 0);
    put_part(object, "request_body", "{\"name\": \"\xe4\xbd\xa0\xe5\xa5\xbd\", \"n\": 1}\n", 0);
    put_part(object, "response_head", "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\n",
             0);
    put_part(object, "response_body", "no \033[2Jsuch thing\n", 70000);
    json_put_bool(reply, "ok", true);
    json_put_tree(reply, "request", object);
    return reply;
}

// ---- the engine's part ----

static struct snapshot *snapshot_of(int64_t last)
{
    struct snapshot *s = mem_alloc(sizeof *s);
    *s = (struct snapshot){.protocol = 1, .healthy_ms = 2, .serving = SERVING_HEALTHY};
    snprintf(s->project, sizeof s->project, "flask-hello");
    snprintf(s->url, sizeof s->url, "http://localhost:3000");
    s->requests_last = last;
    return s;
}

static struct app *app_on_requests(int64_t last)
{
    struct app *app = app_new();
    struct snapshot *snapshot = snapshot_of(last);
    app_set_log(app, &fake_log);
    app_snapshot(app, snapshot, WALL_MS);
    app_key(app, '4');
    free(snapshot);
    return app;
}

// What the pane asks: "requests since 0"; "" for nothing. It is on its way as `id`.
static const char *asks(struct app *app, int64_t id)
{
    static char text[128];
    struct cJSON *command = app_ask(app);
    snprintf(text, sizeof text, "%s", "");
    if (command) {
        snprintf(text, sizeof text, "%s since %lld request %lld%s",
                 json_get_string(command, "command"), (long long)json_get_int(command, "since", -1),
                 (long long)json_get_int(command, "request", -1),
                 json_get_bool(command, "reveal", false) ? " reveal" : "");
        app_asked(app, id);
    }
    json_free(command);
    return text;
}

static unsigned answers(struct app *app, int64_t id, struct cJSON *reply)
{
    unsigned effects = 0;
    assert_true(app_answer(app, id, reply, &effects));
    json_free(reply);
    return effects;
}

static struct app *app_with_list(void)
{
    struct app *app = app_on_requests(ARRAY_LEN(requests));
    assert_string_equal(asks(app, 7), "requests since 0 request -1");
    answers(app, 7, list_reply());
    return app;
}

// ---- tests ----

static void test_goldens(void **unused)
{
    (void)unused;
    for (size_t size = 0; size < ARRAY_LEN(sizes); size++) {
        for (size_t language = 0; language < ARRAY_LEN(languages); language++) {
            bool ascii = strcmp(languages[language], "ascii") == 0;
            use_language(languages[language]);
            struct app *app = app_with_list();
            auto_free char *list = screen_of(app, sizes[size].cols, sizes[size].rows, ascii);
            auto_free char *list_name =
                str_printf("screen_requests_%s_%s", sizes[size].name, languages[language]);
            compare(list_name, list);
            type(app, "gj<Enter>");
            assert_string_equal(asks(app, 8), "request since -1 request 2");
            answers(app, 8, detail_reply(&requests[1], "***"));
            auto_free char *one = screen_of(app, sizes[size].cols, sizes[size].rows, ascii);
            auto_free char *one_name =
                str_printf("screen_request_%s_%s", sizes[size].name, languages[language]);
            compare(one_name, one);
            app_free(app);
        }
    }
    use_language("en");
}

// Only with the focus, only when there is news, each kind once at a time.
static void test_asking(void **unused)
{
    (void)unused;
    struct app *app = app_on_requests(0);
    assert_string_equal(asks(app, 1), "");
    struct snapshot *snapshot = snapshot_of(3);
    app_snapshot(app, snapshot, WALL_MS);
    app_key(app, '1');
    assert_string_equal(asks(app, 1), "");
    app_key(app, '4');
    assert_string_equal(asks(app, 1), "requests since 0 request -1");
    assert_string_equal(asks(app, 2), "");
    unsigned effects;
    assert_false(app_answer(app, 99, NULL, &effects)); // somebody else's
    answers(app, 1, list_reply());                     // up to 8 already
    assert_string_equal(asks(app, 2), "");
    snapshot->requests_last = 9;
    app_snapshot(app, snapshot, WALL_MS);
    assert_string_equal(asks(app, 3), "requests since 8 request -1");
    // While it is under way a key's question goes out, too.
    type(app, "p");
    assert_string_equal(asks(app, 4), "replay since -1 request 8");
    type(app, "p");
    assert_string_equal(asks(app, 5), ""); // one at a time
    struct cJSON *failed =
        json_parse("{\"ok\":false,\"error\":{\"message\":\"no, because\"}}", 46, "reply", NULL);
    answers(app, 4, failed);
    expect_screen(app, "no, because", "sent again");
    assert_string_equal(asks(app, 6), "replay since -1 request 8"); // the second p
    answers(app, 6, json_parse("{\"ok\":true,\"request\":12}", 24, "reply", NULL));
    expect_screen(app, "sent again: it is request 12", "no, because");
    free(snapshot);
    app_free(app);
}

static void test_copy_as_curl(void **unused)
{
    (void)unused;
    struct app *app = app_with_list();
    const char *what;
    assert_null(app_copied(app, &what));
    type(app, "gjc");
    assert_string_equal(asks(app, 8), "request since -1 request 2 reveal");
    assert_int_equal(answers(app, 8, detail_reply(&requests[1], "s3ss10n")), APP_COPY);
    const char *copied = app_copied(app, &what);
    assert_non_null(strstr(copied, "'X-LC-Session: s3ss10n'")); // it is for running
    assert_non_null(strstr(what, "real values"));
    expect_screen(app, "/api/items?name=\xe4\xbd\xa0\xe5\xa5\xbd&token=***", "s3ss10n");
    // One that curl cannot say: a sentence instead.
    type(app, "jjj");
    app_key(app, 'c');
    assert_string_equal(asks(app, 9), "request since -1 request 5 reveal");
    struct cJSON *reply = detail_reply(&requests[4], "x");
    assert_int_equal(answers(app, 9, reply), 0);
    expect_screen(app, "p sends it again", "real values");
    app_free(app);
}

static void test_log_lines(void **unused)
{
    (void)unused;
    struct app *app = app_with_list();
    type(app, "gjl");
    expect_screen(app, "1 Logs", "4 Requests");
    expect_screen(app, "saw request two", " follow \xe2\x94\x90");
    expect_screen(app, "saw request two", "nothing meanwhile");
    type(app, "4Gl"); // web2 said nothing then
    expect_screen(app, "nothing meanwhile", "4 Requests");
    app_free(app);
}

static void test_keys(void **unused)
{
    (void)unused;
    static const struct {
        const char *keys, *seen, *unseen;
    } rows[] = {
        {"", "▶10:15:38", "▶10:15:31"},
        {"k", "▶10:15:37", "follow"},
        {"kj", "▶10:15:38", "▶10:15:37"},
        {"g", "▶10:15:31", "follow"},
        {"gG", " follow ┐", "▶10:15:31"},
        {"&4xx<Enter>", "/api/items", "/slow"},
        {"&4xx<Enter>", " 4xx ┐", "/login"},
        {"&504<Enter>", "/slow", "/api/items"},
        {"&get web1<Enter>", "/login", "/socket"},
        {"&P-150<Enter>", "/slow", "/login"},
        {"&nothing<Enter>", "no request fits", "/login"},
        {"&4xx<Enter><Esc>", "/login", " 4xx ┐"},
        {"/login<Enter>", "▶10:15:33", "▶10:15:38"},
        {"/get<Enter>n", "▶10:15:34", "▶10:15:38"},
        {"/get<Enter>N", "▶10:15:38", "▶10:15:34"},
        {"/nowhere<Enter>", "not found", "saves"},
        {"n", "nothing to search for", "not found"},
        {"gF", " follow ┐", "▶10:15:31"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct app *app = app_with_list();
        auto_free char *first = screen_of(app, 80, 24, false);
        type(app, rows[i].keys);
        auto_free char *text = screen_of(app, 80, 24, false);
        if (!strstr(text, rows[i].seen) || strstr(text, rows[i].unseen)) {
            fail_msg("keys \"%s\": \"%s\" and not \"%s\"\n%s", rows[i].keys, rows[i].seen,
                     rows[i].unseen, text);
        }
        app_free(app);
    }
    // Without any, keys say so.
    struct app *app = app_on_requests(0);
    for (const char *key = "pclk"; *key; key++) {
        app_key(app, (uint32_t)*key);
        assert_string_equal(asks(app, 1), "");
        expect_screen(app, "no request yet", "▶");
    }
    app_key(app, KEY_NAME_ENTER);
    assert_string_equal(asks(app, 1), "");
    app_free(app);
}

// What comes from outside moves nothing on the screen, and every size holds.
static void test_every_size(void **unused)
{
    (void)unused;
    for (int cols = 1; cols <= 180; cols += 11) {
        for (int rows = 1; rows <= 50; rows += 7) {
            struct app *app = app_with_list();
            struct canvas canvas = {0};
            canvas_init(&canvas, cols, rows, cols % 2);
            for (const char *key = "kkgG"; *key; key++) {
                app_draw(app, &canvas, WALL_MS);
                app_key(app, (uint32_t)*key);
            }
            app_key(app, KEY_NAME_ENTER);
            asks(app, 8);
            answers(app, 8, detail_reply(&requests[7], "x"));
            for (const char *key = "jjkgG"; *key; key++) {
                app_draw(app, &canvas, WALL_MS);
                assert_false(canvas_contains(&canvas, "\033"));
                app_key(app, (uint32_t)*key);
            }
            canvas_release(&canvas);
            app_free(app);
        }
    }
}

int main(void)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),      cmocka_unit_test(test_asking),
        cmocka_unit_test(test_copy_as_curl), cmocka_unit_test(test_log_lines),
        cmocka_unit_test(test_keys),         cmocka_unit_test(test_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
