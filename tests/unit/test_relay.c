// The relay of a terminal's bytes: whole, in order, never blocking the other direction.
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "tui/relay.h"

static void make_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static void turn(struct relay *relay)
{
    relay_turn(relay, POLLIN, POLLOUT);
}

static void test_bytes_come_whole_past_a_slow_reader(void **state)
{
    (void)state;
    static struct relay relay;
    int in[2];
    int out[2];
    make_pipe(in);
    make_pipe(out);
    fcntl(out[1], F_SETPIPE_SZ, 4096);
    relay_init(&relay, in[0], out[1]);
    const size_t total = 1000000;
    size_t sent = 0;
    size_t got = 0;
    for (int turns = 0; got < total && turns < 100000; turns++) {
        unsigned char byte = (unsigned char)(sent % 251);
        while (sent < total && write(in[1], &byte, 1) == 1) {
            byte = (unsigned char)(++sent % 251);
        }
        turn(&relay);
        unsigned char chunk[1500];
        ssize_t len = read(out[0], chunk, sizeof chunk);
        for (ssize_t i = 0; i < len; i++) {
            assert_int_equal(chunk[i], (got + (size_t)i) % 251);
        }
        got += len > 0 ? (size_t)len : 0;
    }
    assert_int_equal(got, total);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
}

static void test_what_is_wanted_from_poll(void **state)
{
    (void)state;
    static struct relay relay;
    int in[2];
    int out[2];
    make_pipe(in);
    make_pipe(out);
    fcntl(out[1], F_SETPIPE_SZ, 4096);
    relay_init(&relay, in[0], out[1]);
    assert_int_equal(relay_from_events(&relay), POLLIN);
    assert_int_equal(relay_to_events(&relay), 0);
    static const char bytes[30000];
    assert_int_equal(write(in[1], bytes, sizeof bytes), sizeof bytes);
    turn(&relay); // the reader takes nothing: the source waits, however long
    for (int i = 0; i < 10; i++) {
        turn(&relay);
    }
    assert_int_equal(relay_from_events(&relay), 0);
    assert_int_equal(relay_to_events(&relay), POLLOUT);
    close(in[1]);
    close(in[0]);
    close(out[0]);
    close(out[1]);
}

static void test_both_ends(void **state)
{
    (void)state;
    static struct relay relay;
    int in[2];
    int out[2];
    make_pipe(in);
    make_pipe(out);
    relay_init(&relay, in[0], out[1]);
    assert_int_equal(write(in[1], "last", 4), 4);
    close(in[1]);
    turn(&relay);
    assert_false(relay_is_over(&relay)); // the end is not seen yet
    turn(&relay);
    assert_true(relay.ended && relay_is_over(&relay));
    relay_init(&relay, in[0], out[1]);
    relay.len = 1;
    close(out[0]);
    turn(&relay);
    assert_true(relay.broken && relay_is_over(&relay));
    assert_int_equal(relay_from_events(&relay) | relay_to_events(&relay), 0);
    relay_init(&relay, -1, -1);
    assert_true(relay_is_over(&relay));
    close(in[0]);
    close(out[1]);
}

static void test_an_own_open_file_does_not_change_the_given_one(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    int own = relay_open_again(slave, O_WRONLY);
    assert_true(own >= 0);
    assert_true(fcntl(own, F_GETFL) & O_NONBLOCK);
    assert_false(fcntl(slave, F_GETFL) & O_NONBLOCK);
    assert_int_equal(write(own, "x", 1), 1);
    close(own);
    close(slave);
    close(master);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_whole_past_a_slow_reader),
        cmocka_unit_test(test_what_is_wanted_from_poll),
        cmocka_unit_test(test_both_ends),
        cmocka_unit_test(test_an_own_open_file_does_not_change_the_given_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
