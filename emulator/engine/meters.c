// What the instances use, read while somebody looks.

#include "emulator/engine/internal.h"
#include "sandbox/base/clock.h"
#include "sandbox/usage.h"

void meters_read(struct engine *engine)
{
    int64_t now_ms = clock_now_ms();
    for (struct running *at = engine->runnings; at; at = at->next) {
        struct usage usage;
        int64_t free_bytes;
        if (usage_read(instance_pid(at->instance), &usage) < 0) {
            continue;
        }
        if (at->cpu_read_ms && now_ms > at->cpu_read_ms) {
            int64_t used_ms = usage.cpu_ms - at->cpu_ms;
            at->cpu_permille = used_ms < 0 ? 0 : used_ms * 1000 / (now_ms - at->cpu_read_ms);
        }
        at->cpu_ms = usage.cpu_ms;
        at->cpu_read_ms = now_ms;
        int64_t judged_bytes = instance_memory(at->instance);
        at->memory_bytes = judged_bytes >= 0 ? judged_bytes : usage.anonymous_bytes;
        at->disk_bytes = -1;
        usage_read_disk(instance_pid(at->instance), &at->disk_bytes, &free_bytes);
    }
    touch(engine);
}
