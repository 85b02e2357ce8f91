// The port broker's rules as a table: what a bind becomes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/broker.h"

static const struct broker_rule rule = {0x7f4d0301, 3000, 34000}; // 127.77.3.1

#define TCP4                                                                                       \
    {                                                                                              \
        AF_INET, SOCK_STREAM, IPPROTO_TCP, false                                                   \
    }
#define UDP4                                                                                       \
    {                                                                                              \
        AF_INET, SOCK_DGRAM, IPPROTO_UDP, false                                                    \
    }
#define PING4                                                                                      \
    {                                                                                              \
        AF_INET, SOCK_DGRAM, IPPROTO_ICMP, false                                                   \
    }
#define TCP6                                                                                       \
    {                                                                                              \
        AF_INET6, SOCK_STREAM, IPPROTO_TCP, false                                                  \
    }
#define ONLY6                                                                                      \
    {                                                                                              \
        AF_INET6, SOCK_STREAM, IPPROTO_TCP, true                                                   \
    }
#define UDP6                                                                                       \
    {                                                                                              \
        AF_INET6, SOCK_DGRAM, IPPROTO_UDP, false                                                   \
    }
#define LOCAL                                                                                      \
    {                                                                                              \
        AF_UNIX, SOCK_STREAM, 0, false                                                             \
    }

static const struct {
    const char *name;
    struct broker_socket socket;
    const char *asked;    // "address port"; the family follows from it
    const char *expected; // "address port", "pass", or "E" and the errno
    const char *spare;    // "" none
} cases[] = {
    {"any", TCP4, "0.0.0.0 3000", "127.77.3.1 34000", "127.77.3.1 0"},
    {"loopback", TCP4, "127.0.0.1 3000", "127.77.3.1 34000", "127.77.3.1 0"},
    {"own address", TCP4, "127.77.3.1 3000", "127.77.3.1 34000", "127.77.3.1 0"},
    {"an address of the LAN", TCP4, "192.168.1.5 3000", "127.77.3.1 34000", "127.77.3.1 0"},
    {"another port", TCP4, "0.0.0.0 6379", "127.77.3.1 6379", "127.77.3.1 0"},
    {"the actual port, asked for", TCP4, "0.0.0.0 34000", "127.77.3.1 34000", "127.77.3.1 0"},
    {"any port", TCP4, "0.0.0.0 0", "127.77.3.1 0", "127.77.3.1 0"},
    {"udp client", UDP4, "0.0.0.0 0", "0.0.0.0 0", ""},
    {"udp server", UDP4, "0.0.0.0 5353", "127.77.3.1 5353", "127.77.3.1 0"},
    {"udp on the public port is not the server", UDP4, "0.0.0.0 3000", "127.77.3.1 3000",
     "127.77.3.1 0"},
    {"ping", PING4, "10.0.0.1 7", "10.0.0.1 7", ""},
    {"v6 any", TCP6, ":: 3000", "::ffff:127.77.3.1 34000", ""},
    {"v6 loopback", TCP6, "::1 3000", "::ffff:127.77.3.1 34000", ""},
    {"v6 only", ONLY6, ":: 3000", "::ffff:127.77.3.1 34000", "::1 0"},
    {"v6 any port", TCP6, ":: 0", "::ffff:127.77.3.1 0", ""},
    {"v6 udp client", UDP6, ":: 0", ":: 0", ""},
    {"v6 udp server", UDP6, ":: 5353", "::ffff:127.77.3.1 5353", ""},
    {"v4 address on a v6 socket", TCP6, "0.0.0.0 3000", "E22", ""},
    {"v6 address on a v4 socket", TCP4, ":: 3000", "E97", ""},
    {"unix", LOCAL, "0.0.0.0 1", "pass", ""},
};

static socklen_t parse(const char *text, union broker_address *out)
{
    char address[64];
    unsigned port = 0;
    assert_int_equal(sscanf(text, "%63s %u", address, &port), 2);
    memset(out, 0, sizeof *out);
    if (strchr(address, ':')) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET6, address, &out->v6.sin6_addr), 1);
        return sizeof out->v6;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET, address, &out->v4.sin_addr), 1);
    return sizeof out->v4;
}

static void print(const union broker_address *address, socklen_t len, char *out, size_t size)
{
    char text[64] = "";
    out[0] = '\0';
    if (len == 0) {
        return;
    }
    bool v6 = address->any.sa_family == AF_INET6;
    assert_int_equal(len, v6 ? sizeof address->v6 : sizeof address->v4);
    const void *bytes = v6 ? (const void *)&address->v6.sin6_addr : &address->v4.sin_addr;
    inet_ntop(address->any.sa_family, bytes, text, sizeof text);
    snprintf(out, size, "%s %u", text, ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port));
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        union broker_address asked;
        struct broker_decision decision;
        char got[80];
        char spare[80] = "";
        socklen_t len = parse(cases[i].asked, &asked);
        broker_decide(&rule, &cases[i].socket, &asked, len, &decision);
        switch (decision.verdict) {
        case BROKER_PASS:
            snprintf(got, sizeof got, "pass");
            break;
        case BROKER_REFUSE:
            snprintf(got, sizeof got, "E%d", decision.errnum);
            break;
        case BROKER_PERFORM:
            print(&decision.address, decision.len, got, sizeof got);
            print(&decision.spare, decision.spare_len, spare, sizeof spare);
            break;
        }
        if (strcmp(got, cases[i].expected) != 0 || strcmp(spare, cases[i].spare) != 0) {
            fail_msg("%s: expected \"%s\" spare \"%s\", got \"%s\" spare \"%s\"", cases[i].name,
                     cases[i].expected, cases[i].spare, got, spare);
        }
    }
}

