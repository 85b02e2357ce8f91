// Why a feature is missing, and what is advised: each cause from its own host, and no advice that
// turns a protection off for the whole machine where a narrower way exists.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulator/doctor/doctor.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"

static const struct scene plain = {
    .apparmor_restricts = -1,
    .userns_clone = -1,
    .max_user_namespaces = 15000,
    .max_pid_namespaces = 15000,
    .max_mount_namespaces = 15000,
    .ptrace_scope = 1,
    .seccomp = 0,
    .knows_overlay = true,
    .program = "/opt/leanlocal/bin/leanlocal",
};

// All there but the feature, whose call failed.
static struct sandbox_host host_without(enum sandbox_feature feature, int errnum)
{
    struct sandbox_host host = {0};
    for (size_t i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        host.has[i] = i != feature;
    }
    host.errnum[feature] = errnum;
    return host;
}

static enum cause cause_of(struct scene scene, enum sandbox_feature feature, int errnum)
{
    struct sandbox_host host = host_without(feature, errnum);
    return mend_cause(&scene, &host, feature);
}

static struct scene with_container(enum container container)
{
    struct scene scene = plain;
    scene.container = container;
    scene.seccomp = 2;
    return scene;
}

static void test_each_cause(void **state)
{
    (void)state;
    struct scene ubuntu = plain;
    ubuntu.apparmor_restricts = 1;
    struct scene debian = plain;
    debian.userns_clone = 0;
    struct scene no_users = plain;
    no_users.max_user_namespaces = 0;
    struct scene no_pids = plain;
    no_pids.max_pid_namespaces = 0;
    struct scene no_mounts = plain;
    no_mounts.max_mount_namespaces = 0;
    struct scene filtered = plain;
    filtered.seccomp = 2;
    struct scene traced = plain;
    traced.ptrace_scope = 3;
    struct scene unloaded = plain;
    unloaded.knows_overlay = false;
    const struct {
        struct scene scene;
        enum sandbox_feature feature;
        int errnum;
        enum cause cause;
    } rows[] = {
        {ubuntu, SANDBOX_MOUNT, EACCES, CAUSE_APPARMOR},
        {ubuntu, SANDBOX_USER_NAMESPACE, EPERM, CAUSE_APPARMOR},
        {ubuntu, SANDBOX_OVERLAY, EPERM, CAUSE_OVERLAY_OLD},
        {debian, SANDBOX_USER_NAMESPACE, EPERM, CAUSE_CLONE_SWITCH},
        {no_users, SANDBOX_USER_NAMESPACE, ENOSPC, CAUSE_USER_MAXIMUM},
        {plain, SANDBOX_USER_NAMESPACE, ENOSPC, CAUSE_USER_MAXIMUM},
        {no_pids, SANDBOX_USER_NAMESPACE, ENOSPC, CAUSE_PID_MAXIMUM},
        {no_mounts, SANDBOX_MOUNT, ENOSPC, CAUSE_MOUNT_MAXIMUM},
        {with_container(CONTAINER_DOCKER), SANDBOX_USER_NAMESPACE, EPERM, CAUSE_DOCKER},
        {with_container(CONTAINER_DOCKER), SANDBOX_MOUNT, EACCES, CAUSE_DOCKER},
        {with_container(CONTAINER_DOCKER), SANDBOX_PROC, EPERM, CAUSE_DOCKER_PATHS},
        {with_container(CONTAINER_DOCKER), SANDBOX_NOTIFY, EPERM, CAUSE_DOCKER_SECCOMP},
        {with_container(CONTAINER_PODMAN), SANDBOX_MOUNT, EPERM, CAUSE_PODMAN},
        {with_container(CONTAINER_PODMAN), SANDBOX_PROC, EPERM, CAUSE_PODMAN_PATHS},
        {with_container(CONTAINER_KUBERNETES), SANDBOX_MOUNT, EPERM, CAUSE_KUBERNETES},
        {with_container(CONTAINER_LXC), SANDBOX_MOUNT, EACCES, CAUSE_LXC},
        {with_container(CONTAINER_OTHER), SANDBOX_MOUNT, EPERM, CAUSE_FILTER},
        {filtered, SANDBOX_USER_NAMESPACE, EPERM, CAUSE_FILTER},
        {filtered, SANDBOX_NOTIFY, ENOSYS, CAUSE_FILTER},
        {plain, SANDBOX_PROC, EPERM, CAUSE_MASKED},
        {unloaded, SANDBOX_OVERLAY, ENODEV, CAUSE_OVERLAY_MODULE},
        {plain, SANDBOX_OVERLAY, EPERM, CAUSE_OVERLAY_OLD},
        {traced, SANDBOX_NOTIFY, EPERM, CAUSE_PTRACE},
        {plain, SANDBOX_NOTIFY, ENOSYS, CAUSE_KERNEL},
        {plain, SANDBOX_USER_NAMESPACE, EINVAL, CAUSE_KERNEL},
        {plain, SANDBOX_USER_NAMESPACE, EPERM, CAUSE_UNKNOWN},
    };
    bool met[CAUSE__COUNT] = {[CAUSE_NONE] = true, [CAUSE_DENIED] = true, [CAUSE_FOLLOWS] = true};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum cause cause = cause_of(rows[i].scene, rows[i].feature, rows[i].errnum);
        if (cause != rows[i].cause) {
            fail_msg("row %zu: %s, not %s", i, mend_name(cause), mend_name(rows[i].cause));
        }
        met[cause] = true;
    }
    for (size_t i = 0; i < CAUSE__COUNT; i++) {
        if (!met[i]) {
            fail_msg("no host of this table has the cause %s", mend_name(i));
        }
    }
}

