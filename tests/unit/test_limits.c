// The platform's numbers, once more and by hand: a slip in the table must not change a rule unseen.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"

#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define S   INT64_C(1000) // in milliseconds

static const struct {
    const char *name;
    int64_t value;
    const char *source;
} facts[] = {
    {"STARTUP_TIMEOUT_DEFAULT_S", 30, "P-29"},
    {"STARTUP_TIMEOUT_MIN_S", 15, "P-29"},
    {"STARTUP_TIMEOUT_MAX_S", 120, "P-29"},
    {"PROBE_INTERVAL_MS", 1 * S, "P-103"},
    {"PROBE_TIMEOUT_MS", 5 * S, "[I]"},
    {"PERIODIC_PROBE_MS", 180 * S, "P-107 [I]"},
    {"PERIODIC_RETRY_MS", 10 * S, "[I]"},
    {"PERIODIC_FAILURES", 3, "[I]"},
    {"CRASH_PAUSE_FIRST_MS", 1 * S, "[I]"},
    {"CRASH_PAUSE_MAX_MS", 30 * S, "[I]"},
    {"CRASH_FORGET_MS", 60 * S, "[I]"},
    {"CRASH_LOOP_DEATHS", 3, "[I]"},
    {"APP_PORT", 3000, "P-92"},
    {"LOG_LINE_CHARACTERS", 4 * KIB, "P-120"},
    {"LOG_LINES_PER_MINUTE", 600, "P-120"},
    {"LOG_LINES_SHOWN", 30, "P-124"},
    {"WRITABLE_BYTES", 1024 * MIB, "P-130"},
    {"SHM_BYTES", 64 * MIB, "[I]"},
    {"TERMINATE_GRACE_MS", 10 * S, "P-174"},
    {"DRAIN_CLOUD_MS", 30 * S, "P-173"},
    {"TRIAL_IDLE_MS", 30 * 60 * S, "P-171"},
    {"TRIAL_RUN_MS", 18 * 3600 * S, "P-171"},
    {"TRIAL_WINDOW_MS", 24 * 3600 * S, "P-171"},
    {"TRIAL_ROOM_MS", 60 * S, "[I]"},
    {"INSTANCES_MAX", 12, "P-170"},
    {"REDEPLOY_MS", 180 * S, "P-179 [I]"},
    {"BUILD_CPUS", 2, "P-66"},
    {"BUILD_CPU_MS", 30 * 60 * S, "P-66"},
    {"BUILD_MEMORY_BYTES", 4096 * MIB, "P-66"},
    {"BUILD_QUIET_MS", 10 * S, "[I]"},
    {"HEADER_LINE_BYTES", 8 * KIB, "P-150"},
    {"HEADER_TOTAL_BYTES", 64 * KIB, "P-150"},
    {"HEADER_FIELDS", 100, "[I]"},
    {"BODY_BYTES", 100 * MIB, "P-150"},
    {"RESPONSE_WAIT_MS", 60 * S, "P-150"},
    {"HEADER_WAIT_MS", 60 * S, "[I]"},
    {"KEEPALIVE_IDLE_MS", 75 * S, "[I]"},
    {"WEBSOCKET_IDLE_MS", 60 * S, "P-157"},
    {"GZIP_MIN_BYTES", 1 * KIB, "[I]"},
    {"EDGE_BODY_BYTES", 60 * MIB, "P-158"},
    {"EDGE_RESPONSE_WAIT_MS", 10 * S, "P-158"},
    {"ENV_FILE_KB", 256, "[I]"},
    {"ENV_VALUE_KB", 120, "[I]"},
    {"ENV_FILE_VARIABLES", 1000, "[I]"},
    {"FUNCTION_MS", 15 * S, "P-199"},
    {"BEFORE_HOOK_MS", 10 * S, "P-199 [I]"},
    {"OTHER_HOOK_MS", 3 * S, "P-199"},
    {"TIMER_FAILURES", 30, "P-200"},
    {"TIMER_WINDOW_MS", 24 * 3600 * S, "P-200"},
};

static const struct limit_row *find(const char *name)
{
    for (size_t i = 0; i < LIMIT__COUNT; i++) {
        if (strcmp(limit_rows[i].name, name) == 0) {
            return &limit_rows[i];
        }
    }
    return NULL;
}

static void each_number_is_the_platforms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        const struct limit_row *row = find(facts[i].name);
        if (!row) {
            fail_msg("%s is gone", facts[i].name);
        }
        if (row->value != facts[i].value || strcmp(row->source, facts[i].source) != 0) {
            fail_msg("%s: %lld (%s), not %lld (%s)", row->name, (long long)row->value, row->source,
                     (long long)facts[i].value, facts[i].source);
        }
    }
}

static void no_row_is_unknown_here(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIMIT__COUNT; i++) {
        bool known = false;
        for (size_t j = 0; j < ARRAY_LEN(facts); j++) {
            known = known || strcmp(limit_rows[i].name, facts[j].name) == 0;
        }
        if (!known) {
            fail_msg("%s: add it here, with the number that the fact names", limit_rows[i].name);
        }
        assert_true(limit_rows[i].where[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_the_platforms),
        cmocka_unit_test(no_row_is_unknown_here),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
