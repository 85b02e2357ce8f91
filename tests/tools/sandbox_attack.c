// Tries one way out of the sandbox and prints "ok" or the name of the errno. Static, no library
// needed inside. One row a trick.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static long try_io_uring(void)
{
    char parameters[256] = {0};
    return syscall(SYS_io_uring_setup, 1, parameters);
}

static long try_unshare_user(void)
{
    return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_unshare_mount(void)
{
    return syscall(SYS_unshare, CLONE_NEWNS);
}

static long try_clone_user(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long try_clone3(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long try_x32(void)
{
    return syscall(SYS_getpid | 0x40000000);
}

// getpid by the 32-bit entry.
static long try_int80(void)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
#else
    errno = ENOSYS;
    return -1;
#endif
}

static long try_keyctl(void)
{
    return syscall(SYS_keyctl, 0, -3, 0, 0, 0);
}

static long try_mount(void)
{
    return mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static long try_remount(void)
{
    return mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long try_umount(void)
{
    return umount2("/proc", MNT_DETACH);
}

static long try_chroot(void)
{
    return chroot("/tmp");
}

static long try_setuid(void)
{
    return setuid(0);
}

static long try_ptrace_init(void)
{
    return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static long try_init_memory(void)
{
    return open("/proc/1/mem", O_RDWR);
}

static long try_init_environment(void)
{
    char bytes[16];
    int fd = open("/proc/1/environ", O_RDONLY);
    return fd < 0 ? fd : read(fd, bytes, sizeof bytes);
}

static long try_init_root(void)
{
    return open("/proc/1/root/etc/shadow", O_RDONLY);
}

static long try_sysctl(void)
{
    return open("/proc/sys/kernel/hostname", O_WRONLY);
}

static long try_ptrace_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    long result = WIFSTOPPED(status) ? ptrace(PTRACE_PEEKUSER, pid, 0, NULL) : -1;
    kill(pid, SIGKILL);
    return result == -1 && errno ? -1 : 0;
}

static long try_ptrace_all(void)
{
    long attached = 0;
    for (pid_t pid = 1; pid < 40000; pid++) {
        attached += pid != getpid() && ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
    }
    return attached ? 0 : -1;
}

static long try_kill_all(void)
{
    return kill(-1, 0); // of all that it could reach: were it let out, it would be the developer's
}

static long try_init_vm(void)
{
    char byte;
    struct iovec here = {&byte, 1};
    struct iovec there = {(void *)try_init_vm, 1};
    return process_vm_readv(1, &here, 1, &there, 1, 0);
}

// The broker's listener, or the line to our parent.
static long try_init_descriptor(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
    return pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, 3, 0);
}

static long try_init_descriptors(void)
{
    return open("/proc/1/fd/3", O_RDWR);
}

static long try_setns(void)
{
    int fd = open("/proc/1/ns/mnt", O_RDONLY);
    return fd < 0 ? fd : syscall(SYS_setns, fd, 0);
}

static long try_pivot(void)
{
    return syscall(SYS_pivot_root, "/tmp", "/tmp");
}

static long try_open_tree(void)
{
    return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
}

static long try_fsopen(void)
{
    return syscall(SYS_fsopen, "tmpfs", 0);
}

static long try_bind_parent(void)
{
    return mount("/..", "/tmp", NULL, MS_BIND, NULL);
}

static long try_remount_root(void)
{
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

// As some got out of containers: a handle of the host's root directory.
static long try_open_by_handle(void)
{
    struct {
        struct file_handle head;
        unsigned char bytes[8];
    } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
    int directory = open("/", O_RDONLY | O_DIRECTORY);
    return open_by_handle_at(directory, &handle.head, O_RDONLY);
}

static long try_mknod(void)
{
    return mknod("/tmp/disk", S_IFBLK | 0666, makedev(8, 0));
}

static long try_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

static long try_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long try_bpf(void)
{
    char attributes[128] = {0};
    return syscall(SYS_bpf, 5 /* BPF_PROG_LOAD */, attributes, sizeof attributes);
}

static long try_capset(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
    return syscall(SYS_capset, &header, all);
}

static long try_ambient(void)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21 /* CAP_SYS_ADMIN */, 0, 0);
}

static long try_no_filter(void)
{
    return prctl(PR_SET_SECCOMP, 0, 0, 0, 0);
}

static long try_sysrq(void)
{
    return open("/proc/sysrq-trigger", O_WRONLY);
}

static long try_kcore(void)
{
    return open("/proc/kcore", O_RDONLY);
}

static long try_swap(void)
{
    return syscall(SYS_swapoff, "/tmp/x");
}

static long try_reboot(void)
{
    return syscall(SYS_reboot, 0xfee1dead, 672274793, 0 /* CAD off */, NULL);
}

static long try_hostname(void)
{
    return sethostname("x", 1);
}

static long try_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, -10);
}

// Of a copy of this file that belongs to root, with the bit: what it gives.
static long try_euid(void)
{
    printf("%d ", (int)geteuid());
    return 0;
}

#define SHARED_KEY 0x6c656161 // of another instance's segment, which try_share makes

static long try_shared(void)
{
    return shmget(SHARED_KEY, 4096, 0);
}

