#include "sandbox/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the filter knows x86_64 and aarch64"
#endif

#define X32_BIT 0x40000000u // also set on no native call of aarch64

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define DATA(field)        ((uint32_t)offsetof(struct seccomp_data, field))
#define LOAD(offset)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define GIVE(action)       BPF_STMT(BPF_RET | BPF_K, action)
#define FAIL(errnum)       GIVE(SECCOMP_RET_ERRNO | (errnum))
#define ON(number, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), action
// Both calls have their flags in the first argument, here and on aarch64; the low half holds them
// all.
#define ON_NEW_USER_NAMESPACE(number)                                                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), LOAD(DATA(args[0])),                        \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1), FAIL(EPERM), LOAD(DATA(nr))

static struct sock_filter program[] = {
    LOAD(DATA(arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
    FAIL(ENOSYS),
    LOAD(DATA(nr)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
    FAIL(ENOSYS),
    ON(SYS_io_uring_setup, FAIL(ENOSYS)),
    ON(SYS_clone3, FAIL(ENOSYS)),
    ON_NEW_USER_NAMESPACE(SYS_clone),
    ON_NEW_USER_NAMESPACE(SYS_unshare),
    ON(SYS_add_key, FAIL(EPERM)),
    ON(SYS_request_key, FAIL(EPERM)),
    ON(SYS_keyctl, FAIL(EPERM)),
    // With the broker; BROKER_ROWS of them.
    ON(SYS_bind, GIVE(SECCOMP_RET_USER_NOTIF)),
    ON(SYS_listen, GIVE(SECCOMP_RET_USER_NOTIF)),
    // connect() and sendto() with the length of an internet address: a path of AF_UNIX is seldom as
    // short, and is only slower then; send() has none. Who uses another length is not redirected,
    // which is no way out of anything.
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 7),
    LOAD(DATA(args[5])),
    BPF_STMT(BPF_JMP | BPF_JA, 1),
    LOAD(DATA(args[2])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sizeof(struct sockaddr_in), 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sizeof(struct sockaddr_in6), 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sizeof(struct sockaddr_storage), 0, 1),
    GIVE(SECCOMP_RET_USER_NOTIF),
    GIVE(SECCOMP_RET_ALLOW),
};
#define PROGRAM_ROWS (sizeof program / sizeof program[0])
#define BROKER_ROWS  13

// SPEC_ALLOW: COMPAT(5.15): a filter would otherwise slow the app down by speculation barriers.
#define COMMON_FLAGS SECCOMP_FILTER_FLAG_SPEC_ALLOW

static int install(unsigned long flags, size_t rows)
{
    struct sock_fprog whole = {.len = (unsigned short)rows, .filter = program};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole);
}

int filter_install(bool broker, bool *ret_killable)
{
    *ret_killable = false;
    if (!broker) {
        // This process goes on to exec, so its copy of the table may be cut in place.
        program[PROGRAM_ROWS - BROKER_ROWS - 1] = program[PROGRAM_ROWS - 1];
        return install(COMMON_FLAGS, PROGRAM_ROWS - BROKER_ROWS);
    }
    unsigned long flags = COMMON_FLAGS | SECCOMP_FILTER_FLAG_NEW_LISTENER;
    int listener = install(flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, PROGRAM_ROWS);
    if (listener >= 0) {
        *ret_killable = true;
        return listener;
    }
    return install(flags, PROGRAM_ROWS); // COMPAT(5.18)
}

int filter_drop_bounding_set(void)
{
    for (int capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            // EINVAL: past the kernel's last. EPERM: we have none to begin with.
            return errno == EINVAL || errno == EPERM ? 0 : -1;
        }
    }
    return 0;
}

int filter_drop_capabilities(void)
{
    if (filter_drop_bounding_set() < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
        return -1;
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    return (int)syscall(SYS_capset, &header, none);
}

// The kernel's headers of Debian 12 end before `scoped`.
struct landlock_ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
#define SCOPE_ABSTRACT_UNIX_SOCKET 1u

int filter_close_abstract_sockets(void)
{
    struct landlock_ruleset rules = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (ruleset < 0) {
        return -1;
    }
    int result = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    int errnum = errno;
    close(ruleset);
    errno = errnum;
    return result;
}
