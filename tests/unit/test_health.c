// Health: the verdict as a table, and real probes against a scripted server in a child process.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator/health/health.h"
#include "emulator/loop.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"

#define PING_JSON "{\"runtime\": \"cpython-3.11.7\", \"version\": \"3.0.2\"}"

// --- pure -------------------------------------------------------------------------------------

static void test_judge(void **state)
{
    (void)state;
    static const struct {
        int home, ping;
        bool is_sdk, strict;
        enum health_verdict expected;
    } rows[] = {
        {200, 404, false, false, HEALTH_HEALTHY}, {204, 0, false, false, HEALTH_HEALTHY},
        {299, 500, false, false, HEALTH_HEALTHY}, {302, 404, false, false, HEALTH_NOT_YET}, // P-110
        {301, 200, true, false, HEALTH_HEALTHY},                                            // P-302
        {404, 200, true, false, HEALTH_HEALTHY},  {500, 200, true, false, HEALTH_HEALTHY},
        {404, 200, false, false, HEALTH_NOT_YET}, // a page for every path is no ping
        {404, 500, true, false, HEALTH_NOT_YET},  {0, 0, false, false, HEALTH_NOT_YET},
        {0, 200, true, false, HEALTH_HEALTHY},    {199, 0, false, false, HEALTH_NOT_YET},
        {300, 0, false, false, HEALTH_NOT_YET},   {500, 0, false, false, HEALTH_NOT_YET},
        {200, 404, false, true, HEALTH_NOT_YET}, // P-106
        {200, 200, false, true, HEALTH_NOT_YET},  {302, 200, true, true, HEALTH_HEALTHY},
        {200, 200, true, true, HEALTH_HEALTHY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct health_probe_result home = {.status = rows[i].home};
        struct health_probe_result ping = {.status = rows[i].ping, .is_sdk_ping = rows[i].is_sdk};
        enum health_verdict got = health_judge(&home, &ping, rows[i].strict);
        if (got != rows[i].expected) {
            fail_msg("row %zu: home %d, ping %d: %d", i, rows[i].home, rows[i].ping, (int)got);
        }
    }
}

static void test_read_body(void **state)
{
    (void)state;
    static const struct {
        const char *body, *digest;
        bool is_sdk;
    } rows[] = {
        {"", "", false},
        {PING_JSON, PING_JSON, true},
        {" {\"version\":\"2\",\"runtime\":\"r\"}\n", "{\"version\":\"2\",\"runtime\":\"r\"}", true},
        {"{\"runtime\": \"r\"}", "{\"runtime\": \"r\"}", false},
        {"{\"runtime\": 3, \"version\": 2}", "{\"runtime\": 3, \"version\": 2}", false},
        {"{\"Runtime\": \"r\", \"version\": \"2\"}", "{\"Runtime\": \"r\", \"version\": \"2\"}",
         false},
        {"[1]", "[1]", false},
        {"{\"runtime\": \"r\", \"version\": \"2\"} and more",
         "{\"runtime\": \"r\", \"version\": \"2\"} and more", false},
        {"\r\n<html>\n\n\t<b>\x1b[31m", "<html> <b> [31m", false},
        {"caf\xe9 \xe4\xb8\xad", "caf\xef\xbf\xbd \xe4\xb8\xad", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct health_probe_result result = {0};
        health_read_body(&result, rows[i].body, strlen(rows[i].body));
        assert_string_equal(result.body, rows[i].digest);
        assert_int_equal(result.is_sdk_ping, rows[i].is_sdk);
    }
}

static void test_read_body_bounds(void **state)
{
    (void)state;
    struct health_probe_result result = {0};
    char wide[900]; // 300 code points of three bytes: 199 bytes hold 66 of them
    for (size_t i = 0; i < sizeof wide; i += 3) {
        memcpy(wide + i, "\xe4\xb8\xad", 3);
    }
    health_read_body(&result, wide, sizeof wide);
    assert_int_equal(strlen(result.body), 198);

    char ping[HEALTH_BODY_BYTES + 1];
    memset(ping, ' ', sizeof ping);
    memcpy(ping, PING_JSON, strlen(PING_JSON));
    health_read_body(&result, ping, HEALTH_BODY_BYTES);
    assert_true(result.is_sdk_ping);
    assert_string_equal(result.sdk_runtime, "cpython-3.11.7");
    assert_string_equal(result.sdk_version, "3.0.2");
    health_read_body(&result, ping, HEALTH_BODY_BYTES + 1);
    assert_false(result.is_sdk_ping);
    assert_string_equal(result.sdk_version, "");
}

static void test_title(void **state)
{
    (void)state;
    static const struct {
        const char *body, *title;
    } rows[] = {
        {"<!doctype html><html><head><meta charset=utf-8><TITLE lang=\"zh\">\n  你好 \n世界 "
         "</title></head>",
         "你好 世界"},
        {"<title>open", "open"},
        {"<title></title>", ""},
        {"<title", ""},
        {"hello", ""},
        {"", ""},
        {PING_JSON, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct health_probe_result result = {0};
        health_read_body(&result, rows[i].body, strlen(rows[i].body));
        assert_string_equal(result.title, rows[i].title);
    }
}

// --- a scripted server ------------------------------------------------------------------------

#define HOLD      "hold"  // reads the request and says nothing
#define CLOSE     "close" // closes without a word
#define STAY      "stay"  // in front of an answer: the connection stays open after it
#define LATE      "late"  // in front of an answer: it comes after 300 ms
#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"
#define NOT_FOUND "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
#define PING      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" PING_JSON

struct visitor {
    int fd;
    char request[2048];
    size_t len;
    const char *late;
    int64_t due_ms;
};

struct server {
    pid_t pid;
    uint16_t port;
    int requests_fd; // every request head, as it came
};

static void answer(struct visitor *visitor, const char *script)
{
    bool stays = strncmp(script, STAY, strlen(STAY)) == 0;
    script += stays ? strlen(STAY) : 0;
    if (strcmp(script, CLOSE) != 0) {
        send(visitor->fd, script, strlen(script), MSG_NOSIGNAL);
    }
    if (!stays) {
        close(visitor->fd);
        visitor->fd = -1;
    }
}

static void on_request(struct visitor *visitor, const char *home, const char *ping, int log_fd)
{
    ssize_t got = recv(visitor->fd, visitor->request + visitor->len,
                       sizeof visitor->request - 1 - visitor->len, 0);
    if (got <= 0) {
        close(visitor->fd);
        visitor->fd = -1;
        return;
    }
    visitor->len += (size_t)got;
    if (!strstr(visitor->request, "\r\n\r\n") || visitor->late) {
        return;
    }
    if (write(log_fd, visitor->request, visitor->len) < 0) {
        _exit(1);
    }
    const char *script = strncmp(visitor->request, "GET / ", 6) == 0 ? home : ping;
    if (strncmp(script, LATE, strlen(LATE)) == 0) {
        visitor->late = script + strlen(LATE);
        visitor->due_ms = clock_now_ms() + 300;
    } else if (strcmp(script, HOLD) != 0) {
        answer(visitor, script);
    }
}

static void serve(int listener, const char *home, const char *ping, int log_fd)
{
    static struct visitor visitors[16];
    size_t count = 0;
    for (;;) {
        struct pollfd fds[17] = {{.fd = listener, .events = count < 16 ? POLLIN : 0}};
        for (size_t i = 0; i < count; i++) {
            fds[i + 1] = (struct pollfd){.fd = visitors[i].fd, .events = POLLIN};
        }
        poll(fds, count + 1, 20);
        for (size_t i = 0; i < count; i++) {
            struct visitor *visitor = &visitors[i];
            if (visitor->fd >= 0 && fds[i + 1].revents) {
                on_request(visitor, home, ping, log_fd);
            }
            if (visitor->fd >= 0 && visitor->late && clock_now_ms() >= visitor->due_ms) {
                answer(visitor, visitor->late);
            }
        }
        if (fds[0].revents & POLLIN) {
            visitors[count++].fd = accept(listener, NULL, NULL);
        }
    }
}

static int listen_somewhere(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static struct server start_server(const char *home, const char *ping)
{
    struct server server = {0};
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    int listener = listen_somewhere(&server.port);
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener, home, ping, pipe_fds[1]);
    }
    close(listener);
    close(pipe_fds[1]);
    server.requests_fd = pipe_fds[0];
    return server;
}

// Ends it; the heads of all its requests, owned by the caller.
static char *stop_server(const struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    char *requests = calloc(1, 32768);
    size_t len = 0;
    ssize_t got;
    while ((got = read(server->requests_fd, requests + len, 32767 - len)) > 0) {
        len += (size_t)got;
    }
    close(server->requests_fd);
    return requests;
}

// --- asking it --------------------------------------------------------------------------------

struct asking {
    struct loop *loop;
    struct health *health;
    struct loop_source *limit;
    struct health_round last;
    int rounds, wanted;
    bool frees_in_callback, asks_at_once;
};

static void on_round(void *context, const struct health_round *round)
{
    struct asking *asking = context;
    asking->last = *round;
    asking->rounds++;
    if (asking->asks_at_once) {
        health_probe_now(asking->health);
    }
    if (asking->rounds >= asking->wanted) {
        if (asking->frees_in_callback) {
            health_free(asking->health);
            asking->health = NULL;
        }
        loop_exit(asking->loop, 0);
    }
}

static void on_limit(void *context)
{
    struct asking *asking = context;
    loop_exit(asking->loop, 1);
}

static struct health_options options_for(uint16_t port)
{
    return (struct health_options){.address = INADDR_LOOPBACK,
                                   .port = port,
                                   .host_header = "app.test:3000",
                                   .interval_ms = 60000,
                                   .probe_timeout_ms = 5000};
}

static void ask(struct asking *asking, struct health_options options)
{
    asking->loop = loop_new(NULL);
    assert_non_null(asking->loop);
    asking->limit = loop_add_timer(asking->loop, 10000, on_limit, asking);
    asking->wanted = asking->wanted ? asking->wanted : 1;
    options.context = asking;
    options.on_round = on_round;
    asking->health = health_start(asking->loop, &options, NULL);
    assert_non_null(asking->health);
    assert_int_equal(asking->rounds, 0);
    if (loop_run(asking->loop) != 0) {
        fail_msg("no round within 10 s");
    }
    health_free(asking->health);
    loop_source_free(asking->limit);
    loop_free(asking->loop);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *home, *ping;
        bool strict;
        int64_t timeout_ms;
        int home_status, ping_status;
        const char *healthy_path; // NULL: not healthy
        const char *home_failure; // its beginning
    } rows[] = {
        {OK_ANSWER, NOT_FOUND, false, 5000, 200, 404, "/", ""},
        {OK_ANSWER, NOT_FOUND, true, 5000, 200, 404, NULL, ""},
        {OK_ANSWER, PING, true, 5000, 200, 200, "/__engine/1/ping", ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", NOT_FOUND, false, 5000, 204, 404, "/", ""},
        {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nlocation:  https://app.test/login \r\n\r\n",
         NOT_FOUND, false, 5000, 302, 404, NULL, ""},
        {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /login\r\n\r\n", PING, false, 5000,
         302, 200, "/__engine/1/ping", ""},
        {"HTTP/1.1 500 Internal Server Error\r\n\r\nTraceback", NOT_FOUND, false, 5000, 500, 404,
         NULL, ""},
        {NOT_FOUND, OK_ANSWER, false, 5000, 404, 200, NULL, ""}, // not the SDK's
        {HOLD, HOLD, false, 150, 0, 0, NULL, "no answer within "},
        {CLOSE, NOT_FOUND, false, 5000, 0, 404, NULL, "Empty reply"},
        {"SSH-2.0-x\r\n", NOT_FOUND, false, 5000, 0, 404, NULL, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", NOT_FOUND, false, 5000, 0, 404, NULL,
         ""},
        {STAY "HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n", NOT_FOUND, false, 5000, 200, 404, "/", ""},
        {LATE OK_ANSWER, NOT_FOUND, false, 5000, 200, 404, "/", ""},
        {LATE OK_ANSWER, PING, false, 5000, 0, 200, "/__engine/1/ping", "not waited for"},
        {OK_ANSWER, HOLD, false, 5000, 200, 0, "/", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server = start_server(rows[i].home, rows[i].ping);
        struct health_options options = options_for(server.port);
        options.strict = rows[i].strict;
        options.probe_timeout_ms = rows[i].timeout_ms;
        struct asking asking = {0};
        ask(&asking, options);
        free(stop_server(&server));
        const struct health_probe_result *home = &asking.last.home;
        if (home->status != rows[i].home_status || asking.last.ping.status != rows[i].ping_status) {
            fail_msg("row %zu: / %d '%s', ping %d '%s'", i, home->status, home->failure,
                     asking.last.ping.status, asking.last.ping.failure);
        }
        assert_int_equal(asking.last.verdict,
                         rows[i].healthy_path ? HEALTH_HEALTHY : HEALTH_NOT_YET);
        if (rows[i].healthy_path) {
            assert_string_equal(asking.last.healthy_path, rows[i].healthy_path);
        } else {
            assert_null(asking.last.healthy_path);
        }
        assert_memory_equal(home->failure, rows[i].home_failure, strlen(rows[i].home_failure));
        assert_int_equal(home->status == 0, home->failure[0] != '\0');
        assert_int_equal(home->is_timeout, memcmp(home->failure, "no answer", 9) == 0);
        assert_string_equal(home->path, "/");
        assert_string_equal(asking.last.ping.path, "/__engine/1/ping");
        assert_true(home->duration_us > 0);
    }
}

// A home page without end: its beginning is enough, nobody listens on until the limit.
static void test_a_page_without_end(void **state)
{
    (void)state;
    static const char head[] = STAY "HTTP/1.1 200 OK\r\n\r\n";
    char home[sizeof head + 3 * HEALTH_BODY_BYTES];
    memset(home, 'x', sizeof home);
    memcpy(home, head, sizeof head - 1);
    home[sizeof home - 1] = '\0';
    struct server server = start_server(home, NOT_FOUND);
    struct health_options options = options_for(server.port);
    options.probe_timeout_ms = 60000; // longer than the test's own limit
    struct asking asking = {0};
    ask(&asking, options);
    free(stop_server(&server));
    assert_int_equal(asking.last.verdict, HEALTH_HEALTHY);
    assert_int_equal(asking.last.home.status, 200);
    assert_string_equal(asking.last.home.failure, "");
    assert_int_equal(strlen(asking.last.home.body), sizeof asking.last.home.body - 1);
}

// Nor one that trickles: the head has come, and the limit is far away.
static void test_pages_that_stay_open(void **state)
{
    (void)state;
    static const struct {
        const char *home, *ping;
        int home_status, ping_status;
        enum health_verdict expected;
    } rows[] = {
        {STAY "HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n", NOT_FOUND, 200, 404, HEALTH_HEALTHY},
        {STAY "HTTP/1.1 200 OK\r\n\r\n", HOLD, 200, 0, HEALTH_HEALTHY},
        {STAY "HTTP/1.1 500 Oops\r\n\r\nx", STAY "HTTP/1.1 404 No\r\n\r\nx", 500, 404,
         HEALTH_NOT_YET},
        {STAY "HTTP/1.1 100 Continue\r\n\r\n", HOLD, 0, 0, HEALTH_NOT_YET},
        {STAY "HTTP/1.1 200 OK\r\nX-Head: without end\r\n", HOLD, 0, 0, HEALTH_NOT_YET},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server = start_server(rows[i].home, rows[i].ping);
        struct health_options options = options_for(server.port);
        // Longer than the test's own limit, where nobody is to wait for it.
        options.probe_timeout_ms = rows[i].home_status ? 60000 : 700;
        struct asking asking = {0};
        ask(&asking, options);
        free(stop_server(&server));
        assert_int_equal(asking.last.home.status, rows[i].home_status);
        assert_int_equal(asking.last.ping.status, rows[i].ping_status);
        assert_int_equal(asking.last.verdict, rows[i].expected);
    }
}

static void test_facts_of_the_answers(void **state)
{
    (void)state;
    struct server server =
        start_server("HTTP/1.1 302 Found\r\nContent-Length: 6\r\nLocation:\t/login?next=/ \r\n"
                     "\r\n<a>\nb\n",
                     PING);
    struct asking asking = {0};
    ask(&asking, options_for(server.port));
    auto_free char *requests = stop_server(&server);
    assert_string_equal(asking.last.home.location, "/login?next=/");
    assert_string_equal(asking.last.home.body, "<a> b");
    assert_true(asking.last.ping.is_sdk_ping);
    assert_string_equal(asking.last.ping.sdk_runtime, "cpython-3.11.7");
    assert_string_equal(asking.last.ping.sdk_version, "3.0.2");
    assert_non_null(strstr(requests, "GET / HTTP/1.1\r\nHost: app.test:3000\r\n"));
    assert_non_null(strstr(requests, "GET /__engine/1/ping HTTP/1.1\r\nHost: app.test:3000\r\n"));
    assert_non_null(strstr(requests, "\r\nUser-Agent: leanlocal/"));
    assert_null(strstr(requests, "/login")); // not followed
}

static void test_refused(void **state)
{
    (void)state;
    uint16_t port;
    close(listen_somewhere(&port));
    struct asking asking = {0};
    ask(&asking, options_for(port));
    assert_int_equal(asking.last.verdict, HEALTH_NOT_YET);
    assert_string_equal(asking.last.home.failure, "Connection refused");
    assert_int_equal(asking.last.home.errnum, ECONNREFUSED);
    assert_false(asking.last.home.is_timeout);
    assert_string_equal(asking.last.ping.failure, "Connection refused");
}

static void test_a_proxy_of_the_shell_gets_nothing(void **state)
{
    (void)state;
    uint16_t proxy_port;
    auto_close int proxy = listen_somewhere(&proxy_port);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy_port);
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        setenv(names[i], url, 1);
    }
    struct server server = start_server(OK_ANSWER, NOT_FOUND);
    struct asking asking = {0};
    ask(&asking, options_for(server.port));
    free(stop_server(&server));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unsetenv(names[i]);
    }
    assert_int_equal(asking.last.verdict, HEALTH_HEALTHY);
    struct pollfd visit = {.fd = proxy, .events = POLLIN};
    assert_int_equal(poll(&visit, 1, 0), 0);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void test_rounds_follow_at_the_interval(void **state)
{
    (void)state;
    struct server server = start_server(NOT_FOUND, NOT_FOUND);
    struct health_options options = options_for(server.port);
    options.interval_ms = 40;
    struct asking asking = {.wanted = 3};
    int64_t started_ms = clock_now_ms();
    ask(&asking, options);
    assert_true(clock_now_ms() - started_ms >= 2 * 40 - 2);
    auto_free char *requests = stop_server(&server);
    assert_int_equal(occurrences(requests, "GET / "), 3);
    assert_int_equal(occurrences(requests, "GET /__engine/1/ping "), 3);
}

static void test_first_round_waits_as_told(void **state)
{
    (void)state;
    struct server server = start_server(OK_ANSWER, NOT_FOUND);
    struct health_options options = options_for(server.port);
    options.first_after_ms = 60;
    struct asking asking = {0};
    int64_t started_ms = clock_now_ms();
    ask(&asking, options);
    assert_true(clock_now_ms() - started_ms >= 59);
    free(stop_server(&server));
}

static void test_probe_now_does_not_wait(void **state)
{
    (void)state;
    struct server server = start_server(NOT_FOUND, NOT_FOUND);
    struct asking asking = {.wanted = 5, .asks_at_once = true};
    ask(&asking, options_for(server.port)); // the interval is a minute, the limit 10 s
    assert_int_equal(asking.rounds, 5);
    free(stop_server(&server));
}

static void test_free_in_the_callback(void **state)
{
    (void)state;
    struct server server = start_server(OK_ANSWER, HOLD); // the grace timer ends this round
    struct asking asking = {.frees_in_callback = true};
    ask(&asking, options_for(server.port));
    assert_null(asking.health);
    free(stop_server(&server));
    server = start_server(OK_ANSWER, NOT_FOUND); // and a socket this one
    asking = (struct asking){.frees_in_callback = true};
    ask(&asking, options_for(server.port));
    assert_null(asking.health);
    free(stop_server(&server));
}

static void test_free_with_transfers_under_way(void **state)
{
    (void)state;
    struct server server = start_server(HOLD, HOLD);
    struct asking asking = {.loop = loop_new(NULL)};
    struct health_options options = options_for(server.port);
    options.context = &asking;
    options.on_round = on_round;
    struct health *health = health_start(asking.loop, &options, NULL);
    struct loop_source *limit = loop_add_timer(asking.loop, 100, on_limit, &asking);
    assert_int_equal(loop_run(asking.loop), 1);
    health_free(health);
    health_free(NULL);
    loop_timer_restart(limit, 20); // nothing of it comes later
    assert_int_equal(loop_run(asking.loop), 1);
    assert_int_equal(asking.rounds, 0);
    loop_source_free(limit);
    loop_free(asking.loop);
    auto_free char *requests = stop_server(&server);
    assert_int_equal(occurrences(requests, "GET "), 2); // both had been asked, side by side
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_read_body),
        cmocka_unit_test(test_read_body_bounds),
        cmocka_unit_test(test_title),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_page_without_end),
        cmocka_unit_test(test_pages_that_stay_open),
        cmocka_unit_test(test_facts_of_the_answers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_proxy_of_the_shell_gets_nothing),
        cmocka_unit_test(test_rounds_follow_at_the_interval),
        cmocka_unit_test(test_first_round_waits_as_told),
        cmocka_unit_test(test_probe_now_does_not_wait),
        cmocka_unit_test(test_free_in_the_callback),
        cmocka_unit_test(test_free_with_transfers_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
