// The engine's side: keeps the helper alive, and remembers what a new one has to know: the versions
// that are in use, the last one (what the tree is compared with), and the cuts that were not
// answered.
#include "emulator/watch/tree.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/watch/frame.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "sandbox/base/process.h"

#define OUT_MAX     (4u << 20)
#define HEALTHY_MS  10000 // alive so long: the next death is a first one
#define TELL_DEATHS 3     // in a row, before a word about it

static const int64_t restart_ms[] = {20, 200, 1000, 5000};

struct version_dirs {
    char *tag;
    struct strlist dirs; // names in the store
};

struct tree {
    struct loop *loop;
    char *root, *store, *ignore_file, *env_file;
    struct tree_options options;
    struct tree_callbacks callbacks;

    pid_t pid; // 0: no helper now
    int fd;
    struct loop_source *socket, *child, *timer;
    struct buf in, out;
    unsigned deaths; // in a row
    int64_t started_ms;
    bool ready_told, fatal;

    struct strlist tags; // cuts not answered
    struct version_dirs *live;
    size_t live_count;
    struct strlist last_lowers; // absolute
    size_t last_file_count;
    struct strlist dirs; // all that are in the store

    unsigned depth; // of callbacks; freed when it is 0
    bool closed;
};

static void start_helper(struct tree *tree);

void tree_version_copy(struct tree_version *to, const struct tree_version *from)
{
    *to = *from;
    to->tag = str_dup(from->tag);
    to->lowers = (struct strlist){0};
    strlist_copy(&to->lowers, &from->lowers);
}

void tree_version_release(struct tree_version *version)
{
    free(version->tag);
    strlist_clear(&version->lowers);
    *version = (struct tree_version){0};
}

// ---- sending ----

