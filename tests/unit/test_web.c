// Requests against a server in a child process that shows what it was sent, or plays a part.
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "emulator/formats/http1.h"
#include "emulator/web/web.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"

// --- a server that plays the part which the path names ------------------------------------------

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) {
        close(fd);
    }
}

// The request comes back as the body.
static void echo(int fd, const char *request, size_t len)
{
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
             "HTTP/1.1 418 Teapot\r\nX-Two:  a \r\nx-two:b\t\r\nContent-Length: %zu\r\n\r\n",
             len);
    say(fd, head);
    if (send(fd, request, len, MSG_NOSIGNAL) < 0) {
        _exit(1);
    }
}

static void serve_one(int fd)
{
    static char request[1 << 16];
    size_t len = 0;
    char *end;
    do {
        ssize_t got = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        request[len] = '\0';
        end = strstr(request, "\r\n\r\n");
    } while (!end);
    const char *length = strstr(request, "Content-Length: ");
    size_t body = length ? strtoul(length + strlen("Content-Length: "), NULL, 10) : 0;
    while (len < (size_t)(end + 4 - request) + body) {
        ssize_t got = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
    }
    if (strstr(request, " /redirect ")) {
        say(fd, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
    } else if (strstr(request, " /broken ")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    } else if (strstr(request, " /bent ")) {
        say(fd, "HTTP/1.1 200 OK\nX : y\nContent-Length: 0\n\n");
    } else if (strstr(request, " /unreadable ")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n");
    } else if (strstr(request, " /hold ")) {
        poll(NULL, 0, -1);
    } else if (!strstr(request, " /close ")) {
        echo(fd, request, len);
    }
}

struct server {
    pid_t pid;
    uint16_t port;
};

static int start_server(void **state)
{
    static struct server server;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) < 0) {
        return -1;
    }
    server.port = ntohs(address.sin_port);
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGCHLD, SIG_IGN);
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            pid_t parent = getpid();
            if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent) { // it was killed before that
                    _exit(0);
                }
                serve_one(fd);
                _exit(0);
            }
            close(fd);
        }
    }
    close(listener);
    *state = &server;
    return 0;
}

static int stop_server(void **state)
{
    const struct server *server = *state;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    return 0;
}

// --- asking it --------------------------------------------------------------------------------

struct asked {
    struct loop *loop;
    struct web *web;
    int answers, wanted;
    struct web_answer last;
    char body[1 << 16], failure[256], two[32];
    bool has_early, frees;
    struct web_call *victim; // cancelled in the callback
};

static void on_answer(void *context, const struct web_answer *answer)
{
    struct asked *asked = context;
    asked->last = *answer;
    snprintf(asked->body, sizeof asked->body, "%s", answer->body);
    snprintf(asked->failure, sizeof asked->failure, "%s", answer->failure);
    const char *two = web_answer_header(answer, "X-Two");
    snprintf(asked->two, sizeof asked->two, "%s", two ? two : "");
    asked->has_early = web_answer_header(answer, "X-Early");
    asked->answers++;
    if (asked->frees) {
        web_free(steal(asked->web));
    } else if (asked->victim) {
        web_cancel(steal(asked->victim));
    }
    if (asked->answers >= asked->wanted) {
        loop_exit(asked->loop, 0);
    }
}

static void on_limit(void *context)
{
    struct asked *asked = context;
    loop_exit(asked->loop, 1);
}

static void begin(struct asked *asked)
{
    asked->loop = loop_new(NULL);
    asked->web = web_new(asked->loop, NULL);
    asked->wanted = 1;
    assert_non_null(asked->web);
}

static int run(struct asked *asked, int64_t limit_ms)
{
    struct loop_source *limit = loop_add_timer(asked->loop, limit_ms, on_limit, asked);
    int code = loop_run(asked->loop);
    loop_source_free(limit);
    return code;
}

static void end(struct asked *asked)
{
    web_free(asked->web);
    loop_free(asked->loop);
}

static struct web_request request_for(const struct server *server, const char *target,
                                      struct asked *asked)
{
    return (struct web_request){.address = INADDR_LOOPBACK,
                                .port = server->port,
                                .target = target,
                                .timeout_ms = 10000,
                                .answer_max = sizeof asked->body - 1,
                                .context = asked,
                                .on_answer = on_answer};
}

static void ask(struct asked *asked, const struct web_request *request)
{
    begin(asked);
    assert_non_null(web_ask(asked->web, request, NULL));
    assert_int_equal(asked->answers, 0);
    assert_int_equal(run(asked, 10000), 0);
    end(asked);
}

