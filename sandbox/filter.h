// What: the system call filter of the command, and what else it gives up before exec.
// Why: refused are the ways around the broker and out of the namespaces: io_uring (it binds without
//       a system call), new user namespaces, clone3 (its flags cannot be seen; libraries fall back
//       to clone), the x32 and 32-bit entries, the keyrings (they belong to the user outside).
//       ptrace stays: debuggers work inside.
// Not: a list of allowed calls. The app has no privilege; the cloud's profile is not public.
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include <stdbool.h>

// With `broker`: bind, listen and connect go to the returned listener (close-on-exec, the caller
// owns it), and *ret_killable says whether the kernel keeps signals off a call that was taken.
// Without: returns 0. -1 with errno. Needs no-new-privileges.
int filter_install(bool broker, bool *ret_killable);
// Empties every capability set of this process, the bounding set too. 0 or -1 with errno.
int filter_drop_capabilities(void);
// The bounding set alone, as far as we may. 0 or -1 with errno.
int filter_drop_bounding_set(void);
// Landlock: no connection to abstract sockets of other sandboxes or the host (kernel 6.12).
int filter_close_abstract_sockets(void);

#endif
