// Sources of binds are opened before the root changes (open-sources): a link like /etc/resolv.conf
// -> /run/... must be resolved on the host, not inside. After that the old root stays at
// PLAN_HOST_ROOT for the versions, which are known only at go; only init runs until it is detached.
//
// pivot_root comes first and the new root is built in place, instead of building it aside: mounting
// a tmpfs somewhere would hide that directory of the host, which may hold a bind's source.
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/filter.h"
#include "sandbox/kernel.h"
#include "sandbox/version.h"

typedef int run_fn(struct child *child, struct plan_op *op); // 0, or -1 with errno

// ---- small things ----

static bool is_in_home(const struct plan *plan, const char *path)
{
    size_t len = strlen(plan->home);
    return strncmp(path, plan->home, len) == 0 && path[len] == '/';
}

// EINVAL: the id does not exist in the user namespace that we were started in; see run_ids().
static int own(const struct plan *plan, const char *path)
{
    if (!plan->clone_flags && !plan->drops_ids) {
        return 0; // an ordinary user without namespaces owns what it makes
    }
    return lchown(path, plan->uid, plan->gid) == 0 || errno == EINVAL ? 0 : -1;
}

// Parents made below home belong to the app; all others to init.
int child_make_parents(const struct plan *plan, const char *path)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) == 0) {
            if (is_in_home(plan, part) && own(plan, part) < 0) {
                return -1;
            }
        } else if (errno != EEXIST) {
            return -1;
        }
        *slash = '/';
    }
    return 0;
}

static int make_dir(const struct plan *plan, const char *path, mode_t mode)
{
    if (child_make_parents(plan, path) < 0 || (mkdir(path, mode) < 0 && errno != EEXIST)) {
        return -1;
    }
    return 0;
}

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

static int run_private(struct child *child, struct plan_op *op)
{
    (void)child;
    return mount(NULL, op->target, NULL, MS_REC | MS_PRIVATE, NULL);
}

#define CLONE_TREE (KERNEL_OPEN_TREE_CLONE | KERNEL_OPEN_TREE_CLOEXEC | KERNEL_AT_RECURSIVE)

// A bind of the go stage comes when the old root is detached, and nothing can be bound from there
// any more: its copy is made now. It must come late: the version may hold links, and while the old
// root is there a link could lead the mount point to the host.
static int open_source(const struct plan_op *bind)
{
    if (bind->stage == PLAN_GO) {
        return kernel_open_tree(AT_FDCWD, bind->source, CLONE_TREE);
    }
    int no_follow = bind->kind == PLAN_MIRROR ? O_NOFOLLOW : 0;
    return open(bind->source, O_PATH | O_CLOEXEC | no_follow);
}

static int run_open_sources(struct child *child, struct plan_op *op)
{
    struct plan *plan = child->plan;
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_op *bind = &plan->ops[i];
        if (bind->kind != PLAN_BIND && bind->kind != PLAN_MIRROR) {
            continue;
        }
        bind->fd = open_source(bind);
        if (bind->fd < 0 && !(bind->flags & PLAN_OPTIONAL)) {
            op->target = bind->source; // what the error names
            return -1;
        }
    }
    return 0;
}

