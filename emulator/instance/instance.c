#include "emulator/instance/instance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "emulator/environment/environment.h"
#include "emulator/instance/traceback.h"
#include "emulator/limits/limits.h"
#include "emulator/logs/typed_line.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/utf8.h"

#define HOME_TARGET   "/home/leanengine"     // P-132
#define WORK_TARGET   "/home/leanengine/app" // P-132
#define RUNNER_TARGET "/opt/leanlocal/runner.py"
#define INSIDE_ID     1000
#define READ_CHUNK    65536
#define TERMINAL_COLS 160 // wide enough that nobody wraps its lines, narrow enough to be read
#define TERMINAL_ROWS 40
#define PROMPT_BYTES  400 // of the open line: its end

extern const char runner_py[];
extern const size_t runner_py_size;

struct output {
    struct instance *instance;
    enum journal_stream stream;
    int fd;
    struct loop_source *source;
    struct line_splitter *splitter;
    struct typed_line *typed; // of a terminal, before the splitter; NULL: a pipe
    struct traceback traceback;
};

struct instance {
    struct instance_options options;
    struct loop *loop;
    struct sandbox *sandbox;
    struct loop_source *sandbox_source;
    struct loop_source *kill_timer;
    struct output outputs[2];
    struct line_limit limit;
    struct allowance *allowance;
    int64_t over_bytes;
    enum instance_state state;
    char version[24];
    char asked[80];
    int64_t started_ms;
    pid_t pid;
    bool listening, app_exited, failed;
    char *home, *work_dir, *runner; // as the app sees them
    int wait_status;
};

static const char *const state_names[INSTANCE__COUNT] = {"preparing", "parked",   "starting",
                                                         "healthy",   "draining", "gone"};

const char *instance_state_name(enum instance_state state)
{
    return state_names[state];
}

static void set_state(struct instance *instance, enum instance_state state)
{
    if (instance->state != state) {
        instance->state = state;
        instance->options.on_state(instance->options.context, instance);
    }
}

static void take_line(void *context, const char *text, size_t len, unsigned flags)
{
    struct output *output = context;
    struct instance *instance = output->instance;
    if (!line_limit_take(&instance->limit, loop_now_ms(instance->loop),
                         (unsigned)LIMIT_LOG_LINES_PER_MINUTE)) {
        flags |= JOURNAL_CLOUD_DROPS;
    }
    journal_append(instance->options.journal, clock_wall_ms(), output->stream, flags,
                   instance->options.name, text, len);
    if (!(flags & JOURNAL_PARTIAL)) {
        traceback_feed(&output->traceback, instance->work_dir, text, len);
    }
}

static void take_bytes(struct output *output, const char *bytes, size_t len)
{
    if (output->typed) {
        typed_line_feed(output->typed, bytes, len);
    } else {
        line_splitter_feed(output->splitter, bytes, len);
    }
}

static void take_typed(void *context, const char *bytes, size_t len)
{
    struct output *output = context;
    line_splitter_feed(output->splitter, bytes, len);
}

static void close_output(struct output *output)
{
    loop_source_free(output->source);
    output->source = NULL;
    if (output->fd >= 0) {
        close(output->fd);
        output->fd = -1;
        if (output->typed) {
            typed_line_finish(output->typed);
        }
        line_splitter_finish(output->splitter);
    }
}

// One chunk a turn: a flood must not keep the loop from anything else.
static void read_output(void *context, int fd, uint32_t events)
{
    (void)events;
    struct output *output = context;
    char chunk[READ_CHUNK];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got > 0) {
        take_bytes(output, chunk, (size_t)got);
    } else {
        close_output(output); // a terminal: EIO, its last user has gone
    }
    allowance_stir(output->instance->allowance);
    output->instance->options.on_output(output->instance->options.context, output->instance);
}

// What the app wrote before it ended is still in the pipe.
static void drain_output(struct output *output)
{
    char chunk[READ_CHUNK];
    ssize_t got;
    // Bounded: a descendant that escaped the sandbox's end could keep writing.
    for (int turns = 0; output->fd >= 0 && turns < 64; turns++) {
        got = read(output->fd, chunk, sizeof chunk);
        if (got <= 0) {
            break;
        }
        take_bytes(output, chunk, (size_t)got);
    }
    close_output(output);
}

