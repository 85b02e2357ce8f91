// Runs a program as inside a container that forbids namespaces: with Docker's default capabilities
// and a seccomp filter that refuses what its default profile refuses of mounts and namespaces.
// Nothing is masked and no identity changes, so what a test sees differ is the refusals' doing.
//
//   container [--mounts] PROGRAM ARGUMENT...
//
// --mounts: namespaces can be made, but nothing can be mounted in them (EACCES): what Ubuntu's
// AppArmor rule does to a program without a profile. Capabilities stay.
//
// 125: the container could not be made (the reason on stderr). 127: the program could not be run.
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name the architecture for the filter"
#endif

// CLONE_NEWTIME is absent: in clone's flags its bit belongs to the exit signal.
#define CLONE_NAMESPACES                                                                           \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

static const int capabilities[] = {
    CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_FSETID,           CAP_FOWNER,      CAP_MKNOD,
    CAP_NET_RAW,    CAP_SETGID,       CAP_SETUID,           CAP_SETFCAP,     CAP_SETPCAP,
    CAP_SYS_CHROOT, CAP_KILL,         CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE,
};

static const unsigned refused[] = {
    SYS_mount,      SYS_umount2, SYS_pivot_root, SYS_setns,  SYS_open_tree,
    SYS_move_mount, SYS_fsopen,  SYS_fsmount,    SYS_fspick, SYS_mount_setattr,
};

#define REFUSED_COUNT (sizeof refused / sizeof refused[0])
#define ERRNO(number) (SECCOMP_RET_ERRNO | (number))

struct program {
    struct sock_filter lines[64];
    unsigned short count;
};

static void add(struct program *program, uint16_t code, uint32_t value, uint8_t if_true,
                uint8_t if_false)
{
    program->lines[program->count++] = (struct sock_filter){code, if_true, if_false, value};
}

static void load(struct program *program, size_t offset)
{
    add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *program, uint32_t action)
{
    add(program, BPF_RET | BPF_K, action, 0, 0);
}

// With any of these flags as the first argument the call is EPERM. The number is loaded already.
static void refuse_flags(struct program *program, unsigned call, uint32_t flags)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    load(program, offsetof(struct seccomp_data, args[0])); // low word: little endian
    add(program, BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1);
    answer(program, ERRNO(EPERM));
    answer(program, SECCOMP_RET_ALLOW);
}

static int install_filter(const struct program *program)
{
    struct sock_fprog filter = {.len = program->count,
                                .filter = (struct sock_filter *)(uintptr_t)program->lines};
    if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

// Every call of the list has this errno. The number is loaded then.
static void begin(struct program *program, int errnum)
{
    load(program, offsetof(struct seccomp_data, arch));
    add(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(program, ERRNO(ENOSYS));
    load(program, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < REFUSED_COUNT; i++) {
        add(program, BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
        answer(program, ERRNO((unsigned)errnum));
    }
}

static int forbid_mounts(void)
{
    struct program program = {.count = 0};
    begin(&program, EACCES);
    answer(&program, SECCOMP_RET_ALLOW);
    return install_filter(&program);
}

static int forbid_namespaces(void)
{
    struct program program = {.count = 0};
    begin(&program, EPERM);
    // Its flags lie in memory, which a filter cannot read: glibc then takes clone.
    add(&program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    answer(&program, ERRNO(ENOSYS));
    refuse_flags(&program, SYS_clone, CLONE_NAMESPACES);
    refuse_flags(&program, SYS_unshare, CLONE_NAMESPACES | CLONE_NEWTIME);
    answer(&program, SECCOMP_RET_ALLOW);
    return install_filter(&program);
}

static int has_default(int capability)
{
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++) {
        if (capabilities[i] == capability) {
            return 1;
        }
    }
    return 0;
}

// For root alone: an ordinary user has none to drop.
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (geteuid() != 0) {
        return 0;
    }
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if (!has_default(i) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
            return -1;
        }
        if (has_default(i)) {
            data[i / 32].effective |= 1u << i % 32;
            data[i / 32].permitted |= 1u << i % 32;
        }
    }
    return (int)syscall(SYS_capset, &header, data);
}

int main(int argc, char **argv)
{
    int mounts = argc > 1 && strcmp(argv[1], "--mounts") == 0;
    char **command = argv + 1 + mounts;
    if (!command[0]) {
        fprintf(stderr, "usage: container [--mounts] PROGRAM ARGUMENT...\n");
        return 125;
    }
    // The filter first: without CAP_SYS_ADMIN it would need no_new_privs, which Docker does not
    // set.
    if (mounts ? forbid_mounts() < 0 : forbid_namespaces() < 0 || drop_capabilities() < 0) {
        fprintf(stderr, "container: %s\n", strerror(errno));
        return 125;
    }
    execvp(command[0], command);
    fprintf(stderr, "container: %s: %s\n", command[0], strerror(errno));
    return 127;
}
