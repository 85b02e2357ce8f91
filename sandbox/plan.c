#include "sandbox/plan.h"

#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

// What of the host's system the app sees. Directories that are links on a host with a merged /usr
// stay links. The pieces of /etc are those that outbound calls and text need; a missing one is
// skipped.
static const char *const system_paths[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
};
static const char *const system_files[] = {
    "/etc/resolv.conf",     "/etc/hosts",       "/etc/host.conf",       "/etc/nsswitch.conf",
    "/etc/gai.conf",        "/etc/ssl",         "/etc/ca-certificates", "/etc/pki",
    "/etc/crypto-policies", "/etc/mime.types",  "/etc/services",        "/etc/protocols",
    "/etc/fonts",           "/etc/ld.so.cache", "/etc/ld.so.conf",      "/etc/ld.so.conf.d",
    "/etc/alternatives",
};
static const char *const devices[] = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
};
static const struct sandbox_symlink device_links[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};
static const char *const protected_proc[] = {
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
};

// The returned row is valid until the next one is added.
static struct plan_op *add(struct plan *plan, enum plan_stage stage, enum plan_kind kind,
                           const char *target)
{
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? plan->capacity * 2 : 64;
        plan->ops = mem_resize(plan->ops, plan->capacity * sizeof *plan->ops);
    }
    struct plan_op *op = &plan->ops[plan->count++];
    *op = (struct plan_op){.kind = kind, .stage = stage, .target = str_dup(target), .fd = -1};
    return op;
}

static struct plan_op *add_file(struct plan *plan, enum plan_stage stage, const char *target,
                                const void *bytes, size_t len, mode_t mode)
{
    struct plan_op *op = add(plan, stage, PLAN_FILE, target);
    op->bytes = str_dup_len(bytes, len);
    op->byte_count = len;
    op->mode = mode;
    return op;
}

static void add_symlink(struct plan *plan, enum plan_stage stage, const char *target,
                        const char *to)
{
    add(plan, stage, PLAN_SYMLINK, target)->source = str_dup(to);
}

