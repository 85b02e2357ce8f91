// The parent's side. Between clone and the id maps the child waits, so that it never builds with
// ids that are not its own. The control socket is one SOCK_SEQPACKET pair; our end is non-blocking.
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/init.h"
#include "sandbox/kernel.h"
#include "sandbox/leftovers.h"
#include "sandbox/payload.h"
#include "sandbox/plan.h"
#include "sandbox/wire.h"

struct sandbox {
    pid_t pid;
    int pidfd;
    int control_fd; // -1 after its end
    int epoll_fd;
    bool pid_namespace;
    bool went;
    bool reaped;
    bool told_exited;
    int wait_status;
    pid_t command_pid; // as init sees it; ours too without a PID namespace
    struct sandbox *next;
};

// Those that live: who else is our child without running our executable was theirs.
static struct sandbox *sandboxes;

static int watch(struct sandbox *sandbox, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(sandbox->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void kill_and_reap(struct sandbox *sandbox)
{
    kill(sandbox->pid, SIGKILL);
    while (waitpid(sandbox->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    sandbox->reaped = true;
}

static void forget(struct sandbox *sandbox)
{
    for (struct sandbox **slot = &sandboxes; *slot; slot = &(*slot)->next) {
        if (*slot == sandbox) {
            *slot = sandbox->next;
            return;
        }
    }
}

// Init was killed before it could end its tree, perhaps.
static void kill_leftovers(struct sandbox *sandbox)
{
    size_t count = 0;
    pid_t inits[256];
    for (struct sandbox *at = sandboxes; at && count < ARRAY_LEN(inits); at = at->next) {
        if (at->pid > 0 && !at->reaped) {
            inits[count++] = at->pid;
        }
    }
    leftovers_kill(sandbox->command_pid, inits, count);
}

static int clone_init(struct sandbox *sandbox, struct plan *plan, struct error *error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "socketpair");
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) { // our reads would stop us
        int errnum = errno;
        close(ends[0]);
        close(ends[1]);
        return error_set_errno(error, ERROR_SYSTEM, errnum, "fcntl");
    }
    if (!plan->pid_namespace) {
        leftovers_adopt();
    }
    int pid = kernel_clone(plan->clone_flags, &sandbox->pidfd);
    if (pid == 0) {
        close(ends[0]); // or we would never see our parent's end
        init_main(plan, ends[1]);
    }
    int errnum = errno;
    close(ends[1]);
    sandbox->control_fd = ends[0];
    sandbox->pid = pid;
    if (pid < 0) {
        return error_set_errno(error, ERROR_HOST, errnum, _("cannot start a sandbox: clone"));
    }
    return 0;
}

static int introduce(struct sandbox *sandbox, const struct plan *plan, struct error *error)
{
    struct wire_message mapped = {.kind = WIRE_MAPPED};
    if (plan->clone_flags & CLONE_NEWUSER && ids_write(sandbox->pid, &plan->ids, error) < 0) {
        return -1;
    }
    sandbox->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sandbox->epoll_fd < 0 || watch(sandbox, sandbox->control_fd) < 0 ||
        watch(sandbox, sandbox->pidfd) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "epoll");
    }
    // EPIPE: an init that is dead already is reported by its pidfd, its last words by the socket.
    if (wire_send(sandbox->control_fd, &mapped, NULL, 0, MSG_DONTWAIT) < 0 && errno != EPIPE) {
        return error_set_errno(error, ERROR_SYSTEM, errno, _("cannot reach the sandbox"));
    }
    return 0;
}

struct sandbox *sandbox_spawn(const struct sandbox_spec *spec, const struct sandbox_host *host,
                              struct error *error)
{
    struct plan *plan = plan_new(spec, host, error);
    if (!plan) {
        return NULL;
    }
    struct sandbox *sandbox = mem_alloc(sizeof *sandbox);
    *sandbox = (struct sandbox){.pid = -1, .pidfd = -1, .control_fd = -1, .epoll_fd = -1};
    sandbox->pid_namespace = plan->pid_namespace;
    sandbox->next = sandboxes;
    sandboxes = sandbox;
    int result = clone_init(sandbox, plan, error);
    result = result < 0 ? -1 : introduce(sandbox, plan, error);
    plan_free(plan);
    if (result < 0) {
        sandbox_free(sandbox);
        return NULL;
    }
    return sandbox;
}

int sandbox_fd(const struct sandbox *sandbox)
{
    return sandbox->epoll_fd;
}

pid_t sandbox_pid(const struct sandbox *sandbox)
{
    return sandbox->pid;
}

int sandbox_go(struct sandbox *sandbox, const struct sandbox_version *version,
               const struct sandbox_command *command, struct error *error)
{
    if (sandbox->went) {
        return error_set(error, ERROR_SYSTEM, "sandbox_go: a second time");
    }
    auto_close int payload = payload_write(version, command, error);
    if (payload < 0) {
        return -1;
    }
    int fds[WIRE_MAX_FDS] = {payload, command->stdout_fd, command->stderr_fd, command->stdin_fd};
    struct wire_message go = {.kind = WIRE_GO};
    size_t count = command->stdin_fd >= 0 ? 4 : 3;
    sandbox->went = true;
    // EPIPE: it has failed; its own words say why, and they wait to be read.
    if (wire_send(sandbox->control_fd, &go, fds, count, MSG_DONTWAIT) < 0 && errno != EPIPE) {
        return error_set_errno(error, ERROR_SYSTEM, errno, _("cannot reach the sandbox"));
    }
    return 0;
}

