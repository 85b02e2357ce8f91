#include "sandbox/plan.h"

#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

static const char *const kind_names[PLAN_KIND__COUNT] = {
#define OPERATION(kind, name, function) [PLAN_##kind] = name,
#include "sandbox/operations.def"
#undef OPERATION
};

static const char *const stage_titles[PLAN_STAGE__COUNT] = {
    [PLAN_PARENT] = "outside",
    [PLAN_BUILD] = "init builds, then parks",
    [PLAN_GO] = "init, when told which version",
    [PLAN_COMMAND] = "the command's process, before exec",
};

// What of the host's system the app sees. Directories that are links on a host with a merged /usr stay
// links. The pieces of /etc are those that outbound calls and text need; a missing one is skipped.
static const char *const system_paths[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
};
static const char *const system_files[] = {
    "/etc/resolv.conf",     "/etc/hosts",           "/etc/host.conf",
    "/etc/nsswitch.conf",   "/etc/gai.conf",        "/etc/ssl",
    "/etc/ca-certificates", "/etc/pki",             "/etc/crypto-policies",
    "/etc/mime.types",      "/etc/services",        "/etc/protocols",
    "/etc/fonts",           "/etc/ld.so.cache",     "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",    "/etc/alternatives",
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

const char *plan_kind_name(enum plan_kind kind)
{
    return kind < PLAN_KIND__COUNT ? kind_names[kind] : "?";
}

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

static void add_file(struct plan *plan, const char *target, const void *bytes, size_t len,
                     mode_t mode)
{
    struct plan_op *op = add(plan, PLAN_BUILD, PLAN_FILE, target);
    op->bytes = str_dup_len(bytes, len);
    op->byte_count = len;
    op->mode = mode;
}

static void add_symlink(struct plan *plan, const char *target, const char *to)
{
    add(plan, PLAN_BUILD, PLAN_SYMLINK, target)->source = str_dup(to);
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
    op->text = str_printf("%smount ipc uts%s",
                          host->has[SANDBOX_USER_NAMESPACE] ? "user " : "",
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
        add_file(plan, path, text, strlen(text), 0644);
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
    add_identity_file(plan, spec, "/etc/group",
                      str_printf("root:x:0:\n%s:x:%u:\nnogroup:x:65534:\n", spec->user_name,
                                 plan->gid));
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
        add_symlink(plan, device_links[i].target, device_links[i].to);
    }
    add(plan, PLAN_BUILD, PLAN_DEVPTS, "/dev/pts")->flags = PLAN_OPTIONAL;
    add_symlink(plan, "/dev/ptmx", "pts/ptmx");
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

static void add_spec_rows(struct plan *plan, const struct sandbox_spec *spec)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (!is_below(spec->binds[i].target, spec->work_dir)) {
            add_bind(plan, PLAN_BUILD, &spec->binds[i]);
        }
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct sandbox_file *file = &spec->files[i];
        add_file(plan, file->target, file->bytes, file->len, file->mode);
        if (is_below(file->target, spec->home)) {
            plan->ops[plan->count - 1].flags = PLAN_OWNED;
        }
    }
    for (size_t i = 0; i < spec->symlink_count; i++) {
        add_symlink(plan, spec->symlinks[i].target, spec->symlinks[i].to);
    }
}

// Order: the old root becomes reachable at PLAN_HOST_ROOT and everything is built in the new one; our
// /proc is mounted while the old one is still there (the kernel asks for a fully visible one); user
// namespaces are forbidden before /proc/sys is protected; what the app may write comes before the spec's
// rows, because these may lie below home.
static void add_build(struct plan *plan, const struct sandbox_spec *spec,
                      const struct sandbox_host *host)
{
    if (!plan->pid_namespace) {
        add(plan, PLAN_BUILD, PLAN_SUBREAPER, NULL);
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
    add_spec_rows(plan, spec);
    add(plan, PLAN_BUILD, PLAN_GUARD, NULL);
}

static void add_go(struct plan *plan, const struct sandbox_spec *spec,
                   const struct sandbox_host *host)
{
    enum plan_kind kind = host->has[SANDBOX_OVERLAY] ? PLAN_OVERLAY : PLAN_COPY;
    add(plan, PLAN_GO, kind, spec->work_dir);
    add(plan, PLAN_GO, PLAN_DETACH, PLAN_HOST_ROOT);
    add(plan, PLAN_GO, PLAN_DETACH, PLAN_WRITABLE_ROOT);
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (is_below(spec->binds[i].target, spec->work_dir)) {
            add_bind(plan, PLAN_GO, &spec->binds[i]);
        }
    }
    add(plan, PLAN_GO, PLAN_READ_ONLY, "/");
}

