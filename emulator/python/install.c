// Who may remove a prefix: the one who holds the version's lock, and only when the lock's file says
// that the prefix was not there before an installation of ours began. The file says so from before
// the first step until after the last one, so what a killed helper left is known to its successor.

#include "emulator/python/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/error.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"

#define LOCK_POLL_MS 200
#define OWN_MARK     "the prefix is ours\n"

extern char **environ;

struct install {
    const char *version, *root, *program;
    char *prefix, *executable; // <root>/versions/<version>, its bin/python
    char *temporary;           // pyenv's TMPDIR
    int lock_fd;
    int signal_fd;
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    auto_free char *text = str_vprintf(format, args);
    va_end(args);
    fs_write_all(STDOUT_FILENO, text, strlen(text)); // a reader that is gone is no reason to stop
}

// ---- the end of everything below ----

static bool is_child_of_ours(const char *pid)
{
    auto_free char *path = str_printf("/proc/%s/stat", pid);
    auto_free char *text = fs_read(path, 4096, NULL, NULL);
    const char *after = text ? strrchr(text, ')') : NULL;
    int parent = 0;
    return after && sscanf(after, ") %*c %d", &parent) == 1 && parent == getpid();
}

// Orphans come to us as the subreaper, so that after the last round nobody is left.
static void kill_all(void)
{
    do {
        DIR *stream = opendir("/proc");
        for (struct dirent *entry; stream && (entry = readdir(stream));) {
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                is_child_of_ours(entry->d_name)) {
                kill((pid_t)atoi(entry->d_name), SIGKILL);
            }
        }
        if (stream) {
            closedir(stream);
        }
    } while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

// ---- the lock ----

static bool is_cancelled(const struct install *install, int timeout_ms)
{
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = install->signal_fd, .events = POLLIN}};
    return poll(waits, 2, timeout_ms) > 0;
}

static char *lock_path(const struct install *install, const char *cache_dir)
{
    struct hash hash;
    char hex[HASH_HEX_SIZE];
    hash_init(&hash);
    hash_adds(&hash, install->root);
    hash_hex(&hash, hex);
    return str_printf("%s/python/install-%s-%.8s", cache_dir, install->version, hex);
}

// false: cancelled, or the lock cannot be had (said).
static bool take_lock(struct install *install, const char *path)
{
    auto_free char *file = str_printf("%s.lock", path);
    install->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (install->lock_fd < 0) {
        say("%s: %s\n", file, strerror(errno));
        return false;
    }
    bool told = false;
    while (flock(install->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            say("%s: %s\n", file, strerror(errno));
            return false;
        }
        if (!told) {
            say(_("another leanlocal installs Python %s; waiting for it\n"), install->version);
            told = true;
        }
        if (is_cancelled(install, LOCK_POLL_MS)) {
            return false;
        }
    }
    return true;
}

static bool owns_prefix(const struct install *install)
{
    char byte;
    return pread(install->lock_fd, &byte, 1, 0) == 1;
}

// The mark goes last, when nothing is left that it speaks of.
static void clean(const struct install *install, bool complete)
{
    struct error error = {0};
    if (owns_prefix(install) && !complete && fs_remove_tree(install->prefix, &error) < 0) {
        say("%s\n", error.message);
        return;
    }
    fs_remove_tree(install->temporary, NULL);
    if (ftruncate(install->lock_fd, 0) < 0) {
        say("%s\n", strerror(errno));
    }
}

static int prepare(const struct install *install, struct error *error)
{
    clean(install, false); // what a killed one left
    if (!fs_exists(install->prefix) &&
        fs_write_all(install->lock_fd, OWN_MARK, strlen(OWN_MARK)) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", install->prefix);
    }
    return fs_mkdir_p(install->temporary, 0700, error);
}

// ---- pyenv ----

// CPython's own variables would reach the new interpreter's first steps; python-build's have an
// underscore (PYTHON_BUILD_MIRROR_URL, PYTHON_CONFIGURE_OPTS).
static bool is_for_interpreters(const char *variable)
{
    return (str_starts_with(variable, "PYTHON") && variable[6] != '_') ||
           str_starts_with(variable, "__PYVENV_LAUNCHER__");
}

