// What: the command's process between fork and exec.
// Order: init forks; the child calls command_main(), which sends init the listener and, on a
//       failure, the error over channel_fd; end of file there means that exec worked.
#ifndef SANDBOX_COMMAND_H
#define SANDBOX_COMMAND_H

#include "sandbox/child.h"

_Noreturn void command_main(struct child *child, int channel_fd);

#endif
