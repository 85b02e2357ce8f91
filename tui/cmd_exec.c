// exec: one command inside the app's sandbox, Python and variables. Its own output is all that
// reaches stdout; what the build says goes to stderr. The command gets our descriptors themselves;
// only when stdin and stdout are both terminals does it get a pty of its own, which we relay, so
// that Ctrl-C, window size and job control mean inside what they mean outside.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/plain.h"

struct session {
    struct client *client;
    bool terminal;
    int master_fd, slave_fd;
    int signal_fd;
    struct termios kept;
    bool raw;
    int64_t run_id; // of the "run" command, 0 before
    bool done, stdin_ended;
    int code;
};

static void print_event(const struct cJSON *tree, struct session *session)
{
    struct event event;
    if (!event_decode(tree, &event)) {
        return;
    }
    auto_free char *text = NULL;
    bool shown =
        event.kind == EVENT_STAGE || event.kind == EVENT_FAILED || event.kind == EVENT_NOTICE;
    if (shown && !session->run_id && plain_format_event(&event, &text)) {
        fprintf(stderr, "%s: %s\n", plain_event_prefix(&event), text);
    }
    if (event.kind == EVENT_DONE && !session->done) {
        session->done = true;
        session->code = (int)event.status;
    }
    event_release(&event);
}

static int open_terminal(struct session *session, struct error *error)
{
    session->master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (session->master_fd < 0 || grantpt(session->master_fd) < 0 ||
        unlockpt(session->master_fd) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "posix_openpt");
    }
    session->slave_fd = open(ptsname(session->master_fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (session->slave_fd < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", ptsname(session->master_fd));
    }
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
        ioctl(session->master_fd, TIOCSWINSZ, &size);
    }
    if (tcgetattr(STDIN_FILENO, &session->kept) == 0) {
        struct termios raw = session->kept;
        cfmakeraw(&raw);
        session->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
    return 0;
}

static void close_terminal(struct session *session)
{
    if (session->raw) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &session->kept);
        session->raw = false;
    }
}

// The build is done: now the command itself.
static int send_run(struct session *session, const struct command *command, struct error *error)
{
    static const char *const shell[] = {"/bin/sh", NULL};
    struct cJSON *message = json_new_object();
    struct cJSON *argv = json_new_array();
    const char *const *words = command->rest_count ? (const char *const *)command->rest : shell;
    for (; *words; words++) {
        json_push_string(argv, *words);
    }
    json_put_string(message, "command", "run");
    json_put_tree(message, "argv", argv);
    json_put_bool(message, "terminal", session->terminal);
    if (session->terminal && open_terminal(session, error) < 0) {
        json_free(message);
        return -1;
    }
    int own[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    int pty[3] = {session->slave_fd, session->slave_fd, session->slave_fd};
    session->run_id =
        client_send_fds(session->client, message, session->terminal ? pty : own, 3, error);
    if (session->slave_fd >= 0) {
        close(steal_fd(&session->slave_fd));
    }
    return session->run_id < 0 ? -1 : 0;
}

static void take_reply(struct session *session, const struct client_message *message)
{
    if (!session->run_id || message->id != session->run_id) {
        return;
    }
    session->done = true;
    if (json_get_bool(message->tree, "ok", false)) {
        int status = (int)json_get_int(message->tree, "status", 0);
        session->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return;
    }
    struct error error;
    error_decode(json_get(message->tree, "error"), &error);
    close_terminal(session);
    command_fail(&error);
    session->code = error.errnum == ENOENT ? 127 : 126; // as a shell would have it
}

static void take_message(struct session *session, const struct command *command,
                         const struct client_message *message)
{
    struct error error = {0};
    if (message->kind == CLIENT_CLOSED) {
        session->done = true;
        return;
    }
    if (message->kind == CLIENT_REPLY) {
        take_reply(session, message);
    } else if (message->kind == CLIENT_EVENT) {
        print_event(message->tree, session);
        bool ready =
            str_equal(json_get_string(message->tree, "kind"), event_kind_name(EVENT_READY));
        if (ready && !session->run_id && send_run(session, command, &error) < 0) {
            session->done = true;
            session->code = command_fail(&error);
        }
    }
}

// false: that end is closed.
static bool relay(int from, int to)
{
    char chunk[16384];
    ssize_t got = read(from, chunk, sizeof chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    return got > 0 && fs_write_all(to, chunk, (size_t)got) == 0;
}

static void take_signal(struct session *session)
{
    struct signalfd_siginfo info;
    if (read(session->signal_fd, &info, sizeof info) != sizeof info) {
        return;
    }
    struct winsize size;
    if (info.ssi_signo == SIGWINCH) {
        if (session->master_fd >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
            ioctl(session->master_fd, TIOCSWINSZ, &size);
        }
        return;
    }
    session->done = true; // closing the connection ends the engine, and with it the command
    session->code = 128 + (int)info.ssi_signo;
}

static void take_messages(struct session *session, const struct command *command)
{
    struct client_message message;
    while (!session->done && client_next(session->client, &message)) {
        take_message(session, command, &message);
        client_message_release(&message);
    }
}

static void serve(struct session *session, const struct command *command)
{
    take_messages(session, command); // what came with the reply to "start"
    while (!session->done) {
        struct pollfd wait[] = {
            {.fd = client_fd(session->client),
             .events = (short)(POLLIN | (client_wants_write(session->client) ? POLLOUT : 0))},
            {.fd = session->signal_fd, .events = POLLIN},
            {.fd = session->master_fd, .events = POLLIN},
            {.fd = session->master_fd >= 0 && !session->stdin_ended ? STDIN_FILENO : -1,
             .events = POLLIN},
        };
        if (poll(wait, ARRAY_LEN(wait), -1) < 0) {
            continue;
        }
        if (wait[1].revents) {
            take_signal(session);
        }
        if (wait[2].revents && !relay(session->master_fd, STDOUT_FILENO)) {
            close(steal_fd(&session->master_fd)); // the last user of the pty has gone
        }
        if (wait[3].revents && !relay(STDIN_FILENO, session->master_fd)) {
            session->stdin_ended = true;
        }
        if (wait[0].revents & POLLOUT) {
            client_flush(session->client);
        }
        if (wait[0].revents & (POLLIN | POLLHUP)) {
            client_read(session->client);
        }
        take_messages(session, command);
    }
}

// What the command wrote last may still be in the pty when its end is told.
static void drain_terminal(struct session *session)
{
    while (session->master_fd >= 0) {
        struct pollfd wait = {.fd = session->master_fd, .events = POLLIN};
        if (poll(&wait, 1, 0) <= 0 || !(wait.revents & POLLIN) ||
            !relay(session->master_fd, STDOUT_FILENO)) {
            close(steal_fd(&session->master_fd));
        }
    }
}

int cmd_exec(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGWINCH);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (engine_link_start(&link, command, "exec", false, false, &error) < 0) {
        return command_fail(&error);
    }
    struct session session = {.client = link.client,
                              .terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
                              .master_fd = -1,
                              .slave_fd = -1,
                              .signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK),
                              .code = 3};
    serve(&session, command);
    drain_terminal(&session);
    close_terminal(&session);
    close(session.signal_fd);
    engine_link_end(&link);
    return session.code;
}