static int run_root(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    static const char *const anywhere[] = {"/tmp", "/mnt", "/var", "/usr"};
    size_t i = 0;
    while (i < ARRAY_LEN(anywhere) && chdir(anywhere[i]) < 0) {
        i++;
    }
    if (i == ARRAY_LEN(anywhere)) {
        return -1;
    }
    if (mount("tmpfs", anywhere[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=16m") < 0 ||
        chdir(anywhere[i]) < 0 || mkdir(&PLAN_HOST_ROOT[1], 0700) < 0) {
        return -1;
    }
    if (syscall(SYS_pivot_root, ".", &PLAN_HOST_ROOT[1]) < 0) {
        return -1;
    }
    return chdir("/");
}

static uint64_t bind_attributes(const struct plan_op *op)
{
    uint64_t attributes = KERNEL_MOUNT_NOSUID;
    attributes |= op->flags & PLAN_DEVICE ? KERNEL_MOUNT_NOEXEC : KERNEL_MOUNT_NODEV;
    attributes |= op->flags & PLAN_READ_ONLY_FLAG ? KERNEL_MOUNT_RDONLY : 0;
    return attributes;
}

// COMPAT(5.11): without mount_setattr. Flags that the mount has already must be repeated (they may
// be locked); mounts below it keep their own.
static int bind_classic(const struct plan_op *op)
{
    char source[64];
    snprintf(source, sizeof source, "%s/proc/self/fd/%d", PLAN_HOST_ROOT, op->fd);
    if (mount(source, op->target, NULL, MS_BIND | MS_REC, NULL) < 0) {
        return -1;
    }
    struct statvfs info;
    if (statvfs(op->target, &info) < 0) {
        return -1;
    }
    // The ST_ and MS_ bits of these are the same.
    unsigned long flags = info.f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME |
                                         MS_NODIRATIME | MS_RELATIME);
    flags |= MS_NOSUID | (op->flags & PLAN_DEVICE ? MS_NOEXEC : MS_NODEV);
    flags |= op->flags & PLAN_READ_ONLY_FLAG ? MS_RDONLY : 0;
    if (mount(NULL, op->target, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0) {
        return 0;
    }
    int errnum = errno;
    umount2(op->target, MNT_DETACH); // rather not at all than writable: it may be optional
    errno = errnum;
    return -1;
}

static int attach(const struct plan_op *op)
{
    auto_close int tree = op->stage == PLAN_GO
                              ? fcntl(op->fd, F_DUPFD_CLOEXEC, 0)
                              : kernel_open_tree(op->fd, "", CLONE_TREE | AT_EMPTY_PATH);
    struct kernel_mount_attr attr = {.set = bind_attributes(op)};
    if (tree < 0 ||
        kernel_mount_setattr(tree, "", AT_EMPTY_PATH | KERNEL_AT_RECURSIVE, &attr) < 0) {
        return errno == ENOSYS ? bind_classic(op) : -1;
    }
    return kernel_move_mount(tree, op->target);
}

static int make_mount_point(const struct plan *plan, const struct plan_op *op, bool is_dir)
{
    if (is_dir) {
        return make_dir(plan, op->target, 0755);
    }
    if (child_make_parents(plan, op->target) < 0) {
        return -1;
    }
    auto_close int fd = open(op->target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 && errno != EROFS && errno != EACCES ? -1 : 0;
}

static int run_bind(struct child *child, struct plan_op *op)
{
    auto_close int fd = op->fd; // missing sources were refused or allowed by open-sources
    struct stat info;
    if (fd < 0) {
        return 0;
    }
    if (fstat(fd, &info) < 0) {
        return -1;
    }
    int result;
    if (S_ISLNK(info.st_mode)) { // a mirrored /bin -> usr/bin
        char text[PATH_MAX];
        ssize_t len = readlinkat(fd, "", text, sizeof text - 1);
        text[len < 0 ? 0 : len] = '\0';
        result = len < 0 ? -1 : symlink(text, op->target);
    } else {
        result = make_mount_point(child->plan, op, S_ISDIR(info.st_mode));
        result = result < 0 ? -1 : attach(op);
    }
    op->fd = -1;
    return result;
}

static int run_directory(struct child *child, struct plan_op *op)
{
    if (make_dir(child->plan, op->target, op->mode) < 0) {
        return -1;
    }
    return op->flags & PLAN_OWNED ? own(child->plan, op->target) : 0;
}

static int run_file(struct child *child, struct plan_op *op)
{
    if (child_make_parents(child->plan, op->target) < 0) {
        return -1;
    }
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    auto_close int fd = open(op->target, flags, 0600);
    if (fd < 0 || fs_write_all(fd, op->bytes, op->byte_count) < 0) {
        return -1;
    }
    if (op->flags & PLAN_OWNED && own(child->plan, op->target) < 0) {
        return -1;
    }
    return fchmod(fd, op->mode ? op->mode : 0644);
}

static int run_symlink(struct child *child, struct plan_op *op)
{
    if (child_make_parents(child->plan, op->target) < 0) {
        return -1;
    }
    if (symlink(op->source, op->target) < 0) {
        if (errno != EEXIST || unlink(op->target) < 0 || symlink(op->source, op->target) < 0) {
            return -1;
        }
    }
    return is_in_home(child->plan, op->target) ? own(child->plan, op->target) : 0;
}

static int run_proc(struct child *child, struct plan_op *op)
{
    if (make_dir(child->plan, op->target, 0555) < 0) {
        return -1;
    }
    return mount("proc", op->target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int run_protect(struct child *child, struct plan_op *op)
{
    struct plan_op over = *op;
    over.flags = PLAN_READ_ONLY_FLAG;
    over.fd = open(op->target, O_PATH | O_CLOEXEC);
    return over.fd < 0 ? -1 : run_bind(child, &over);
}

static int run_no_user_namespaces(struct child *child, struct plan_op *op)
{
    (void)child;
    (void)op;
    return write_text("/proc/sys/user/max_user_namespaces", "0");
}

static int run_tmpfs(struct child *child, struct plan_op *op)
{
    char options[64];
    snprintf(options, sizeof options, "size=%llu,mode=%04o", (unsigned long long)op->size,
             (unsigned)op->mode);
    if (make_dir(child->plan, op->target, 0755) < 0) {
        return -1;
    }
    return mount("tmpfs", op->target, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

static int run_devpts(struct child *child, struct plan_op *op)
{
    if (make_dir(child->plan, op->target, 0755) < 0) {
        return -1;
    }
    return mount("devpts", op->target, "devpts", MS_NOSUID | MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=0620");
}

static int run_writable(struct child *child, struct plan_op *op)
{
    const struct plan *plan = child->plan;
    if (mkdir(op->source, 0700) < 0 || chmod(op->source, op->mode) < 0 ||
        (op->flags & PLAN_OWNED && own(plan, op->source) < 0) ||
        make_dir(plan, op->target, 0755) < 0) {
        return -1;
    }
    return mount(op->source, op->target, NULL, MS_BIND, NULL);
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

// ---- go ----

#define LOWERS_MAX 64

static int mount_overlay(struct child *child, const int *fds, size_t count)
{
    const struct plan *plan = child->plan;
    char options[LOWERS_MAX * 32 + 256] = "userxattr,lowerdir=";
    size_t len = strlen(options);
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(options + len, sizeof options - len, "%s/proc/self/fd/%d",
                                i ? ":" : "", fds[i]);
    }
    snprintf(options + len, sizeof options - len, ",upperdir=%s/upper,workdir=%s/work",
             PLAN_WRITABLE_ROOT, PLAN_WRITABLE_ROOT);
    return mount("overlay", plan->work_dir, "overlay", MS_NOSUID | MS_NODEV, options);
}

// Lowers go in as descriptors: paths may hold the option separators and exceed the option page.
// With an upper directory one lower is enough (without, the kernel wants two).
static int run_overlay(struct child *child, struct plan_op *op)
{
    (void)op;
    const struct child_go *go = child->go;
    int fds[LOWERS_MAX];
    size_t count = 0;
    if (go->from_binds || go->lower_count == 0) {
        return 0;
    }
    if (go->lower_count > LOWERS_MAX) {
        errno = E2BIG;
        return -1;
    }
    int result = 0;
    while (result == 0 && count < go->lower_count) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s%s", PLAN_HOST_ROOT, go->lowers[count]);
        fds[count] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        result = fds[count] < 0 ? -1 : 0;
        count += result == 0;
    }
    const char *upper = PLAN_WRITABLE_ROOT "/upper";
    if (result == 0 && (mkdir(upper, 0755) < 0 || own(child->plan, upper) < 0 ||
                        mkdir(PLAN_WRITABLE_ROOT "/work", 0755) < 0)) {
        result = -1;
    }
    result = result < 0 ? -1 : mount_overlay(child, fds, count);
    int errnum = errno;
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    errno = errnum;
    return result;
}

static int run_copy(struct child *child, struct plan_op *op)
{
    const struct child_go *go = child->go;
    const struct plan *plan = child->plan;
    struct version_owner owner = {plan->uid, plan->gid};
    if (!plan->drops_ids) {
        owner = (struct version_owner){(uid_t)-1, (gid_t)-1};
    }
    if (go->from_binds) {
        return 0;
    }
    return version_copy(go->lowers, go->lower_count, plan->clone_flags ? PLAN_HOST_ROOT : "",
                        op->target, owner);
}

static int run_detach(struct child *child, struct plan_op *op)
{
    (void)child;
    if (umount2(op->target, MNT_DETACH) < 0) {
        return -1;
    }
    return rmdir(op->target);
}

static int run_read_only(struct child *child, struct plan_op *op)
{
    (void)child;
    struct kernel_mount_attr attr = {.set = KERNEL_MOUNT_RDONLY};
    if (kernel_mount_setattr(AT_FDCWD, op->target, 0, &attr) == 0) {
        return 0;
    }
    if (errno != ENOSYS) {
        return -1;
    }
    return mount(NULL, op->target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
                 NULL);
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

static run_fn *const functions[PLAN_KIND__COUNT] = {
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