static void add_bind(struct plan *plan, enum plan_stage stage, const struct sandbox_bind *bind)
{
    struct plan_op *op = add(plan, stage, PLAN_BIND, bind->target);
    op->source = str_dup(bind->source);
    op->flags |= bind->flags & SANDBOX_BIND_WRITABLE ? 0 : PLAN_READ_ONLY_FLAG;
    op->flags |= bind->flags & SANDBOX_BIND_OPTIONAL ? PLAN_OPTIONAL : 0;
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static bool is_at_or_below(const char *path, const char *dir)
{
    return strcmp(path, dir) == 0 || is_below(path, dir);
}

// The spec's own files replace the host's.
static bool spec_provides(const struct sandbox_spec *spec, const char *path)
{
    for (size_t i = 0; i < spec->file_count; i++) {
        if (is_at_or_below(spec->files[i].target, path)) {
            return true;
        }
    }
    for (size_t i = 0; i < spec->symlink_count; i++) {
        if (strcmp(spec->symlinks[i].target, path) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (strcmp(spec->binds[i].target, path) == 0) {
            return true;
        }
    }
    return false;
}

bool plan_map_path(const struct plan *plan, const char *path, char *out, size_t size)
{
    bool inside = is_at_or_below(path, plan->spec_home);
    const char *rest = inside ? path + strlen(plan->spec_home) : path;
    int len = snprintf(out, size, "%s%s", inside ? plan->home : "", rest);
    return len >= 0 && (size_t)len < size;
}

static char *mapped(const struct plan *plan, const char *path)
{
    char out[4096];
    return str_dup(plan_map_path(plan, path, out, sizeof out) ? out : path);
}

// ---- the stages ----

static void add_outside(struct plan *plan, const struct sandbox_host *host)
{
    if (!plan->clone_flags) {
        return;
    }
    struct plan_op *op = add(plan, PLAN_PARENT, PLAN_NAMESPACES, NULL);
    op->text = str_printf("%smount ipc uts%s", host->has[SANDBOX_USER_NAMESPACE] ? "user " : "",
                          plan->pid_namespace ? " pid" : "");
    if (!host->has[SANDBOX_USER_NAMESPACE]) {
        return;
    }
    op = add(plan, PLAN_PARENT, PLAN_MAP_IDS, NULL);
    if (plan->ids.second) {
        op->text = str_printf("init 0=0, command %u:%u=%u:%u", plan->ids.uid, plan->ids.gid,
                              plan->ids.host_uid, plan->ids.host_gid);
    } else {
        op->text = str_printf("%u:%u=own", plan->ids.uid, plan->ids.gid);
    }
}

static void add_system(struct plan *plan, const struct sandbox_spec *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(system_paths); i++) {
        struct plan_op *op = add(plan, PLAN_BUILD, PLAN_MIRROR, system_paths[i]);
        op->source = str_dup(system_paths[i]);
        op->flags = PLAN_READ_ONLY_FLAG | PLAN_OPTIONAL;
    }
    for (size_t i = 0; i < ARRAY_LEN(system_files); i++) {
        if (!spec_provides(spec, system_files[i])) {
            add_bind(plan, PLAN_BUILD,
                     &(struct sandbox_bind){.source = system_files[i],
                                            .target = system_files[i],
                                            .flags = SANDBOX_BIND_OPTIONAL});
        }
    }
}

static void add_identity_file(struct plan *plan, const struct sandbox_spec *spec, const char *path,
                              char *text)
{
    if (!spec_provides(spec, path)) {
        add_file(plan, PLAN_BUILD, path, text, strlen(text), 0644);
    }
    free(text);
}

static void add_identity(struct plan *plan, const struct sandbox_spec *spec)
{
    add_identity_file(plan, spec, "/etc/passwd",
                      str_printf("root:x:0:0:root:/root:/usr/sbin/nologin\n"
                                 "%s:x:%u:%u::%s:/bin/sh\n"
                                 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
                                 spec->user_name, plan->uid, plan->gid, spec->home));
    add_identity_file(
        plan, spec, "/etc/group",
        str_printf("root:x:0:\n%s:x:%u:\nnogroup:x:65534:\n", spec->user_name, plan->gid));
    add_identity_file(plan, spec, "/etc/hostname", str_printf("%s\n", spec->hostname));
}

static void add_proc(struct plan *plan, const struct sandbox_host *host)
{
    if (plan->pid_namespace && host->has[SANDBOX_PROC]) {
        add(plan, PLAN_BUILD, PLAN_PROC, "/proc");
    } else {
        // A masked /proc (containers) cannot be had anew: the host's is better than none.
        add_bind(plan, PLAN_BUILD,
                 &(struct sandbox_bind){
                     .source = "/proc", .target = "/proc", .flags = SANDBOX_BIND_WRITABLE});
    }
    if (host->has[SANDBOX_USER_NAMESPACE]) {
        add(plan, PLAN_BUILD, PLAN_NO_USER_NAMESPACES, NULL)->flags = PLAN_OPTIONAL;
    }
    for (size_t i = 0; i < ARRAY_LEN(protected_proc); i++) {
        add(plan, PLAN_BUILD, PLAN_PROTECT, protected_proc[i])->flags = PLAN_OPTIONAL;
    }
}

static void add_dev(struct plan *plan, const struct sandbox_spec *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        struct plan_op *op = add(plan, PLAN_BUILD, PLAN_BIND, devices[i]);
        op->source = str_dup(devices[i]);
        op->flags = PLAN_DEVICE | (strcmp(devices[i], "/dev/tty") == 0 ? PLAN_OPTIONAL : 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(device_links); i++) {
        add_symlink(plan, PLAN_BUILD, device_links[i].target, device_links[i].to);
    }
    add(plan, PLAN_BUILD, PLAN_DEVPTS, "/dev/pts")->flags = PLAN_OPTIONAL;
    add_symlink(plan, PLAN_BUILD, "/dev/ptmx", "pts/ptmx");
    struct plan_op *shm = add(plan, PLAN_BUILD, PLAN_TMPFS, "/dev/shm");
    shm->size = spec->shm_bytes;
    shm->mode = 01777;
}

static void add_writable(struct plan *plan, const struct sandbox_spec *spec)
{
    struct plan_op *op = add(plan, PLAN_BUILD, PLAN_TMPFS, PLAN_WRITABLE_ROOT);
    op->size = spec->writable_bytes;
    op->mode = 0755;
    op = add(plan, PLAN_BUILD, PLAN_WRITABLE, spec->home);
    op->source = str_dup(PLAN_WRITABLE_ROOT "/home");
    op->flags = PLAN_OWNED;
    op->mode = 0755;
    op = add(plan, PLAN_BUILD, PLAN_WRITABLE, "/tmp");
    op->source = str_dup(PLAN_WRITABLE_ROOT "/tmp");
    op->mode = 01777;
    op = add(plan, PLAN_BUILD, PLAN_DIRECTORY, spec->work_dir);
    op->flags = PLAN_OWNED;
    op->mode = 0755;
}

// What lies below work_dir comes when the version is there, which would hide it.
static enum plan_stage stage_of(const struct sandbox_spec *spec, const char *target)
{
    return is_below(target, spec->work_dir) ? PLAN_GO : PLAN_BUILD;
}

static void add_spec_rows(struct plan *plan, const struct sandbox_spec *spec, enum plan_stage stage)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (stage_of(spec, spec->binds[i].target) == stage) {
            add_bind(plan, stage, &spec->binds[i]);
        }
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct sandbox_file *file = &spec->files[i];
        if (stage_of(spec, file->target) == stage) {
            struct plan_op *op =
                add_file(plan, stage, file->target, file->bytes, file->len, file->mode);
            op->flags = is_below(file->target, spec->home) ? PLAN_OWNED : 0;
        }
    }
    for (size_t i = 0; i < spec->symlink_count; i++) {
        if (stage_of(spec, spec->symlinks[i].target) == stage) {
            add_symlink(plan, stage, spec->symlinks[i].target, spec->symlinks[i].to);
        }
    }
}

