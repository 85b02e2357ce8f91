#include "emulator/build/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "emulator/build/internal.h"
#include "emulator/limits/limits.h"
#include "emulator/logs/journal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/utf8.h"
#include "sandbox/processors.h"

#define READ_CHUNK   65536
#define METER_MS     200
#define READS_A_TURN 4 // a flood must not starve the rest of the loop
#define WRITABLE_BYTES                                                                             \
    ((uint64_t)4 << 30) // [I] home and /tmp of a build; pip's own files lie on disk

struct box {
    struct loop *loop;
    struct box_callbacks callbacks;
    struct sandbox *sandbox;
    struct loop_source *sandbox_source;
    struct loop_source *output_source;
    struct line_splitter *splitter;
    int output_fd;
    int wait_status;
    bool failed;
    struct error error;
    bool metered;
    struct meter_limits limits;
    struct loop_source *meter_timer;
    int64_t spent_cpu_ms;
    int64_t line_ms;       // when the last line came
    int64_t line_cpu_ms;   // what was used by then
    int64_t quiet_told_ms; // silence that was told; 0: none since the last line
    int64_t cpu_ms;        // at the last look
};

static void take_line(void *context, const char *text, size_t len, unsigned flags)
{
    (void)flags;
    struct box *box = context;
    auto_free char *valid = utf8_valid(text, len);
    box->line_ms = clock_now_ms();
    box->line_cpu_ms = box->cpu_ms;
    box->quiet_told_ms = 0;
    box->callbacks.on_line(box->callbacks.context, valid);
}

// false: the pipe is empty or at its end.
static bool read_once(struct box *box)
{
    char chunk[READ_CHUNK];
    ssize_t got = read(box->output_fd, chunk, sizeof chunk);
    if (got > 0) {
        line_splitter_feed(box->splitter, chunk, (size_t)got);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        loop_source_free(box->output_source);
        box->output_source = NULL;
    }
    return false;
}

static void output_ready(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    struct box *box = context;
    for (int i = 0; i < READS_A_TURN && read_once(box); i++) {
    }
}

static void finish(struct box *box)
{
    while (read_once(box)) {
    }
    line_splitter_finish(box->splitter);
    box->callbacks.on_end(box->callbacks.context, box->wait_status,
                          box->failed ? &box->error : NULL);
}

static void sandbox_ready(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    struct box *box = context;
    for (;;) {
        struct sandbox_event event;
        sandbox_next_event(box->sandbox, &event);
        switch (event.kind) {
        case SANDBOX_NOTHING:
            return;
        case SANDBOX_FAILED:
            box->failed = true;
            box->error = event.error;
            break;
        case SANDBOX_COMMAND_EXITED:
            box->wait_status = event.wait_status;
            break;
        case SANDBOX_EXITED:
            if (box->wait_status < 0) {
                box->wait_status = event.wait_status;
            }
            finish(box); // may free the box
            return;
        default:
            break;
        }
    }
}

static int spawn(struct box *box, const struct box_request *request, struct error *error)
{
    const struct sandbox_spec spec = {
        .hostname = "build",
        .user_name = "leanengine", // P-68
        .uid = BUILD_INSIDE_ID,
        .gid = BUILD_INSIDE_ID,
        .host_uid = request->host_uid,
        .host_gid = request->host_gid,
        .home = BUILD_HOME_TARGET,
        .work_dir = BUILD_WORK_TARGET,
        .writable_bytes = WRITABLE_BYTES,
        .shm_bytes = (uint64_t)LIMIT_SHM_BYTES,
        .binds = request->binds,
        .bind_count = request->bind_count,
        .files = request->files,
        .file_count = request->file_count,
        .system_dirs = true,
        .private_dir = request->private_dir,
    };
    box->sandbox = sandbox_spawn(&spec, request->host, error);
    return box->sandbox ? 0 : -1;
}

// ---- limits ----

