// What: the sizes that an instance can have (P-170): memory, processors, whether there is staging.
// Sources: sizes.def, one row a size.
#ifndef EMULATOR_LIMITS_SIZES_H
#define EMULATOR_LIMITS_SIZES_H

#include <stdbool.h>
#include <stdint.h>

struct instance_size {
    const char *name; // "standard-512"
    int64_t memory_mb;
    int64_t cpu_milli;
    int cpus;     // LEANCLOUD_AVAILABLE_CPUS
    bool staging; // trial instances have none
    bool sleeps;  // without requests
};

// NULL name: the default. NULL if there is no such size.
const struct instance_size *instance_size_find(const char *name);
// The smallest one that has that much memory; NULL: none.
const struct instance_size *instance_size_for(int64_t memory_bytes);
// Known names, blank-separated, for messages.
const char *instance_size_names(void);

#endif
