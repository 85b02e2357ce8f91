#include "emulator/limits/sizes.h"

#include <stddef.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

static const struct instance_size sizes[] = {
#define SIZE(name, memory_mb, cpu_milli, cpus, staging, sleeps)                                    \
    {name, memory_mb, cpu_milli, cpus, staging, sleeps},
#include "emulator/limits/sizes.def"
#undef SIZE
};

const struct instance_size *instance_size_find(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(sizes); i++) {
        if (strcmp(sizes[i].name, name) == 0) {
            return &sizes[i];
        }
    }
    return name ? NULL : &sizes[0];
}

const struct instance_size *instance_size_for(int64_t memory_bytes)
{
    const struct instance_size *best = NULL;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        bool enough = sizes[i].memory_mb >= (memory_bytes + (1 << 20) - 1) >> 20;
        if (enough && (!best || sizes[i].memory_mb < best->memory_mb)) {
            best = &sizes[i];
        }
    }
    return best;
}

const char *instance_size_names(void)
{
#define SIZE(name, ...) " " name
    static const char names[] =
#include "emulator/limits/sizes.def"
        ;
#undef SIZE
    return names + 1;
}
