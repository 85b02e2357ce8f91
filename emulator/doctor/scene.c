// What the host is, as far as the advice depends on it: a few files of /proc and marks of
// containers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/doctor/mend.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

#define FILE_MAX (64 << 10)

static char *read_below(const char *root, const char *path)
{
    auto_free char *whole = str_printf("%s%s", root, path);
    return fs_read(whole, FILE_MAX, NULL, NULL);
}

static long read_number(const char *root, const char *path)
{
    auto_free char *text = read_below(root, path);
    return text && *text ? strtol(text, NULL, 10) : -1;
}

static bool is_there(const char *root, const char *path)
{
    auto_free char *whole = str_printf("%s%s", root, path);
    return fs_exists(whole);
}

static long own_seccomp(const char *root)
{
    auto_free char *status = read_below(root, "/proc/self/status");
    const char *line = status ? strstr(status, "\nSeccomp:") : NULL;
    return line ? strtol(line + strlen("\nSeccomp:"), NULL, 10) : -1;
}

// Marks that the engines leave; systemd's file tells what pid 1 was told.
static enum container find_container(const char *root)
{
    static const struct {
        const char *name;
        enum container container;
    } names[] = {{"docker", CONTAINER_DOCKER},
                 {"podman", CONTAINER_PODMAN},
                 {"lxc", CONTAINER_LXC},
                 {"incus", CONTAINER_LXC}};
    auto_free char *told = read_below(root, "/run/systemd/container");
    const char *name = getenv("container");
    name = str_empty(name) ? told : name;
    if (!str_empty(getenv("KUBERNETES_SERVICE_HOST"))) {
        return CONTAINER_KUBERNETES;
    }
    if (is_there(root, "/run/.containerenv")) {
        return CONTAINER_PODMAN;
    }
    if (is_there(root, "/.dockerenv")) {
        return CONTAINER_DOCKER;
    }
    for (size_t i = 0; name && i < ARRAY_LEN(names); i++) {
        if (str_starts_with(name, names[i].name)) {
            return names[i].container;
        }
    }
    return str_empty(name) ? CONTAINER_NONE : CONTAINER_OTHER;
}

const char *container_name(enum container container)
{
    static const char *const names[] = {
        [CONTAINER_NONE] = "",         [CONTAINER_DOCKER] = "docker",
        [CONTAINER_PODMAN] = "podman", [CONTAINER_KUBERNETES] = "kubernetes",
        [CONTAINER_LXC] = "lxc",       [CONTAINER_OTHER] = "container",
    };
    return names[container];
}

static void read_distribution(struct scene *scene, const char *root)
{
    auto_free char *text = read_below(root, "/etc/os-release");
    const char *line = text ? strstr(text, "PRETTY_NAME=") : NULL;
    if (line) {
        line += strlen("PRETTY_NAME=");
        line += *line == '"';
        snprintf(scene->distribution, sizeof scene->distribution, "%.*s",
                 (int)strcspn(line, "\"\n"), line);
    }
}

void scene_read(struct scene *ret_scene, const char *root)
{
    auto_free char *filesystems = read_below(root, "/proc/filesystems");
    *ret_scene = (struct scene){
        .container = find_container(root),
        .apparmor_restricts =
            read_number(root, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        .userns_clone = read_number(root, "/proc/sys/kernel/unprivileged_userns_clone"),
        .max_user_namespaces = read_number(root, "/proc/sys/user/max_user_namespaces"),
        .max_pid_namespaces = read_number(root, "/proc/sys/user/max_pid_namespaces"),
        .max_mount_namespaces = read_number(root, "/proc/sys/user/max_mnt_namespaces"),
        .ptrace_scope = read_number(root, "/proc/sys/kernel/yama/ptrace_scope"),
        .seccomp = own_seccomp(root),
        .knows_overlay = !filesystems || strstr(filesystems, "\toverlay\n"),
    };
    ssize_t len = readlink("/proc/self/exe", ret_scene->program, sizeof ret_scene->program - 1);
    ret_scene->program[len > 0 ? len : 0] = '\0';
    read_distribution(ret_scene, root);
}
