// Linked over sandbox_run (--wrap, see CMakeLists.txt): the n-th call of one function fails, in
// whichever process of the start-up it comes (fault.h). Counting begins after the probe. At the end
// it says on stderr, for the test:
//   fault: fired=1 fds=6        of this process, the sandbox's parent
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/sandbox.h"
#include "tests/tools/fault.h"

int __real_fcntl(int fd, ...); // does not count

static void say_what_came(void)
{
    int open_fds = 0;
    for (int fd = 0; fd < 1024; fd++) {
        open_fds += __real_fcntl(fd, F_GETFD) >= 0;
    }
    fprintf(stderr, "fault: fired=%d fds=%d\n", fault_fired(), open_fds);
}

void __real_sandbox_probe(struct sandbox_host *ret_host);
void __wrap_sandbox_probe(struct sandbox_host *ret_host);
void __wrap_sandbox_probe(struct sandbox_host *ret_host)
{
    __real_sandbox_probe(ret_host);
    if (fault_arm()) {
        atexit(say_what_came);
    }
}