static long try_share(void)
{
    if (shmget(SHARED_KEY, 4096, IPC_CREAT | 0666) < 0) {
        return -1;
    }
    puts("up");
    fflush(stdout);
    return pause();
}

// The name is the test's own, bound outside.
static long try_abstract(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char name[] = "\0leanlocal-test-abstract";
    memcpy(address.sun_path, name, sizeof name - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof(sa_family_t) + sizeof name - 1);
}

static long try_descriptors(void)
{
    for (int fd = 0; fd < 4096; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            printf("%d ", fd);
        }
    }
    return 0;
}

// ---- all that holds, in one line ----

// The fields of /proc/self/status that say what this process may do.
static void print_status(void)
{
    static const char *const names[] = {"Uid",     "Gid",    "Groups", "CapBnd",
                                        "CapEff",  "CapPrm", "CapAmb", "NoNewPrivs",
                                        "Seccomp", "SigBlk", "SigIgn"};
    char line[512];
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            size_t len = strlen(names[i]);
            if (strncmp(line, names[i], len) == 0 && line[len] == ':') {
                line[strcspn(line, "\n")] = '\0';
                printf("%s ", line);
            }
        }
    }
    if (file) {
        fclose(file);
    }
}

// Leaves nothing: without namespaces the directories are the host's.
static bool can_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        unlink(path);
    } else if (errno == EEXIST) {
        fd = open(path, O_WRONLY | O_CLOEXEC);
    }
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

#define NEW "/leanlocal-attack"

static long try_promises(void)
{
    static const char *const closed[] = {NEW,
                                         "/usr" NEW,
                                         "/etc" NEW,
                                         "/dev" NEW,
                                         "/home" NEW,
                                         "/etc/passwd",
                                         "/proc/sys/kernel/hostname",
                                         "/.host/tmp" NEW};
    static const char *const own[] = {"/tmp" NEW, "/home/leanengine" NEW,
                                      "/home/leanengine/app" NEW, "/dev/shm" NEW, "/dev/null"};
    static const char *const absent[] = {"/.host", "/.writable", "/root", "/var",
                                         "/home/leanengine/../../.host"};
    char directory[256] = "";
    int death = 0;
    try_descriptors();
    print_status();
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) {
        printf("%s ", can_write(closed[i]) ? closed[i] : "-");
    }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        printf("%s ", can_write(own[i]) ? "+" : own[i]);
    }
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        printf("%s ", access(absent[i], F_OK) == 0 ? absent[i] : "-");
    }
    prctl(PR_GET_PDEATHSIG, &death);
    printf("death=%d session=%d cwd=%s user-namespace=%d io_uring=%d\n", death,
           getsid(0) == getpid(), getcwd(directory, sizeof directory), try_unshare_user() == 0,
           try_io_uring() >= 0 || errno != ENOSYS);
    return 0;
}

static const struct {
    const char *name;
    long (*attempt)(void);
} attempts[] = {
    {"io-uring", try_io_uring},
    {"unshare-user", try_unshare_user},
    {"unshare-mount", try_unshare_mount},
    {"clone-user", try_clone_user},
    {"clone3", try_clone3},
    {"x32", try_x32},
    {"int80", try_int80},
    {"keyctl", try_keyctl},
    {"mount", try_mount},
    {"remount", try_remount},
    {"umount", try_umount},
    {"chroot", try_chroot},
    {"setuid", try_setuid},
    {"ptrace-init", try_ptrace_init},
    {"init-memory", try_init_memory},
    {"init-environment", try_init_environment},
    {"init-root", try_init_root},
    {"sysctl", try_sysctl},
    {"ptrace-child", try_ptrace_child},
    {"abstract", try_abstract},
    {"ptrace-all", try_ptrace_all},
    {"kill-all", try_kill_all},
    {"init-vm", try_init_vm},
    {"init-descriptor", try_init_descriptor},
    {"init-descriptors", try_init_descriptors},
    {"setns", try_setns},
    {"pivot", try_pivot},
    {"open-tree", try_open_tree},
    {"fsopen", try_fsopen},
    {"bind-parent", try_bind_parent},
    {"remount-root", try_remount_root},
    {"open-by-handle", try_open_by_handle},
    {"mknod", try_mknod},
    {"raw-socket", try_raw_socket},
    {"packet-socket", try_packet_socket},
    {"bpf", try_bpf},
    {"capset", try_capset},
    {"ambient", try_ambient},
    {"no-filter", try_no_filter},
    {"sysrq", try_sysrq},
    {"kcore", try_kcore},
    {"swap", try_swap},
    {"reboot", try_reboot},
    {"hostname", try_hostname},
    {"priority", try_priority},
    {"euid", try_euid},
    {"shared", try_shared},
    {"share", try_share},
    {"descriptors", try_descriptors},
    {"promises", try_promises},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof attempts / sizeof attempts[0]; i++) {
        if (strcmp(attempts[i].name, argv[1]) == 0) {
            errno = 0;
            long result = attempts[i].attempt();
            puts(result < 0 ? strerrorname_np(errno) : "ok");
            return 0;
        }
    }
    return 2;
}
