// Whole screens as text, drawn from hand-made snapshots and logs: states x sizes x languages.
// GENERATE=1 rewrites tests/golden/screen_*.txt; look at every one of them before keeping it.
#include "tests/unit/screen_golden.h"

#include <locale.h>

#include "sandbox/base/json.h"

// ---- a log made by hand ----

struct line {
    int second; // after 10:15:00
    enum journal_stream stream;
    const char *source;
    const char *text;
    unsigned flags;
};

struct fake_log {
    const struct line *lines;
    size_t count;
};

static void log_range(void *context, uint64_t *ret_first, uint64_t *ret_last)
{
    const struct fake_log *log = context;
    *ret_first = 1;
    *ret_last = log->count;
}

static bool log_read(void *context, uint64_t seq, struct journal_record *ret_record)
{
    const struct fake_log *log = context;
    if (seq < 1 || seq > log->count) {
        return false;
    }
    const struct line *line = &log->lines[seq - 1];
    *ret_record = (struct journal_record){
        .seq = seq,
        .wall_ms = WALL_MS - 31000 + line->second * 1000,
        .stream = line->stream,
        .flags = line->flags,
        .text = line->text,
        .len = strlen(line->text),
    };
    snprintf(ret_record->source, sizeof ret_record->source, "%s", line->source);
    return true;
}

static const struct line healthy_lines[] = {
    {24, JOURNAL_EVENT, "", "{\"kind\":\"gateway\",\"text\":\"http://localhost:3000\"}", 0},
    {30, JOURNAL_EVENT, "",
     "{\"kind\":\"ready\",\"version\":\"20261122-101530\",\"ms\":480,"
     "\"text\":\"http://localhost:3000\"}",
     0},
    {31, JOURNAL_OUT, "web1", "Serving 'app'", 0},
    {32, JOURNAL_OUT, "web1", "GET / \033[32m200\033[0m", 0},
    {33, JOURNAL_OUT, "web1", "你好，世界 e\xCC\x81 \xff\x1b[2Jtab\there", 0},
    {40, JOURNAL_ERR, "web1", "Traceback (most recent call last):", 0},
    {40, JOURNAL_ERR, "web1", "  File \"app.py\", line 14, in index", 0},
    {40, JOURNAL_ERR, "web1", "KeyError: 'name'", 0},
    {52, JOURNAL_EVENT, "", "{\"kind\":\"save\",\"text\":\"app.py\",\"count\":1}", 0},
    {52, JOURNAL_EVENT, "", "{\"kind\":\"ready\",\"version\":\"20261122-101552\",\"ms\":8}", 0},
    {53, JOURNAL_OUT, "web2", "GET / 200", 0},
    {54, JOURNAL_OUT, "web2",
     "a long line that goes on and on and on beyond the right end of an ordinary terminal, and on",
     0},
    {55, JOURNAL_OUT, "web2", "line 601 of this minute", JOURNAL_CLOUD_DROPS},
    {55, JOURNAL_OUT, "web2", "line 602 of this minute", JOURNAL_CLOUD_DROPS},
};

static const struct line broken_lines[] = {
    {52, JOURNAL_OUT, "web2", "GET / 200", 0},
    {80, JOURNAL_EVENT, "", "{\"kind\":\"save\",\"text\":\"app.py\",\"count\":1}", 0},
    {80, JOURNAL_ERR, "web3", "  File \"/home/leanengine/app/app.py\", line 12", 0},
    {80, JOURNAL_ERR, "web3", "    return = MARK", 0},
    {80, JOURNAL_ERR, "web3", "           ^", 0},
    {80, JOURNAL_ERR, "web3", "SyntaxError: invalid syntax", 0},
    {80, JOURNAL_EVENT, "start",
     "{\"kind\":\"failed\",\"stage\":\"start\",\"text\":\"app.py:12: SyntaxError: invalid syntax\","
     "\"version\":\"20261122-101552\",\"rule\":\"P-109\","
     "\"mend\":\"mend app.py and save it; e opens it\"}",
     0},
    {81, JOURNAL_OUT, "web2", "GET / 200", 0},
};

