#include "emulator/instance/allowance.h"

#include <stdlib.h>

#include "emulator/instance/filled.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"
#include "sandbox/processors.h"
#include "sandbox/usage.h"

#define NEAR_MS    100
#define ACTIVE_MS  250
#define CALM_MS    30000     // what waits that long to take memory is found that late
#define NOISE      (1 << 18) // bytes: an idle interpreter's own ups and downs
#define FULL_BYTES (1 << 16) // that little is left: nothing more can be written

struct allowance {
    struct allowance_options options;
    struct loop *loop;
    struct loop_source *timer;
    struct cgroup *group; // NULL: none can be had
    struct allowance_pace pace;
    pid_t root;
    int64_t born_wall_ms;
    bool over, full;
};

void allowance_limits_read(const struct instance_size *size, const char *text,
                           struct allowance_limits *ret_limits)
{
    struct allowance_limits limits = {
        .memory_bytes = size->memory_mb << 20,
        .cpu_milli = size->cpu_milli,
        .disk_bytes = LIMIT_WRITABLE_BYTES,
    };
    const struct limit_word words[] = {
        {"memory-mb=", &limits.memory_bytes, 1 << 20},
        {"cpu-milli=", &limits.cpu_milli, 1},
        {"disk-mb=", &limits.disk_bytes, 1 << 20},
    };
    limits_read_words(text, words, ARRAY_LEN(words));
    *ret_limits = limits;
}

int64_t allowance_pace_next(struct allowance_pace *pace, int64_t used_bytes, int64_t limit_bytes)
{
    int64_t change = used_bytes - pace->used_bytes;
    bool near = used_bytes > limit_bytes - limit_bytes / 4;
    if (change > NOISE || change < -NOISE || pace->interval_ms == 0) {
        pace->interval_ms = near ? NEAR_MS : ACTIVE_MS;
        pace->used_bytes = used_bytes; // slow growth adds up until it counts
    } else {
        pace->interval_ms = pace->interval_ms > CALM_MS / 2 ? CALM_MS : 2 * pace->interval_ms;
    }
    return pace->interval_ms;
}

// ---- looks ----

int64_t allowance_memory(const struct allowance *allowance)
{
    struct usage usage;
    int64_t grouped = cgroup_anonymous_bytes(allowance->group);
    if (grouped >= 0) {
        return grouped;
    }
    return usage_read(allowance->root, &usage) < 0 ? -1 : usage.anonymous_bytes;
}

// A group counts a page once. The cheap look at a tree counts it for each fork that shares it;
// before that kills, the exact one is asked.
static int64_t read_memory(const struct allowance *allowance)
{
    int64_t used = allowance_memory(allowance);
    if (used > allowance->options.limits.memory_bytes &&
        cgroup_anonymous_bytes(allowance->group) < 0) {
        used = usage_exact_memory(allowance->root);
    }
    return used;
}

static void look_at_disk(struct allowance *allowance)
{
    int64_t used_bytes;
    int64_t free_bytes;
    if (allowance->full || usage_read_disk(allowance->root, &used_bytes, &free_bytes) < 0 ||
        used_bytes + free_bytes > allowance->options.limits.disk_bytes || free_bytes > FULL_BYTES) {
        return; // at level none it is the host's disk, not ours
    }
    allowance->full = true;
    auto_free char *filled = filled_by(allowance->root, allowance->born_wall_ms);
    allowance->options.on_full(allowance->options.context, filled);
}

static void look(void *context)
{
    struct allowance *allowance = context;
    const struct allowance_limits *limits = &allowance->options.limits;
    int64_t used = read_memory(allowance);
    if (used < 0 || allowance->over) {
        return; // its end is on the way
    }
    if (used > limits->memory_bytes) {
        allowance->over = true;
        allowance->options.on_over(allowance->options.context, used);
        return;
    }
    look_at_disk(allowance);
    loop_timer_restart(allowance->timer,
                       allowance_pace_next(&allowance->pace, used, limits->memory_bytes));
}

void allowance_stir(struct allowance *allowance)
{
    if (allowance && allowance->root && allowance->pace.interval_ms > ACTIVE_MS) {
        allowance->pace.interval_ms = 0;
        loop_timer_restart(allowance->timer, NEAR_MS);
    }
}

// ---- life ----

struct allowance *allowance_new(struct loop *loop, const struct allowance_options *options)
{
    struct allowance *allowance = mem_alloc(sizeof *allowance);
    allowance->options = *options;
    allowance->loop = loop;
    allowance->born_wall_ms = clock_wall_ms();
    // A backstop only: what lies on the disk and in /dev/shm is charged as well.
    const struct cgroup_limits limits = {
        .memory_bytes = options->limits.memory_bytes + options->limits.disk_bytes + LIMIT_SHM_BYTES,
        .cpu_milli = options->limits.cpu_milli};
    allowance->group = options->groups ? cgroup_new(options->groups, options->name, &limits) : NULL;
    return allowance;
}

size_t allowance_groups(const struct allowance *allowance,
                        const char *ret_dirs[static CGROUP_KIND__COUNT])
{
    return allowance ? cgroup_dirs(allowance->group, ret_dirs) : 0;
}

void allowance_watch(struct allowance *allowance, pid_t root)
{
    struct processors before;
    allowance->root = root;
    int64_t processors = (allowance->options.limits.cpu_milli + 999) / 1000;
    if (!cgroup_has(allowance->group, CGROUP_CPU) &&
        processors_limit(root, processors, allowance->options.number, &before) < 0) {
        log_debug("processors of %d: not limited", (int)root);
    }
    allowance->timer = loop_add_timer(allowance->loop, ACTIVE_MS, look, allowance);
}

bool allowance_was_killed(const struct allowance *allowance)
{
    return allowance && cgroup_kills(allowance->group) > 0;
}

void allowance_free(struct allowance *allowance)
{
    if (allowance) {
        cgroup_free(allowance->group);
        loop_source_free(allowance->timer);
        free(allowance);
    }
}
