// What: PID 1 of a sandbox: builds it, parks, starts the command when told, reaps, forwards
//       signals, runs the port broker, ends with the command or with our process.
// Order: the process that sandbox.c has cloned calls init_main() and never returns.
#ifndef SANDBOX_INIT_H
#define SANDBOX_INIT_H

#include "sandbox/plan.h"

_Noreturn void init_main(struct plan *plan, int control_fd);

#endif
