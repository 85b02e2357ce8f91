// The screen's loop: socket, keys, signals in; at most 30 frames a second out; asleep when nothing
// happens. Work first, draw last: everything that has come is taken before a frame is made.
#include "tui/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"
#include "tui/client.h"
#include "tui/clipboard.h"
#include "tui/language.h"
#include "tui/location.h"
#include "tui/screen.h"
#include "tui/script.h"
#include "tui/signals.h"

#define FRAME_MS       33
#define TICK_MS        100 // while a stage shows how long it takes
#define SCRIPT_POLL_MS 20
#define STUCK_SECONDS  2 // a terminal that takes nothing for so long does not delay SIGTERM further
#define SCRIPT_COLS    80
#define SCRIPT_ROWS    24
#define EXIT_SCRIPT    4
#define EXIT_NO_ENGINE 3

struct loop_state {
    struct client *client;
    const struct screen_options *options;
    struct app *app;
    struct canvas canvas;
    struct snapshot *incoming;
    struct journal_reader *reader;
    struct log_source log;
    struct script *script;
    bool ascii;
    bool headless; // no terminal: a script
    bool dirty;    // something changed since the last frame
    int64_t drawn_ms;
    int64_t heard_ms; // when the engine said something last
    bool closed;      // the engine's end
    bool stopping;    // we asked for it
    bool over;        // leave the loop with .status
    int status;
    int done_status;    // of the DONE event; -1: none came
    struct error error; // what to say on stderr at the end
};

// ---- the journal as a log source ----

static void journal_source_range(void *context, uint64_t *ret_first, uint64_t *ret_last)
{
    journal_range(context, ret_first, ret_last);
}

static bool journal_source_read(void *context, uint64_t seq, struct journal_record *ret_record)
{
    return journal_read(context, seq, ret_record);
}

static void open_journal(struct loop_state *state, const char *dir)
{
    if (state->reader || !*dir) {
        return;
    }
    state->reader = journal_open(dir, NULL);
    if (state->reader) {
        state->log = (struct log_source){state->reader, journal_source_range, journal_source_read};
        app_set_log(state->app, &state->log);
    }
}

// ---- what the engine says ----

static void take_event(struct loop_state *state, const struct cJSON *tree)
{
    struct event event;
    if (state->script) {
        script_event(state->script, tree);
    }
    if (!event_decode(tree, &event)) {
        return;
    }
    if (event.kind == EVENT_DONE) {
        state->done_status = (int)event.status;
    }
    app_event(state->app, &event);
    event_release(&event);
}

static void copy(struct loop_state *state)
{
    const char *what = "";
    const char *text = app_copied(state->app, &what);
    if (text) {
        auto_free char *how = clipboard_copy(text, strlen(text), !state->headless);
        auto_free char *message = str_printf("%s: %s", what, how);
        app_say(state->app, message);
    }
}

static void take_reply(struct loop_state *state, const struct cJSON *reply)
{
    unsigned effects = 0;
    if (app_answer(state->app, json_get_int(reply, "reply", 0), reply, &effects)) {
        if (effects & APP_COPY) {
            copy(state);
        }
        return;
    }
    const char *text = json_get_string(json_get(reply, "error"), "message");
    if (!json_get_bool(reply, "ok", true) && text) {
        app_say(state->app, text);
    }
}

static void take_message(struct loop_state *state, const struct client_message *message)
{
    switch (message->kind) {
    case CLIENT_SNAPSHOT:
        if (snapshot_decode(message->tree, state->incoming)) {
            app_snapshot(state->app, state->incoming, clock_wall_ms());
            open_journal(state, state->incoming->journal_dir);
        }
        break;
    case CLIENT_EVENT:
        take_event(state, message->tree);
        break;
    case CLIENT_JOURNAL:
        app_journal(state->app, message->journal_last);
        break;
    case CLIENT_REPLY:
        take_reply(state, message->tree);
        break;
    case CLIENT_CLOSED:
        state->closed = true;
        break;
    }
}

static void take_messages(struct loop_state *state)
{
    struct client_message message;
    while (client_next(state->client, &message)) {
        take_message(state, &message);
        client_message_release(&message);
        state->dirty = true;
        state->heard_ms = clock_now_ms();
    }
}

