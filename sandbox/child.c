// What a process does to itself, and the list: each operation of a plan is a function here or in
// child_root.c.
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/child_root.h"
#include "sandbox/filter.h"

static int write_text(const char *path, const char *text)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -1 : fs_write_all(fd, text, strlen(text));
}

// ---- build ----

static int run_subreaper(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

// We join by ourselves, and as one thread, which we are, where that can be said (v1): the kernel
// lets whoever moves another process, or a whole one, wait for all processors, 16 to 50 ms.
static int run_group(struct child *child, struct plan_op *op)
{
    (void)child;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tasks", op->target);
    if (write_text(path, "0") == 0) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/cgroup.procs", op->target);
    return write_text(path, "0");
}

static int run_hostname(struct child *child, struct plan_op *op)
{
    (void)child;
    return sethostname(op->target, strlen(op->target));
}

static int run_no_user_namespaces(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    return write_text("/proc/sys/user/max_user_namespaces", "0");
}

// Not dumpable: the app must not read init's memory, a copy of our engine's. The death signal is
// set last (a change of ids clears it) and the parent looked at afterwards: it may have died
// before.
static int run_guard(struct child *child, struct plan_op *op)
{
    (void)op;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        return -1;
    }
    // Without a PID namespace init needs time to end its tree: it is told, not killed.
    if (prctl(PR_SET_PDEATHSIG, child->plan->pid_namespace ? SIGKILL : SIGTERM, 0, 0, 0) < 0) {
        return -1;
    }
    struct pollfd parent = {.fd = child->parent_fd, .events = 0};
    if (poll(&parent, 1, 0) > 0 && parent.revents & POLLHUP) {
        errno = EPIPE;
        return -1;
    }
    return 0;
}

// ---- ids ----

static int become(const struct plan *plan)
{
    if (setgroups(0, NULL) == 0 && setresgid(plan->gid, plan->gid, plan->gid) == 0 &&
        setresuid(plan->uid, plan->uid, plan->uid) == 0) {
        return 0;
    }
    int errnum = errno;
    // Root of a user namespace with one id, which is somebody ordinary outside. In a namespace of
    // our own making the id is mapped, and staying root of it is out of the question.
    if (!(plan->clone_flags & CLONE_NEWUSER) && !ids_in_first_namespace()) {
        return 0;
    }
    errno = errnum;
    return -1;
}

static int run_init_ids(struct child *child, struct plan_op *op)
{
    int result = become(child->plan);
    return result < 0 ? -1 : run_guard(child, op); // the change has undone the guard
}

// As init of a sandbox without a PID namespace may have become the user already, nothing may be
// left.
static int run_ids(struct child *child, struct plan_op *op)
{
    (void)op;
    if (getuid() == child->plan->uid && getuid() == geteuid()) {
        return 0;
    }
    // It takes a capability, which the change of ids takes away.
    return filter_drop_bounding_set() < 0 ? -1 : become(child->plan);
}

// ---- the command's own process ----

static int run_session(struct child *child, struct plan_op *op)
{
    (void)op;
    if (setsid() < 0) { // a group of its own to signal, and away from our terminal
        return -1;
    }
    if (child->go->terminal) {
        ioctl(STDIN_FILENO, TIOCSCTTY, 0); // refused: no job control, but it runs
    }
    return 0;
}

static int run_no_new_privileges(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int run_no_capabilities(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    return filter_drop_capabilities();
}

static int run_no_abstract_sockets(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    return filter_close_abstract_sockets();
}

static int run_filter(struct child *child, struct plan_op *op)
{
    (void)op;
    int listener = filter_install(child->plan->broker, &child->killable);
    child->listener_fd = child->plan->broker ? listener : -1;
    return listener < 0 ? -1 : 0;
}

static int run_die_with_init(struct child *child, struct plan_op *op)
{
    (void)op;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
        return -1;
    }
    if (getppid() != child->parent_pid) {
        errno = ESRCH;
        return -1;
    }
    return 0;
}

// ---- the list ----

static child_fn *const functions[PLAN_KIND__COUNT] = {
#define OPERATION(kind, name, function) [PLAN_##kind] = function,
#include "sandbox/operations.def"
#undef OPERATION
};

int child_run(struct child *child, enum plan_stage stage, struct error *error)
{
    struct plan *plan = child->plan;
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_op *op = &plan->ops[i];
        if (op->stage != stage || !functions[op->kind]) {
            continue;
        }
        errno = 0;
        if (functions[op->kind](child, op) < 0 && !(op->flags & PLAN_OPTIONAL)) {
            int errnum = errno;
            char text[256];
            plan_op_text(op, text, sizeof text);
            error_set_errno(error, ERROR_HOST, errnum, _("the sandbox failed at \"%s\""), text);
            return error_set_where(error, "%.90s", text);
        }
    }
    return 0;
}