static void finish(struct instance *instance)
{
    drain_output(&instance->outputs[0]);
    drain_output(&instance->outputs[1]);
    loop_source_free(instance->sandbox_source);
    instance->sandbox_source = NULL;
    loop_source_free(instance->kill_timer);
    instance->kill_timer = NULL;
    sandbox_free(instance->sandbox);
    instance->sandbox = NULL;
    if (!instance->over_bytes && allowance_was_killed(instance->allowance)) {
        instance->over_bytes = instance->options.limits.memory_bytes + 1;
    }
    allowance_free(instance->allowance);
    instance->allowance = NULL;
    set_state(instance, INSTANCE_GONE);
    instance->options.on_output(instance->options.context, instance);
    instance->options.on_gone(instance->options.context, instance, instance->wait_status,
                              instance->app_exited);
}

static void take_listening(struct instance *instance, const struct sandbox_event *event)
{
    bool own_port = event->asked_port == instance->options.public_port;
    if (own_port) {
        instance->listening = true;
        snprintf(instance->asked, sizeof instance->asked, "%s:%u", event->asked_address,
                 event->asked_port);
    }
    char asked[80];
    snprintf(asked, sizeof asked, "%s:%u", event->asked_address, event->asked_port);
    instance->options.on_listening(instance->options.context, instance, asked, event->asked_port);
}

static void take_reached(struct instance *instance, const struct sandbox_event *event)
{
    char asked[80];
    snprintf(asked, sizeof asked, "%s:%u", event->asked_address, event->asked_port);
    instance->options.on_reached(instance->options.context, instance, asked, event->asked_port);
}

// false: the instance is finished and may be freed already.
static bool take_event(struct instance *instance, const struct sandbox_event *event)
{
    switch (event->kind) {
    case SANDBOX_PARKED:
        if (instance->state == INSTANCE_PREPARING) {
            set_state(instance, INSTANCE_PARKED);
        }
        return true;
    case SANDBOX_FAILED:
        if (!instance->failed) {
            instance->failed = true;
            instance->options.on_failed(instance->options.context, instance, &event->error);
        }
        return true;
    case SANDBOX_LISTENING:
        take_listening(instance, event);
        return true;
    case SANDBOX_REACHED:
        take_reached(instance, event);
        return true;
    case SANDBOX_COMMAND_EXITED:
        instance->app_exited = true;
        instance->wait_status = event->wait_status;
        return true;
    case SANDBOX_EXITED:
        if (!instance->app_exited) {
            instance->wait_status = event->wait_status;
        }
        finish(instance);
        return false;
    default:
        return true;
    }
}

static void sandbox_ready(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    struct instance *instance = context;
    struct sandbox_event event;
    do {
        sandbox_next_event(instance->sandbox, &event);
    } while (event.kind != SANDBOX_NOTHING && take_event(instance, &event));
}

// The files of our own that every instance finds; zone holds what one of them points to.
struct own_files {
    char zone[64];
    struct sandbox_file files[3];
};

static void make_spec(const struct instance_options *options, struct own_files *own,
                      struct sandbox_spec *ret_spec)
{
    const void *localtime;
    size_t localtime_len;
    environment_region_localtime(options->region, &localtime, &localtime_len);
    snprintf(own->zone, sizeof own->zone, "%s\n", environment_region_zone(options->region));
    own->files[0] =
        (struct sandbox_file){"/etc/localtime", localtime, localtime_len, 0644}; // P-140
    own->files[1] = (struct sandbox_file){"/etc/timezone", own->zone, strlen(own->zone), 0644};
    own->files[2] = (struct sandbox_file){RUNNER_TARGET, runner_py, runner_py_size, 0644};
    *ret_spec = (struct sandbox_spec){
        .hostname = options->name,
        .user_name = "leanengine", // P-132
        .uid = INSIDE_ID,
        .gid = INSIDE_ID,
        .host_uid = options->host_uid,
        .host_gid = options->host_gid,
        .home = HOME_TARGET,
        .work_dir = WORK_TARGET,
        .writable_bytes = (uint64_t)(options->limits.disk_bytes ? options->limits.disk_bytes
                                                                : LIMIT_WRITABLE_BYTES),
        .shm_bytes = (uint64_t)LIMIT_SHM_BYTES,
        .binds = options->binds,
        .bind_count = options->bind_count,
        .symlinks = options->symlinks,
        .symlink_count = options->symlink_count,
        .files = own->files,
        .file_count = ARRAY_LEN(own->files),
        .system_dirs = true,
        .broker = options->address != 0,
        .address = options->address,
        .public_port = options->public_port,
        .actual_port = options->actual_port,
        .private_dir = options->private_dir,
    };
}

