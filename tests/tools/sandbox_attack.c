// Tries one way out of the sandbox and prints "ok" or the name of the errno. Static, no library
// needed inside. One row a trick.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
