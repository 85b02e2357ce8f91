// The platform's sentences of a failed check, cause by cause, and ours beside them.
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>

#include "emulator/health/words.h"
#include "sandbox/base/cleanup.h"

#define HOME(...) ((struct health_probe_result){.path = "/", __VA_ARGS__})
#define PING(...) ((struct health_probe_result){.path = "/__engine/1/ping", __VA_ARGS__})

static void assert_text(char *is, const char *expected)
{
    assert_string_equal(is, expected);
    free(is);
}

static void the_starts_sentences(void **state)
{
    (void)state;
    // P-109, the whole of it, as the FAQ has it.
    assert_text(health_words_no_port(NULL, 30),
                "实例启动失败: 无法访问应用的 Web 端口（Error: connect "
                "ECONNREFUSED），请确保程序在 30 秒内正确地启动了 HTTP 服务");
    struct health_probe_result silent = HOME(.is_timeout = true, .failure = "no answer");
    char *text = health_words_no_port(&silent, 15);
    assert_non_null(strstr(text, "（Error: ETIMEDOUT），请确保程序在 15 秒内"));
    free(text);
    // P-110.
    struct health_probe_result found = HOME(.status = 302, .body = "<title>Redirecting...</title>");
    assert_text(
        health_words_bad_answer(&found),
        "应用启动失败: 访问 leanengine 中间件失败，请确保正确地加载了中间件，应用（/）返回："
        "302: <title>Redirecting...</title>");
}

static void a_later_checks_sentence(void **state)
{
    (void)state;
    static const struct {
        struct health_probe_result result;
        const char *expected; // behind "健康检查失败：web1 检测到"
    } rows[] = {
        {HOME(.errnum = ECONNREFUSED), " Error connect ECONNREFUSED 10.19.30.220:51797"}, // P-108
        {HOME(.errnum = EHOSTUNREACH), " Error connect EHOSTUNREACH 10.19.30.220:51797"},
        {HOME(.errnum = ECONNRESET), " Error read ECONNRESET"},
        {HOME(.is_timeout = true), " Error ETIMEDOUT"},
        {HOME(.failure = "Empty reply from server"), " Error socket hang up"},
        {HOME(.status = 500, .body = "Traceback"), "应用（/）返回：500"},
        {PING(.status = 404), "应用（/__engine/1/ping）返回：404"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *text = health_words_later("web1", &rows[i].result, "10.19.30.220:51797");
        auto_free char *expected = str_printf("健康检查失败：web1 检测到%s", rows[i].expected);
        assert_string_equal(text, expected);
    }
}

static void our_own_sentence(void **state)
{
    (void)state;
    struct health_probe_result refused = HOME(.failure = "Connection refused");
    struct health_probe_result moved = HOME(.status = 302, .location = "/login", .body = "<a>");
    struct health_probe_result broken = HOME(.status = 500, .body = "Oops");
    struct health_probe_result empty = PING(.status = 404);
    assert_text(health_words_answer(&refused), "/ gives no answer: Connection refused");
    assert_text(health_words_answer(&moved), "/ redirects: 302 to /login");
    assert_text(health_words_answer(&broken), "/ answers 500: Oops");
    assert_text(health_words_answer(&empty), "/__engine/1/ping answers 404");
}

static void who_is_named(void **state)
{
    (void)state;
    struct health_round round = {.home = HOME(.status = 200), .ping = PING(.status = 404)};
    assert_ptr_equal(health_words_culprit(&round, false), &round.home);
    assert_ptr_equal(health_words_culprit(&round, true), &round.ping);
}

// P-115: only when the ping is sent away, too, and to https.
static void a_redirect_outside_the_sdk(void **state)
{
    (void)state;
    static const struct {
        struct health_probe_result home, ping;
        bool expected;
    } rows[] = {
        {HOME(.status = 302, .location = "https://localhost/"),
         PING(.status = 302, .location = "https://localhost/__engine/1/ping"), true},
        {HOME(.status = 301, .location = "https://localhost/"),
         PING(.status = 308, .location = "https://localhost/__engine/1/ping"), true},
        {HOME(.status = 302, .location = "https://localhost/"), PING(.status = 404), false},
        {HOME(.status = 302, .location = "/login"), PING(.status = 302, .location = "/login"),
         false},
        {HOME(.status = 200), PING(.status = 302, .location = "https://localhost/"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct health_round round = {.home = rows[i].home, .ping = rows[i].ping};
        assert_int_equal(health_redirects_to_https(&round), rows[i].expected);
    }
}

static void deaths(void **state)
{
    (void)state;
    static const struct {
        int wait_status;
        bool shell;
        const char *expected;
    } rows[] = {
        {1 << 8, false, "it ended with exit status 1"},
        {0, true, "it ended by itself with status 0: a server must not end"},
        {SIGSEGV, false, "it was killed by SIGSEGV (Segmentation fault)"},
        {SIGKILL, true, "it was killed by SIGKILL (Killed)"},
        {(128 + SIGSEGV) << 8, true,
         "what its shell ran was killed by SIGSEGV (Segmentation fault)"},
        {(128 + SIGSEGV) << 8, false, "it ended with exit status 139"},
        {255 << 8, true, "it ended with exit status 255"}, // no signal has that number
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_text(health_words_death(rows[i].wait_status, rows[i].shell), rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_starts_sentences),       cmocka_unit_test(a_later_checks_sentence),
        cmocka_unit_test(our_own_sentence),           cmocka_unit_test(who_is_named),
        cmocka_unit_test(a_redirect_outside_the_sdk), cmocka_unit_test(deaths),
    };
    return cmocka_run_group_tests_name("health words", tests, NULL, NULL);
}
