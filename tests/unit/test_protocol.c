// The wire's structs survive the way there and back; what is foreign is ignored, what is wrong is
// refused.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"

static struct cJSON *reparse(struct cJSON *tree)
{
    auto_free char *line = json_print(tree);
    json_free(tree);
    assert_null(strchr(line, '\n'));
    assert_true(strlen(line) < PROTOCOL_LINE_MAX);
    struct cJSON *again = json_parse(line, strlen(line), "test", NULL);
    assert_non_null(again);
    return again;
}

static void test_event_round_trip(void **state)
{
    (void)state;
    for (int kind = 0; kind < EVENT__COUNT; kind++) {
        struct event event = {
            .kind = (enum event_kind)kind,
            .wall_ms = 1795000000123,
            .stage = str_dup("install"),
            .state = str_dup("failed"),
            .version = str_dup("20261122-101552"),
            .instance = str_dup("web1"),
            .path = str_dup("/__engine/1/ping"),
            .severity = str_dup("deviation"),
            .text = str_dup("第 12 行\n\"x\"\t\x01"),
            .cloud = str_dup("实例启动失败"),
            .rule = str_dup("P-105"),
            .mend = str_dup("do this"),
            .ms = 42,
            .status = 404,
            .count = -7,
            .bytes = (int64_t)1 << 60,
        };
        struct cJSON *tree = reparse(event_encode(&event));
        struct event got;
        assert_true(event_decode(tree, &got));
        assert_int_equal(got.kind, kind);
        assert_int_equal(got.wall_ms, event.wall_ms);
        assert_string_equal(got.stage, event.stage);
        assert_string_equal(got.state, event.state);
        assert_string_equal(got.version, event.version);
        assert_string_equal(got.instance, event.instance);
        assert_string_equal(got.path, event.path);
        assert_string_equal(got.severity, event.severity);
        assert_string_equal(got.text, event.text);
        assert_string_equal(got.cloud, event.cloud);
        assert_string_equal(got.rule, event.rule);
        assert_string_equal(got.mend, event.mend);
        assert_int_equal(got.ms, 42);
        assert_int_equal(got.status, 404);
        assert_int_equal(got.count, -7);
        assert_int_equal(got.bytes, (int64_t)1 << 60);
        event_release(&got);
        event_release(&event);
        assert_null(event.text);
        json_free(tree);
    }
}

static void test_event_refuses(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "[]", "3", "{}", "{\"kind\":7}", "{\"kind\":\"from-the-future\"}", "{\"Kind\":\"save\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct cJSON *tree = json_parse(lines[i], strlen(lines[i]), "test", NULL);
        struct event event = {.count = 99};
        assert_false(event_decode(tree, &event));
        assert_int_equal(event.count, 99);
        json_free(tree);
    }
    assert_false(event_decode(NULL, &(struct event){0}));
}

static void test_event_defaults(void **state)
{
    (void)state;
    const char *line = "{\"kind\":\"save\",\"later\":{\"x\":[1]},\"text\":5,\"count\":\"12\"}";
    struct cJSON *tree = json_parse(line, strlen(line), "test", NULL);
    struct event event;
    assert_true(event_decode(tree, &event));
    assert_int_equal(event.kind, EVENT_SAVE);
    assert_null(event.text); // a number is no text
    assert_int_equal(event.count, 12);
    assert_int_equal(event.ms, -1);
    event_release(&event);
    json_free(tree);
}

