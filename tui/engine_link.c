#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"

#define START_LIMIT_MS 30000 // probing and sweeping after a crash on a slow disk
#define HELLO_LIMIT_MS 10000
#define END_LIMIT_MS   4000 // the engine's own limit is below 3 s

extern char **environ;

static struct cJSON *start_message(const struct command *command, const char *mode,
                                   bool interactive)
{
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "start");
    json_put_string(message, "mode", mode);
    auto_free char *text = json_print(command->options);
    struct cJSON *options = json_parse(text, strlen(text), "options", NULL);
    json_put_bool(options, "interactive", interactive);
    json_put_tree(message, "options", options);
    struct cJSON *host_env = json_new_array();
    for (char **entry = environ; *entry; entry++) {
        json_push_string(host_env, *entry);
    }
    json_put_tree(message, "host_env", host_env);
    return message;
}

int engine_link_start(struct engine_link *link, const struct command *command, const char *mode,
                      bool quiet, bool interactive, struct error *error)
{
    int ends[2];
    *link = (struct engine_link){.detached = command_flag(command, "detach")};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "socketpair");
    }
    // Not in the message: a directory's name is bytes, JSON is text.
    auto_free char *dir = realpath(command->dir, NULL);
    char *argv[] = {(char *)(uintptr_t) "leanlocal", (char *)(uintptr_t) "@engine",
                    dir ? dir : command->dir, NULL};
    const struct process_options options = {.argv = argv,
                                            .stdin_fd = -1,
                                            .stdout_fd = -1,
                                            .stderr_fd = quiet ? -1 : -2,
                                            .extra_fd = ends[1],
                                            .new_session = true};
    int started = process_start(&options, &link->process, error);
    close(ends[1]);
    link->client = client_from_fd(ends[0]);
    // Before "start", so that nothing that happens at once is missed.
    struct cJSON *subscription = json_new_object();
    json_put_string(subscription, "command", "subscribe");
    json_put_bool(subscription, "events", true);
    client_send(link->client, subscription);
    struct cJSON *message = start_message(command, mode, interactive);
    if (started < 0) {
        json_free(message);
    } else if (client_call(link->client, message, START_LIMIT_MS, NULL, error) == 0) {
        return 0;
    }
    link->detached = false; // it has refused to start, and ends
    engine_link_end(link);
    return -1;
}

int engine_link_attach(struct engine_link *link, const struct command *command, struct error *error)
{
    *link = (struct engine_link){0};
    auto_free char *dir = realpath(command->dir, NULL);
    if (!dir) {
        error_set_errno(error, ERROR_USAGE, errno, "%s", command->dir);
        return error_set_hint(error, _("name a project's directory"));
    }
    auto_free char *path = control_socket_path(dir, error);
    link->client = path ? client_connect(path, error) : NULL;
    if (!link->client) {
        return -1;
    }
    // The kernel connects to an engine that is being killed as to any other: only who answers is
    // there.
    struct cJSON *hello = json_new_object();
    json_put_string(hello, "command", "hello");
    if (client_call(link->client, hello, HELLO_LIMIT_MS, NULL, error) < 0) {
        client_free(link->client);
        link->client = NULL;
        return error && error->errnum == ECONNRESET
                   ? error_set_errno(error, ERROR_HOST, ECONNREFUSED, "%s", path)
                   : -1;
    }
    return 0;
}

// The kernel has ended its instances; what lies about on disk and its control groups go now, not at
// the next start.
static void remove_what_it_left(void)
{
    auto_free char *cache = control_cache_dir();
    auto_free char *usual = fs_join(cache, "run");
    char *argv[] = {(char *)(uintptr_t) "leanlocal", (char *)(uintptr_t) "@remove", usual,
                    (char *)(uintptr_t)(CONTROL_OPEN_CACHE_DIR "/run"), NULL};
    const struct process_options options = {.argv = argv,
                                            .stdin_fd = -1,
                                            .stdout_fd = -1,
                                            .stderr_fd = -1,
                                            .extra_fd = -1,
                                            .new_session = true};
    struct process process;
    if (process_start(&options, &process, NULL) == 0) {
        close(process.pidfd); // it ends by itself; we are about to
    }
}

void engine_link_end(struct engine_link *link)
{
    client_free(link->client);
    link->client = NULL;
    if (link->process.pid <= 0) {
        return;
    }
    if (link->detached) {
        close(link->process.pidfd);
        return;
    }
    struct pollfd wait = {.fd = link->process.pidfd, .events = POLLIN};
    int status = 0;
    if (poll(&wait, 1, END_LIMIT_MS) > 0) {
        waitpid(link->process.pid, &status, 0);
    }
    if (WIFSIGNALED(status)) {
        remove_what_it_left();
    }
    close(link->process.pidfd);
    link->process = (struct process){0};
}
