// What is waited for, as a line.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "sandbox/base/cleanup.h"
#include "tui/waiting.h"

static struct snapshot *with_stage(size_t at, const char *name)
{
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    for (size_t i = 0; i < SNAPSHOT_STAGES; i++) {
        snprintf(snapshot->stages[i].state, sizeof snapshot->stages[i].state, "%s",
                 i < at ? "done" : "");
    }
    snprintf(snapshot->stages[at].state, sizeof snapshot->stages[at].state, "running");
    snprintf(snapshot->stages[at].name, sizeof snapshot->stages[at].name, "%s", name);
    snapshot->stages[at].ms = 1000000;
    return snapshot;
}

static void check(struct snapshot *snapshot, const char *expected)
{
    auto_free char *text = waiting_text(snapshot, 1012300);
    assert_string_equal(text, expected);
}

static void test_nothing_runs(void **state)
{
    (void)state;
    struct snapshot *snapshot = mem_alloc(sizeof *snapshot);
    assert_null(waiting_text(snapshot, 5));
    free(snapshot);
}

static void test_the_build(void **state)
{
    (void)state;
    struct snapshot *snapshot = with_stage(2, "install");
    check(snapshot, "install: 12 s");
    snprintf(snapshot->stages[2].detail, sizeof snapshot->stages[2].detail, "another build");
    check(snapshot, "install: 12 s: another build");
    snprintf(snapshot->last_output, sizeof snapshot->last_output, "Collecting flask");
    check(snapshot, "install: 12 s: Collecting flask");
    free(snapshot);
}

static void test_the_start(void **state)
{
    (void)state;
    struct snapshot *snapshot = with_stage(4, "start");
    snapshot->instance_count = 2; // an older one serves
    snprintf(snapshot->instances[0].state, sizeof snapshot->instances[0].state, "healthy");
    snprintf(snapshot->instances[1].state, sizeof snapshot->instances[1].state, "starting");
    check(snapshot, "start: 12 s: nothing listens on port 3000 yet");
    snprintf(snapshot->instances[1].asked, sizeof snapshot->instances[1].asked, "0.0.0.0:3000");
    check(snapshot, "start: 12 s: not healthy yet");
    snapshot->probe_count = 1;
    snprintf(snapshot->probes[0].path, sizeof snapshot->probes[0].path, "/");
    snapshot->probes[0].status = 302;
    check(snapshot, "start: 12 s: not healthy yet: GET / answers 302");
    snapshot->probes[0].status = 0;
    check(snapshot, "start: 12 s: not healthy yet: GET /: no answer");
    free(snapshot);
}

static void take(struct waiting *waiting, enum event_kind kind, const char *stage,
                 const char *state)
{
    const struct event event = {
        .kind = kind, .stage = (char *)(uintptr_t)stage, .state = (char *)(uintptr_t)state};
    waiting_event(waiting, &event);
}

static void test_an_idle_engine_is_not_asked(void **state)
{
    (void)state;
    static const struct {
        enum event_kind kind;
        const char *stage, *state;
        bool busy;
    } rows[] = {
        {EVENT_SAVE, NULL, NULL, false},           {EVENT_STAGE, "detect", "running", true},
        {EVENT_PROBE, NULL, "not-yet", true},      {EVENT_STAGE, "install", "cached", true},
        {EVENT_STAGE, "healthy", "running", true}, {EVENT_STAGE, "healthy", "done", false},
        {EVENT_READY, NULL, NULL, false},          {EVENT_STAGE, "start", "running", true},
        {EVENT_FAILED, "start", NULL, false},      {EVENT_STAGE, "build", "running", true},
        {EVENT_DONE, NULL, NULL, false},
    };
    struct waiting waiting = {0};
    assert_int_equal(waiting_timeout_ms(&waiting), -1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        take(&waiting, rows[i].kind, rows[i].stage, rows[i].state);
        assert_int_equal(waiting.busy, rows[i].busy);
    }
    waiting.busy = true;
    waiting_said(&waiting);
    int left = waiting_timeout_ms(&waiting);
    assert_true(left > 0 && left <= WAITING_EVERY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_runs),
        cmocka_unit_test(test_the_build),
        cmocka_unit_test(test_the_start),
        cmocka_unit_test(test_an_idle_engine_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
