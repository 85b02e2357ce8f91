// Features are found out by doing, with the very operations of a plan, in a forked process that is
// thrown away: first in a user namespace, then (as real root) without one, at last without any
// namespace. What the prober finds it writes as records to a pipe; what is missing there did not
// work.
//
// LEANLOCAL_SANDBOX_DENY makes features look absent. Denied namespaces are not asked for; the rest
// is struck out afterwards, so that what is denied cannot be used by accident.
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"
#include "sandbox/child.h"
#include "sandbox/filter.h"
#include "sandbox/kernel.h"
#include "sandbox/wire.h"

#define PROBE_LIMIT_MS 3000
#define PROBE_ID       65534 // a second id to map and to become

static const char *const feature_names[SANDBOX_FEATURE__COUNT] = {
    [SANDBOX_USER_NAMESPACE] = "user-namespace",
    [SANDBOX_MOUNT] = "mount",
    [SANDBOX_PROC] = "proc",
    [SANDBOX_PID_NAMESPACE] = "pid-namespace",
    [SANDBOX_OVERLAY] = "overlay",
    [SANDBOX_NOTIFY] = "notify",
};

static const char *const level_names[] = {
    [SANDBOX_LEVEL_FULL] = "full",
    [SANDBOX_LEVEL_CONTAINER] = "container",
    [SANDBOX_LEVEL_NONE] = "none",
};

const char *sandbox_feature_name(enum sandbox_feature feature)
{
    return feature < SANDBOX_FEATURE__COUNT ? feature_names[feature] : "?";
}

const char *sandbox_level_name(enum sandbox_level level)
{
    return level < ARRAY_LEN(level_names) ? level_names[level] : "?";
}

enum sandbox_level sandbox_host_level(const struct sandbox_host *host)
{
    if (!host->has[SANDBOX_MOUNT]) {
        return SANDBOX_LEVEL_NONE;
    }
    for (size_t i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        if (!host->has[i]) {
            return SANDBOX_LEVEL_CONTAINER;
        }
    }
    return SANDBOX_LEVEL_FULL;
}

// ---- the prober ----

struct record {
    enum sandbox_feature feature;
    bool works;
    int errnum;
    char reason[sizeof((struct sandbox_host *)0)->reason[0]];
};

struct prober {
    int report_fd;
    unsigned long flags;
    bool drops_ids; // the command would have another id than init
};

// format NULL: it works.
__attribute__((format(printf, 4, 5))) static void report(const struct prober *prober,
                                                         enum sandbox_feature feature, int errnum,
                                                         const char *format, ...)
{
    struct record record = {.feature = feature, .works = !format, .errnum = errnum};
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(record.reason, sizeof record.reason, format, args);
        va_end(args);
    }
    if (write(prober->report_fd, &record, sizeof record) < 0) {
        _exit(1);
    }
}

static void report_errno(const struct prober *prober, enum sandbox_feature feature,
                         const char *call)
{
    report(prober, feature, errno, "%s: %s", call, strerror(errno));
}

// A plan whose /proc is optional: it is looked at afterwards.
static struct plan *probe_plan(const struct prober *prober)
{
    struct sandbox_spec spec = {
        .hostname = "probe",
        .user_name = "probe",
        .uid = 1000,
        .gid = 1000,
        .host_uid = PROBE_ID,
        .host_gid = PROBE_ID,
        .home = "/home/probe",
        .work_dir = "/home/probe/app",
        .writable_bytes = 1 << 20,
        .shm_bytes = 1 << 20,
        .system_dirs = true,
    };
    struct sandbox_host host = {.is_root = geteuid() == 0};
    host.has[SANDBOX_MOUNT] = true;
    host.has[SANDBOX_USER_NAMESPACE] = prober->flags & CLONE_NEWUSER;
    host.has[SANDBOX_PID_NAMESPACE] = prober->flags & CLONE_NEWPID;
    host.has[SANDBOX_PROC] = prober->flags & CLONE_NEWPID;
    struct plan *plan = plan_new(&spec, &host, NULL);
    for (size_t i = 0; plan && i < plan->count; i++) {
        struct plan_op *op = &plan->ops[i];
        op->flags |= op->kind == PLAN_PROC ? PLAN_OPTIONAL : 0;
    }
    return plan;
}

// Delete and recreate a lower directory: what breaks without user xattrs on the upper one (EIO).
static const char *try_overlay(void)
{
    static const char *const dirs[] = {"lower", "lower/dir", "upper", "work", "merged"};
    if (chdir(PLAN_WRITABLE_ROOT) < 0) {
        return "chdir";
    }
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (mkdir(dirs[i], 0755) < 0) {
            return "mkdir";
        }
    }
    if (mount("overlay", "merged", "overlay", MS_NOSUID | MS_NODEV,
              "userxattr,lowerdir=lower,upperdir=upper,workdir=work") < 0) {
        return "mount overlay";
    }
    if (rmdir("merged/dir") < 0) {
        return "rmdir on overlay";
    }
    return mkdir("merged/dir", 0755) < 0 ? "mkdir on overlay" : NULL;
}

