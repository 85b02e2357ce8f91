#include "emulator/python/installer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/logs/journal.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/process.h"

#define READS_A_TURN 16
#define TAIL_LINES   10

struct installer {
    struct loop *loop;
    struct installer_callbacks callbacks;
    char *version;
    struct process helper;
    struct loop_source *child_source, *output_source;
    int input_fd;  // the helper's stdin; -1: it was asked to stop
    int output_fd; // its stdout
    struct line_splitter *splitter;
    char *tail[TAIL_LINES];
    size_t told; // lines so far that went into the tail
};

// They name files that are gone by the time somebody reads it.
static bool is_stale(const char *text)
{
    bool directory =
        text[0] == '/' && strstr(text, "/python-build."); // where it goes, told by pushd
    return directory || str_starts_with(text, "Inspect or clean up the working tree") ||
           str_starts_with(text, "Results logged to ");
}

static void keep(struct installer *installer, const char *text, size_t len)
{
    auto_free char *line = str_dup_len(text, len);
    if (line[strspn(line, " \t")] == '\0' || is_stale(line)) {
        return;
    }
    char **slot = &installer->tail[installer->told++ % TAIL_LINES];
    free(*slot);
    *slot = steal(line);
}

static void take_line(void *context, const char *text, size_t len, unsigned flags)
{
    struct installer *installer = context;
    (void)flags;
    keep(installer, text, len);
    installer->callbacks.on_line(installer->callbacks.context, text, len);
}

// false: nothing more now.
static bool read_once(struct installer *installer)
{
    char chunk[16384];
    ssize_t got = read(installer->output_fd, chunk, sizeof chunk);
    if (got > 0) {
        line_splitter_feed(installer->splitter, chunk, (size_t)got);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        loop_source_free(installer->output_source);
        installer->output_source = NULL;
    }
    return false;
}

static void on_output(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    struct installer *installer = context;
    for (int i = 0; i < READS_A_TURN && read_once(installer); i++) {
    }
}

static char *tail_text(const struct installer *installer)
{
    struct buf out = {0};
    size_t first = installer->told > TAIL_LINES ? installer->told - TAIL_LINES : 0;
    for (size_t i = first; i < installer->told; i++) {
        buf_addf(&out, "%s%s", out.len ? "\n" : "", installer->tail[i % TAIL_LINES]);
    }
    return buf_steal(&out);
}

static void on_exit_of_helper(void *context, pid_t pid, int wait_status)
{
    struct installer *installer = context;
    if (WIFSIGNALED(wait_status)) {
        kill(-pid, SIGKILL); // it could not end what it has started
    }
    while (read_once(installer)) {
    }
    line_splitter_finish(installer->splitter);
    loop_source_free(installer->child_source);
    installer->child_source = NULL;
    installer->helper.pid = 0;
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : PYTHON_INSTALL_FAILED;
    bool known = code == PYTHON_INSTALL_DONE || code == PYTHON_INSTALL_CANCELLED;
    auto_free char *tail = tail_text(installer);
    // The callback may free the installer: nothing after it.
    installer->callbacks.on_done(installer->callbacks.context,
                                 known ? (enum python_install_exit)code : PYTHON_INSTALL_FAILED,
                                 tail);
}

static int start_helper(struct installer *installer, const struct installer_request *request,
                        struct error *error)
{
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
    }
    auto_close int reader = input[0];
    installer->input_fd = input[1];
    if (pipe2(output, O_CLOEXEC) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
    }
    auto_close int writer = output[1];
    installer->output_fd = output[0];
    fcntl(installer->output_fd, F_SETFL, O_NONBLOCK);
    const char *const argv[] = {"leanlocal",
                                "@python",
                                "install",
                                request->offer->version,
                                request->offer->root,
                                request->offer->program,
                                request->cache_dir,
                                NULL};
    // It does not die with us: it has to clean up first, and sees its stdin end.
    const struct process_options options = {.argv = (char *const *)(uintptr_t)argv,
                                            .env = request->env->items,
                                            .stdin_fd = reader,
                                            .stdout_fd = writer,
                                            .stderr_fd = -1,
                                            .extra_fd = -1,
                                            .new_session = true};
    return process_start(&options, &installer->helper, error);
}

struct installer *installer_start(struct loop *loop, const struct installer_request *request,
                                  const struct installer_callbacks *callbacks, struct error *error)
{
    struct installer *installer = mem_alloc(sizeof *installer);
    installer->loop = loop;
    installer->callbacks = *callbacks;
    installer->version = str_dup(request->offer->version);
    installer->input_fd = installer->output_fd = -1;
    installer->splitter = line_splitter_new(take_line, installer);
    if (start_helper(installer, request, error) < 0) {
        installer_free(installer);
        return NULL;
    }
    close(installer->helper.pidfd); // the loop watches by its own
    installer->output_source =
        loop_add_fd(loop, installer->output_fd, EPOLLIN, on_output, installer);
    installer->child_source =
        loop_add_child(loop, installer->helper.pid, on_exit_of_helper, installer);
    return installer;
}

void installer_cancel(struct installer *installer)
{
    if (installer && installer->input_fd >= 0) {
        close(installer->input_fd);
        installer->input_fd = -1;
    }
}

void installer_free(struct installer *installer)
{
    if (!installer) {
        return;
    }
    loop_source_free(installer->child_source);
    loop_source_free(installer->output_source);
    installer_cancel(installer);
    if (installer->output_fd >= 0) {
        close(installer->output_fd);
    }
    line_splitter_free(installer->splitter);
    for (size_t i = 0; i < TAIL_LINES; i++) {
        free(installer->tail[i]);
    }
    free(installer->version);
    free(installer);
}

const char *installer_version(const struct installer *installer)
{
    return installer->version;
}