static const struct line stopped_lines[] = {
    {30, JOURNAL_EVENT, "",
     "{\"kind\":\"ready\",\"version\":\"20261122-101530\",\"ms\":480,"
     "\"text\":\"http://localhost:3000\"}",
     0},
    {31, JOURNAL_OUT, "web1", "> /home/leanengine/app/wsgi.py(5)application()", 0},
    {31, JOURNAL_OUT, "web1", "-> answer += 1", 0},
};
static const struct line install_lines[] = {
    {24, JOURNAL_EVENT, "detect",
     "{\"kind\":\"stage\",\"stage\":\"detect\",\"state\":\"done\",\"ms\":3,"
     "\"text\":\"Python runtime detected (wsgi.py, requirements.txt)\"}",
     0},
    {24, JOURNAL_EVENT, "python",
     "{\"kind\":\"stage\",\"stage\":\"python\",\"state\":\"done\",\"ms\":20,"
     "\"text\":\"Python 3.11.7: newest found; no .python-version\"}",
     0},
    {24, JOURNAL_EVENT, "",
     "{\"kind\":\"notice\",\"severity\":\"deviation\",\"rule\":\"P-42\","
     "\"text\":\"the cloud would take the newest stable (3.14)\"}",
     0},
    {25, JOURNAL_EVENT, "install",
     "{\"kind\":\"stage\",\"stage\":\"install\",\"state\":\"running\","
     "\"text\":\"pip install -r requirements.txt\"}",
     0},
    {26, JOURNAL_BUILD, "install", "Collecting Flask>=1.0.0", 0},
    {27, JOURNAL_BUILD, "install", "  Downloading flask-3.0.0-py3-none-any.whl (99 kB)", 0},
    {28, JOURNAL_BUILD, "install", "Collecting werkzeug>=3.0", 0},
};

static const struct line missing_lines[] = {
    {24, JOURNAL_EVENT, "detect",
     "{\"kind\":\"stage\",\"stage\":\"detect\",\"state\":\"done\",\"ms\":3,"
     "\"text\":\"Python runtime detected (wsgi.py, requirements.txt)\"}",
     0},
    {24, JOURNAL_EVENT, "python",
     "{\"kind\":\"failed\",\"stage\":\"python\",\"text\":\".python-version:1: Python 3.12 is not "
     "installed here (found: 3.11.7, 3.9.18)\",\"rule\":\"P-40\",\"mend\":\"pyenv install "
     "3.12.8\"}",
     0},
};

static const struct line fetching_lines[] = {
    {24, JOURNAL_BUILD, "python", "$ pyenv install 3.12.8", JOURNAL_STEP},
    {25, JOURNAL_BUILD, "python", "Downloading Python-3.12.8.tar.xz...", 0},
    {26, JOURNAL_BUILD, "python", "Installing Python-3.12.8...", 0},
    {28, JOURNAL_BUILD, "python", "checking for gcc... gcc", 0},
};

// ---- states ----

static void set_stage(struct snapshot *s, int i, const char *state, int64_t ms, const char *detail)
{
    static const char *const names[] = {"detect", "python", "install", "build", "start", "healthy"};
    snprintf(s->stages[i].name, sizeof s->stages[i].name, "%s", names[i]);
    snprintf(s->stages[i].state, sizeof s->stages[i].state, "%s", state);
    snprintf(s->stages[i].detail, sizeof s->stages[i].detail, "%s", detail);
    s->stages[i].ms = ms;
}

#define SET(field, text) snprintf(field, sizeof(field), "%s", text)

static void base_state(struct snapshot *s)
{
    *s = (struct snapshot){.protocol = 1, .healthy_ms = -1, .last_reload_ms = -1};
    SET(s->project, "flask-hello");
    SET(s->dir, "/home/me/flask-hello");
    SET(s->url, "http://localhost:3000");
    SET(s->python, "3.11.7");
    SET(s->environment, "development");
    SET(s->region, "CN");
    SET(s->sandbox_level, "full");
    set_stage(s, 0, "done", 3, "");
    set_stage(s, 1, "done", 20, "3.11.7");
    set_stage(s, 2, "cached", 1, "");
    set_stage(s, 3, "skipped", -1, "");
    set_stage(s, 4, "done", 143, "");
    set_stage(s, 5, "done", -1, "");
}