static void tell_silence(struct box *box)
{
    int64_t silent_ms = clock_now_ms() - box->line_ms;
    int64_t next_ms = box->quiet_told_ms ? 2 * box->quiet_told_ms : box->limits.quiet_ms;
    if (silent_ms >= next_ms && box->callbacks.on_quiet) {
        box->quiet_told_ms = silent_ms;
        box->callbacks.on_quiet(box->callbacks.context, silent_ms, box->cpu_ms - box->line_cpu_ms);
    }
}

static void look(void *context)
{
    struct box *box = context;
    struct usage use;
    if (box->failed || usage_read(sandbox_pid(box->sandbox), &use) < 0) {
        return; // its end is on the way
    }
    use.cpu_ms += box->spent_cpu_ms;
    box->cpu_ms = use.cpu_ms;
    if (meter_judge(&box->limits, &use, &box->error) < 0) {
        box->failed = true;
        sandbox_kill(box->sandbox);
        return;
    }
    tell_silence(box);
    loop_timer_restart(box->meter_timer, METER_MS);
}

// What is cloned while we are limited stays so.
static int spawn_limited(struct box *box, const struct box_request *request, struct error *error)
{
    if (!request->limits) {
        return spawn(box, request, error);
    }
    struct processors before;
    box->metered = true;
    box->limits = *request->limits;
    box->spent_cpu_ms = box->cpu_ms = box->line_cpu_ms = request->spent_cpu_ms;
    processors_limit(0, box->limits.cpus, 0, &before);
    int result = spawn(box, request, error);
    processors_restore(0, &before);
    return result;
}

static int go(struct box *box, const struct box_request *request, int output, struct error *error)
{
    const struct sandbox_version version = {
        .lowers = request->lowers,
        .lower_count = request->lower_count,
        .from_binds = request->lower_count == 0, // the empty directory is there already
    };
    const struct sandbox_command command = {
        .argv = request->argv,
        .env = request->env,
        .cwd = BUILD_WORK_TARGET,
        .stdin_fd = -1,
        .stdout_fd = output,
        .stderr_fd = output,
    };
    return sandbox_go(box->sandbox, &version, &command, error);
}

struct box *box_start(struct loop *loop, const struct box_request *request,
                      const struct box_callbacks *callbacks, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        error_set_errno(error, ERROR_SYSTEM, errno, "pipe");
        return NULL;
    }
    auto_close int output = ends[1];
    struct box *box = mem_alloc(sizeof *box);
    *box = (struct box){
        .loop = loop, .callbacks = *callbacks, .output_fd = ends[0], .wait_status = -1};
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    box->splitter = line_splitter_new(take_line, box);
    if (spawn_limited(box, request, error) < 0 || go(box, request, output, error) < 0) {
        box_free(box);
        return NULL;
    }
    box->output_source = loop_add_fd(loop, box->output_fd, EPOLLIN, output_ready, box);
    box->sandbox_source = loop_add_fd(loop, sandbox_fd(box->sandbox), EPOLLIN, sandbox_ready, box);
    box->line_ms = clock_now_ms();
    box->meter_timer = box->metered ? loop_add_timer(loop, METER_MS, look, box) : NULL;
    if (!box->output_source || !box->sandbox_source || (box->metered && !box->meter_timer)) {
        error_set_errno(error, ERROR_SYSTEM, errno, "epoll");
        box_free(box);
        return NULL;
    }
    return box;
}

int64_t box_cpu_ms(const struct box *box)
{
    return box->cpu_ms;
}

void box_kill(struct box *box)
{
    sandbox_kill(box->sandbox);
}

void box_free(struct box *box)
{
    if (!box) {
        return;
    }
    loop_source_free(box->meter_timer);
    loop_source_free(box->sandbox_source);
    loop_source_free(box->output_source);
    sandbox_free(box->sandbox);
    line_splitter_free(box->splitter);
    if (box->output_fd >= 0) {
        close(box->output_fd);
    }
    free(box);
}