static struct sandbox *spawn(const struct instance_options *options,
                             const struct allowance *allowance, struct error *error)
{
    struct own_files own;
    struct sandbox_spec spec;
    const char *groups[CGROUP_KIND__COUNT];
    make_spec(options, &own, &spec);
    spec.groups = groups;
    spec.group_count = allowance_groups(allowance, groups);
    return sandbox_spawn(&spec, options->host, error);
}

char *instance_plan_text(const struct instance_options *options)
{
    struct own_files own;
    struct sandbox_spec spec;
    make_spec(options, &own, &spec);
    return sandbox_plan_text(&spec, options->host);
}

// Level none mounts nothing: the private directory stands for home, and the runner lies in it as a
// file.
static int place_files(struct instance *instance, struct error *error)
{
    const char *private_dir = instance->options.private_dir;
    if (!private_dir) {
        instance->home = str_dup(HOME_TARGET);
        instance->work_dir = str_dup(WORK_TARGET);
        instance->runner = str_dup(RUNNER_TARGET);
        return 0;
    }
    instance->home = str_dup(private_dir);
    instance->work_dir = fs_join(private_dir, "app");
    instance->runner = fs_join(private_dir, ".leanlocal-runner.py");
    return fs_write_atomic(instance->runner, runner_py, runner_py_size, 0644, error);
}

// ---- its size ----

// P-172: the tree is killed; the verdict is told when it is gone.
static void on_over(void *context, int64_t used_bytes)
{
    struct instance *instance = context;
    instance->over_bytes = used_bytes;
    sandbox_kill(instance->sandbox);
}

static void on_full(void *context, const char *filled)
{
    struct instance *instance = context;
    instance->options.on_full(instance->options.context, instance, filled);
}

static struct allowance *make_allowance(struct instance *instance)
{
    const struct allowance_options options = {.name = instance->options.name,
                                              .limits = instance->options.limits,
                                              .groups = instance->options.groups,
                                              .number = instance->options.number,
                                              .context = instance,
                                              .on_over = on_over,
                                              .on_full = on_full};
    return options.limits.memory_bytes > 0 ? allowance_new(instance->loop, &options) : NULL;
}

static int spawn_watched(struct instance *instance, struct error *error)
{
    instance->allowance = make_allowance(instance);
    instance->sandbox = spawn(&instance->options, instance->allowance, error);
    if (!instance->sandbox) {
        return -1;
    }
    instance->pid = sandbox_pid(instance->sandbox);
    if (instance->allowance) {
        allowance_watch(instance->allowance, instance->pid);
    }
    return 0;
}

struct instance *instance_new(struct loop *loop, const struct instance_options *options,
                              struct error *error)
{
    struct instance *instance = mem_alloc(sizeof *instance);
    instance->options = *options;
    instance->loop = loop;
    static const enum journal_stream streams[2] = {JOURNAL_OUT, JOURNAL_ERR};
    for (int i = 0; i < 2; i++) {
        struct output *output = &instance->outputs[i];
        output->instance = instance;
        output->stream = streams[i];
        output->fd = -1;
        output->splitter = line_splitter_new(take_line, output);
    }
    if (spawn_watched(instance, error) < 0 || place_files(instance, error) < 0) {
        instance_free(instance);
        return NULL;
    }
    instance->sandbox_source =
        loop_add_fd(loop, sandbox_fd(instance->sandbox), EPOLLIN, sandbox_ready, instance);
    return instance;
}