static void add_instance(struct snapshot *s, const char *name)
{
    struct snapshot_instance *instance = &s->instances[s->instance_count++];
    SET(instance->name, name);
    SET(instance->state, "healthy");
    SET(instance->asked, "0.0.0.0:3000");
    instance->cpu_permille = 31;
    instance->memory_bytes = 41 << 20;
    instance->memory_limit_bytes = 512 << 20;
    instance->disk_bytes = 210000;
    instance->disk_limit_bytes = 1 << 30;
    instance->log_lines_minute = 12;
    instance->log_limit_minute = 600;
}

static void add_probe(struct snapshot *s, int second, const char *path, int status, int ms,
                      const char *verdict, const char *text)
{
    struct snapshot_probe *probe = &s->probes[s->probe_count++];
    probe->wall_ms = WALL_MS - 31000 + second * 1000;
    SET(probe->instance, "web1");
    SET(probe->path, path);
    probe->status = status;
    probe->ms = ms;
    SET(probe->verdict, verdict);
    SET(probe->text, text);
}

// --debug: stopped at a breakpoint, and `t` was pressed: keys go to the app.
static void prompt_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_HEALTHY;
    s->debug = 1;
    SET(s->serving_version, "20261122-101552");
    add_instance(s, "web1");
    s->requests_total = 2;
    SET(s->prompt, "(Pdb) p \"\xe4\xbd\xa0\xe5\xa5\xbd\"");
}

static void healthy_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_HEALTHY;
    s->healthy_ms = 2;
    SET(s->serving_version, "20261122-101552");
    add_instance(s, "web2");
    s->saves = 6;
    s->last_reload_ms = 8;
    s->requests_total = 900;
    s->requests_per_second_x10 = 40;
    s->latency_p50_us = 3100;
    s->deviations = 1;
    add_probe(s, 30, "/", 404, 3, "not-needed", "");
    add_probe(s, 30, "/__engine/1/ping", 200, 2, "healthy", "{\"runtime\":\"cpython-3.11.7\"}");
}

// --instances 4: one of them has died.
static void group_state(struct snapshot *s)
{
    healthy_state(s);
    s->instance_count = 0;
    add_instance(s, "web3-7");
    add_instance(s, "web2-6");
    add_instance(s, "web1-5");
    s->instances[1].memory_bytes = 470 << 20;
    s->instances[2].cpu_permille = -1;
    s->group_size = 4;
    s->group_serving = 3;
}

static void broken_state(struct snapshot *s)
{
    healthy_state(s);
    s->serving = SERVING_KEEPING;
    s->saves = 7;
    SET(s->try_version, "20261122-101620");
    SET(s->failure, "app.py:12: SyntaxError: invalid syntax");
    SET(s->failure_stage, "start");
    SET(s->failure_rule, "P-109");
    set_stage(s, 4, "failed", -1, "SyntaxError");
    set_stage(s, 5, "", -1, "");
}

static void install_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_STARTING;
    set_stage(s, 2, "running", WALL_MS - 4250, "");
    for (int i = 3; i < SNAPSHOT_STAGES; i++) {
        set_stage(s, i, "", -1, "");
    }
    SET(s->last_output, "Collecting werkzeug>=3.0");
    s->pip_collected = 3;
    s->requests_held = 1;
}

static void refused_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_FAILED;
    SET(s->environment, "production");
    SET(s->failure, "the app must listen on 0.0.0.0; it asked for 127.0.0.1");
    SET(s->failure_stage, "start");
    SET(s->failure_rule, "P-105");
    SET(s->failure_cloud, "实例启动失败: 无法访问应用的 Web 端口（Error: connect ECONNREFUSED），"
                          "请确保程序在 30 秒内正确地启动了 HTTP 服务");
    SET(s->failure_mend, "app.run(host='0.0.0.0', port=int(os.environ['LEANCLOUD_APP_PORT']))");
    set_stage(s, 4, "failed", 200, "");
    set_stage(s, 5, "", -1, "");
    add_instance(s, "web1");
    SET(s->instances[0].asked, "127.0.0.1:3000");
    add_probe(s, 31, "/", 0, 0, "failed", "Connection refused");
    add_probe(s, 31, "/__engine/1/ping", 0, 0, "failed", "Connection refused");
}

static void none_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_STARTING;
    SET(s->sandbox_level, "none");
    SET(s->url, "");
    for (int i = 0; i < SNAPSHOT_STAGES; i++) {
        set_stage(s, i, i == 0 ? "running" : "", i == 0 ? WALL_MS : -1, "");
    }
}