// true when a sandbox can be built here.
static bool probe_mounts(const struct prober *prober)
{
    struct error error = {0};
    struct plan *plan = probe_plan(prober);
    struct child child = {.plan = plan, .parent_fd = -1, .listener_fd = -1};
    if (!plan || child_run(&child, PLAN_BUILD, &error) < 0) {
        report(prober, SANDBOX_MOUNT, error.errnum, "%s", error.message);
        return false;
    }
    report(prober, SANDBOX_MOUNT, 0, NULL);
    if (prober->flags & CLONE_NEWPID) {
        report(prober, SANDBOX_PID_NAMESPACE, 0, NULL);
        if (access("/proc/self", F_OK) == 0) {
            report(prober, SANDBOX_PROC, 0, NULL);
        } else {
            report(prober, SANDBOX_PROC, EPERM, "mount proc: %s (is /proc masked?)",
                   strerror(EPERM));
        }
    }
    const char *failed = try_overlay();
    if (failed) {
        report_errno(prober, SANDBOX_OVERLAY, failed);
    } else {
        report(prober, SANDBOX_OVERLAY, 0, NULL);
    }
    return true;
}

// Binds a socket under a filter whose listener the prober serves.
static _Noreturn void bind_under_filter(const struct prober *prober, int channel_fd)
{
    struct wire_message message = {.kind = WIRE_LISTENER};
    bool killable;
    if (prober->drops_ids && setresuid(1000, 1000, 1000) < 0) {
        _exit(2);
    }
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); // as an exec would make it
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int listener = filter_install(true, &killable);
    if (listener < 0) {
        message.kind = WIRE_FAILED;
        message.error.errnum = errno;
        wire_send(channel_fd, &message, NULL, 0, 0);
        _exit(1);
    }
    message.number = killable;
    wire_send(channel_fd, &message, &listener, 1, 0);
    close(listener);
    close(channel_fd);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET};
    _exit(bind(fd, (struct sockaddr *)&any, sizeof any) == 0 ? 0 : 3);
}

static const char *serve_bind(int channel_fd, struct broker *broker)
{
    static const struct broker_rule rule = {INADDR_LOOPBACK, 3000, 3000};
    struct wire_message message;
    int fds[WIRE_MAX_FDS];
    if (wire_receive(channel_fd, &message, fds) <= 0) {
        return "setresuid";
    }
    if (message.kind == WIRE_FAILED) {
        errno = message.error.errnum;
        return "seccomp user notification";
    }
    if (broker_init(broker, fds[0], message.number, &rule, -1) < 0) {
        return "seccomp notification sizes";
    }
    struct pollfd asked = {.fd = fds[0], .events = POLLIN};
    if (poll(&asked, 1, PROBE_LIMIT_MS / 2) <= 0 || broker_handle(broker) < 0) {
        return "seccomp notification";
    }
    return NULL;
}

static void probe_notify(const struct prober *prober)
{
    int ends[2];
    struct broker broker = {.listener_fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        bind_under_filter(prober, ends[1]);
    }
    close(ends[1]);
    const char *failed = serve_bind(ends[0], &broker);
    int errnum = errno;
    broker_release(&broker); // whoever still waits gets ENOSYS
    int status = 0;
    waitpid(pid, &status, 0);
    if (failed) {
        errno = errnum;
        report_errno(prober, SANDBOX_NOTIFY, failed);
    } else if (status != 0) {
        report(prober, SANDBOX_NOTIFY, EPERM,
               "a bind on behalf of another process failed (pidfd_getfd?)");
    } else {
        report(prober, SANDBOX_NOTIFY, 0, NULL);
    }
}

static _Noreturn void probe_main(struct prober *prober, int wait_fd)
{
    char byte;
    process_reset_signals();
    umask(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (read(wait_fd, &byte, 1) != 1) {
        _exit(1);
    }
    if (prober->flags && !probe_mounts(prober)) {
        _exit(1);
    }
    // Without namespaces init becomes the app's user.
    if (!prober->flags && geteuid() == 0 && setresuid(PROBE_ID, PROBE_ID, PROBE_ID) == 0) {
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
    probe_notify(prober);
    _exit(0);
}

// ---- the parent ----

static void take_records(struct sandbox_host *host, int fd)
{
    struct record record;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, PROBE_LIMIT_MS) > 0 &&
           read(fd, &record, sizeof record) == (ssize_t)sizeof record) {
        host->has[record.feature] = record.works;
        host->errnum[record.feature] = record.errnum;
        memcpy(host->reason[record.feature], record.reason, sizeof record.reason);
    }
}

