// What the size of an instance means here: its limits, what is said when one is met, and what this
// host cannot give.

#include <stdlib.h>
#include <string.h>

#include "emulator/engine/explain.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/remove.h"
#include "emulator/engine/running.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

struct allowance_limits size_limits(const struct engine *engine)
{
    struct allowance_limits limits;
    allowance_limits_read(engine->options.size,
                          strlist_env_get(&engine->host_env, "LEANLOCAL_INSTANCE_LIMITS"), &limits);
    return limits;
}

// A fraction of a processor takes a group; whole ones are left to the instance by affinity.
static bool can_give_cpu(const struct engine *engine)
{
    return engine->groups.places[CGROUP_CPU].dir || size_limits(engine).cpu_milli % 1000 == 0;
}

void size_begin(struct engine *engine)
{
    // The record lies where a dead engine is buried, whoever does it (remove.h).
    auto_free char *record = cgroup_record(&engine->groups);
    auto_free char *path = fs_join(engine->run_dir, REMOVE_GROUPS);
    if (*record) {
        fs_write_atomic(path, record, strlen(record), 0600, NULL);
    }
    if ((engine->mode == MODE_UP || engine->mode == MODE_VERIFY) && !can_give_cpu(engine)) {
        engine->deviations++;
        announce_notice(engine, "deviation", "P-170", NULL, NULL,
                        _("the app may use a whole processor here, in the cloud %.1f of one: %s"),
                        (double)size_limits(engine).cpu_milli / 1000,
                        engine->groups.places[CGROUP_CPU].reason);
    }
}

void size_explain_memory(const struct running *running, struct error *error)
{
    const struct engine *engine = running->engine;
    int64_t used_bytes = instance_over_bytes(running->instance);
    int64_t limit_bytes = size_limits(engine).memory_bytes;
    const struct instance_size *larger = instance_size_for(used_bytes);
    error_set(error, ERROR_APP,
              _("%s was killed: it took %lld MB of memory, an instance of size %s has %lld MB"),
              instance_name(running->instance), (long long)((used_bytes + (1 << 20) - 1) >> 20),
              engine->options.size->name, (long long)(limit_bytes >> 20));
    error_set_rule(error, "P-172", NULL);
    if (larger && larger->memory_mb > engine->options.size->memory_mb) {
        error_set_hint(error,
                       _("hold less at once, start fewer workers, or take a larger size: "
                         "--size %s"),
                       larger->name);
    } else {
        error_set_hint(error, _("hold less at once, or start fewer workers"));
    }
}

// P-130: one disk for home and /tmp.
void size_tell_full(struct running *running, const char *filled)
{
    struct engine *engine = running->engine;
    engine->warnings++;
    announce_notice(engine, "warning", "P-130", NULL,
                    _("remove what is not needed any more; files that must last belong into a "
                      "service"),
                    _("%s: its disk is full: /home/leanengine and /tmp have %lld MB together%s%s. "
                      "The app gets \"No space left on device\", in the cloud \"Disk quota "
                      "exceeded\""),
                    instance_name(running->instance),
                    (long long)(size_limits(engine).disk_bytes >> 20), *filled ? "; " : "", filled);
}

void size_explain_host(struct explanation *explanation)
{
    const struct cgroup_host *groups = &explanation->engine->groups;
    auto_free char *memory = cgroup_describe(groups, CGROUP_MEMORY);
    auto_free char *cpu = cgroup_describe(groups, CGROUP_CPU);
    explain_row(explanation, "memory", memory ? NULL : groups->places[CGROUP_MEMORY].reason, "%s",
                memory ? memory : _("process tree"));
    explain_row(explanation, "processors", cpu ? NULL : groups->places[CGROUP_CPU].reason, "%s",
                cpu ? cpu : _("whole ones only, by affinity"));
}