// Order: groups are joined while the host's files are still there, and before anything is charged;
//       the old root becomes reachable at PLAN_HOST_ROOT and everything is built in the new one;
//       our /proc is mounted while the old one is still there (the kernel asks for a fully visible
//       one); user namespaces are forbidden before /proc/sys is protected; what the app may write
//       comes before the spec's rows, because these may lie below home.
static void add_build(struct plan *plan, const struct sandbox_spec *spec,
                      const struct sandbox_host *host)
{
    if (!plan->pid_namespace) {
        add(plan, PLAN_BUILD, PLAN_SUBREAPER, NULL);
    }
    for (size_t i = 0; i < spec->group_count; i++) {
        add(plan, PLAN_BUILD, PLAN_GROUP, spec->groups[i])->flags = PLAN_OPTIONAL;
    }
    add(plan, PLAN_BUILD, PLAN_HOSTNAME, spec->hostname);
    add(plan, PLAN_BUILD, PLAN_PRIVATE, "/");
    add(plan, PLAN_BUILD, PLAN_OPEN_SOURCES, NULL);
    add(plan, PLAN_BUILD, PLAN_ROOT, "/");
    if (spec->system_dirs) {
        add_system(plan, spec);
    }
    add_identity(plan, spec);
    add_proc(plan, host);
    add_dev(plan, spec);
    add_writable(plan, spec);
    add_spec_rows(plan, spec, PLAN_BUILD);
    add(plan, PLAN_BUILD, PLAN_GUARD, NULL);
}

static void add_go(struct plan *plan, const struct sandbox_spec *spec,
                   const struct sandbox_host *host)
{
    enum plan_kind kind = host->has[SANDBOX_OVERLAY] ? PLAN_OVERLAY : PLAN_COPY;
    add(plan, PLAN_GO, kind, spec->work_dir);
    add(plan, PLAN_GO, PLAN_DETACH, PLAN_HOST_ROOT);
    add(plan, PLAN_GO, PLAN_DETACH, PLAN_WRITABLE_ROOT);
    add_spec_rows(plan, spec, PLAN_GO);
    add(plan, PLAN_GO, PLAN_READ_ONLY, "/");
}

