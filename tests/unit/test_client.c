// The client's side of the socket against scenes of an engine that behaves, and of one that does
// not.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sandbox/base/clock.h"
#include "tests/unit/fake_engine.h"
#include "tui/client.h"

static struct cJSON *command(const char *name)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "command", name);
    return object;
}

// Reads until a message of that kind comes; the others are dropped. 5 s at most.
static void wait_message(struct client *client, enum client_message_kind kind,
                         struct client_message *ret)
{
    int64_t until_ms = clock_now_ms() + 5000;
    while (clock_now_ms() < until_ms) {
        while (client_next(client, ret)) {
            if (ret->kind == kind) {
                return;
            }
            client_message_release(ret);
        }
        struct pollfd fd = {.fd = client_fd(client), .events = POLLIN};
        poll(&fd, 1, 20);
        client_read(client);
    }
    fail_msg("no message of kind %d", kind);
}

static void scene_calls(struct fake *fake)
{
    fake_write(fake, "{\"from\":\"the future\"}\nnot json at all\n{\"journal\":{\"last\":7}}\n");
    fake_write(fake, "{\"event\":{\"kind\":\"save\",\"text\":\"app.py\"}}\n");
    fake_wait(fake, "status");
    char line[4096];
    (void)!fgets(line, sizeof line, fake->in);
    fake_write(fake,
               "{\"snapshot\":{\"serving\":\"healthy\",\"saves\":6}}\n{\"reply\":2,\"ok\":fal");
    fake_write(fake, "se,\"error\":{\"kind\":\"host\",\"message\":\"no\",\"hint\":\"do\"}}\n");
    fake_wait(fake, "stop");
    fake_event(fake, "{\"kind\":\"done\",\"status\":1}");
}

static void test_calls(void **state)
{
    (void)state;
    struct fake_process fake = fake_start(scene_calls);
    struct client *client = client_from_fd(fake.fd);
    struct error error;
    struct cJSON *reply = NULL;
    assert_int_equal(client_call(client, command("status"), 5000, &reply, &error), 0);
    assert_true(json_get_bool(reply, "ok", false));
    json_free(reply);
    assert_int_equal(client_call(client, command("restart"), 5000, NULL, &error), -1);
    assert_int_equal(error.kind, ERROR_HOST);
    assert_string_equal(error.message, "no");
    assert_string_equal(error.hint, "do");
    assert_int_equal(client_call(client, command("stop"), 5000, NULL, &error), 0);

    // What came meanwhile is still there, in its order.
    struct client_message message;
    wait_message(client, CLIENT_JOURNAL, &message);
    assert_int_equal(message.journal_last, 7);
    client_message_release(&message);
    wait_message(client, CLIENT_EVENT, &message);
    assert_string_equal(json_get_string(message.tree, "text"), "app.py");
    client_message_release(&message);
    wait_message(client, CLIENT_SNAPSHOT, &message);
    assert_int_equal(json_get_int(message.tree, "saves", 0), 6);
    client_message_release(&message);
    wait_message(client, CLIENT_EVENT, &message);
    client_message_release(&message);
    wait_message(client, CLIENT_CLOSED, &message);
    assert_false(client_next(client, &message)); // once only
    client_free(client);
    assert_int_equal(fake_end(&fake), 0);
}

static void scene_dies(struct fake *fake)
{
    char line[4096];
    (void)!fgets(line, sizeof line, fake->in);
}

static void test_engine_dies(void **state)
{
    (void)state;
    struct fake_process fake = fake_start(scene_dies);
    struct client *client = client_from_fd(fake.fd);
    struct error error;
    assert_int_equal(client_call(client, command("status"), 5000, NULL, &error), -1);
    assert_non_null(strstr(error.message, "ended"));
    assert_int_equal(client_call(client, command("status"), 5000, NULL, &error), -1);
    client_free(client);
    fake_end(&fake);
}

static void test_time_limit(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct client *client = client_from_fd(ends[0]);
    struct error error;
    int64_t begun_ms = clock_now_ms();
    assert_int_equal(client_call(client, command("status"), 60, NULL, &error), -1);
    assert_true(clock_now_ms() - begun_ms >= 50);
    assert_non_null(strstr(error.message, "in time"));
    client_free(client);
    close(ends[1]);
}

static void scene_endless_line(struct fake *fake)
{
    static char junk[4096];
    memset(junk, 'x', sizeof junk - 1);
    for (;;) {
        fake_write(fake, junk);
    }
}

// A line without end is no reason to eat memory: the engine counts as gone.
static void test_endless_line(void **state)
{
    (void)state;
    struct fake_process fake = fake_start(scene_endless_line);
    struct client *client = client_from_fd(fake.fd);
    struct client_message message;
    wait_message(client, CLIENT_CLOSED, &message);
    client_free(client);
    assert_int_equal(fake_end(&fake), 9);
}

// An engine that does not read does not block us, and what waits for it is bounded.
static void test_engine_does_not_read(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct client *client = client_from_fd(ends[0]);
    struct client_message message = {.kind = CLIENT_REPLY};
    for (int i = 0; i < 200000 && message.kind != CLIENT_CLOSED; i++) {
        client_send_command(client, "a command that is never read, long enough to fill buffers");
        (void)client_next(client, &message);
    }
    assert_int_equal(message.kind, CLIENT_CLOSED);
    client_free(client);
    close(ends[1]);
}

static void scene_fds(struct fake *fake)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 3)];
    } control;
    char bytes[4096];
    struct iovec iov = {bytes, sizeof bytes - 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fake->fd, &message, 0);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (got <= 0 || !header || header->cmsg_len != CMSG_LEN(sizeof(int) * 3)) {
        _exit(7);
    }
    int fds[3];
    memcpy(fds, CMSG_DATA(header), sizeof fds);
    (void)!write(fds[1], "through", 7);
    fake_write(fake, "{\"reply\":1,\"ok\":true,\"status\":5}\n");
    fake_wait(fake, "stop");
}

static void test_descriptors_travel(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    struct fake_process fake = fake_start(scene_fds);
    struct client *client = client_from_fd(fake.fd);
    const int fds[] = {pipe_fds[0], pipe_fds[1], pipe_fds[1]};
    struct cJSON *reply;
    struct error error;
    assert_int_equal(client_call_fds(client, command("run"), fds, 3, 5000, &reply, &error), 0);
    assert_int_equal(json_get_int(reply, "status", 0), 5);
    json_free(reply);
    char text[16] = {0};
    assert_int_equal(read(pipe_fds[0], text, sizeof text - 1), 7);
    assert_string_equal(text, "through");
    assert_int_equal(client_call(client, command("stop"), 5000, NULL, &error), 0);
    client_free(client);
    assert_int_equal(fake_end(&fake), 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(client_connect("/nonexistent/leanlocal.sock", &error));
    assert_int_equal(error.errnum, ENOENT);
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(client_connect(longer, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_engine_dies),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_engine_does_not_read),
        cmocka_unit_test(test_descriptors_travel),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