static void test_what_is_sent(void **state)
{
    static const char *const headers[] = {"Host: app.test", "X-LC-Id: a", "Accept:", NULL};
    static const char *const typed[] = {"Content-Type: application/json", NULL};
    static const struct {
        const char *method, *target, *const *headers, *body;
        const char *begins, *holds, *lacks;
    } rows[] = {
        {NULL, "/a/../b?x=%2f&y= ", NULL, NULL,
         "GET /a/../b?x=%2f&y=  HTTP/1.1\r\nHost: 127.0.0.1:", "\r\n\r\n", "User-Agent"},
        {NULL, "/", headers, NULL, "GET / HTTP/1.1\r\nHost: app.test\r\n", "X-LC-Id: a\r\n",
         "Accept"},
        {NULL, "/", NULL, "{}", "POST / HTTP/1.1\r\n", "Content-Length: 2\r\n\r\n{}",
         "Content-Type"},
        {"PUT", "/", typed, "{}", "PUT / HTTP/1.1\r\n", "Content-Type: application/json\r\n",
         "Expect"},
        {"DELETE", "*", NULL, NULL, "DELETE * HTTP/1.1\r\n", "Accept: */*\r\n", "Content-Length"},
        {"POST", "/", NULL, "", "POST / HTTP/1.1\r\n", "Content-Length: 0\r\n", "Content-Type"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct asked *asked = mem_alloc(sizeof *asked);
        struct web_request request = request_for(*state, rows[i].target, asked);
        request.method = rows[i].method;
        request.headers = rows[i].headers;
        request.body = rows[i].body;
        request.body_len = rows[i].body ? strlen(rows[i].body) : 0;
        ask(asked, &request);
        if (!str_starts_with(asked->body, rows[i].begins) || !strstr(asked->body, rows[i].holds) ||
            strstr(asked->body, rows[i].lacks)) {
            fail_msg("row %zu: %s", i, asked->body);
        }
        assert_int_equal(asked->last.status, 418);
        assert_true(asked->last.is_complete);
        assert_string_equal(asked->two, "b"); // the last one, without blanks
        assert_false(asked->has_early);       // of a 1xx
        assert_string_equal(asked->failure, "");
        assert_true(asked->last.duration_us > 0);
        free(asked);
    }
}

static void test_what_comes_back(void **state)
{
    static const struct {
        const char *target;
        int64_t timeout_ms;
        size_t answer_max;
        int status;
        bool is_complete, is_timeout, is_cut;
        size_t body_len;
        const char *failure; // its beginning
    } rows[] = {
        {"/redirect", 10000, 100, 302, true, false, false, 0, ""},
        {"/echo", 10000, 10, 418, true, false, true, 10, ""},
        {"/echo", 10000, 0, 418, true, false, true, 0, ""},
        {"/close", 10000, 100, 0, false, false, false, 0, "Empty reply"},
        {"/broken", 10000, 100, 200, false, false, false, 3, "transfer closed"},
        {"/hold", 100, 100, 0, false, true, false, 0, "no answer within "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct asked *asked = mem_alloc(sizeof *asked);
        struct web_request request = request_for(*state, rows[i].target, asked);
        request.timeout_ms = rows[i].timeout_ms;
        request.answer_max = rows[i].answer_max;
        ask(asked, &request);
        if (asked->last.status != rows[i].status ||
            asked->last.is_complete != rows[i].is_complete ||
            asked->last.is_timeout != rows[i].is_timeout || asked->last.is_cut != rows[i].is_cut ||
            asked->last.body_len != rows[i].body_len ||
            !str_starts_with(asked->failure, rows[i].failure)) {
            fail_msg("row %zu: %d '%s' '%s'", i, asked->last.status, asked->failure, asked->body);
        }
        free(asked);
    }
}

// What the balancer would bend of it, or could not read.
static void test_a_head_that_is_not_right(void **state)
{
    static const struct {
        const char *target;
        uint64_t bent;
        int unreadable;
    } rows[] = {
        {"/redirect", 0, HTTP1_RULE_NONE},
        {"/bent", 1u << HTTP1_RULE_BARE_LF | 1u << HTTP1_RULE_NAME_BLANK, HTTP1_RULE_NONE},
        {"/unreadable", 0, HTTP1_RULE_LENGTH_DIFFERS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct asked *asked = mem_alloc(sizeof *asked);
        struct web_request request = request_for(*state, rows[i].target, asked);
        ask(asked, &request);
        assert_int_equal(asked->last.bent, rows[i].bent);
        assert_int_equal(asked->last.unreadable, rows[i].unreadable);
        free(asked);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct server nobody = {.port = 1};
    struct asked *asked = mem_alloc(sizeof *asked);
    struct web_request request = request_for(&nobody, "/", asked);
    ask(asked, &request);
    assert_int_equal(asked->last.status, 0);
    assert_string_equal(asked->failure, "Connection refused");
    free(asked);
}

static void test_many_side_by_side(void **state)
{
    struct asked *asked = mem_alloc(sizeof *asked);
    struct web_request request = request_for(*state, "/echo", asked);
    struct web_request hold = request_for(*state, "/hold", asked);
    begin(asked);
    asked->wanted = 20;
    assert_non_null(web_ask(asked->web, &hold, NULL)); // does not hinder the others
    for (int i = 0; i < 20; i++) {
        assert_non_null(web_ask(asked->web, &request, NULL));
    }
    assert_int_equal(run(asked, 10000), 0);
    assert_int_equal(asked->answers, 20);
    end(asked); // with one under way
    free(asked);
}

static void test_cancelled_and_freed(void **state)
{
    struct asked *asked = mem_alloc(sizeof *asked);
    struct web_request request = request_for(*state, "/echo", asked);
    begin(asked);
    web_cancel(web_ask(asked->web, &request, NULL));
    web_cancel(NULL);
    assert_int_equal(run(asked, 50), 1);
    assert_int_equal(asked->answers, 0);

    struct web_request hold = request_for(*state, "/hold", asked);
    asked->victim = web_ask(asked->web, &hold, NULL);
    web_ask(asked->web, &request, NULL);
    assert_int_equal(run(asked, 10000), 0);
    assert_null(asked->victim);

    web_ask(asked->web, &hold, NULL);
    web_ask(asked->web, &request, NULL);
    asked->frees = true;
    assert_int_equal(run(asked, 10000), 0);
    assert_int_equal(asked->answers, 2);
    web_free(NULL);
    end(asked);
    free(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_what_comes_back),
        cmocka_unit_test(test_a_head_that_is_not_right),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_many_side_by_side),
        cmocka_unit_test(test_cancelled_and_freed),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