// What is said when a record did not come at all.
static void give_reason(struct sandbox_host *host, enum sandbox_feature feature, int errnum,
                        const char *reason)
{
    host->errnum[feature] = errnum;
    snprintf(host->reason[feature], sizeof host->reason[feature], "%.150s", reason);
}

static bool map_ids(struct sandbox_host *host, pid_t pid)
{
    struct ids ids = {.second = host->is_root,
                      .uid = 1000,
                      .gid = 1000,
                      .host_uid = PROBE_ID,
                      .host_gid = PROBE_ID};
    struct error error = {0};
    host->maps_ids = host->is_root && ids_write(pid, &ids, &error) == 0;
    if (host->maps_ids) {
        return true;
    }
    ids.second = false;
    // Real root with one id would be real root inside.
    if (host->is_root && ids_in_first_namespace()) {
        give_reason(host, SANDBOX_USER_NAMESPACE, error.errnum, error.message);
        return false;
    }
    if (ids_write(pid, &ids, &error) < 0) {
        give_reason(host, SANDBOX_USER_NAMESPACE, error.errnum, error.message);
        return false;
    }
    return true;
}

static bool prepare(struct sandbox_host *host, const struct prober *prober, pid_t pid)
{
    if (prober->flags & CLONE_NEWUSER) {
        host->has[SANDBOX_USER_NAMESPACE] = map_ids(host, pid);
        return host->has[SANDBOX_USER_NAMESPACE];
    }
    return true;
}

static void attempt(struct sandbox_host *host, unsigned long flags)
{
    struct prober prober = {.flags = flags};
    int records[2];
    int go[2];
    int pidfd = -1;
    if (pipe2(records, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0) {
        return;
    }
    prober.report_fd = records[1];
    prober.drops_ids = flags && host->is_root;
    int pid = kernel_clone(flags, &pidfd);
    if (pid == 0) {
        close(go[1]);
        probe_main(&prober, go[0]);
    }
    if (pid < 0) {
        int errnum = errno;
        char text[128];
        snprintf(text, sizeof text, "clone: %s", strerror(errnum));
        give_reason(host, flags & CLONE_NEWUSER ? SANDBOX_USER_NAMESPACE : SANDBOX_MOUNT, errnum,
                    text);
    }
    close(records[1]);
    close(go[0]);
    if (pid > 0) {
        if (prepare(host, &prober, pid) && write(go[1], "", 1) == 1) {
            take_records(host, records[0]);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(pidfd);
    }
    close(records[0]);
    close(go[1]);
}

bool sandbox_is_denied(const char *name)
{
    const char *list = getenv("LEANLOCAL_SANDBOX_DENY");
    size_t len = strlen(name);
    while (list && *list) {
        size_t part = strcspn(list, ", ");
        if (part == len && strncmp(list, name, len) == 0) {
            return true;
        }
        list += part + (list[part] != '\0');
    }
    return false;
}

static bool is_denied(enum sandbox_feature feature)
{
    return sandbox_is_denied(feature_names[feature]);
}

static void strike_denied(struct sandbox_host *host)
{
    for (enum sandbox_feature i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        if (is_denied(i)) {
            host->has[i] = false;
            host->denied[i] = true;
            give_reason(host, i, 0, _("denied by LEANLOCAL_SANDBOX_DENY"));
        } else if (!host->has[i] && !host->reason[i][0]) {
            give_reason(host, i, 0, _("not reached: what it needs is missing"));
        }
    }
}

void sandbox_probe(struct sandbox_host *ret_host)
{
    struct sandbox_host host = {.is_root = geteuid() == 0};
    unsigned long flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    flags |= is_denied(SANDBOX_PID_NAMESPACE) ? 0 : CLONE_NEWPID;
    if (!is_denied(SANDBOX_USER_NAMESPACE)) {
        attempt(&host, flags | CLONE_NEWUSER);
    }
    if (!host.has[SANDBOX_MOUNT] && host.is_root) {
        host.has[SANDBOX_USER_NAMESPACE] = false;
        host.maps_ids = false;
        attempt(&host, flags);
    }
    if (is_denied(SANDBOX_MOUNT)) {
        host.has[SANDBOX_MOUNT] = false;
    }
    // Without mounts no namespace is used, and the broker has to work without them.
    if (!host.has[SANDBOX_MOUNT]) {
        host.has[SANDBOX_PROC] = host.has[SANDBOX_OVERLAY] = host.has[SANDBOX_NOTIFY] = false;
        attempt(&host, 0);
    }
    strike_denied(&host);
    *ret_host = host;
}