static void write_out(struct tree *tree)
{
    while (tree->out.len > 0 && tree->fd >= 0) {
        ssize_t sent = send(tree->fd, tree->out.data, tree->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            break; // full: when it is writable again; broken: the child's end comes
        }
        buf_consume(&tree->out, (size_t)sent);
    }
    if (tree->socket) {
        loop_set_fd_events(tree->socket, tree->out.len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void send_text(struct tree *tree, enum frame_type type, const char *text)
{
    if (tree->out.len > OUT_MAX / 2) {
        kill(tree->pid, SIGKILL); // it does not read: a new one will
    } else if (tree->fd >= 0) {
        size_t begin = frame_begin(&tree->out, type);
        frame_add_text(&tree->out, text);
        frame_end(&tree->out, begin);
        write_out(tree);
    }
}

static void send_start(struct tree *tree)
{
    size_t begin = frame_begin(&tree->out, FRAME_START);
    frame_add_text(&tree->out, tree->root);
    frame_add_text(&tree->out, tree->store);
    frame_add_text(&tree->out, tree->ignore_file);
    frame_add_text(&tree->out, tree->env_file);
    frame_add_number(&tree->out, (tree->options.watch ? START_WATCH : 0u) |
                                     (tree->options.own_files ? START_OWN : 0u) |
                                     (tree->options.keep_modes ? START_KEEP_MODES : 0u) |
                                     (tree->options.from_git ? START_GIT : 0u));
    frame_add_number(&tree->out, tree->options.uid);
    frame_add_number(&tree->out, tree->options.gid);
    frame_add_number(&tree->out, tree->last_file_count);
    frame_add_list(&tree->out, &tree->last_lowers);
    frame_add_list(&tree->out, &tree->dirs);
    frame_end(&tree->out, begin);
    for (size_t i = 0; i < tree->tags.count; i++) {
        begin = frame_begin(&tree->out, FRAME_CUT);
        frame_add_text(&tree->out, tree->tags.items[i]);
        frame_end(&tree->out, begin);
    }
    write_out(tree);
}

// ---- versions in use ----

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_used(const struct tree *tree, const char *dir)
{
    for (size_t i = 0; i < tree->live_count; i++) {
        if (strlist_contains(&tree->live[i].dirs, dir)) {
            return true;
        }
    }
    for (size_t i = 0; i < tree->last_lowers.count; i++) {
        if (str_equal(last_part(tree->last_lowers.items[i]), dir)) {
            return true;
        }
    }
    return false;
}

// Directories that nobody uses go.
static void collect(struct tree *tree)
{
    struct strlist kept = {0};
    for (size_t i = 0; i < tree->dirs.count; i++) {
        if (is_used(tree, tree->dirs.items[i])) {
            strlist_add(&kept, tree->dirs.items[i]);
        } else {
            send_text(tree, FRAME_REMOVE, tree->dirs.items[i]);
        }
    }
    strlist_clear(&tree->dirs);
    tree->dirs = kept;
}

static void remember_version(struct tree *tree, const struct tree_version *version)
{
    tree->live = mem_resize(tree->live, (tree->live_count + 1) * sizeof *tree->live);
    struct version_dirs *live = &tree->live[tree->live_count++];
    *live = (struct version_dirs){.tag = str_dup(version->tag)};
    for (size_t i = 0; i < version->lowers.count; i++) {
        const char *dir = last_part(version->lowers.items[i]);
        strlist_add(&live->dirs, dir);
        if (!strlist_contains(&tree->dirs, dir)) {
            strlist_add(&tree->dirs, dir);
        }
    }
    strlist_clear(&tree->last_lowers);
    strlist_copy(&tree->last_lowers, &version->lowers);
    tree->last_file_count = version->file_count;
    collect(tree);
}

void tree_release_version(struct tree *tree, const char *tag)
{
    for (size_t i = 0; i < tree->live_count; i++) {
        if (str_equal(tree->live[i].tag, tag)) {
            free(tree->live[i].tag);
            strlist_clear(&tree->live[i].dirs);
            tree->live[i] = tree->live[--tree->live_count];
            break;
        }
    }
    collect(tree);
}

static bool forget_tag(struct tree *tree, const char *tag)
{
    bool found = false;
    struct strlist rest = {0};
    for (size_t i = 0; i < tree->tags.count; i++) {
        if (!found && str_equal(tree->tags.items[i], tag)) {
            found = true;
        } else {
            strlist_add(&rest, tree->tags.items[i]);
        }
    }
    strlist_clear(&tree->tags);
    tree->tags = rest;
    return found;
}

// ---- what the helper says ----

static void take_ready(struct tree *tree, struct frame *frame)
{
    size_t count = (size_t)frame_number(frame);
    bool polling = frame_number(frame) != 0;
    auto_free char *note = frame_text(frame);
    if (!tree->ready_told) {
        tree->ready_told = true;
        tree->callbacks.on_ready(tree->callbacks.context, count, polling, *note ? note : NULL);
    }
}

static void take_changed(struct tree *tree, struct frame *frame)
{
    struct tree_change change = {.total = (size_t)frame_number(frame)};
    change.rescan = frame_number(frame) != 0;
    frame_list(frame, &change.paths);
    if (!frame->bad) {
        tree->callbacks.on_changed(tree->callbacks.context, &change);
    }
    strlist_clear(&change.paths);
}

static void take_version(struct tree *tree, struct frame *frame)
{
    struct tree_version version = {.tag = frame_text(frame)};
    frame_list(frame, &version.lowers);
    version.file_count = (size_t)frame_number(frame);
    version.bytes = frame_number(frame);
    version.changed_count = (size_t)frame_number(frame);
    version.written_bytes = frame_number(frame);
    if (!frame->bad && forget_tag(tree, version.tag)) {
        remember_version(tree, &version);
        tree->callbacks.on_version(tree->callbacks.context, &version, NULL);
    }
    tree_version_release(&version);
}

static void take_diagnostic(struct tree *tree, struct frame *frame)
{
    struct diagnostic item = {.severity = (enum diagnostic_severity)frame_number(frame)};
    auto_free char *file = frame_text(frame);
    item.line = (int)frame_number(frame);
    auto_free char *rule = frame_text(frame);
    auto_free char *text = frame_text(frame);
    auto_free char *hint = frame_text(frame);
    item.file = *file ? file : NULL;
    item.rule = *rule ? rule : NULL;
    item.text = text;
    item.hint = *hint ? hint : NULL;
    if (!frame->bad && item.severity <= DIAGNOSTIC_ERROR && tree->callbacks.on_diagnostic) {
        tree->callbacks.on_diagnostic(tree->callbacks.context, &item);
    }
}

// The answer to one cut, or (tag NULL) to all of them.
static void fail_cuts(struct tree *tree, const char *tag, const struct error *error)
{
    struct strlist tags = {0};
    if (tag) {
        strlist_add(&tags, tag);
    } else {
        strlist_copy(&tags, &tree->tags);
    }
    for (size_t i = 0; i < tags.count && !tree->closed; i++) {
        if (forget_tag(tree, tags.items[i])) {
            tree->callbacks.on_version(tree->callbacks.context, NULL, error);
        }
    }
    strlist_clear(&tags);
}

static void take_frame(struct tree *tree, struct frame *frame)
{
    struct error error = {0};
    if (frame->type == FRAME_READY) {
        take_ready(tree, frame);
    } else if (frame->type == FRAME_CHANGED) {
        take_changed(tree, frame);
    } else if (frame->type == FRAME_VERSION) {
        take_version(tree, frame);
    } else if (frame->type == FRAME_FAILED) {
        auto_free char *tag = frame_text(frame);
        frame_error(frame, &error);
        fail_cuts(tree, tag, &error);
    } else if (frame->type == FRAME_NOTICE) {
        auto_free char *text = frame_text(frame);
        tree->callbacks.on_notice(tree->callbacks.context, text);
    } else if (frame->type == FRAME_DIAGNOSTIC) {
        take_diagnostic(tree, frame);
    } else if (frame->type == FRAME_FATAL) {
        frame_error(frame, &error);
        bool first = !tree->fatal;
        tree->fatal = true;
        if (tree->tags.count == 0 && first) {
            tree->callbacks.on_notice(tree->callbacks.context, error.message);
        }
        fail_cuts(tree, NULL, &error);
    }
}

static void destroy(struct tree *tree)
{
    for (size_t i = 0; i < tree->live_count; i++) {
        free(tree->live[i].tag);
        strlist_clear(&tree->live[i].dirs);
    }
    free(tree->live);
    strlist_clear(&tree->tags);
    strlist_clear(&tree->last_lowers);
    strlist_clear(&tree->dirs);
    buf_release(&tree->in);
    buf_release(&tree->out);
    free(tree->root);
    free(tree->store);
    free(tree->ignore_file);
    free(tree->env_file);
    free(tree);
}

// Around everything that may call back: tree_free() may be called in there.
static void leave(struct tree *tree)
{
    if (--tree->depth == 0 && tree->closed) {
        destroy(tree);
    }
}

static void read_frames(struct tree *tree)
{
    struct frame frame;
    bool bad = false;
    tree->depth++;
    while (!tree->closed && frame_next(&tree->in, &frame, &bad)) {
        take_frame(tree, &frame);
        if (!tree->closed) {
            frame_drop(&tree->in);
        }
    }
    if (bad && tree->pid) {
        kill(tree->pid, SIGKILL);
    }
    leave(tree);
}

// true: something came.
static bool read_some(struct tree *tree)
{
    char *room = buf_reserve(&tree->in, 65536);
    ssize_t got = room ? recv(tree->fd, room, 65536, MSG_DONTWAIT) : 0;
    if (got > 0) {
        buf_added(&tree->in, (size_t)got);
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

static void on_socket(void *context, int fd, uint32_t events)
{
    (void)fd;
    struct tree *tree = context;
    if (events & EPOLLOUT) {
        write_out(tree);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        return;
    }
    if (read_some(tree)) {
        read_frames(tree);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        loop_source_free(tree->socket); // the child's end follows
        tree->socket = NULL;
    }
}

// ---- the helper's life ----

static void drop_helper(struct tree *tree)
{
    loop_source_free(tree->socket);
    loop_source_free(tree->child);
    tree->socket = tree->child = NULL;
    if (tree->fd >= 0) {
        close(tree->fd);
    }
    tree->fd = -1;
    tree->pid = 0;
    tree->in.len = tree->out.len = 0;
}

static void on_timer(void *context)
{
    struct tree *tree = context;
    loop_source_free(tree->timer);
    tree->timer = NULL;
    start_helper(tree);
}

static void restart_later(struct tree *tree)
{
    size_t step = tree->deaths < ARRAY_LEN(restart_ms) ? tree->deaths : ARRAY_LEN(restart_ms) - 1;
    tree->deaths++;
    tree->timer = loop_add_timer(tree->loop, restart_ms[step], on_timer, tree);
}

static void on_child(void *context, pid_t pid, int wait_status)
{
    struct tree *tree = context;
    tree->depth++;
    // What it said before it died is still there.
    while (tree->fd >= 0 && read_some(tree)) {
        read_frames(tree);
    }
    if (!tree->closed) {
        log_debug("tree: helper %d ended: %s", (int)pid, process_describe_status(wait_status));
        drop_helper(tree);
        if (loop_now_ms(tree->loop) - tree->started_ms > HEALTHY_MS) {
            tree->deaths = 0;
        }
        restart_later(tree);
        if (tree->deaths == TELL_DEATHS && !tree->fatal) {
            auto_free char *text =
                str_printf(_("the file watcher keeps ending (%s); it is started again"),
                           process_describe_status(wait_status));
            tree->callbacks.on_notice(tree->callbacks.context, text);
        }
    }
    leave(tree);
}

static int spawn(struct tree *tree, struct error *error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "socketpair");
    }
    auto_close int ours = ends[0];
    auto_close int theirs = ends[1];
    char name[] = "leanlocal";
    char role[] = "@tree";
    char *argv[] = {name, role, tree->root, NULL};
    const struct process_options options = {
        .argv = argv,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .extra_fd = theirs,
        .new_session = true,
        .die_with_parent = true,
    };
    struct process process;
    if (process_start(&options, &process, error) < 0) {
        return -1;
    }
    close(process.pidfd);
    tree->pid = process.pid;
    tree->fd = steal_fd(&ours);
    tree->started_ms = loop_now_ms(tree->loop);
    tree->socket = loop_add_fd(tree->loop, tree->fd, EPOLLIN, on_socket, tree);
    tree->child = loop_add_child(tree->loop, tree->pid, on_child, tree);
    if (!tree->socket || !tree->child) {
        error_set_errno(error, ERROR_SYSTEM, errno, "loop");
        kill(tree->pid, SIGKILL);
        waitpid(tree->pid, NULL, 0);
        drop_helper(tree);
        return -1;
    }
    send_start(tree);
    return 0;
}

static void start_helper(struct tree *tree)
{
    struct error error = {0};
    if (spawn(tree, &error) < 0) {
        log_debug("tree: %s", error.message);
        restart_later(tree);
    }
}

struct tree *tree_start(struct loop *loop, const struct tree_options *options,
                        const struct tree_callbacks *callbacks, struct error *error)
{
    struct tree *tree = mem_alloc(sizeof *tree);
    tree->loop = loop;
    tree->options = *options;
    tree->root = str_dup(options->root);
    tree->store = str_dup(options->store);
    tree->ignore_file = str_dup(options->ignore_file);
    tree->env_file = str_dup(options->env_file);
    tree->callbacks = *callbacks;
    tree->fd = -1;
    tree->in.max = 2 * FRAME_MAX;
    tree->out.max = OUT_MAX;
    if (spawn(tree, error) < 0) {
        destroy(tree);
        return NULL;
    }
    return tree;
}

void tree_cut(struct tree *tree, const char *tag)
{
    strlist_add(&tree->tags, tag);
    send_text(tree, FRAME_CUT, tag);
}

pid_t tree_helper_pid(const struct tree *tree)
{
    return tree->pid;
}

void tree_free(struct tree *tree)
{
    if (!tree) {
        return;
    }
    loop_source_free(tree->timer);
    tree->timer = NULL;
    pid_t pid = tree->pid;
    drop_helper(tree);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    tree->closed = true;
    tree->depth++;
    leave(tree);
}
