// exec: one command inside the app's sandbox, Python and variables. Its own output is all that
// reaches stdout; what the build says goes to stderr, and nothing of it when the build was quick.
// The command gets our descriptors themselves; only when stdin and stdout are both terminals does
// it get a pty of its own, which we relay, so that Ctrl-C, window size and job control mean inside
// what they mean outside. Signals that reach us are passed on; its end is ours.

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
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/words.h"
#include "tui/command.h"
#include "tui/commands.h"
#include "tui/exec_progress.h"
#include "tui/relay.h"

struct session {
    struct client *client;
    const struct command *command;
    struct exec_progress progress;
    bool terminal;
    int master_fd, slave_fd, in_fd, out_fd; // of the pty, and our ends of the terminal
    struct relay *in, *out;                 // NULL: no terminal
    int signal_fd;
    struct termios kept;
    bool raw;
    int64_t run_id; // of the "run" command, 0 before
    bool done;      // there is a status
    bool given_up;  // nobody waits for the rest of the output
    int code;
};

// ---- the terminal ----

static void copy_window_size(const struct session *session)
{
    struct winsize size;
    if (session->master_fd >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
        ioctl(session->master_fd, TIOCSWINSZ, &size);
    }
}

static int open_pty(struct session *session, struct error *error)
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
    fcntl(session->master_fd, F_SETFL, O_NONBLOCK); // ours alone
    copy_window_size(session);
    return 0;
}

static int open_terminal(struct session *session, struct error *error)
{
    if (open_pty(session, error) < 0) {
        return -1;
    }
    session->in_fd = relay_open_again(STDIN_FILENO, O_RDONLY);
    session->out_fd = relay_open_again(STDOUT_FILENO, O_WRONLY);
    session->in = mem_alloc(sizeof *session->in);
    session->out = mem_alloc(sizeof *session->out);
    relay_init(session->in, session->in_fd, session->master_fd);
    relay_init(session->out, session->master_fd, session->out_fd);
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

static void release(struct session *session)
{
    const int fds[] = {session->master_fd, session->slave_fd, session->in_fd, session->out_fd,
                       session->signal_fd};
    close_terminal(session);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(session->in);
    free(session->out);
    exec_progress_release(&session->progress);
}

// ---- the command ----

static int send_words(struct session *session, struct error *error)
{
    static const char *const shell[] = {"/bin/sh", NULL};
    const struct command *command = session->command;
    auto_close int words =
        words_to_fd(command->rest_count ? (const char *const *)command->rest : shell, error);
    if (words < 0) {
        return -1;
    }
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "run");
    json_put_bool(message, "terminal", session->terminal);
    json_put_string(message, "term", session->terminal ? getenv("TERM") : NULL);
    const int own[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, words};
    const int pty[] = {session->slave_fd, session->slave_fd, session->slave_fd, words};
    session->run_id = client_send_fds(session->client, message, session->terminal ? pty : own,
                                      ARRAY_LEN(own), error);
    return session->run_id < 0 ? -1 : 0;
}

// The build is done: now the command itself.
static int send_run(struct session *session, struct error *error)
{
    exec_progress_end(&session->progress);
    if (session->terminal && open_terminal(session, error) < 0) {
        return -1;
    }
    int result = send_words(session, error);
    if (session->slave_fd >= 0) {
        close(steal_fd(&session->slave_fd));
    }
    return result;
}

static void finish(struct session *session, int code)
{
    if (!session->done) {
        session->done = true;
        session->code = code;
    }
}

static void fail(struct session *session, const struct error *error, int code)
{
    close_terminal(session); // or the message has no carriage returns
    int usual = command_fail(error);
    finish(session, code ? code : usual);
}

static void take_reply(struct session *session, const struct client_message *message)
{
    if (!session->run_id || message->id != session->run_id) {
        exec_progress_reply(&session->progress, message);
        return;
    }
    if (json_get_bool(message->tree, "ok", false)) {
        int status = (int)json_get_int(message->tree, "status", 0);
        finish(session, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return;
    }
    struct error error;
    error_decode(json_get(message->tree, "error"), &error);
    fail(session, &error, error.errnum == ENOENT ? 127 : 126); // as a shell would have it
}

static void take_event(struct session *session, const struct cJSON *tree)
{
    struct event event;
    struct error error = {0};
    if (!event_decode(tree, &event)) {
        return;
    }
    if (!session->run_id) {
        exec_progress_event(&session->progress, &event);
    }
    if (event.kind == EVENT_DONE) {
        finish(session, (int)event.status);
    } else if (event.kind == EVENT_READY && !session->run_id && send_run(session, &error) < 0) {
        fail(session, &error, 0);
    }
    event_release(&event);
}

static void take_messages(struct session *session)
{
    struct client_message message;
    while (!session->done && client_next(session->client, &message)) {
        if (message.kind == CLIENT_REPLY) {
            take_reply(session, &message);
        } else if (message.kind == CLIENT_EVENT) {
            take_event(session, message.tree);
        } else if (message.kind == CLIENT_CLOSED) {
            struct error error = {0};
            error_set(&error, ERROR_SYSTEM, _("the engine ended unexpectedly"));
            fail(session, &error, 0);
        }
        client_message_release(&message);
    }
}

// ---- signals ----

static void pass_on(struct session *session, int number)
{
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "signal");
    json_put_int(message, "number", number);
    client_send(session->client, message);
}