// Real root needs neither AppArmor's profile nor Debian's switch.
static void test_root_is_not_sent_to_switches(void **state)
{
    (void)state;
    struct scene scene = plain;
    scene.apparmor_restricts = 1;
    scene.userns_clone = 0;
    struct sandbox_host host = host_without(SANDBOX_USER_NAMESPACE, EPERM);
    host.is_root = true;
    assert_int_equal(mend_cause(&scene, &host, SANDBOX_USER_NAMESPACE), CAUSE_UNKNOWN);
}

static void test_denied_and_what_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SANDBOX_FEATURE__COUNT; i++) {
        struct sandbox_host host = host_without(i, 0);
        assert_int_equal(mend_cause(&plain, &host, (i + 1) % SANDBOX_FEATURE__COUNT), CAUSE_NONE);
        host.denied[i] = true;
        assert_int_equal(mend_cause(&plain, &host, i), CAUSE_DENIED);
    }
    struct sandbox_host host = {0};
    host.errnum[SANDBOX_USER_NAMESPACE] = EPERM;
    assert_int_equal(mend_cause(&plain, &host, SANDBOX_MOUNT), CAUSE_FOLLOWS);
    assert_int_equal(mend_cause(&plain, &host, SANDBOX_PID_NAMESPACE), CAUSE_FOLLOWS);
    assert_int_equal(mend_cause(&plain, &host, SANDBOX_PROC), CAUSE_FOLLOWS);
    assert_int_equal(mend_cause(&plain, &host, SANDBOX_OVERLAY), CAUSE_FOLLOWS);
    host.has[SANDBOX_USER_NAMESPACE] = true; // Ubuntu: the namespace is there, mounts are not
    host.errnum[SANDBOX_MOUNT] = EACCES;
    assert_int_equal(mend_cause(&plain, &host, SANDBOX_MOUNT), CAUSE_UNKNOWN);
    assert_int_equal(mend_cause(&plain, &host, SANDBOX_OVERLAY), CAUSE_FOLLOWS);
}

static void test_no_protection_is_turned_off_for_all(void **state)
{
    (void)state;
    static const char *const never[] = {
        "--privileged",    "apparmor_restrict_unprivileged_userns=0",
        "setenforce",      "aa-teardown",
        "systemctl stop",  "systemctl disable",
        "ptrace_scope=0",  "apparmor=0",
        "seccomp-profile", "chmod",
        "--cap-add=ALL",   "aa-disable",
    };
    for (size_t i = 0; i < CAUSE__COUNT; i++) {
        auto_free char *commands = mend_commands(i, &plain);
        for (size_t j = 0; j < ARRAY_LEN(never); j++) {
            assert_null(strstr(commands, never[j]));
        }
        assert_true(i == CAUSE_NONE || *mend_text(i));
        for (const char *at = commands; *at;) { // 80 columns with their indent
            size_t len = strcspn(at, "\n");
            assert_true(len <= 70 || i == CAUSE_APPARMOR);
            at += len + (at[len] == '\n');
        }
    }
}