static void missing_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_FAILED;
    SET(s->python, "");
    SET(s->failure, ".python-version:1: Python 3.12 is not installed here (found: 3.11.7, 3.9.18)");
    SET(s->failure_stage, "python");
    SET(s->failure_rule, "P-40");
    SET(s->install_offer, "3.12.8");
    set_stage(s, 1, "failed", 20, "");
    for (int i = 2; i < SNAPSHOT_STAGES; i++) {
        set_stage(s, i, "", -1, "");
    }
}

static void fetching_state(struct snapshot *s)
{
    missing_state(s);
    s->serving = SERVING_STARTING;
    SET(s->failure, "");
    SET(s->failure_stage, "");
    SET(s->install_offer, "");
    SET(s->installing, "3.12.8");
    SET(s->last_output, "checking for gcc... gcc");
    set_stage(s, 1, "running", WALL_MS - 63000, "");
}

static void checked_state(struct snapshot *s)
{
    healthy_state(s);
    s->check_next_ms = WALL_MS + 149000;
    s->check_failures_max = 3;
}

static void failing_state(struct snapshot *s)
{
    healthy_state(s);
    s->crash_deaths = 3;
    s->crash_since_ms = WALL_MS - 20000;
    s->check_next_ms = WALL_MS + 9000;
    s->check_failures = 1;
    s->check_failures_max = 3;
    add_probe(s, 210, "/", 500, 12, "failed", "Traceback (most recent call last): ...");
    add_probe(s, 210, "/__engine/1/ping", 0, 5000, "failed", "no answer within 5000 ms");
}

static void dead_state(struct snapshot *s)
{
    healthy_state(s);
    s->serving = SERVING_FAILED;
    s->instance_count = 0;
    SET(s->failure, "web3: it ended with exit status 1");
    SET(s->failure_stage, "start");
    SET(s->failure_rule, "P-107");
    SET(s->failure_mend, "mend it and save: a save is tried at once");
    set_stage(s, 4, "failed", -1, "");
    set_stage(s, 5, "", -1, "");
    s->crash_next_ms = WALL_MS + 1000;
}

// Its later checks fail, and what should replace it does not start.
static void stuck_state(struct snapshot *s)
{
    failing_state(s);
    s->serving = SERVING_KEEPING;
    s->check_failures = 3;
    s->failure_is_crash = 1;
    SET(s->failure, "web4 was not healthy within 30 s: / answers 500: Oops");
    SET(s->failure_stage, "healthy");
    SET(s->failure_rule, "P-104");
    s->crash_deaths = 0;
    s->crash_next_ms = WALL_MS + 2000;
}

static void looping_state(struct snapshot *s)
{
    base_state(s);
    s->serving = SERVING_FAILED;
    SET(s->failure, "web5: it was killed by SIGSEGV (Segmentation fault)");
    SET(s->failure_stage, "start");
    SET(s->failure_rule, "P-107");
    SET(s->failure_mend, "gevent 20.9 breaks with greenlet 1.0: write gevent>=21.1 into "
                         "requirements.txt");
    set_stage(s, 4, "failed", -1, "");
    set_stage(s, 5, "", -1, "");
    s->crash_deaths = 4;
    s->crash_since_ms = WALL_MS - 9000;
    s->crash_next_ms = WALL_MS + 4000;
    add_probe(s, 22, "/", 200, 3, "healthy", "hello");
    add_probe(s, 22, "/__engine/1/ping", 404, 2, "not-needed", "Not Found");
}

#define LINES(lines)                                                                               \
    {                                                                                              \
        lines, ARRAY_LEN(lines)                                                                    \
    }

static const struct {
    const char *name;
    void (*fill)(struct snapshot *s);
    struct fake_log log;
    const char *keys; // typed before it is drawn
} states[] = {
    {"healthy", healthy_state, LINES(healthy_lines), NULL},
    {"group", group_state, LINES(healthy_lines), NULL},
    {"broken", broken_state, LINES(broken_lines), NULL},
    {"installing", install_state, LINES(install_lines), NULL},
    {"refused", refused_state, LINES(install_lines), NULL},
    {"none", none_state, {NULL, 0}, NULL},
    {"missing", missing_state, LINES(missing_lines), NULL},
    {"fetching", fetching_state, LINES(fetching_lines), NULL},
    {"checked", checked_state, LINES(healthy_lines), "3"},
    {"failing", failing_state, LINES(healthy_lines), "3"},
    {"dead", dead_state, LINES(healthy_lines), "3"},
    {"stuck", stuck_state, LINES(healthy_lines), "3"},
    {"looping", looping_state, LINES(healthy_lines), "3"},
    {"typing", prompt_state, LINES(stopped_lines), "t"},
};

