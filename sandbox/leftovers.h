// What: ends what a killed init left behind where there is no PID namespace.
// Why: kill -9 of such an init leaves its grandchildren; the command led a session of its own, so
//       they are found by it. Who left that session too is not found (COMPAT: level none only).
#ifndef SANDBOX_LEFTOVERS_H
#define SANDBOX_LEFTOVERS_H

#include <sys/types.h>

void leftovers_kill(pid_t session);

#endif