static void subscribe(struct client *client)
{
    struct cJSON *object = json_new_object();
    json_put_string(object, "command", "subscribe");
    json_put_bool(object, "events", true);
    json_put_bool(object, "snapshot", true);
    json_put_bool(object, "journal", true);
    client_send(client, object);
}

// ---- what a key asks for ----

static void leave(struct loop_state *state, int status)
{
    state->over = true;
    state->status = status;
}

// The first time politely; when it is asked again, at once: the engine ends when its last client
// goes.
static void quit(struct loop_state *state)
{
    if (state->options->attached || state->stopping) {
        leave(state, 0);
        return;
    }
    state->stopping = true;
    app_say(state->app, _("stopping…  once more: leave at once"));
    client_send_command(state->client, "stop");
}

// The whole job stops, as the shell expects it: a wrapper script in the same process group too. The
// engine is in a session of its own and goes on.
static void suspend(void)
{
    struct sigaction before;
    const struct sigaction stop = {.sa_handler = SIG_DFL};
    screen_leave();
    sigaction(SIGTSTP, &stop, &before);
    kill(0, SIGTSTP);
    // Here again after SIGCONT (or at once, where nobody could continue us: an orphaned group does
    // not stop).
    sigaction(SIGTSTP, &before, NULL);
    screen_return();
}

static void wait_for_editor(struct loop_state *state, const struct process *editor)
{
    struct pollfd fds[] = {
        {.fd = editor->pidfd, .events = POLLIN},
        {.fd = client_fd(state->client), .events = POLLIN},
    };
    while (!state->closed) {
        if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR) {
            break;
        }
        if (fds[0].revents) {
            break;
        }
        client_read(state->client);
        take_messages(state);
    }
    waitpid(editor->pid, NULL, 0);
}

static int run_editor(struct loop_state *state, const struct location *location)
{
    const char *editor = getenv("VISUAL");
    editor = str_empty(editor) ? getenv("EDITOR") : editor;
    editor = str_empty(editor) ? "vi" : editor;
    struct strlist argv = {0};
    location_editor_argv(editor, location, &argv);
    const struct process_options options = {
        .path = "/bin/sh",
        .argv = argv.items,
        .stdin_fd = STDIN_FILENO,
        .stdout_fd = STDOUT_FILENO,
        .stderr_fd = -2,
        .extra_fd = -1,
    };
    struct process process;
    struct error error;
    int result = process_start(&options, &process, &error);
    strlist_clear(&argv);
    if (result < 0) {
        app_say(state->app, error.message);
        return -1;
    }
    wait_for_editor(state, &process);
    close(process.pidfd);
    return 0;
}

static void edit(struct loop_state *state)
{
    struct location location;
    if (!location_of_trouble(app_get_snapshot(state->app), &state->log, &location)) {
        app_say(state->app, _("no failure and no traceback that names a file of the project"));
        return;
    }
    // The editor is in our process group: its Ctrl-Z stops us with it, its Ctrl-C is not for us.
    struct sigaction stop_before, int_before;
    const struct sigaction stop = {.sa_handler = SIG_DFL};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    screen_leave();
    sigaction(SIGTSTP, &stop, &stop_before);
    sigaction(SIGINT, &ignore, &int_before);
    run_editor(state, &location);
    sigaction(SIGTSTP, &stop_before, NULL);
    sigaction(SIGINT, &int_before, NULL);
    screen_return();
}

static void type(struct loop_state *state)
{
    struct cJSON *message = json_new_object();
    json_put_string(message, "command", "type");
    json_put_string(message, "text", app_typed(state->app));
    client_send(state->client, message);
}

static void apply_effects(struct loop_state *state, unsigned effects)
{
    if (effects & APP_RELOAD) {
        client_send_command(state->client, "reload");
        app_say(state->app, _("reload asked for"));
    }
    if (effects & APP_RESTART) {
        client_send_command(state->client, "restart");
        app_say(state->app, _("restart asked for"));
    }
    if (effects & APP_TYPE) {
        type(state);
    }
    if (effects & APP_INSTALL_PYTHON) {
        client_send_command(state->client, "install_python");
    }
    if (effects & APP_CANCEL_INSTALL) {
        client_send_command(state->client, "cancel");
        app_say(state->app, _("cancelling the installation…"));
    }
    if (effects & APP_QUIT) {
        quit(state);
    }
    if (effects & APP_SUSPEND) {
        suspend();
    }
    if (effects & APP_REPAINT) {
        screen_forget();
    }
    if (effects & APP_EDIT) {
        edit(state);
    }
    if (effects & APP_COPY) {
        copy(state);
    }
}