// ---- comparing ----

static struct app *app_of_state(size_t state, struct snapshot *snapshot, struct log_source *log)
{
    struct app *app = app_new();
    states[state].fill(snapshot);
    *log = (struct log_source){(void *)(uintptr_t)&states[state].log, log_range, log_read};
    app_set_log(app, log);
    app_snapshot(app, snapshot, WALL_MS);
    return app;
}

static void test_screens(void **unused)
{
    (void)unused;
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    struct log_source log;
    for (size_t state = 0; state < ARRAY_LEN(states); state++) {
        for (size_t size = 0; size < ARRAY_LEN(sizes); size++) {
            for (size_t language = 0; language < ARRAY_LEN(languages); language++) {
                use_language(languages[language]);
                struct app *app = app_of_state(state, snapshot, &log);
                for (const char *key = states[state].keys; key && *key; key++) {
                    app_key(app, (uint32_t)*key);
                }
                auto_free char *text = screen_of(app, sizes[size].cols, sizes[size].rows,
                                                 strcmp(languages[language], "ascii") == 0);
                auto_free char *name = str_printf("screen_%s_%s_%s", states[state].name,
                                                  sizes[size].name, languages[language]);
                compare(name, text);
                app_free(app);
            }
        }
    }
    use_language("en");
    free(snapshot);
}

// P-171: an app that has stopped doing things says so in the first line, however small the screen.
static void test_sleep_is_said(void **unused)
{
    (void)unused;
    static const struct {
        enum serving serving;
        const char *said;
    } rows[] = {{SERVING_ASLEEP, "asleep"}, {SERVING_FORCED, "forced to sleep"}};
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(sizes); i++) {
        struct log_source log;
        struct app *app = app_of_state(0, snapshot, &log);
        snapshot->serving = rows[i % 2].serving;
        snapshot->instance_count = 0;
        app_snapshot(app, snapshot, WALL_MS);
        struct canvas canvas = {0};
        canvas_init(&canvas, sizes[i / 2].cols, sizes[i / 2].rows, false);
        app_draw(app, &canvas, WALL_MS);
        auto_free char *text = canvas_dump(&canvas);
        *strchr(text, '\n') = '\0';
        if (!strstr(text, rows[i % 2].said)) {
            fail_msg("%s: %s is not said: %s", sizes[i / 2].name, rows[i % 2].said, text);
        }
        canvas_release(&canvas);
        app_free(app);
    }
    free(snapshot);
}

// Keys that change what is seen: each row's screen has to hold one text and not the other.
static void test_keys(void **unused)
{
    (void)unused;
    static const struct {
        const char *keys;
        const char *seen;
        const char *unseen;
    } rows[] = {
        {"", "1 Logs", "2 Build"},
        {"2", "2 Build", "1 Logs"},
        {"<Tab>", "2 Build", "1 Logs"},
        {"<Tab><Tab>", "3 Health", "1 Logs"},
        {"<Tab><Tab><Tab>", "4 Requests", "2 Build"},
        {"<Tab><Tab><Tab><Tab>", "5 Functions", "1 Logs"},
        {"<Tab><Tab><Tab><Tab><Tab>", "1 Logs", "2 Build"},
        {"<S-Tab>", "5 Functions", "1 Logs"},
        {"4", "no request yet", "1 Logs"},
        {"3", "/__engine/1/ping", "Serving"},
        {"?", "next pane", "Serving"},
        {"?G", "suspend the screen", "next pane"},
        {"??", "KeyError", "next pane"},
        {"?<Esc>", "KeyError", "next pane"},
        {"/keyerr", "/keyerr", "saves"},
        {"/nothing<Enter>", "not found", "saves"},
        {"/世界<Enter>", "世界", "not found"},
        {"/x<Esc>", "6 saves", "/x"},
        {"/ab<BS><BS><BS>", "6 saves", "/a"},
        {"&serving<Enter>", "Serving", "KeyError"},
        {"&serving<Enter>&<Enter>", "KeyError", "serving ┐"},
        {"&serving<Enter><Esc>", "KeyError", "serving ┐"},
        {"k", "KeyError", " follow ┐"},
        {"kG", " follow ┐", "not found"},
        {"g", "listening on", " follow ┐"},
        {"F", "KeyError", " follow ┐"},
        {"n", "nothing to search for", "saves"},
    };
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    struct log_source log;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct app *app = app_of_state(0, snapshot, &log);
        struct canvas canvas = {0};
        canvas_init(&canvas, 80, 16, false);
        app_draw(app, &canvas, WALL_MS);
        type(app, rows[i].keys);
        app_draw(app, &canvas, WALL_MS);
        if (!canvas_contains(&canvas, rows[i].seen) || canvas_contains(&canvas, rows[i].unseen)) {
            auto_free char *text = canvas_dump(&canvas);
            fail_msg("keys \"%s\": \"%s\" and not \"%s\"\n%s", rows[i].keys, rows[i].seen,
                     rows[i].unseen, text);
        }
        canvas_release(&canvas);
        app_free(app);
    }
    free(snapshot);
}