// Level none: only what can be had without mounts. A bind below home becomes a link.
static void add_without_mounts(struct plan *plan, const struct sandbox_spec *spec)
{
    add(plan, PLAN_BUILD, PLAN_SUBREAPER, NULL);
    const char *dirs[] = {plan->home, plan->work_dir};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct plan_op *op = add(plan, PLAN_BUILD, PLAN_DIRECTORY, dirs[i]);
        op->flags = PLAN_OWNED;
        op->mode = i ? 0755 : 0700;
    }
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (is_below(spec->binds[i].target, spec->home)) {
            auto_free char *target = mapped(plan, spec->binds[i].target);
            add_symlink(plan, target, spec->binds[i].source);
        }
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct sandbox_file *file = &spec->files[i];
        if (is_below(file->target, spec->home)) {
            auto_free char *target = mapped(plan, file->target);
            add_file(plan, target, file->bytes, file->len, file->mode);
            plan->ops[plan->count - 1].flags = PLAN_OWNED;
        }
    }
    add(plan, PLAN_BUILD, PLAN_GUARD, NULL);
    add(plan, PLAN_GO, PLAN_COPY, plan->work_dir);
    // Without namespaces init has no power over another user's processes unless it is root with
    // CAP_SYS_PTRACE, which containers withhold: so it becomes the same user.
    if (plan->drops_ids) {
        add(plan, PLAN_GO, PLAN_INIT_IDS, NULL)->text = str_printf("%u:%u", plan->uid, plan->gid);
    }
}

// No new privileges first, because an unprivileged filter needs it; ids before the filter and the death
// signal, because a change of ids clears the latter.
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

struct plan *plan_new(const struct sandbox_spec *spec, const struct sandbox_host *host,
                      struct error *error)
{
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

// ---- text ----

static const struct {
    unsigned flag;
    const char *text;
} flag_texts[] = {
    {PLAN_READ_ONLY_FLAG, "read-only"},
    {PLAN_OPTIONAL, "if possible"},
    {PLAN_DEVICE, "device"},
    {PLAN_OWNED, "owned"},
};

// snprintf() into the rest of a buffer whose text may already be cut.
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size,
                                                         const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

void plan_op_text(const struct plan_op *op, char *out, size_t size)
{
    out[0] = '\0';
    append(out, size, "%s", plan_kind_name(op->kind));
    if (op->target) {
        append(out, size, " %s", op->target);
    }
    if (op->source) {
        append(out, size, " %s %s", op->kind == PLAN_SYMLINK ? "->" : "<-", op->source);
    }
    if (op->text) {
        append(out, size, ": %s", op->text);
    }
    if (op->kind == PLAN_FILE) {
        append(out, size, " %zu bytes", op->byte_count);
    }
    if (op->size) {
        append(out, size, " size=%llu", (unsigned long long)op->size);
    }
    if (op->mode) {
        append(out, size, " %04o", (unsigned)op->mode);
    }
    for (size_t i = 0; i < ARRAY_LEN(flag_texts); i++) {
        if (op->flags & flag_texts[i].flag) {
            append(out, size, " (%s)", flag_texts[i].text);
        }
    }
}

static char *plan_print(const struct plan *plan)
{
    struct buf text = {.max = 1 << 20};
    buf_addf(&text, "level: %s\n", sandbox_level_name(plan->level));
    int stage = -1;
    for (size_t i = 0; i < plan->count; i++) {
        char line[1024];
        if ((int)plan->ops[i].stage != stage) {
            stage = (int)plan->ops[i].stage;
            buf_addf(&text, "%s:\n", stage_titles[stage]);
        }
        plan_op_text(&plan->ops[i], line, sizeof line);
        buf_addf(&text, "  %s\n", line);
    }
    return buf_steal(&text);
}

char *sandbox_plan_text(const struct sandbox_spec *spec, const struct sandbox_host *host)
{
    struct error error = {0};
    struct plan *plan = plan_new(spec, host, &error);
    if (!plan) {
        return str_dup(error.message);
    }
    char *text = plan_print(plan);
    plan_free(plan);
    return text;
}