// A bind below home becomes a link; all else of the spec that is not below home cannot be had.
static void add_links(struct plan *plan, const struct sandbox_spec *spec, enum plan_stage stage)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        const struct sandbox_bind *bind = &spec->binds[i];
        if (is_below(bind->target, spec->home) && stage_of(spec, bind->target) == stage) {
            auto_free char *target = mapped(plan, bind->target);
            add_symlink(plan, stage, target, bind->source);
        }
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct sandbox_file *file = &spec->files[i];
        if (is_below(file->target, spec->home) && stage_of(spec, file->target) == stage) {
            auto_free char *target = mapped(plan, file->target);
            add_file(plan, stage, target, file->bytes, file->len, file->mode)->flags = PLAN_OWNED;
        }
    }
}

// Level none: only what can be had without mounts. As root, init becomes the app's user: over
// another user's processes it would have no power without CAP_SYS_PTRACE, which containers
// withhold, and a link in the version must not lead root's hand to the host.
static void add_without_mounts(struct plan *plan, const struct sandbox_spec *spec)
{
    add(plan, PLAN_BUILD, PLAN_SUBREAPER, NULL);
    auto_free char *temporary = str_printf("%s/" SANDBOX_PRIVATE_TMP, plan->home);
    const char *dirs[] = {plan->home, temporary, plan->work_dir};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct plan_op *op = add(plan, PLAN_BUILD, PLAN_DIRECTORY, dirs[i]);
        op->flags = PLAN_OWNED;
        op->mode = dirs[i] == plan->work_dir ? 0755 : 0700;
    }
    add_links(plan, spec, PLAN_BUILD);
    add(plan, PLAN_BUILD, PLAN_GUARD, NULL);
    add(plan, PLAN_GO, PLAN_COPY, plan->work_dir);
    if (plan->drops_ids) {
        add(plan, PLAN_GO, PLAN_INIT_IDS, NULL)->text = str_printf("%u:%u", plan->uid, plan->gid);
    }
    add_links(plan, spec, PLAN_GO);
}

// No new privileges first, because an unprivileged filter needs it; ids before the filter and the
// death signal, because a change of ids clears the latter.
static void add_command(struct plan *plan)
{
    add(plan, PLAN_COMMAND, PLAN_SESSION, NULL);
    add(plan, PLAN_COMMAND, PLAN_NO_NEW_PRIVILEGES, NULL);
    if (plan->drops_ids) {
        struct plan_op *op = add(plan, PLAN_COMMAND, PLAN_IDS, NULL);
        op->text = str_printf("%u:%u", plan->uid, plan->gid);
    }
    add(plan, PLAN_COMMAND, PLAN_NO_CAPABILITIES, NULL);
    if (plan->clone_flags) {
        add(plan, PLAN_COMMAND, PLAN_NO_ABSTRACT_SOCKETS, NULL)->flags = PLAN_OPTIONAL;
    }
    struct plan_op *filter = add(plan, PLAN_COMMAND, PLAN_FILTER, NULL);
    if (plan->broker) {
        char address[16];
        broker_print_address(plan->rule.address, address);
        filter->text = str_printf("refuse io_uring, user namespaces, keyrings; bind and listen "
                                  "on %s, port %u as %u",
                                  address, plan->rule.public_port, plan->rule.actual_port);
    } else {
        filter->text = str_dup("refuse io_uring, user namespaces, keyrings");
        // Where the host cannot filter at all the app still runs, and doctor says so.
        filter->flags = PLAN_OPTIONAL;
    }
    add(plan, PLAN_COMMAND, PLAN_DIE_WITH_INIT, NULL);
}