// Both pipes; the write ends go to the sandbox.
static int open_outputs(struct instance *instance, int write_ends[2], struct error *error)
{
    for (int i = 0; i < 2; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            return error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
        }
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        write_ends[i] = ends[1];
        instance->outputs[i].fd = ends[0];
        instance->outputs[i].source =
            loop_add_fd(instance->loop, ends[0], EPOLLIN, read_output, &instance->outputs[i]);
    }
    return 0;
}

// One terminal for all three; both of write_ends are its other side.
static int open_terminal(struct instance *instance, int write_ends[2], struct error *error)
{
    struct output *output = &instance->outputs[0];
    const struct winsize size = {.ws_row = TERMINAL_ROWS, .ws_col = TERMINAL_COLS};
    auto_close int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "posix_openpt");
    }
    ioctl(master, TIOCSWINSZ, &size);
    for (int i = 0; i < 2; i++) {
        write_ends[i] = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (write_ends[i] < 0) {
            return error_set_errno(error, ERROR_SYSTEM, errno, "%s", ptsname(master));
        }
    }
    fcntl(master, F_SETFL, O_NONBLOCK);
    output->typed = mem_alloc(sizeof *output->typed);
    typed_line_init(output->typed, take_typed, output);
    output->fd = steal_fd(&master);
    output->source = loop_add_fd(instance->loop, output->fd, EPOLLIN, read_output, output);
    return 0;
}

int instance_go(struct instance *instance, const struct tree_version *version,
                const struct strlist *extra_lowers, char *const *argv, char *const *env,
                const int *stdio_fds, bool terminal, struct error *error)
{
    struct strlist lowers = {0};
    if (extra_lowers) {
        strlist_copy(&lowers, extra_lowers);
    }
    strlist_copy(&lowers, &version->lowers);
    int ends[2] = {-1, -1};
    bool own_terminal = !stdio_fds && instance->options.terminal;
    int result = own_terminal ? open_terminal(instance, ends, error)
                 : stdio_fds  ? 0
                              : open_outputs(instance, ends, error);
    int own_stdin = own_terminal ? ends[0] : -1;
    const struct sandbox_version mounted = {.lowers = (const char *const *)lowers.items,
                                            .lower_count = lowers.count};
    const struct sandbox_command command = {.argv = argv,
                                            .env = env,
                                            .cwd = WORK_TARGET,
                                            .stdin_fd = stdio_fds ? stdio_fds[0] : own_stdin,
                                            .stdout_fd = stdio_fds ? stdio_fds[1] : ends[0],
                                            .stderr_fd = stdio_fds ? stdio_fds[2] : ends[1],
                                            .terminal = terminal || own_terminal};
    snprintf(instance->version, sizeof instance->version, "%s", version->tag);
    instance->started_ms = clock_now_ms();
    if (result == 0) {
        result = sandbox_go(instance->sandbox, &mounted, &command, error);
    }
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
    }
    strlist_clear(&lowers);
    if (result == 0) {
        set_state(instance, INSTANCE_STARTING);
    }
    return result;
}

void instance_mark_healthy(struct instance *instance)
{
    set_state(instance, INSTANCE_HEALTHY);
}

void instance_mark_draining(struct instance *instance)
{
    set_state(instance, INSTANCE_DRAINING);
}

static void kill_now(void *context)
{
    struct instance *instance = context;
    if (instance->sandbox) {
        sandbox_kill(instance->sandbox);
    }
}

void instance_terminate(struct instance *instance, int64_t grace_ms)
{
    if (!instance->sandbox) {
        return;
    }
    if (instance->state < INSTANCE_STARTING || grace_ms <= 0) {
        kill_now(instance); // nothing runs inside yet, or nobody wants to wait
    } else {
        sandbox_signal(instance->sandbox, SIGTERM);
    }
    if (!instance->kill_timer) {
        instance->kill_timer = loop_add_timer(instance->loop, grace_ms, kill_now, instance);
    } else {
        loop_timer_restart(instance->kill_timer, grace_ms);
    }
    set_state(instance, INSTANCE_DRAINING);
}

