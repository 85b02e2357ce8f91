#include "sandbox/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define EXTRA_FD 3

extern char **environ;

void process_reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static struct rlimit original_descriptors; // rlim_max 0: never raised

void process_raise_descriptor_limit(unsigned long wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) {
        return;
    }
    if (original_descriptors.rlim_max == 0) {
        original_descriptors = limit;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void process_restore_limits(void)
{
    if (original_descriptors.rlim_max) {
        setrlimit(RLIMIT_NOFILE, &original_descriptors);
    }
}

// Puts the wanted descriptors at 0..3. They are first moved above the target range, so that none is
// overwritten before it is used.
static int arrange_descriptors(const struct process_options *options)
{
    int wanted[] = {options->stdin_fd, options->stdout_fd, options->stderr_fd, options->extra_fd};
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 4; i++) {
        if (wanted[i] == -2) {
            wanted[i] = i;
        }
        int from = wanted[i] >= 0 ? wanted[i] : null_fd;
        wanted[i] = i == EXTRA_FD && wanted[i] < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 16);
    }
    for (int i = 0; i < 4; i++) {
        if (wanted[i] >= 0 && dup2(wanted[i], i) < 0) {
            return -1;
        }
    }
    unsigned first_closed = options->extra_fd >= 0 ? EXTRA_FD + 1 : EXTRA_FD;
    syscall(SYS_close_range, first_closed, ~0u, 0);
    return 0;
}

static void run_child(const struct process_options *options, const char *path, pid_t parent)
{
    process_reset_signals();
    process_restore_limits();
    if (options->new_session) {
        setsid();
    }
    if (options->cwd && chdir(options->cwd) < 0) {
        _exit(127);
    }
    if (arrange_descriptors(options) < 0) {
        _exit(127);
    }
    if (options->die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(127);
        }
    }
    execvpe(path, options->argv, options->env ? options->env : environ);
    _exit(127);
}

int process_start(const struct process_options *options, struct process *ret_process,
                  struct error *error)
{
    char own_path[4096];
    const char *path = options->path;
    if (!path) {
        ssize_t len = readlink("/proc/self/exe", own_path, sizeof own_path - 1);
        if (len < 0) {
            return error_set_errno(error, ERROR_SYSTEM, errno, "/proc/self/exe");
        }
        own_path[len] = '\0';
        // After an update in place the link ends in " (deleted)"; the magic link still works.
        path = str_ends_with(own_path, " (deleted)") ? "/proc/self/exe" : own_path;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "fork");
    }
    if (pid == 0) {
        run_child(options, path, parent);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int errnum = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return error_set_errno(error, ERROR_SYSTEM, errnum, "pidfd_open");
    }
    *ret_process = (struct process){.pid = pid, .pidfd = pidfd};
    return 0;
}

// false: the limit came before the end of its output and of itself.
static bool collect_output(int fd, int pidfd, int64_t until_ms, struct buf *output)
{
    struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    char chunk[4096];
    while (waits[0].fd >= 0 || waits[1].fd >= 0) {
        int64_t left_ms = until_ms - clock_now_ms();
        if (left_ms <= 0) {
            return false;
        }
        if (poll(waits, 2, (int)left_ms) <= 0) {
            continue;
        }
        if (waits[0].revents) {
            ssize_t got = read(fd, chunk, sizeof chunk);
            if (got > 0) {
                buf_add(output, chunk, (size_t)got);
            } else if (got == 0 || errno != EINTR) {
                waits[0].fd = -1;
            }
        } else if (waits[1].revents) {
            waits[1].fd = -1; // it has ended: what it has left behind is not waited for
            waits[0].fd = -1;
        }
    }
    return true;
}

int process_capture(char *const *argv, char *const *env, const char *cwd, size_t max, int limit_ms,
                    char **ret_output, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
    }
    auto_close int out = ends[0];
    struct process_options options = {.path = argv[0],
                                      .argv = argv,
                                      .env = env,
                                      .cwd = cwd,
                                      .stdin_fd = -1,
                                      .stdout_fd = ends[1],
                                      .stderr_fd = -1,
                                      .extra_fd = -1,
                                      .new_session = true,
                                      .die_with_parent = true};
    struct process process;
    int started = process_start(&options, &process, error);
    close(ends[1]);
    if (started < 0) {
        return -1;
    }
    auto_close int pidfd = process.pidfd;
    struct buf output = {.max = max};
    bool ended = collect_output(out, pidfd, clock_now_ms() + limit_ms, &output);
    if (!ended) {
        kill(-process.pid, SIGKILL);
        kill(process.pid, SIGKILL); // before its setsid()
    }
    int status = 0;
    while (waitpid(process.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended) {
        buf_release(&output);
        return error_set_errno(error, ERROR_HOST, ETIMEDOUT, "%s", argv[0]);
    }
    *ret_output = buf_steal(&output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *process_describe_status(int wait_status)
{
    static char text[96];
    if (WIFEXITED(wait_status)) {
        snprintf(text, sizeof text, _("exit %d"), WEXITSTATUS(wait_status));
    } else {
        int number = WTERMSIG(wait_status);
        snprintf(text, sizeof text, _("signal %d (%s)"), number, strsignal(number));
    }
    return text;
}

char *process_command_line(pid_t pid)
{
    auto_free char *path = str_printf("/proc/%d/cmdline", (int)pid);
    size_t len = 0;
    char *text = fs_read(path, 1 << 20, &len, NULL);
    for (size_t i = 0; text && i + 1 < len; i++) {
        if (text[i] == '\0') {
            text[i] = ' ';
        }
    }
    return text;
}
