#include "emulator/build/meter.h"

#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

void meter_limits_read(const char *text, struct meter_limits *ret_limits)
{
    struct meter_limits limits = {
        .cpus = LIMIT_BUILD_CPUS,
        .cpu_ms = LIMIT_BUILD_CPU_MS,
        .memory_bytes = LIMIT_BUILD_MEMORY_BYTES,
        .quiet_ms = LIMIT_BUILD_QUIET_MS,
    };
    const struct limit_word words[] = {
        {"cpus=", &limits.cpus, 1},
        {"cpu-ms=", &limits.cpu_ms, 1},
        {"memory-mb=", &limits.memory_bytes, 1 << 20},
        {"quiet-ms=", &limits.quiet_ms, 1},
    };
    limits_read_words(text, words, ARRAY_LEN(words));
    *ret_limits = limits;
}

int meter_judge(const struct meter_limits *limits, const struct usage *use, struct error *ret_error)
{
    if (use->cpu_ms > limits->cpu_ms) {
        error_set(ret_error, ERROR_PROJECT,
                  _("killed: the build used %.1f s of CPU time, the cloud gives it %.1f s"),
                  (double)use->cpu_ms / 1e3, (double)limits->cpu_ms / 1e3);
        error_set_rule(ret_error, "P-66", NULL);
        return error_set_hint(ret_error, _("compile less: take wheels, or commit what the build "
                                           "commands make"));
    }
    if (use->anonymous_bytes > limits->memory_bytes) {
        error_set(ret_error, ERROR_PROJECT,
                  _("killed: the build used %lld MB of memory, the cloud gives it %lld MB"),
                  (long long)(use->anonymous_bytes >> 20), (long long)(limits->memory_bytes >> 20));
        error_set_rule(ret_error, "P-66", TEXT_BUILD_MEMORY);
        return error_set_hint(ret_error, _("compile with fewer jobs at once, or take wheels"));
    }
    return 0;
}