void instance_signal(struct instance *instance, int number)
{
    if (instance->sandbox) {
        sandbox_signal(instance->sandbox, number);
    }
}

int instance_type(struct instance *instance, const char *bytes, size_t len, struct error *error)
{
    int fd = instance->outputs[0].typed ? instance->outputs[0].fd : -1;
    ssize_t put = fd >= 0 ? write(fd, bytes, len) : -1;
    if (put == (ssize_t)len) {
        return 0;
    }
    return error_set(error, ERROR_APP, _("%s does not read what is typed"), instance->options.name);
}

char *instance_prompt(const struct instance *instance)
{
    const struct typed_line *typed = instance->outputs[0].typed;
    if (!typed || instance->outputs[0].fd < 0) {
        return str_dup("");
    }
    size_t from = typed->len > PROMPT_BYTES ? typed->len - PROMPT_BYTES : 0;
    return utf8_valid(typed->text + from, typed->len - from);
}

bool instance_has_terminal(const struct instance *instance)
{
    return instance->options.terminal;
}

void instance_stir(struct instance *instance)
{
    allowance_stir(instance->allowance);
}

const char *instance_name(const struct instance *instance)
{
    return instance->options.name;
}

const char *instance_version(const struct instance *instance)
{
    return instance->version;
}

enum instance_state instance_state(const struct instance *instance)
{
    return instance->state;
}

uint32_t instance_address(const struct instance *instance)
{
    return instance->options.address ? instance->options.address : INADDR_LOOPBACK;
}

uint16_t instance_port(const struct instance *instance)
{
    return instance->options.actual_port;
}

uint16_t instance_public_port(const struct instance *instance)
{
    return instance->options.public_port;
}

const char *instance_home(const struct instance *instance)
{
    return instance->home;
}

const char *instance_runner(const struct instance *instance)
{
    return instance->runner;
}

const char *instance_asked(const struct instance *instance)
{
    return instance->asked;
}

bool instance_is_listening(const struct instance *instance)
{
    return instance->listening;
}

int64_t instance_started_ms(const struct instance *instance)
{
    return instance->started_ms;
}

pid_t instance_pid(const struct instance *instance)
{
    return instance->pid;
}

int64_t instance_memory(const struct instance *instance)
{
    return instance->allowance ? allowance_memory(instance->allowance) : -1;
}

int64_t instance_over_bytes(const struct instance *instance)
{
    return instance->over_bytes;
}

uint64_t instance_lines_this_minute(const struct instance *instance)
{
    bool current = instance->limit.minute == loop_now_ms(instance->loop) / 60000;
    return current ? instance->limit.count : 0;
}

// Where tracebacks appear.
static const struct traceback *voice(const struct instance *instance)
{
    return &instance->outputs[instance->options.terminal ? 0 : 1].traceback;
}

const char *instance_last_trouble(const struct instance *instance)
{
    return voice(instance)->trouble;
}

char *instance_last_lines(const struct instance *instance)
{
    const struct traceback *from = voice(instance);
    if (from->line_count == 0) {
        from = &instance->outputs[0].traceback;
    }
    size_t count = from->line_count < TRACEBACK_LINES ? from->line_count : TRACEBACK_LINES;
    char *joined = str_dup("");
    for (size_t i = from->line_count - count; i < from->line_count; i++) {
        char *longer =
            str_printf("%s%s%s", joined, *joined ? "\n" : "", from->lines[i % TRACEBACK_LINES]);
        free(joined);
        joined = longer;
    }
    return joined;
}

char *instance_last_words(const struct instance *instance)
{
    const struct traceback *from = voice(instance);
    return from->text_len ? str_dup_len(from->text, from->text_len) : instance_last_lines(instance);
}

void instance_free(struct instance *instance)
{
    if (!instance) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        close_output(&instance->outputs[i]);
        line_splitter_free(instance->outputs[i].splitter);
        free(instance->outputs[i].typed);
    }
    loop_source_free(instance->sandbox_source);
    loop_source_free(instance->kill_timer);
    sandbox_free(instance->sandbox);
    allowance_free(instance->allowance);
    free(instance->home);
    free(instance->work_dir);
    free(instance->runner);
    free(instance);
}