static int start_pyenv(const struct install *install, int output_fd, struct process *ret_process,
                       struct error *error)
{
    struct strlist env = {0};
    for (char **entry = environ; *entry; entry++) {
        if (!is_for_interpreters(*entry)) {
            strlist_add(&env, *entry);
        }
    }
    strlist_env_set(&env, "PYENV_ROOT", install->root);
    strlist_env_set(&env, "TMPDIR", install->temporary);
    const char *const argv[] = {"pyenv",     "install",        "--skip-existing",
                                "--verbose", install->version, NULL};
    // In our own process group, so that the engine can end them all should we be killed.
    const struct process_options options = {.path = install->program,
                                            .argv = (char *const *)(uintptr_t)argv,
                                            .env = env.items,
                                            .cwd = "/",
                                            .stdin_fd = -1,
                                            .stdout_fd = output_fd,
                                            .stderr_fd = output_fd,
                                            .extra_fd = -1,
                                            .die_with_parent = true};
    int result = process_start(&options, ret_process, error);
    strlist_clear(&env);
    return result;
}

// false: there is nothing more.
static bool pass_on(int fd)
{
    char chunk[16384];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got > 0) {
        fs_write_all(STDOUT_FILENO, chunk, (size_t)got);
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

// Until pyenv has ended or we are asked to stop (true).
static bool watch(const struct install *install, const struct process *process, int output)
{
    struct pollfd waits[] = {{.fd = output, .events = POLLIN},
                             {.fd = process->pidfd, .events = POLLIN},
                             {.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = install->signal_fd, .events = POLLIN}};
    for (;;) {
        if (poll(waits, ARRAY_LEN(waits), -1) < 0) {
            continue;
        }
        if (waits[2].revents || waits[3].revents) {
            return true;
        }
        if (waits[0].revents && !pass_on(output)) {
            waits[0].fd = -1;
        } else if (!waits[0].revents && waits[1].revents) {
            return false;
        }
    }
}

static enum python_install_exit run_pyenv(const struct install *install, struct error *error)
{
    int ends[2];
    struct process process;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
        return PYTHON_INSTALL_FAILED;
    }
    auto_close int output = ends[0];
    int started = start_pyenv(install, ends[1], &process, error);
    close(ends[1]);
    if (started < 0) {
        return PYTHON_INSTALL_FAILED;
    }
    auto_close int pidfd = process.pidfd;
    (void)pidfd; // closed on each way out
    bool cancelled = watch(install, &process, output);
    int status = 0;
    if (!cancelled) {
        waitpid(process.pid, &status, 0);
    }
    kill_all();
    if (cancelled) {
        return PYTHON_INSTALL_CANCELLED;
    }
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (good && access(install->executable, X_OK) < 0) {
        error_set(error, ERROR_HOST, _("%s is there, but has no bin/python: remove it first"),
                  install->prefix);
        return PYTHON_INSTALL_FAILED;
    }
    return good ? PYTHON_INSTALL_DONE : PYTHON_INSTALL_FAILED;
}

// ---- the whole ----

static enum python_install_exit install_locked(const struct install *install)
{
    struct error error = {0};
    enum python_install_exit result = PYTHON_INSTALL_FAILED;
    if (prepare(install, &error) == 0) {
        bool there = access(install->executable, X_OK) == 0; // who held the lock made it
        result = there ? PYTHON_INSTALL_DONE : run_pyenv(install, &error);
    }
    if (error.kind != ERROR_NONE) {
        say("%s\n", error.message);
    }
    clean(install, result == PYTHON_INSTALL_DONE);
    return result;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int python_install_main(const struct python_install *request)
{
    prctl(PR_SET_NAME, "leanlocal-pyi");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct install install = {.version = request->version,
                              .root = request->root,
                              .program = request->program,
                              .lock_fd = -1};
    auto_close int signal_fd = open_signals();
    install.signal_fd = signal_fd;
    auto_free char *prefix = str_printf("%s/versions/%s", request->root, request->version);
    auto_free char *executable = fs_join(prefix, "bin/python");
    auto_free char *lock = lock_path(&install, request->cache_dir);
    auto_free char *directory = fs_join(request->cache_dir, "python");
    install.prefix = prefix;
    install.executable = executable;
    install.temporary = lock; // beside the lock's file, which has a suffix
    struct error error = {0};
    if (fs_mkdir_p(directory, 0755, &error) < 0) {
        say("%s\n", error.message);
        return PYTHON_INSTALL_FAILED;
    }
    bool locked = take_lock(&install, lock);
    int result = locked                      ? (int)install_locked(&install)
                 : is_cancelled(&install, 0) ? PYTHON_INSTALL_CANCELLED
                                             : PYTHON_INSTALL_FAILED;
    if (install.lock_fd >= 0) {
        close(install.lock_fd);
    }
    return result;
}