// Fills every byte of every field: a member that no table names would come back as zero.
static void fill(struct snapshot *s)
{
    memset(s, 'x', sizeof *s);
    int64_t n = 1000;
#define NUM(field) s->field = ++n
#define STR(field) snprintf(s->field, sizeof s->field, "%lld", (long long)++n)
    NUM(protocol), NUM(healthy_ms), NUM(saves), NUM(last_reload_ms), NUM(requests_lost);
    NUM(requests_total), NUM(requests_held), NUM(group_size), NUM(group_serving),
        NUM(requests_last), NUM(requests_per_second_x10), NUM(latency_p50_us);
    NUM(deviations), NUM(warnings), NUM(pip_collected), NUM(debug);
    NUM(failure_is_crash), NUM(crash_deaths), NUM(crash_since_ms), NUM(crash_next_ms);
    NUM(check_next_ms), NUM(check_failures), NUM(check_failures_max);
    STR(project), STR(dir), STR(build_root), STR(url), STR(journal_dir), STR(serving_version),
        STR(try_version);
    STR(failure), STR(failure_stage), STR(failure_rule), STR(failure_cloud), STR(failure_mend);
    STR(python), STR(environment);
    snprintf(s->region, sizeof s->region, "CN");
    snprintf(s->sandbox_level, sizeof s->sandbox_level, "container");
    STR(last_output), STR(install_offer), STR(installing), STR(prompt);
    STR(functions_state), STR(functions_note);
    s->function_count = SNAPSHOT_FUNCTIONS;
    s->timer_count = SNAPSHOT_TIMERS;
    NUM(utc_offset_s);
    for (int i = 0; i < SNAPSHOT_TIMERS; i++) {
        STR(timers[i].name), STR(timers[i].cron), STR(timers[i].function);
        snprintf(s->timers[i].state, sizeof s->timers[i].state, "t%d", i);
        NUM(timers[i].next_wall_ms);
    }
    for (int i = 0; i < SNAPSHOT_FUNCTIONS; i++) {
        STR(functions[i].name);
        snprintf(s->functions[i].kind, sizeof s->functions[i].kind, "k%d", i);
    }
    s->serving = SERVING_KEEPING;
    s->instance_count = SNAPSHOT_INSTANCES;
    s->probe_count = SNAPSHOT_PROBES;
    for (int i = 0; i < SNAPSHOT_STAGES; i++) {
        snprintf(s->stages[i].name, sizeof s->stages[i].name, "stage%d", i);
        snprintf(s->stages[i].state, sizeof s->stages[i].state, "state%d", i);
        STR(stages[i].detail);
        NUM(stages[i].ms);
    }
    for (int i = 0; i < SNAPSHOT_INSTANCES; i++) {
        STR(instances[i].name), STR(instances[i].asked), STR(instances[i].address);
        snprintf(s->instances[i].version, sizeof s->instances[i].version, "version%d", i);
        snprintf(s->instances[i].state, sizeof s->instances[i].state, "state%d", i);
        NUM(instances[i].cpu_permille), NUM(instances[i].memory_bytes);
        NUM(instances[i].memory_limit_bytes), NUM(instances[i].disk_bytes);
        NUM(instances[i].disk_limit_bytes), NUM(instances[i].log_lines_minute);
        NUM(instances[i].log_limit_minute);
    }
    for (int i = 0; i < SNAPSHOT_PROBES; i++) {
        STR(probes[i].instance), STR(probes[i].path), STR(probes[i].text);
        snprintf(s->probes[i].verdict, sizeof s->probes[i].verdict, "v%d", i);
        NUM(probes[i].wall_ms), NUM(probes[i].status), NUM(probes[i].ms);
    }
#undef NUM
#undef STR
}

