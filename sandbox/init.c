// Init is a forked copy of the parent and never execs: the parent has one thread, so the copy is
// whole, and an exec of our executable would cost more than all the mounts. What a fork inherits is
// undone first: descriptors, signal mask, dispositions.
//
// One poll loop: the control socket (its end: our parent is gone, everything dies), SIGCHLD through
// a signalfd (with the default action the kernel does not wake PID 1's poll), the command's channel
// until exec, the broker's listener. With a PID namespace init's death ends the tree; without one
// it is a subreaper that kills its descendants until none is left.
#include "sandbox/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"
#include "sandbox/child.h"
#include "sandbox/command.h"
#include "sandbox/payload.h"
#include "sandbox/wire.h"

#define CONTROL_FD 3

struct init {
    struct child child;
    struct child_go go;
    int signal_fd;
    int channel_fd; // to the command's process, until exec; -1
    pid_t command;  // 0 before it is started and after it has ended
    struct broker broker;
};

// ---- the end ----

static void kill_children(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        char path[300];
        char line[512];
        int pid = atoi(entry->d_name);
        if (pid <= 0) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        auto_fclose FILE *file = fopen(path, "re");
        int parent = 0;
        // The name may hold anything, so what follows it is found from its last parenthesis.
        if (file && fgets(line, sizeof line, file) && strrchr(line, ')') &&
            sscanf(strrchr(line, ')') + 1, " %*c %d", &parent) == 1 && parent == (int)getpid()) {
            kill(pid, SIGKILL);
        }
    }
    if (proc) {
        closedir(proc);
    }
}

// Orphans of those that die become our children, so in the end all are met. Without a pid namespace
// only.
static void kill_descendants(void)
{
    for (;;) {
        pid_t reaped;
        while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {
        }
        if (reaped < 0 && errno == ECHILD) {
            return;
        }
        kill_children();
        waitpid(-1, NULL, 0);
    }
}

static _Noreturn void end(struct init *init, int status)
{
    if (!init->child.plan->pid_namespace) {
        kill_descendants();
    }
    _exit(status); // with a PID namespace the kernel kills the rest now
}

static void tell(struct init *init, enum wire_kind kind, int number)
{
    struct wire_message message = {.kind = kind, .number = number};
    wire_send(init->child.parent_fd, &message, NULL, 0, 0);
}

static _Noreturn void fail(struct init *init, const struct error *error)
{
    struct wire_message message = {.kind = WIRE_FAILED, .error = *error};
    wire_send(init->child.parent_fd, &message, NULL, 0, 0);
    end(init, 1);
}

// ---- the command ----

static void start_command(struct init *init)
{
    struct error error;
    int ends[2];
    if (child_run(&init->child, PLAN_GO, &error) < 0) {
        fail(init, &error);
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        error_set_errno(&error, ERROR_SYSTEM, errno, "socketpair");
        fail(init, &error);
    }
    init->child.parent_pid = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        error_set_errno(&error, ERROR_SYSTEM, errno, "fork");
        fail(init, &error);
    }
    if (pid == 0) {
        command_main(&init->child, ends[1]);
    }
    close(ends[1]);
    init->command = pid;
    init->channel_fd = ends[0];
    // Without a PID namespace our parent must be able to end the command's session when we are
    // killed, so the command waits until it is known.
    if (!init->child.plan->pid_namespace) {
        struct wire_message proceed = {.kind = WIRE_PROCEED};
        tell(init, WIRE_FORKED, pid);
        if (wire_send(init->channel_fd, &proceed, NULL, 0, 0) < 0 && errno != EPIPE) {
            error_set_errno(&error, ERROR_SYSTEM, errno, "sendmsg");
            fail(init, &error); // or it would wait for ever
        }
    }
    for (int i = 0; i < 3; i++) {
        if (init->go.stdio[i] >= 0) {
            close(init->go.stdio[i]); // or the pipes would never end
        }
    }
}

static void take_go(struct init *init, const int fds[WIRE_MAX_FDS])
{
    struct error error;
    if (init->child.go || fds[0] < 0) {
        return;
    }
    if (payload_read(fds[0], &init->go) < 0) {
        error_set_errno(&error, ERROR_SYSTEM, errno, _("cannot read the command"));
        fail(init, &error);
    }
    close(fds[0]);
    init->go.stdio[0] = fds[3];
    init->go.stdio[1] = fds[1];
    init->go.stdio[2] = fds[2];
    init->child.go = &init->go;
    start_command(init);
}

static void take_channel(struct init *init)
{
    struct wire_message message;
    int fds[WIRE_MAX_FDS];
    int got = wire_receive(init->channel_fd, &message, fds);
    if (got > 0 && message.kind == WIRE_FAILED) {
        fail(init, &message.error);
    }
    if (got > 0 && message.kind == WIRE_LISTENER) {
        if (broker_init(&init->broker, fds[0], message.number, &init->child.plan->rule,
                        init->child.parent_fd) < 0) {
            struct error error;
            error_set_errno(&error, ERROR_HOST, errno, _("cannot start the port broker"));
            fail(init, &error);
        }
        return;
    }
    if (got == 0) {
        close(init->channel_fd);
        init->channel_fd = -1;
        tell(init, WIRE_STARTED, 0);
    }
}