static void test_effects(void **unused)
{
    (void)unused;
    struct app *app = app_new();
    assert_int_equal(app_key(app, 'q'), APP_QUIT);
    assert_int_equal(app_key(app, 3), APP_QUIT);
    assert_int_equal(app_key(app, 26), APP_SUSPEND);
    assert_int_equal(app_key(app, 'r'), APP_RELOAD);
    assert_int_equal(app_key(app, 'R'), APP_RESTART);
    assert_int_equal(app_key(app, 'e'), APP_EDIT);
    assert_int_equal(app_key(app, 12), APP_REPAINT);
    assert_int_equal(app_key(app, 'x'), 0);
    // Only where there is something to install, or to cancel.
    assert_int_equal(app_key(app, 'i'), 0);
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    missing_state(snapshot);
    app_snapshot(app, snapshot, WALL_MS);
    assert_int_equal(app_key(app, 'i'), APP_INSTALL_PYTHON);
    assert_int_equal(app_key(app, 'x'), 0);
    healthy_state(snapshot);
    app_snapshot(app, snapshot, WALL_MS);
    assert_int_equal(app_key(app, 'i'), 0);
    SET(snapshot->install_offer, "3.14.2"); // another Python runs it
    app_snapshot(app, snapshot, WALL_MS);
    assert_int_equal(app_key(app, 'i'), APP_INSTALL_PYTHON);
    fetching_state(snapshot);
    app_snapshot(app, snapshot, WALL_MS);
    assert_int_equal(app_key(app, 'i'), 0);
    assert_int_equal(app_key(app, 'x'), APP_CANCEL_INSTALL);
    free(snapshot);
    // A letter typed into the search is no command.
    app_key(app, '/');
    assert_int_equal(app_key(app, 'q'), 0);
    assert_int_equal(app_key(app, 27), 0);
    assert_int_equal(app_key(app, 'q'), APP_QUIT);
    app_free(app);
}

// No size breaks anything, the smallest says what is wrong.
static void test_every_size(void **unused)
{
    (void)unused;
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    struct log_source log;
    for (size_t state = 0; state < ARRAY_LEN(states); state++) {
        // Each state other sizes, so that together they are many.
        for (int cols = 1 + (int)state % 11; cols <= 180; cols += 11) {
            for (int rows = 1 + (int)state % 6; rows <= 50; rows += 6) {
                struct app *app = app_of_state(state, snapshot, &log);
                struct canvas canvas = {0};
                canvas_init(&canvas, cols, rows, false);
                for (const char *key = "?1234z/n"; *key; key++) {
                    app_draw(app, &canvas, WALL_MS);
                    app_key(app, (uint32_t)*key);
                }
                app_draw(app, &canvas, WALL_MS);
                if (cols >= 20 && (cols < APP_COLS_MIN || rows < APP_ROWS_MIN)) {
                    assert_true(canvas_contains(&canvas, "terminal too small"));
                }
                canvas_release(&canvas);
                app_free(app);
            }
        }
    }
    free(snapshot);
}

int main(void)
{
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_screens),    cmocka_unit_test(test_sleep_is_said),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_effects),
        cmocka_unit_test(test_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
