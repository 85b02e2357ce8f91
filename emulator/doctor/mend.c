#include "emulator/doctor/mend.h"

#include <errno.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define PROGRAM_MARK "@PROGRAM@"

static const struct {
    const char *name;
    const char *text;
    const char *commands;
} causes[CAUSE__COUNT] = {
#define CAUSE(id, name, text, commands) [CAUSE_##id] = {name, text, commands},
#include "emulator/doctor/causes.def"
#undef CAUSE
};

static enum cause container_cause(const struct scene *scene, enum sandbox_feature feature)
{
    bool paths = feature == SANDBOX_PROC;
    switch (scene->container) {
    case CONTAINER_DOCKER:
        return paths                       ? CAUSE_DOCKER_PATHS
               : feature == SANDBOX_NOTIFY ? CAUSE_DOCKER_SECCOMP
                                           : CAUSE_DOCKER;
    case CONTAINER_PODMAN:
        return paths ? CAUSE_PODMAN_PATHS : CAUSE_PODMAN;
    case CONTAINER_KUBERNETES:
        return CAUSE_KUBERNETES;
    case CONTAINER_LXC:
        return CAUSE_LXC;
    case CONTAINER_OTHER:
        return paths ? CAUSE_MASKED : CAUSE_FILTER;
    case CONTAINER_NONE:
        break;
    }
    return CAUSE_NONE;
}

// Switches of the kernel that forbid namespaces of one kind.
static enum cause switch_cause(const struct scene *scene, const struct sandbox_host *host,
                               enum sandbox_feature feature)
{
    int errnum = host->errnum[feature];
    bool outer = feature == SANDBOX_USER_NAMESPACE;
    if (outer && scene->max_user_namespaces == 0) {
        return CAUSE_USER_MAXIMUM;
    }
    if (outer && scene->userns_clone == 0 && !host->is_root) {
        return CAUSE_CLONE_SWITCH;
    }
    // One call makes them all: whichever is 0 fails it.
    if ((outer || feature == SANDBOX_PID_NAMESPACE) && scene->max_pid_namespaces == 0) {
        return CAUSE_PID_MAXIMUM;
    }
    if ((outer || feature == SANDBOX_MOUNT) && scene->max_mount_namespaces == 0) {
        return CAUSE_MOUNT_MAXIMUM;
    }
    return outer && errnum == ENOSPC ? CAUSE_USER_MAXIMUM : CAUSE_NONE;
}

static enum cause own_cause(const struct scene *scene, const struct sandbox_host *host,
                            enum sandbox_feature feature)
{
    int errnum = host->errnum[feature];
    bool refused = errnum == EPERM || errnum == EACCES;
    switch (feature) {
    case SANDBOX_PROC:
        return refused ? CAUSE_MASKED : CAUSE_NONE;
    case SANDBOX_OVERLAY:
        return errnum == ENODEV || !scene->knows_overlay ? CAUSE_OVERLAY_MODULE
               : refused                                 ? CAUSE_OVERLAY_OLD
                                                         : CAUSE_NONE;
    case SANDBOX_NOTIFY:
        return refused && scene->ptrace_scope > 1 ? CAUSE_PTRACE : CAUSE_NONE;
    default:
        return CAUSE_NONE;
    }
}

// What the feature needs itself; a user namespace is not needed by real root.
static bool follows(const struct sandbox_host *host, enum sandbox_feature feature)
{
    if (host->errnum[feature] != 0 || feature == SANDBOX_USER_NAMESPACE) {
        return false;
    }
    return feature == SANDBOX_MOUNT ? !host->has[SANDBOX_USER_NAMESPACE]
                                    : !host->has[SANDBOX_MOUNT] || feature == SANDBOX_PROC;
}

// From the surest to what is merely likely.
enum cause mend_cause(const struct scene *scene, const struct sandbox_host *host,
                      enum sandbox_feature feature)
{
    int errnum = host->errnum[feature];
    if (host->has[feature]) {
        return CAUSE_NONE;
    }
    if (host->denied[feature]) {
        return CAUSE_DENIED;
    }
    if (follows(host, feature)) {
        return CAUSE_FOLLOWS;
    }
    enum cause cause = switch_cause(scene, host, feature);
    if (cause == CAUSE_NONE && (errnum == ENOSYS || errnum == EINVAL) && scene->seccomp != 2) {
        return CAUSE_KERNEL;
    }
    if (cause == CAUSE_NONE) {
        cause = container_cause(scene, feature);
    }
    bool namespaced = feature == SANDBOX_USER_NAMESPACE || feature == SANDBOX_MOUNT ||
                      feature == SANDBOX_PID_NAMESPACE;
    if (cause == CAUSE_NONE && namespaced && scene->apparmor_restricts > 0 && !host->is_root) {
        return CAUSE_APPARMOR;
    }
    if (cause == CAUSE_NONE) {
        cause = own_cause(scene, host, feature);
    }
    if (cause == CAUSE_NONE && scene->seccomp == 2) {
        return CAUSE_FILTER;
    }
    return cause == CAUSE_NONE ? CAUSE_UNKNOWN : cause;
}

const char *mend_name(enum cause cause)
{
    return causes[cause].name;
}

const char *mend_text(enum cause cause)
{
    return *causes[cause].text ? _(causes[cause].text) : "";
}

// A path as AppArmor's quoted pattern, inside the shell's single quotes.
static void add_program(struct buf *text, const char *program)
{
    for (const char *at = program; *at; at++) {
        if (*at == '\'') {
            buf_adds(text, "'\\''");
        } else {
            if (strchr("\\\"*?[]{}^", *at)) {
                buf_adds(text, "\\");
            }
            buf_add(text, at, 1);
        }
    }
}

char *mend_commands(enum cause cause, const struct scene *scene)
{
    struct buf text = {0};
    const char *at = causes[cause].commands;
    const char *mark = strstr(at, PROGRAM_MARK);
    buf_add(&text, at, mark ? (size_t)(mark - at) : strlen(at));
    if (mark) {
        add_program(&text, scene->program);
        buf_adds(&text, mark + strlen(PROGRAM_MARK));
    }
    char *whole = buf_steal(&text);
    return whole ? whole : str_dup("");
}