// ---- the loop ----

static void take_control(struct init *init)
{
    struct wire_message message;
    int fds[WIRE_MAX_FDS];
    int got = wire_receive(init->child.parent_fd, &message, fds);
    if (got <= 0) {
        end(init, 1); // nobody is left to serve
    }
    if (message.kind == WIRE_GO) {
        take_go(init, fds);
    } else if (message.kind == WIRE_SIGNAL && init->command) {
        kill(-init->command, message.number);
    }
}

static void take_signals(struct init *init)
{
    struct signalfd_siginfo info;
    while (read(init->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM) {
            end(init, 1); // the death signal where there is no PID namespace
        }
    }
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != init->command) {
            continue;
        }
        while (init->channel_fd >= 0) {
            take_channel(init); // STARTED or FAILED goes first
        }
        tell(init, WIRE_COMMAND_EXITED, status);
        end(init, 0);
    }
}

static _Noreturn void loop(struct init *init)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = init->child.parent_fd, .events = POLLIN},
            {.fd = init->signal_fd, .events = POLLIN},
            {.fd = init->channel_fd, .events = POLLIN},
            {.fd = init->broker.listener_fd, .events = POLLIN},
        };
        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR) {
            end(init, 1);
        }
        if (fds[2].revents) {
            take_channel(init);
        }
        if (fds[3].revents & POLLIN) {
            broker_handle(&init->broker);
        } else if (fds[3].revents) {
            broker_release(&init->broker); // nobody with the filter is left
        }
        if (fds[1].revents) {
            take_signals(init);
        }
        if (fds[0].revents) {
            take_control(init);
        }
    }
}

// ---- the start ----

// Our copy of the parent's command line would tell the app where the project lies on the host.
static void hide_arguments(void)
{
    static const char name[] = "leanlocal-init";
    char line[1024];
    unsigned long first = 0;
    unsigned long last = 0;
    auto_fclose FILE *file = fopen("/proc/self/stat", "re");
    // proc(5): after the name fields 3..., of which 48 and 49 are the bounds of the arguments.
    char *at = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    for (int field = 2; at && field < 48; field++) {
        at = strchr(at + 1, ' ');
    }
    if (!at || sscanf(at, " %lu %lu", &first, &last) != 2 || first == 0 || last <= first) {
        return;
    }
    char *arguments = (char *)(uintptr_t)first; // NOLINT: as the kernel tells it
    memset(arguments, 0, last - first);
    memcpy(arguments, name, last - first < sizeof name ? last - first - 1 : sizeof name);
}

// Moves the control socket to CONTROL_FD; *control_fd says where it is, also after a failure. What
// stayed open would keep our parent's pipes open for the tree's life.
static int shed_descriptors(int *control_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high = fcntl(*control_fd, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
    if (null_fd < 0 || high < 0) {
        return -1;
    }
    *control_fd = high;
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(null_fd, fd) < 0) {
            return -1;
        }
    }
    if (dup3(high, CONTROL_FD, O_CLOEXEC) < 0) {
        return -1;
    }
    *control_fd = CONTROL_FD;
    return syscall(SYS_close_range, CONTROL_FD + 1, ~0u, 0) < 0 ? -1 : 0;
}

static void shed_inheritance(void)
{
    hide_arguments();
    process_reset_signals();
    process_restore_limits();
    umask(0);
    prctl(PR_SET_NAME, "leanlocal-init", 0, 0, 0);
}

static int open_signals(const struct plan *plan)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    // Only blocked signals of PID 1 can come from inside; TERM is wanted without a PID namespace
    // alone.
    if (!plan->pid_namespace) {
        sigaddset(&set, SIGTERM);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void init_main(struct plan *plan, int control_fd)
{
    shed_inheritance();
    int shed = shed_descriptors(&control_fd);
    int errnum = errno;
    struct init init = {.child = {.plan = plan, .parent_fd = control_fd, .listener_fd = -1},
                        .channel_fd = -1,
                        .broker = {.listener_fd = -1}};
    struct wire_message message;
    struct error error;
    if (shed < 0) {
        error_set_errno(&error, ERROR_SYSTEM, errnum, _("cannot leave our parent's descriptors"));
        error_set_where(&error, "descriptors");
        fail(&init, &error);
    }
    if (wire_receive(CONTROL_FD, &message, NULL) <= 0 || message.kind != WIRE_MAPPED) {
        _exit(1);
    }
    init.signal_fd = open_signals(plan);
    if (init.signal_fd < 0) {
        error_set_errno(&error, ERROR_SYSTEM, errno, "signalfd");
        fail(&init, &error);
    }
    if (child_run(&init.child, PLAN_BUILD, &error) < 0) {
        fail(&init, &error);
    }
    tell(&init, WIRE_PARKED, 0);
    loop(&init);
}