static void take_signal(struct session *session)
{
    struct signalfd_siginfo info;
    if (read(session->signal_fd, &info, sizeof info) != sizeof info) {
        return;
    }
    int number = (int)info.ssi_signo;
    if (number == SIGWINCH) {
        copy_window_size(session);
    } else if (session->done) {
        session->given_up = true; // it has ended; somebody is tired of its output
    } else if (session->run_id) {
        pass_on(session, number);
    } else {
        finish(session, 128 + number); // closing the connection ends the engine, and its build
    }
}

// ---- the loop ----

static bool is_over(const struct session *session)
{
    // What the command wrote last is still in the pty when its end is told.
    bool written = !session->out || relay_is_over(session->out);
    return session->done && (written || session->given_up || !session->run_id);
}

enum { AT_CLIENT, AT_SIGNALS, AT_MASTER, AT_IN, AT_OUT, AT__COUNT };

static void fill_polls(const struct session *session, struct pollfd *polls)
{
    bool writes = client_wants_write(session->client);
    polls[AT_CLIENT] = (struct pollfd){.fd = session->done ? -1 : client_fd(session->client),
                                       .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
    polls[AT_SIGNALS] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
    for (int i = AT_MASTER; i < AT__COUNT; i++) {
        polls[i] = (struct pollfd){.fd = -1};
    }
    if (!session->out) {
        return;
    }
    // A descriptor of which nothing is wanted is left out: it would report its hang-up for ever.
    short master = (short)(relay_from_events(session->out) | relay_to_events(session->in));
    polls[AT_MASTER] = (struct pollfd){.fd = master ? session->master_fd : -1, .events = master};
    short in = relay_from_events(session->in);
    polls[AT_IN] = (struct pollfd){.fd = in ? session->in_fd : -1, .events = in};
    short out = relay_to_events(session->out);
    polls[AT_OUT] = (struct pollfd){.fd = out ? session->out_fd : -1, .events = out};
}

static void relay_both(struct session *session, const struct pollfd *polls)
{
    bool before = session->in->ended || session->out->broken;
    relay_turn(session->out, polls[AT_MASTER].revents, polls[AT_OUT].revents);
    relay_turn(session->in, polls[AT_IN].revents, polls[AT_MASTER].revents);
    bool gone = session->in->ended || session->out->broken;
    if (gone && !before && !session->done) {
        pass_on(session, SIGHUP); // our terminal is gone
    }
}

static void serve(struct session *session)
{
    take_messages(session); // what came with the reply to "start"
    while (!is_over(session)) {
        struct pollfd polls[AT__COUNT];
        fill_polls(session, polls);
        int timeout = session->run_id ? -1 : exec_progress_timeout_ms(&session->progress);
        if (poll(polls, AT__COUNT, timeout) < 0) {
            continue;
        }
        if (polls[AT_SIGNALS].revents) {
            take_signal(session);
        }
        if (session->out) {
            relay_both(session, polls);
        }
        if (polls[AT_CLIENT].revents & POLLOUT) {
            client_flush(session->client);
        }
        if (polls[AT_CLIENT].revents & (POLLIN | POLLHUP)) {
            client_read(session->client);
        }
        if (!session->run_id) {
            exec_progress_turn(&session->progress);
        }
        take_messages(session);
    }
}

static int block_signals(void)
{
    static const int numbers[] = {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        sigaddset(&signals, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cmd_exec(struct command *command)
{
    struct error error = {0};
    struct engine_link link;
    struct session session = {.command = command,
                              .terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
                              .master_fd = -1,
                              .slave_fd = -1,
                              .in_fd = -1,
                              .out_fd = -1,
                              .signal_fd = block_signals()};
    if (engine_link_start(&link, command, "exec", false, false, &error) < 0) {
        close(session.signal_fd);
        return command_fail(&error);
    }
    session.client = link.client;
    exec_progress_init(&session.progress, link.client);
    serve(&session);
    release(&session);
    engine_link_end(&link);
    return session.code;
}