static void ask(struct loop_state *state)
{
    struct cJSON *command;
    while (!state->over && !state->closed && (command = app_ask(state->app))) {
        app_asked(state->app, client_send(state->client, command));
    }
}

static void press(struct loop_state *state, uint32_t key)
{
    state->dirty = true;
    apply_effects(state, app_key(state->app, key));
}

static void take_keys(struct loop_state *state)
{
    uint32_t key;
    while (!state->over && (key = screen_read_key()) != 0) {
        press(state, key);
    }
}

// ---- signals ----

// A screen that is stuck in a write to its terminal never comes to its loop: after two seconds the
// handler ends it.
static void on_urgent(int number)
{
    if (number == SIGTERM || number == SIGHUP) {
        alarm(STUCK_SECONDS);
    } else if (number == SIGALRM) {
        screen_restore_in_handler();
        _exit(128 + SIGTERM);
    }
}

static void resize(struct loop_state *state)
{
    int cols, rows;
    screen_measure(&cols, &rows);
    canvas_init(&state->canvas, cols, rows, state->ascii);
    screen_forget();
    state->dirty = true;
}

static void take_signals(struct loop_state *state)
{
    int number;
    while ((number = signals_take()) != 0) {
        switch (number) {
        case SIGWINCH:
            resize(state);
            break;
        case SIGCONT:
            screen_return();
            resize(state);
            break;
        case SIGINT:
            quit(state);
            break;
        case SIGTSTP:
            suspend();
            resize(state);
            break;
        case SIGTERM:
            client_send_command(state->client, "stop");
            leave(state, 128 + SIGTERM);
            break;
        case SIGHUP:
            leave(state, 128 + SIGHUP);
            break;
        default:
            break;
        }
    }
}

// ---- frames ----

static void draw_if_due(struct loop_state *state)
{
    int64_t now_ms = clock_now_ms();
    bool tick = app_is_ticking(state->app) && now_ms - state->drawn_ms >= TICK_MS;
    if ((!state->dirty && !tick) || now_ms - state->drawn_ms < FRAME_MS) {
        return;
    }
    app_draw(state->app, &state->canvas, clock_wall_ms());
    screen_show(&state->canvas);
    state->dirty = false;
    state->drawn_ms = now_ms;
}

// Until when it may sleep: for ever when nothing is to be drawn.
static int sleep_ms(const struct loop_state *state)
{
    int64_t since_ms = clock_now_ms() - state->drawn_ms;
    int64_t wait_ms = -1;
    if (state->dirty) {
        wait_ms = FRAME_MS - since_ms;
    } else if (app_is_ticking(state->app)) {
        wait_ms = TICK_MS - since_ms;
    } else if (state->script) {
        return SCRIPT_POLL_MS;
    } else {
        return -1;
    }
    if (state->script && wait_ms > SCRIPT_POLL_MS) {
        wait_ms = SCRIPT_POLL_MS;
    }
    return wait_ms > 0 ? (int)wait_ms : 0;
}

// ---- the script ----

static void run_script(struct loop_state *state)
{
    int64_t now_ms = clock_now_ms();
    while (!state->over && !state->dirty) {
        const struct script_view view = {
            .canvas = &state->canvas,
            .busy = app_is_ticking(state->app) || state->dirty,
            .quiet_ms = now_ms - state->heard_ms,
            .now_ms = now_ms,
        };
        struct script_step step = script_next(state->script, &view, &state->error);
        switch (step.want) {
        case SCRIPT_NOTHING:
            return;
        case SCRIPT_KEY:
            press(state, step.key);
            break;
        case SCRIPT_RESIZE:
            canvas_init(&state->canvas, step.cols, step.rows, state->ascii);
            state->dirty = true;
            break;
        case SCRIPT_QUIT:
            leave(state, 0);
            break;
        case SCRIPT_FAILED:
            leave(state, EXIT_SCRIPT);
            break;
        }
    }
}

