// What: what comes with go (argv, env, cwd, lowers) as bytes in a memfd.
// Why: argv and env may be far larger than a packet.
#ifndef SANDBOX_PAYLOAD_H
#define SANDBOX_PAYLOAD_H

#include "sandbox/child.h"
#include "sandbox/sandbox.h"

// A descriptor to send, or -1. The lowers become real paths, because init resolves no links of the
// host.
int payload_write(const struct sandbox_version *version, const struct sandbox_command *command,
                  struct error *error);
// In init: fills all but stdio; the memory stays for good. 0 or -1 with errno.
int payload_read(int fd, struct child_go *ret_go);

#endif