static void choose_ids(struct plan *plan, const struct sandbox_spec *spec,
                       const struct sandbox_host *host)
{
    bool user_namespace = plan->clone_flags & CLONE_NEWUSER;
    plan->ids = (struct ids){.second = user_namespace && host->maps_ids,
                             .uid = spec->uid,
                             .gid = spec->gid,
                             .host_uid = spec->host_uid,
                             .host_gid = spec->host_gid};
    plan->drops_ids = user_namespace ? plan->ids.second : host->is_root;
    if (user_namespace) {
        plan->uid = spec->uid;
        plan->gid = spec->gid;
    } else {
        plan->uid = host->is_root ? spec->host_uid : geteuid();
        plan->gid = host->is_root ? spec->host_gid : getegid();
    }
}

static unsigned long choose_namespaces(const struct sandbox_host *host)
{
    if (sandbox_host_level(host) == SANDBOX_LEVEL_NONE) {
        return 0;
    }
    unsigned long flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
    flags |= host->has[SANDBOX_USER_NAMESPACE] ? CLONE_NEWUSER : 0;
    flags |= host->has[SANDBOX_PID_NAMESPACE] ? CLONE_NEWPID : 0;
    return flags;
}

// While the plan is carried out the host is below PLAN_HOST_ROOT: no target may lead there.
static bool is_plain(const char *path)
{
    bool plain = path[0] == '/' && !is_at_or_below(path, PLAN_HOST_ROOT) &&
                 !is_at_or_below(path, PLAN_WRITABLE_ROOT);
    for (const char *part = path; plain && *part; part += strcspn(part, "/")) {
        part += *part == '/';
        size_t len = strcspn(part, "/");
        plain = !(len == 0 && *part) && !(len == 1 && part[0] == '.') &&
                !(len == 2 && part[0] == '.' && part[1] == '.');
    }
    return plain;
}

static const char *find_crooked(const struct sandbox_spec *spec)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (!is_plain(spec->binds[i].target)) {
            return spec->binds[i].target;
        }
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        if (!is_plain(spec->files[i].target)) {
            return spec->files[i].target;
        }
    }
    for (size_t i = 0; i < spec->symlink_count; i++) {
        if (!is_plain(spec->symlinks[i].target)) {
            return spec->symlinks[i].target;
        }
    }
    return NULL;
}

struct plan *plan_new(const struct sandbox_spec *spec, const struct sandbox_host *host,
                      struct error *error)
{
    const char *crooked = find_crooked(spec);
    if (crooked) {
        error_set(error, ERROR_USAGE,
                  _("%s: a place in the sandbox is an absolute path without \".\" and \"..\""),
                  crooked);
        return NULL;
    }
    if (host->is_root && spec->host_uid == 0) {
        error_set(error, ERROR_HOST, _("the app must not run as root: no unprivileged user given"));
        return NULL;
    }
    struct plan *plan = mem_alloc(sizeof *plan);
    plan->level = sandbox_host_level(host);
    plan->clone_flags = choose_namespaces(host);
    plan->pid_namespace = plan->clone_flags & CLONE_NEWPID;
    plan->broker = spec->broker && host->has[SANDBOX_NOTIFY];
    plan->rule = (struct broker_rule){spec->address, spec->public_port, spec->actual_port};
    plan->spec_home = str_dup(spec->home);
    plan->home = str_dup(plan->clone_flags ? spec->home : spec->private_dir);
    if (!plan->home) {
        plan_free(plan);
        error_set(error, ERROR_HOST, _("no private directory given for a host without namespaces"));
        return NULL;
    }
    plan->work_dir = mapped(plan, spec->work_dir);
    choose_ids(plan, spec, host);
    add_outside(plan, host);
    if (plan->clone_flags) {
        add_build(plan, spec, host);
        add_go(plan, spec, host);
    } else {
        add_without_mounts(plan, spec);
    }
    add_command(plan);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan) {
        return;
    }
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->ops[i].target);
        free(plan->ops[i].source);
        free(plan->ops[i].text);
        free(plan->ops[i].bytes);
    }
    free(plan->ops);
    free(plan->home);
    free(plan->work_dir);
    free(plan->spec_home);
    free(plan);
}
