#include "sandbox/base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sandbox/base/clock.h"

static int sink_fd = -1;
static const char *sink_role = "";

void log_open(const char *role)
{
    const char *path = getenv("LEANLOCAL_DEBUG");
    sink_role = role;
    if (path && *path && sink_fd < 0) {
        sink_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

void log_debug(const char *format, ...)
{
    if (sink_fd < 0) {
        return;
    }
    char line[1024];
    int at = snprintf(line, sizeof line, "%lld %s[%d] ", (long long)clock_now_ms(), sink_role,
                      (int)getpid());
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, args);
    va_end(args);
    at += len < (int)sizeof line - at - 1 ? len : (int)sizeof line - at - 2;
    line[at++] = '\n';
    if (write(sink_fd, line, (size_t)at) < 0) {
        sink_fd = -1; // a full disk must not end the program
    }
}