static void test_dual_stack_is_switched_on(void **state)
{
    (void)state;
    struct broker_socket only = ONLY6;
    struct broker_socket client = UDP6;
    union broker_address asked;
    struct broker_decision decision;
    broker_decide(&rule, &only, &asked, parse(":: 3000", &asked), &decision);
    assert_true(decision.clear_v6only); // or ::ffff:a.b.c.d is refused by the kernel
    assert_true(decision.spare_v6only);
    broker_decide(&rule, &client, &asked, parse(":: 0", &asked), &decision);
    assert_false(decision.clear_v6only);
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        struct broker_socket socket;
        const char *asked;
        socklen_t len;
        enum broker_verdict verdict;
    } rows[] = {
        {TCP4, "0.0.0.0 3000", 0, BROKER_REFUSE},   {TCP4, "0.0.0.0 3000", 15, BROKER_REFUSE},
        {TCP4, "0.0.0.0 3000", 16, BROKER_PERFORM}, {TCP4, "0.0.0.0 3000", 128, BROKER_PERFORM},
        {TCP6, ":: 3000", 23, BROKER_REFUSE},       {TCP6, ":: 3000", 24, BROKER_PERFORM},
        {TCP6, ":: 3000", 28, BROKER_PERFORM},      {TCP6, ":: 3000", 128, BROKER_PERFORM},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        union broker_address asked;
        struct broker_decision decision;
        parse(rows[i].asked, &asked);
        broker_decide(&rule, &rows[i].socket, &asked, rows[i].len, &decision);
        assert_int_equal(decision.verdict, rows[i].verdict);
        if (decision.verdict == BROKER_REFUSE) {
            assert_int_equal(decision.errnum, EINVAL);
        }
    }
}

static void test_family_left_out(void **state)
{
    (void)state;
    struct broker_socket socket = TCP4;
    union broker_address asked;
    struct broker_decision decision;
    socklen_t len = parse("0.0.0.0 3000", &asked);
    asked.v4.sin_family = AF_UNSPEC;
    broker_decide(&rule, &socket, &asked, len, &decision);
    assert_int_equal(decision.verdict, BROKER_PERFORM);
    assert_int_equal(decision.address.v4.sin_family, AF_INET);
    len = parse("127.0.0.1 3000", &asked);
    asked.v4.sin_family = AF_UNSPEC;
    broker_decide(&rule, &socket, &asked, len, &decision);
    assert_int_equal(decision.verdict, BROKER_REFUSE);
    assert_int_equal(decision.errnum, EAFNOSUPPORT);
}

static void test_unbound(void **state)
{
    (void)state;
    struct broker_socket sockets[] = {TCP4, TCP6, LOCAL};
    static const char *const expected[] = {"127.77.3.1 0", "::ffff:127.77.3.1 0"};
    struct broker_decision decision;
    char got[80];
    for (size_t i = 0; i < 2; i++) {
        broker_decide_unbound(&rule, &sockets[i], &decision);
        assert_int_equal(decision.verdict, BROKER_PERFORM);
        print(&decision.address, decision.len, got, sizeof got);
        assert_string_equal(got, expected[i]);
    }
    broker_decide_unbound(&rule, &sockets[2], &decision);
    assert_int_equal(decision.verdict, BROKER_PASS);
}

static void test_ports_of_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *asked;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1 6380", 6380},
        {"127.9.9.9 80", 80},
        {"0.0.0.0 80", 80},
        {"10.0.0.1 80", 0},
        {"128.0.0.1 80", 0},
        {"126.255.255.255 80", 0},
        {"::1 80", 80},
        {":: 80", 80},
        {"::2 80", 0},
        {"::ffff:127.0.0.1 6380", 6380},
        {"::ffff:8.8.8.8 53", 0},
        {"2001:db8::1 80", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        union broker_address asked;
        socklen_t len = parse(rows[i].asked, &asked);
        assert_int_equal(broker_loopback_port(&asked, len), rows[i].port);
        assert_int_equal(broker_loopback_port(&asked, 15), 0);
        asked.any.sa_family = AF_UNIX;
        assert_int_equal(broker_loopback_port(&asked, len), 0);
    }
}

static void test_connect(void **state)
{
    (void)state;
    static const struct {
        struct broker_socket socket;
        const char *expected; // "" it is let through
    } rows[] = {
        {TCP4, "127.77.3.1 34000"}, {TCP6, "::ffff:127.77.3.1 34000"}, {ONLY6, ""},
        {UDP4, "127.77.3.1 34000"}, {UDP6, "::ffff:127.77.3.1 34000"}, {LOCAL, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct broker_decision decision;
        char got[80] = "";
        broker_decide_connect(&rule, &rows[i].socket, 34000, &decision);
        if (decision.verdict == BROKER_PERFORM) {
            print(&decision.address, decision.len, got, sizeof got);
        }
        assert_string_equal(got, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_dual_stack_is_switched_on),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_family_left_out),
        cmocka_unit_test(test_unbound), cmocka_unit_test(test_ports_of_loopback),
        cmocka_unit_test(test_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