void sandbox_signal(struct sandbox *sandbox, int number)
{
    struct wire_message message = {.kind = WIRE_SIGNAL, .number = number};
    if (sandbox->control_fd >= 0) {
        wire_send(sandbox->control_fd, &message, NULL, 0, MSG_DONTWAIT);
    }
}

void sandbox_kill(struct sandbox *sandbox)
{
    if (sandbox->reaped || sandbox->pid <= 0) {
        return;
    }
    // Without a PID namespace only init knows its tree: it is told to end it.
    if (sandbox->pid_namespace) {
        kill(sandbox->pid, SIGKILL);
    } else if (sandbox->control_fd >= 0) {
        shutdown(sandbox->control_fd, SHUT_WR);
    }
}

// ---- events ----

static const enum sandbox_event_kind event_kinds[] = {
    [WIRE_PARKED] = SANDBOX_PARKED,
    [WIRE_STARTED] = SANDBOX_STARTED,
    [WIRE_FAILED] = SANDBOX_FAILED,
    [WIRE_BOUND] = SANDBOX_BOUND,
    [WIRE_LISTENING] = SANDBOX_LISTENING,
    [WIRE_REACHED] = SANDBOX_REACHED,
    [WIRE_COMMAND_EXITED] = SANDBOX_COMMAND_EXITED,
};

static void fill_event(struct sandbox *sandbox, const struct wire_message *message,
                       struct sandbox_event *event)
{
    event->kind =
        message->kind < ARRAY_LEN(event_kinds) ? event_kinds[message->kind] : SANDBOX_NOTHING;
    if (message->kind == WIRE_FORKED) {
        sandbox->command_pid = message->number;
    } else if (event->kind == SANDBOX_COMMAND_EXITED) {
        event->wait_status = message->number;
        sandbox->command_pid = 0;
    } else if (event->kind == SANDBOX_FAILED) {
        event->error = message->error;
    }
    event->asked_port = message->socket.asked_port;
    event->actual_port = message->socket.actual_port;
    event->errnum = message->socket.errnum;
    memcpy(event->asked_address, message->socket.asked_address, sizeof event->asked_address);
    memcpy(event->actual_address, message->socket.actual_address, sizeof event->actual_address);
}

// true: an event. The end of the socket is not one; the pidfd tells.
static bool next_message(struct sandbox *sandbox, struct sandbox_event *event)
{
    struct wire_message message;
    if (sandbox->control_fd < 0) {
        return false;
    }
    int got;
    while ((got = wire_receive(sandbox->control_fd, &message, NULL)) > 0) {
        fill_event(sandbox, &message, event);
        if (event->kind != SANDBOX_NOTHING) {
            return true;
        }
    }
    if (got == 0 || errno != EAGAIN) {
        // Not left to close(): a child of another sandbox may hold a copy for a moment.
        epoll_ctl(sandbox->epoll_fd, EPOLL_CTL_DEL, sandbox->control_fd, NULL);
        close(sandbox->control_fd);
        sandbox->control_fd = -1;
    }
    return false;
}

static bool reap(struct sandbox *sandbox)
{
    if (sandbox->reaped || waitpid(sandbox->pid, &sandbox->wait_status, WNOHANG) != sandbox->pid) {
        return false;
    }
    sandbox->reaped = true;
    epoll_ctl(sandbox->epoll_fd, EPOLL_CTL_DEL, sandbox->pidfd, NULL);
    close(sandbox->pidfd);
    sandbox->pidfd = -1;
    return true;
}

void sandbox_next_event(struct sandbox *sandbox, struct sandbox_event *ret_event)
{
    memset(ret_event, 0, sizeof *ret_event);
    if (sandbox->told_exited || next_message(sandbox, ret_event)) {
        return;
    }
    // Reaped first, then what it said last is read: it may have spoken between the two looks.
    if (reap(sandbox) && next_message(sandbox, ret_event)) {
        return;
    }
    if (!sandbox->reaped) {
        return;
    }
    if (!sandbox->pid_namespace) {
        kill_leftovers(sandbox);
    }
    sandbox->told_exited = true;
    ret_event->kind = SANDBOX_EXITED;
    ret_event->wait_status = sandbox->wait_status;
}

// ---- the end ----

#define END_LIMIT_MS 1000

static void end_tree(struct sandbox *sandbox)
{
    sandbox_kill(sandbox);
    if (!sandbox->pid_namespace && sandbox->pidfd >= 0) {
        struct pollfd gone = {.fd = sandbox->pidfd, .events = POLLIN};
        poll(&gone, 1, END_LIMIT_MS);
    }
    kill_and_reap(sandbox);
    if (!sandbox->pid_namespace) {
        kill_leftovers(sandbox);
    }
}

void sandbox_free(struct sandbox *sandbox)
{
    if (!sandbox) {
        return;
    }
    if (sandbox->pid > 0 && !sandbox->reaped) {
        end_tree(sandbox);
    }
    forget(sandbox);
    int fds[] = {sandbox->pidfd, sandbox->control_fd, sandbox->epoll_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(sandbox);
}