// Bytes behind a text's end do not travel: both sides are compared by what encodes.
static void test_snapshot_round_trip(void **state)
{
    (void)state;
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    struct snapshot *got = mem_alloc(sizeof *got);
    fill(snapshot);
    struct cJSON *tree = reparse(snapshot_encode(snapshot));
    assert_true(snapshot_decode(tree, got));
    assert_int_equal(got->serving, SERVING_KEEPING);
    assert_string_equal(got->failure_mend, snapshot->failure_mend);
    assert_string_equal(got->last_output, snapshot->last_output);
    assert_string_equal(got->install_offer, snapshot->install_offer);
    assert_string_equal(got->installing, snapshot->installing);
    assert_int_equal(got->pip_collected, snapshot->pip_collected);
    assert_int_equal(got->instance_count, SNAPSHOT_INSTANCES);
    assert_int_equal(got->probe_count, SNAPSHOT_PROBES);
    assert_string_equal(got->instances[15].asked, snapshot->instances[15].asked);
    assert_int_equal(got->instances[15].log_limit_minute, snapshot->instances[15].log_limit_minute);
    assert_string_equal(got->probes[63].text, snapshot->probes[63].text);
    assert_string_equal(got->functions[127].name, snapshot->functions[127].name);
    assert_string_equal(got->timers[31].function, snapshot->timers[31].function);
    assert_string_equal(got->stages[5].detail, snapshot->stages[5].detail);
    // Every member that fill() set has to be there, whatever the tables say.
    memset(got, 0, sizeof *got);
    assert_true(snapshot_decode(tree, got));
    auto_free char *first = json_print(tree);
    struct cJSON *again = snapshot_encode(got);
    auto_free char *second = json_print(again);
    assert_string_equal(first, second);
    static const char *const members[] = {
        "protocol",
        "project",
        "dir",
        "url",
        "build_root",
        "journal_dir",
        "serving",
        "healthy_ms",
        "serving_version",
        "try_version",
        "failure",
        "failure_stage",
        "failure_rule",
        "failure_cloud",
        "failure_mend",
        "python",
        "environment",
        "region",
        "sandbox_level",
        "saves",
        "last_reload_ms",
        "requests_lost",
        "requests_total",
        "requests_held",
        "group_size",
        "group_serving",
        "requests_last",
        "requests_per_second_x10",
        "latency_p50_us",
        "deviations",
        "warnings",
        "last_output",
        "pip_collected",
        "stages",
        "instances",
        "probes",
        "install_offer",
        "installing",
        "debug",
        "prompt",
        "functions_state",
        "functions_note",
        "functions",
        "failure_is_crash",
        "crash_deaths",
        "crash_since_ms",
        "crash_next_ms",
        "check_next_ms",
        "check_failures",
        "check_failures_max",
        "timers",
        "utc_offset_s",
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!json_get(tree, members[i])) {
            fail_msg("%s is missing", members[i]);
        }
    }
    assert_int_equal(json_count(tree), ARRAY_LEN(members));
    json_free(again);
    json_free(tree);
    free(snapshot);
    free(got);
}

static void test_snapshot_bounds(void **state)
{
    (void)state;
    struct snapshot *got = mem_alloc(sizeof *got);
    assert_false(snapshot_decode(NULL, got));
    struct cJSON *array = json_new_array();
    assert_false(snapshot_decode(array, got));
    json_free(array);

    // Too many elements: the newest stay. A text too long: cut between characters.
    struct cJSON *tree = json_new_object();
    struct cJSON *probes = json_new_array();
    for (int i = 0; i < SNAPSHOT_PROBES + 5; i++) {
        struct cJSON *probe = json_new_object();
        json_put_int(probe, "status", i);
        json_push(probes, probe);
    }
    json_put_tree(tree, "probes", probes);
    json_put_string(tree, "region", "一二三四");
    json_put_string(tree, "serving", "dancing");
    json_put_string(tree, "unknown", "x");
    json_put_int(tree, "instances", 3);
    assert_true(snapshot_decode(tree, got));
    assert_int_equal(got->probe_count, SNAPSHOT_PROBES);
    assert_int_equal(got->probes[SNAPSHOT_PROBES - 1].status, SNAPSHOT_PROBES + 4);
    assert_int_equal(got->instance_count, 0);
    assert_string_equal(got->region, "一二");
    assert_int_equal(got->serving, SERVING_STARTING);
    assert_int_equal(got->stages[3].ms, -1);
    assert_int_equal(got->healthy_ms, -1);
    json_free(tree);

    // Counts out of range on the sender's side do not read past the arrays.
    got->probe_count = 1000;
    got->instance_count = -5;
    tree = snapshot_encode(got);
    assert_int_equal(json_count(json_get(tree, "probes")), SNAPSHOT_PROBES);
    assert_int_equal(json_count(json_get(tree, "instances")), 0);
    json_free(tree);
    free(got);
}