// ---- the loop ----

static void wait_for_more(struct loop_state *state)
{
    bool writing = client_wants_write(state->client);
    struct pollfd fds[] = {
        {.fd = client_fd(state->client), .events = (short)(POLLIN | (writing ? POLLOUT : 0))},
        {.fd = signals_fd(), .events = POLLIN},
        {.fd = state->script ? -1 : STDIN_FILENO, .events = POLLIN},
    };
    if (poll(fds, ARRAY_LEN(fds), sleep_ms(state)) < 0) {
        return; // EINTR: a signal; it is in the pipe by now
    }
    client_flush(state->client);
    if (fds[0].revents) {
        client_read(state->client);
    }
    if (fds[2].revents) {
        take_keys(state);
        if ((fds[2].revents & (POLLHUP | POLLERR)) || screen_is_gone()) {
            leave(state, 128 + SIGHUP);
        }
    }
}

static void run_loop(struct loop_state *state)
{
    while (!state->over) {
        take_messages(state);
        take_signals(state);
        if (state->closed) {
            leave(state, state->done_status >= 0 ? state->done_status
                         : state->stopping       ? 0
                                                 : EXIT_NO_ENGINE);
        }
        if (state->over) {
            break;
        }
        ask(state);
        draw_if_due(state);
        if (state->script) {
            run_script(state);
        }
        if (!state->over) {
            wait_for_more(state);
        }
    }
}

static int open_screen(struct loop_state *state, struct error *error)
{
    const char *no_color = getenv("NO_COLOR");
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    state->headless = !terminal;
    const struct screen_setup setup = {
        .color = !state->options->no_color && str_empty(no_color),
        .headless = state->script && !terminal,
        .cols = SCRIPT_COLS,
        .rows = SCRIPT_ROWS,
    };
    if (!terminal && !state->script) {
        error_set(error, ERROR_USAGE, _("the full screen needs a terminal"));
        return error_set_hint(error, _("use --plain"));
    }
    return screen_open(&setup, error);
}

static void open_signals(void)
{
    static const int numbers[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGALRM};
    signals_open(numbers, ARRAY_LEN(numbers), on_urgent);
    signal(SIGPIPE, SIG_IGN);
}

static void say_the_end(const struct loop_state *state)
{
    if (state->error.kind != ERROR_NONE) {
        fprintf(stderr, "leanlocal: %s\n", state->error.message);
        if (*state->error.hint) {
            fprintf(stderr, "  %s\n", state->error.hint);
        }
        return;
    }
    const char *failure = app_get_snapshot(state->app)->failure;
    if (state->closed && state->done_status < 0 && !state->stopping) {
        fputs(_("leanlocal: the engine ended unexpectedly; the app has ended with it\n"), stderr);
    } else if (state->done_status > 0 && *failure) {
        fprintf(stderr, "leanlocal: %s\n", failure);
    }
}

static void release(struct loop_state *state)
{
    app_free(state->app);
    journal_reader_free(state->reader);
    script_free(state->script);
    canvas_release(&state->canvas);
    free(state->incoming);
}

int screen_run(struct client *client, const struct screen_options *options)
{
    struct loop_state state = {
        .client = client,
        .options = options,
        .app = app_new(),
        .incoming = mem_alloc(sizeof *state.incoming),
        .ascii = options->ascii || !language_is_utf8(),
        .dirty = true,
        .done_status = -1,
        .heard_ms = clock_now_ms(),
        .drawn_ms = clock_now_ms() - FRAME_MS,
    };
    if (options->script_path) {
        state.script = script_open(options->script_path, &state.error);
    }
    if ((options->script_path && !state.script) || open_screen(&state, &state.error) < 0) {
        say_the_end(&state);
        int code = error_kind_exit_code(state.error.kind);
        release(&state);
        return code;
    }
    open_signals();
    subscribe(client);
    resize(&state);
    run_loop(&state);
    screen_close();
    alarm(0);
    signals_close();
    say_the_end(&state);
    release(&state);
    return state.status;
}
