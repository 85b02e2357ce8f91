// The names that programs of different versions agree on: commands and events of the control
// socket, and the words that begin plain lines. A name that changes here breaks somebody's script.
#include "tests/unit/unit.h"

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"

static const struct {
    enum event_kind kind;
    const char *name;
    const char *prefix;
} events[] = {
    {EVENT_ENGINE, "engine", "engine"},    {EVENT_STAGE, "stage", "stage"},
    {EVENT_VERSION, "version", "version"}, {EVENT_INSTANCE, "instance", "start"},
    {EVENT_LISTEN, "listen", "listen"},    {EVENT_PROBE, "probe", "health"},
    {EVENT_READY, "ready", "ready"},       {EVENT_SAVE, "save", "save"},
    {EVENT_FAILED, "failed", "failed"},    {EVENT_NOTICE, "notice", "note"},
    {EVENT_GATEWAY, "gateway", "gateway"}, {EVENT_CLOUD, "cloud", "cloud"},
    {EVENT_DONE, "done", "done"},
};

static const struct {
    enum command_kind kind;
    const char *name;
} commands[] = {
    {COMMAND_START, "start"},
    {COMMAND_HELLO, "hello"},
    {COMMAND_SUBSCRIBE, "subscribe"},
    {COMMAND_STATUS, "status"},
    {COMMAND_RESTART, "restart"},
    {COMMAND_RELOAD, "reload"},
    {COMMAND_REBUILD, "rebuild"},
    {COMMAND_STOP, "stop"},
    {COMMAND_RUN, "run"},
    {COMMAND_ENVIRONMENT, "environment"},
    {COMMAND_EXPLAIN, "explain"},
    {COMMAND_WHY, "why"},
    {COMMAND_INSTALL_PYTHON, "install_python"},
    {COMMAND_CANCEL, "cancel"},
    {COMMAND_SIGNAL, "signal"},
    {COMMAND_CALL, "call"},
    {COMMAND_REQUESTS, "requests"},
    {COMMAND_REQUEST, "request"},
    {COMMAND_REPLAY, "replay"},
    {COMMAND_CRON, "cron"},
};

static void events_have_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        assert_string_equal(event_kind_name(events[i].kind), events[i].name);
        assert_string_equal(event_kind_prefix(events[i].kind), events[i].prefix);
    }
}

static void commands_have_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        assert_string_equal(command_name(commands[i].kind), commands[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_have_their_names),
        cmocka_unit_test(commands_have_their_names),
    };
    return cmocka_run_group_tests_name("wire_names", tests, NULL, NULL);
}