static void test_profile_names_the_binary(void **state)
{
    (void)state;
    static const struct {
        const char *program, *quoted;
    } rows[] = {
        {"/opt/leanlocal/bin/leanlocal", "\"/opt/leanlocal/bin/leanlocal\""},
        {"/home/a b/leanlocal", "\"/home/a b/leanlocal\""},
        {"/srv/it's/x", "\"/srv/it'\\''s/x\""},
        {"/srv/a*[b]/x", "\"/srv/a\\*\\[b\\]/x\""},
        {"/srv/\"q\"/x", "\"/srv/\\\"q\\\"/x\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene scene = plain;
        snprintf(scene.program, sizeof scene.program, "%s", rows[i].program);
        auto_free char *commands = mend_commands(CAUSE_APPARMOR, &scene);
        assert_non_null(strstr(commands, rows[i].quoted));
        assert_non_null(strstr(commands, "userns,"));
        assert_null(strstr(commands, "@PROGRAM@"));
    }
}

// Names that programs read, and how the commands begin.
static void test_names_and_commands(void **state)
{
    (void)state;
    static const struct {
        enum cause cause;
        const char *name, *commands;
    } rows[] = {
        {CAUSE_NONE, "", ""},
        {CAUSE_DENIED, "denied", "unset LEANLOCAL_SANDBOX_DENY"},
        {CAUSE_FOLLOWS, "follows", ""},
        {CAUSE_APPARMOR, "apparmor", "printf '%s\\n' 'abi <abi/4.0>,' \\\n"},
        {CAUSE_DOCKER, "docker", "docker run --security-opt seccomp=unconfined \\\n"},
        {CAUSE_DOCKER_SECCOMP, "docker-seccomp", "docker run --security-opt seccomp="},
        {CAUSE_DOCKER_PATHS, "docker-paths", "docker run --security-opt systempaths="},
        {CAUSE_PODMAN, "podman", "podman run --security-opt seccomp="},
        {CAUSE_PODMAN_PATHS, "podman-paths", "podman run --security-opt unmask=ALL"},
        {CAUSE_KUBERNETES, "kubernetes", "securityContext:\n  procMount: Unmasked\n"},
        {CAUSE_LXC, "lxc", "lxc config set NAME security.nesting true"},
        {CAUSE_FILTER, "filter", "docker run --security-opt seccomp="},
        {CAUSE_CLONE_SWITCH, "clone-switch", "echo kernel.unprivileged_userns_clone=1 |\n"},
        {CAUSE_USER_MAXIMUM, "user-maximum", "sudo sysctl -w user.max_user_namespaces="},
        {CAUSE_PID_MAXIMUM, "pid-maximum", "sudo sysctl -w user.max_pid_namespaces="},
        {CAUSE_MOUNT_MAXIMUM, "mount-maximum", "sudo sysctl -w user.max_mnt_namespaces="},
        {CAUSE_MASKED, "masked", ""},
        {CAUSE_OVERLAY_MODULE, "overlay-module", "sudo modprobe overlay"},
        {CAUSE_OVERLAY_OLD, "overlay-old", ""},
        {CAUSE_PTRACE, "ptrace", "sudo sysctl -w kernel.yama.ptrace_scope=1"},
        {CAUSE_KERNEL, "kernel", ""},
        {CAUSE_UNKNOWN, "unknown", ""},
    };
    assert_int_equal(ARRAY_LEN(rows), CAUSE__COUNT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *commands = mend_commands(rows[i].cause, &plain);
        assert_string_equal(mend_name(rows[i].cause), rows[i].name);
        assert_true(str_starts_with(commands, rows[i].commands));
        assert_true(!*commands == !*rows[i].commands);
    }
}

// Of this very host: every row is complete.
static void test_every_row_is_written(void **state)
{
    (void)state;
    struct cJSON *tree = doctor_look("");
    size_t count = 0, features = 0;
    for (const struct cJSON *row = json_first(json_get(tree, "checks")); row;
         row = json_next(row)) {
        assert_non_null(json_get_string(row, "id"));
        assert_non_null(json_get_string(row, "how"));
        assert_true(strlen(json_get_string(row, "title")) <= 16);
        features += strcmp(json_get_string(row, "section"), "sandbox") == 0;
        count++;
        if (!json_get_bool(row, "works", false)) {
            assert_non_null(json_get_string(row, "reason"));
            assert_non_null(json_get_string(row, "lost"));
        }
    }
    assert_int_equal(features, SANDBOX_FEATURE__COUNT);
    assert_int_equal(count, SANDBOX_FEATURE__COUNT + 13);
    assert_non_null(json_get_string(tree, "level"));
    json_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_cause),
        cmocka_unit_test(test_root_is_not_sent_to_switches),
        cmocka_unit_test(test_denied_and_what_follows),
        cmocka_unit_test(test_no_protection_is_turned_off_for_all),
        cmocka_unit_test(test_profile_names_the_binary),
        cmocka_unit_test(test_names_and_commands),
        cmocka_unit_test(test_every_row_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
