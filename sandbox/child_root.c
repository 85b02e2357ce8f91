// What init builds for the app to see: a new root, what is bound, made and mounted in it, and the
// version.
//
// Sources of binds are opened before the root changes (open-sources): a link like /etc/resolv.conf
// -> /run/... must be resolved on the host, not inside. After that the old root stays at
// PLAN_HOST_ROOT for the versions, which are known only at go; only init runs until it is detached.
//
// pivot_root comes first and the new root is built in place, instead of building it aside: mounting
// a tmpfs somewhere would hide that directory of the host, which may hold a bind's source.
#include "sandbox/child_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/kernel.h"
#include "sandbox/version.h"

#define LOWERS_MAX 64
#define CLONE_TREE (KERNEL_OPEN_TREE_CLONE | KERNEL_OPEN_TREE_CLOEXEC | KERNEL_AT_RECURSIVE)

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
static int make_parents(const struct plan *plan, const char *path)
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
    if (make_parents(plan, path) < 0 || (mkdir(path, mode) < 0 && errno != EEXIST)) {
        return -1;
    }
    return 0;
}

// ---- build ----

int root_private(struct child *child, struct plan_op *op)
{
    (void)child;
    return mount(NULL, op->target, NULL, MS_REC | MS_PRIVATE, NULL);
}

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

int root_open_sources(struct child *child, struct plan_op *op)
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

int root_pivot(struct child *child, struct plan_op *op)
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
    if (make_parents(plan, op->target) < 0) {
        return -1;
    }
    auto_close int fd = open(op->target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 && errno != EROFS && errno != EACCES ? -1 : 0;
}

int root_bind(struct child *child, struct plan_op *op)
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

int root_directory(struct child *child, struct plan_op *op)
{
    if (make_dir(child->plan, op->target, op->mode) < 0) {
        return -1;
    }
    return op->flags & PLAN_OWNED ? own(child->plan, op->target) : 0;
}

int root_file(struct child *child, struct plan_op *op)
{
    if (make_parents(child->plan, op->target) < 0) {
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

int root_symlink(struct child *child, struct plan_op *op)
{
    if (make_parents(child->plan, op->target) < 0) {
        return -1;
    }
    if (symlink(op->source, op->target) < 0) {
        if (errno != EEXIST || unlink(op->target) < 0 || symlink(op->source, op->target) < 0) {
            return -1;
        }
    }
    return is_in_home(child->plan, op->target) ? own(child->plan, op->target) : 0;
}

int root_proc(struct child *child, struct plan_op *op)
{
    if (make_dir(child->plan, op->target, 0555) < 0) {
        return -1;
    }
    return mount("proc", op->target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

int root_protect(struct child *child, struct plan_op *op)
{
    struct plan_op over = *op;
    over.flags = PLAN_READ_ONLY_FLAG;
    over.fd = open(op->target, O_PATH | O_CLOEXEC);
    return over.fd < 0 ? -1 : root_bind(child, &over);
}

int root_tmpfs(struct child *child, struct plan_op *op)
{
    char options[64];
    snprintf(options, sizeof options, "size=%llu,mode=%04o", (unsigned long long)op->size,
             (unsigned)op->mode);
    if (make_dir(child->plan, op->target, 0755) < 0) {
        return -1;
    }
    return mount("tmpfs", op->target, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

int root_devpts(struct child *child, struct plan_op *op)
{
    if (make_dir(child->plan, op->target, 0755) < 0) {
        return -1;
    }
    return mount("devpts", op->target, "devpts", MS_NOSUID | MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=0620");
}

int root_writable(struct child *child, struct plan_op *op)
{
    const struct plan *plan = child->plan;
    if (mkdir(op->source, 0700) < 0 || chmod(op->source, op->mode) < 0 ||
        (op->flags & PLAN_OWNED && own(plan, op->source) < 0) ||
        make_dir(plan, op->target, 0755) < 0) {
        return -1;
    }
    return mount(op->source, op->target, NULL, MS_BIND, NULL);
}

// ---- go ----

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
int root_overlay(struct child *child, struct plan_op *op)
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

int root_copy(struct child *child, struct plan_op *op)
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

int root_detach(struct child *child, struct plan_op *op)
{
    (void)child;
    if (umount2(op->target, MNT_DETACH) < 0) {
        return -1;
    }
    return rmdir(op->target);
}

int root_read_only(struct child *child, struct plan_op *op)
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
