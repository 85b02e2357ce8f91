#include "sandbox/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"
#include "sandbox/wire.h"

#define CHANNEL_FD    3
#define FIRST_FREE_FD 10 // above what is overwritten while descriptors are put in order

static _Noreturn void give_up(int channel_fd, struct wire_message *message)
{
    message->kind = WIRE_FAILED;
    wire_send(channel_fd, message, NULL, 0, 0);
    _exit(127);
}

// Puts stdio at 0..2 and the channel at 3, closes all else. 0, or -1 with errno: then the channel
// is where it was, since 3 has been init's line to our parent so far.
static int arrange(const int stdio[3], int channel_fd)
{
    int moved[4];
    for (int i = 0; i < 3; i++) {
        int from = stdio[i] >= 0 ? stdio[i] : open("/dev/null", O_RDONLY | O_CLOEXEC);
        moved[i] = fcntl(from, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    }
    moved[3] = fcntl(channel_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    for (int i = 0; i < 3; i++) {
        if (moved[i] < 0 || dup2(moved[i], i) < 0) {
            return -1;
        }
    }
    if (moved[3] < 0 || dup3(moved[3], CHANNEL_FD, O_CLOEXEC) < 0) {
        return -1;
    }
    return syscall(SYS_close_range, CHANNEL_FD + 1, ~0u, 0) < 0 ? -1 : 0;
}

static const char *path_of(char *const *env)
{
    for (size_t i = 0; env[i]; i++) {
        if (strncmp(env[i], "PATH=", 5) == 0) {
            return env[i] + 5;
        }
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

// execve() along PATH, as a shell does: not found goes on, found but forbidden is remembered.
// Returns the errno; *ret_found says whether a file of that name was there.
static int try_path(const struct child_go *go, bool *ret_found)
{
    const char *name = go->argv[0];
    int errnum = ENOENT;
    if (strchr(name, '/')) {
        execve(name, go->argv, go->env);
        errnum = errno;
        *ret_found = is_file(name);
        return errnum;
    }
    for (const char *dir = path_of(go->env); dir;
         dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
        char path[PATH_MAX];
        int len = (int)strcspn(dir, ":");
        if (snprintf(path, sizeof path, "%.*s%s%s", len, dir, len ? "/" : "", name) >=
            (int)sizeof path) {
            continue;
        }
        execve(path, go->argv, go->env);
        if (errno != ENOENT && errno != ENOTDIR) {
            errnum = errno;
        }
        *ret_found |= is_file(path);
    }
    return errnum;
}

static void run_command(const struct child_go *go, struct error *error)
{
    bool found = false;
    int errnum = try_path(go, &found);
    error_set_errno(error, ERROR_APP, errnum, _("cannot run \"%s\""), go->argv[0]);
    if (errnum == ENOENT && found) {
        error_set_hint(error, _("the file is there, but the interpreter that its first line or its "
                                "header names is not"));
    } else if (errnum == ENOENT) {
        error_set(error, ERROR_APP, _("%s: command not found"), go->argv[0]);
        error->errnum = errnum;
        error_set_hint(error, _("PATH is %s"), path_of(go->env));
    }
    error_set_where(error, "exec %.80s", go->argv[0]);
}

static int enter_cwd(const struct child *child, struct error *error)
{
    char path[PATH_MAX];
    const char *cwd = child->go->cwd;
    if (plan_map_path(child->plan, cwd, path, sizeof path) && chdir(path) == 0) {
        return 0;
    }
    error_set_errno(error, ERROR_APP, errno, "%s", cwd);
    return error_set_where(error, "chdir %.80s", cwd);
}

void command_main(struct child *child, int channel_fd)
{
    struct wire_message message = {.kind = WIRE_LISTENER};
    struct wire_message proceed;
    process_reset_signals();
    if (arrange(child->go->stdio, channel_fd) < 0) {
        error_set_errno(&message.error, ERROR_SYSTEM, errno,
                        _("cannot give the command its descriptors"));
        error_set_where(&message.error, "descriptors");
        give_up(channel_fd, &message);
    }
    channel_fd = CHANNEL_FD;
    umask(022);
    if (child_run(child, PLAN_COMMAND, &message.error) < 0) {
        give_up(channel_fd, &message);
    }
    if (child->listener_fd >= 0) {
        message.number = child->killable;
        if (wire_send(channel_fd, &message, &child->listener_fd, 1, 0) < 0) {
            error_set_errno(&message.error, ERROR_SYSTEM, errno, "sendmsg");
            give_up(channel_fd, &message);
        }
    }
    int told = child->plan->pid_namespace ? 1 : wire_receive(channel_fd, &proceed, NULL);
    if (told < 0) {
        error_set_errno(&message.error, ERROR_SYSTEM, errno, "recvmsg");
        give_up(channel_fd, &message);
    }
    if (told == 0) {
        _exit(127); // init is gone
    }
    // With the command's own ids, or a directory of another user would open.
    if (enter_cwd(child, &message.error) == 0) {
        run_command(child->go, &message.error);
    }
    give_up(channel_fd, &message);
}
