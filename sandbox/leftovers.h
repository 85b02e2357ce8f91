// What: ends what a killed init left behind where there is no PID namespace.
// Why: kill -9 of such an init leaves its grandchildren. The command led a session of its own, so
//       most are found by it; who left that session has become our child, because we are a
//       subreaper then, and is told from our own children by not running our executable.
// Not: needed with a PID namespace, where the kernel does it.
#ifndef SANDBOX_LEFTOVERS_H
#define SANDBOX_LEFTOVERS_H

#include <stddef.h>
#include <sys/types.h>

// Before the first init without a PID namespace is cloned: its orphans will come to us.
void leftovers_adopt(void);
// inits: those that live; never killed. Kills and reaps; blocks a few ms.
void leftovers_kill(pid_t session, const pid_t *inits, size_t init_count);

#endif
