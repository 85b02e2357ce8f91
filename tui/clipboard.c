#include "tui/clipboard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/base64.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"

#define TOOL_LIMIT_MS 1000 // the screen stands meanwhile

// variable: must be set for the tool to have somebody to speak to.
static const struct {
    const char *variable;
    const char *name;
    const char *argv[6];
} tools[] = {
    {"WAYLAND_DISPLAY", "wl-copy", {"wl-copy", NULL}},
    {"DISPLAY", "xclip", {"xclip", "-selection", "clipboard", NULL}},
    {"DISPLAY", "xsel", {"xsel", "--clipboard", "--input", NULL}},
    {"WSL_DISTRO_NAME", "clip.exe", {"clip.exe", NULL}},
};

static char *find_tool(const char *name)
{
    const char *path = getenv("PATH");
    for (const char *at = path ? path : ""; *at;) {
        size_t len = strcspn(at, ":");
        auto_free char *dir = str_dup_len(at, len);
        auto_free char *file = fs_join(dir, name);
        if (*dir == '/' && fs_is_file(file) && access(file, X_OK) == 0) {
            return steal(file);
        }
        at += len + (at[len] == ':');
    }
    return NULL;
}

// A tool may stay in the background as the selection's owner; what was started has to end.
static bool wait_for(const struct process *process)
{
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    int status = -1;
    bool late = poll(&ended, 1, TOOL_LIMIT_MS) <= 0;
    if (late) {
        kill(process->pid, SIGKILL);
    }
    waitpid(process->pid, &status, 0);
    return !late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_tool(const char *path, const char *const *argv, const char *text, size_t len)
{
    auto_close int fd = memfd_create("copied", MFD_CLOEXEC);
    if (fd < 0 || fs_write_all(fd, text, len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        return false;
    }
    const struct process_options options = {.path = path,
                                            .argv = (char *const *)(uintptr_t)argv,
                                            .stdin_fd = fd,
                                            .stdout_fd = -1,
                                            .stderr_fd = -1,
                                            .extra_fd = -1,
                                            .new_session = true};
    struct process process;
    if (process_start(&options, &process, NULL) < 0) {
        return false;
    }
    bool copied = wait_for(&process);
    close(process.pidfd);
    return copied;
}

static const char *copy_by_tool(const char *text, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        const char *needs = getenv(tools[i].variable);
        auto_free char *path = str_empty(needs) ? NULL : find_tool(tools[i].name);
        if (path && run_tool(path, tools[i].argv, text, len)) {
            return tools[i].name;
        }
    }
    return NULL;
}

// The console and what calls itself dumb print it, or swallow it.
static bool knows_osc(const char *term)
{
    static const char *const without[] = {"dumb", "linux", "vt", "cons", "ansi", "sun"};
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        if (str_starts_with(term, without[i])) {
            return false;
        }
    }
    return *term != '\0';
}

char *clipboard_sequence(const char *text, size_t len, const char *term, bool tmux)
{
    if (len > CLIPBOARD_TERMINAL_MAX || !knows_osc(term)) {
        return NULL;
    }
    auto_free char *encoded = base64_encode(text, len);
    if (tmux || !str_starts_with(term, "screen")) { // tmux takes it for its own, and passes it on
        return str_printf("\033]52;c;%s\a", encoded);
    }
    return str_printf("\033P\033]52;c;%s\a\033\\", encoded);
}

static bool copy_by_terminal(const char *text, size_t len)
{
    const char *term = getenv("TERM");
    auto_free char *sequence =
        clipboard_sequence(text, len, term ? term : "", !str_empty(getenv("TMUX")));
    return sequence && fflush(stdout) == 0 &&
           fs_write_all(STDOUT_FILENO, sequence, strlen(sequence)) == 0;
}

static char *copy_to_file(const char *text, size_t len)
{
    struct error error = {0};
    auto_free char *dir = control_state_dir();
    auto_free char *path = fs_join(dir, "copied.txt");
    if (fs_mkdir_p(dir, 0700, &error) < 0 || fs_write_atomic(path, text, len, 0600, &error) < 0) {
        return str_dup(error.message);
    }
    return str_printf(_("copied into %s: no clipboard could be reached"), path);
}

char *clipboard_copy(const char *text, size_t len, bool terminal)
{
    const char *tool = copy_by_tool(text, len);
    if (tool) {
        return str_printf(_("copied (%s)"), tool);
    }
    if (terminal && copy_by_terminal(text, len)) {
        return str_dup(_("copied, if the terminal allows it (OSC 52)"));
    }
    return copy_to_file(text, len);
}