static void test_error_round_trip(void **state)
{
    (void)state;
    struct error error, got;
    error_set_errno(&error, ERROR_HOST, EACCES, "cannot open %s", "x");
    error_set_where(&error, "leanengine.yaml:4:3");
    error_set_hint(&error, "chmod +r x");
    error_set_rule(&error, "P-105", "实例启动失败");
    struct cJSON *tree = reparse(error_encode(&error));
    error_decode(tree, &got);
    json_free(tree);
    assert_int_equal(got.kind, ERROR_HOST);
    assert_int_equal(got.errnum, EACCES);
    assert_string_equal(got.where, error.where);
    assert_string_equal(got.message, error.message);
    assert_string_equal(got.hint, error.hint);
    assert_string_equal(got.rule, error.rule);
    assert_string_equal(got.cloud, error.cloud);
    error_decode(NULL, &got);
    assert_int_equal(got.kind, ERROR_SYSTEM);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND__COUNT; i++) {
        assert_int_equal(command_from_name(command_name((enum command_kind)i)), i);
    }
    assert_int_equal(command_from_name("Stop"), COMMAND__COUNT);
    assert_int_equal(command_from_name(NULL), COMMAND__COUNT);
    assert_string_equal(event_kind_prefix(EVENT_INSTANCE), "start");
    assert_string_equal(serving_name(SERVING_KEEPING), "keeping");
    assert_string_equal(serving_name(SERVING_ASLEEP), "asleep");
    assert_string_equal(serving_name(SERVING_FORCED), "forced to sleep");
    assert_string_equal(event_kind_name(EVENT__COUNT), "unknown");
}

static void test_socket_path(void **state)
{
    (void)state;
    char base[] = "/tmp/test-protocol-XXXXXX";
    assert_non_null(mkdtemp(base));
    struct error error = {0};

    setenv("XDG_RUNTIME_DIR", base, 1);
    auto_free char *path = control_socket_path(base, &error);
    auto_free char *id = control_project_id(base);
    auto_free char *expected = str_printf("%s/leanlocal/%s.sock", base, id);
    assert_string_equal(path, expected);
    assert_int_equal(strlen(id), 16);

    // One project, one id, whatever the way to it.
    auto_free char *other_way = str_printf("%s/leanlocal/..", base);
    auto_free char *same = control_project_id(other_way);
    assert_string_equal(id, same);

    // A directory that others may write, or a link, is refused: fall back to /tmp.
    auto_free char *dir = str_printf("%s/leanlocal", base);
    assert_int_equal(chmod(dir, 0777), 0);
    auto_free char *fallback = control_socket_path(base, &error);
    assert_non_null(fallback);
    auto_free char *prefix = str_printf("/tmp/leanlocal-%u/", (unsigned)geteuid());
    assert_true(str_starts_with(fallback, prefix));
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(symlink("/tmp", dir), 0);
    auto_free char *not_link = control_socket_path(base, &error);
    assert_true(str_starts_with(not_link, prefix));
    unlink(dir);

    // Too long for a socket's address, relative, or not there: the same.
    auto_free char *deep = str_printf("%s/%090d", base, 1);
    assert_int_equal(mkdir(deep, 0700), 0);
    const char *const odd[] = {deep, "relative", "/nonexistent", ""};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        setenv("XDG_RUNTIME_DIR", odd[i], 1);
        auto_free char *short_path = control_socket_path(base, &error);
        assert_true(str_starts_with(short_path, prefix));
        assert_true(strlen(short_path) < 108);
    }
    rmdir(deep);
    rmdir(base);
}

static void test_user_dirs(void **state)
{
    (void)state;
    setenv("HOME", "/home/someone", 1);
    unsetenv("XDG_CACHE_HOME");
    setenv("XDG_STATE_HOME", "relative", 1);
    auto_free char *cache = control_cache_dir();
    auto_free char *state_dir = control_state_dir();
    assert_string_equal(cache, "/home/someone/.cache/leanlocal");
    assert_string_equal(state_dir, "/home/someone/.local/state/leanlocal");
    setenv("XDG_CACHE_HOME", "/var/cache/x", 1);
    auto_free char *other = control_cache_dir();
    assert_string_equal(other, "/var/cache/x/leanlocal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_round_trip),
        cmocka_unit_test(test_event_refuses),
        cmocka_unit_test(test_event_defaults),
        cmocka_unit_test(test_snapshot_round_trip),
        cmocka_unit_test(test_snapshot_bounds),
        cmocka_unit_test(test_error_round_trip),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_socket_path),
        cmocka_unit_test(test_user_dirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
