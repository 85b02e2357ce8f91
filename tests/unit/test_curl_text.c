// A curl command is what a shell makes of it: each one is read back by sh, with a function in
// curl's place that shows its words, and what it gets on standard input.
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/process.h"
#include "tui/curl_text.h"

static struct request_part part(const char *bytes, size_t len)
{
    return (struct request_part){(char *)(uintptr_t)bytes, len, (int64_t)len};
}

static struct request_detail detail_of(const char *head, const char *body, size_t len)
{
    struct request_detail detail = {.request_head = part(head, strlen(head)),
                                    .request_body = part(body, len)};
    detail.summary.id = 1;
    detail.summary.status = 200;
    strcpy(detail.summary.method, "X");
    return detail;
}

// What sh makes of the command: each word in brackets, then what came on standard input in hex.
static char *run_by_shell(const char *command)
{
    auto_free char *script =
        str_printf("curl() { for word in \"$@\"; do printf '[%%s]' \"$word\"; done; "
                   "case \" $* \" in *' @- '*) od -An -v -tx1 | tr -d ' \\n';; esac; }\n%s",
                   command);
    char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", script, NULL};
    char *output = NULL;
    struct error error = {0};
    int status = process_capture(argv, NULL, NULL, 1 << 20, 10000, &output, &error);
    if (status != 0) {
        fail_msg("sh: %d %s\n%s", status, error.message, command);
    }
    return output;
}

#define COMMON "[--globoff][--path-as-is][--noproxy][*][--silent][--show-error][--http1.1]"
#define UNSET  "[--header][User-Agent:][--header][Accept:]"

static void test_commands(void **unused)
{
    (void)unused;
    static const struct {
        const char *head, *body;
        size_t len;
        const char *words;
    } rows[] = {
        {"GET /a?b=c&d=%20 HTTP/1.1\r\nHost: localhost:3000\r\n\r\n", "", 0,
         COMMON "[--request][GET][http://l:1/a?b=c&d=%20][--header][Host: localhost:3000]" UNSET},
        {"GET /it's/$HOME/`id`/!/\"x\"/*?a;b HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nAccept: "
         "*/*\r\n"
         "X-Quote: it's \"$HOME\" `id` \\ !\r\nX-Empty:\r\n\r\n",
         "", 0,
         COMMON "[--request][GET][http://l:1/][--request-target][/it's/$HOME/`id`/!/\"x\"/*?a;b]"
                "[--header][Host: a][--header][User-Agent: me][--header][Accept: */*]"
                "[--header][X-Quote: it's \"$HOME\" `id` \\ !][--header][X-Empty;]"},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "", 0,
         COMMON "[--head][http://l:1/][--header][Host: a]" UNSET},
        {"GET / HTTP/1.0\r\n\r\n", "", 0,
         "[--globoff][--path-as-is][--noproxy][*][--silent][--show-error][--http1.0][--request]["
         "GET]"
         "[http://l:1/][--header][Host:]" UNSET},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
         "14\r\n\r\n",
         "{\"a\": \"it's\"}\n", 14,
         COMMON "[--request][POST][http://l:1/][--header][Host: a]"
                "[--header][Content-Type: application/json]" UNSET
                "[--header][Expect:][--data-raw][{\"a\": \"it's\"}\n]"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "@file", 5,
         COMMON "[--request][POST][http://l:1/][--header][Host: a]" UNSET
                "[--header][Content-Type:][--header][Expect:][--data-raw][@file]"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "-\0\xff%'\\1\r\n9",
         10,
         COMMON "[--request][POST][http://l:1/][--header][Host: a]"
                "[--header][Transfer-Encoding: chunked]" UNSET
                "[--header][Content-Type:][--header][Expect:][--data-binary][@-]"
                "2d00ff25275c310d0a39"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "", 0,
         COMMON "[--request][POST][http://l:1/][--header][Host: a]" UNSET
                "[--header][Content-Type:][--header][Expect:][--data-raw][]"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "", 0,
         COMMON "[--request][OPTIONS][http://l:1/][--request-target][*][--header][Host: a]" UNSET},
        {"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", "", 0,
         COMMON
         "[--request][GET][http://l:1/][--request-target][http://a/x][--header][Host: a]" UNSET},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request_detail detail = detail_of(rows[i].head, rows[i].body, rows[i].len);
        struct error error = {0};
        auto_free char *command = curl_text(&detail, "http://l:1", &error);
        if (!command) {
            fail_msg("row %zu: %s", i, error.message);
        }
        auto_free char *words = run_by_shell(command);
        if (strcmp(words, rows[i].words) != 0) {
            fail_msg("row %zu: %s\nis     %s\nwanted %s", i, command, words, rows[i].words);
        }
    }
}

// Every byte there is comes through, in bodies small and large.
static void test_any_body(void **unused)
{
    (void)unused;
    char body[3000];
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)(i * 7 + i / 256);
    }
    struct request_detail detail =
        detail_of("PUT / HTTP/1.1\r\nHost: a\r\n\r\n", body, sizeof body);
    auto_free char *command = curl_text(&detail, "http://l:1", NULL);
    auto_free char *words = run_by_shell(command);
    const char *hex = strstr(words, "[@-]") + 4;
    assert_int_equal(strlen(hex), 2 * sizeof body);
    for (size_t i = 0; i < sizeof body; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        assert_int_equal(byte, (unsigned char)body[i]);
    }
}

static void test_what_cannot_be_said(void **unused)
{
    (void)unused;
    struct error error = {0};
    struct request_detail detail = detail_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "abc", 3);
    detail.request_body.size = 100000;
    assert_null(curl_text(&detail, "http://l:1", &error));
    assert_non_null(strstr(error.message, "3 of 100000"));
    detail = detail_of("GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", "", 0);
    detail.summary.method[0] = '\0'; // its head was refused
    assert_null(curl_text(&detail, "http://l:1", &error));
    detail = detail_of("\x16\x03\x01", "", 0);
    assert_null(curl_text(&detail, "http://l:1", &error));
    detail = detail_of("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "", 0);
    detail.summary.status = 101;
    assert_null(curl_text(&detail, "http://l:1", &error));
    detail.summary.status = 426; // refused: an ordinary answer
    auto_free char *command = curl_text(&detail, "http://l:1", &error);
    assert_non_null(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_any_body),
        cmocka_unit_test(test_what_cannot_be_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
