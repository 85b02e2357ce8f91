// What: what a process tree uses now: CPU time, anonymous memory, its writable disk. Read from
// /proc.
// Why: one walk for the build's limits, the instance's limit and the meters. Anonymous memory,
//      because pages of /tmp are no memory of the app (DESIGN 6).
// Order: usage_read() now and then; usage_exact_memory() only where its answer decides something.
// Owns: nothing.
// Not: the first process itself, whose memory is ours. What has come and gone between two looks is
//      in the CPU time (of who waited for it), not in the memory.
#ifndef SANDBOX_USAGE_H
#define SANDBOX_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
    int64_t cpu_ms;          // of the living and of those that were waited for
    int64_t anonymous_bytes; // resident or swapped; a page that a fork shares counts for each
    int count;               // processes, the first one included
};

// root: first process of the tree, which adopts its orphans. -1: it is gone.
int usage_read(pid_t root, struct usage *ret_usage);
// The same, each shared page once: 0.1 ms and more for each process. Without the kernel's word on
// shares, as usage_read() has it. -1: it is gone.
int64_t usage_exact_memory(pid_t root);
// Of the file system that the tree sees at /tmp. -1: not known.
int usage_read_disk(pid_t root, int64_t *ret_used_bytes, int64_t *ret_free_bytes);

#endif
