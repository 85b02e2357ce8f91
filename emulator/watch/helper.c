// The helper's side: "leanlocal @tree". One turn: read what inotify has, let settle decide, tell,
// cut. A cut waits until nothing is half saved, and what is pending is told before it: so a version
// never holds a change that the engine has not heard of, and never an editor's half-finished dance.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "emulator/version/cut.h"
#include "emulator/watch/frame.h"
#include "emulator/watch/helper_git.h"
#include "emulator/watch/scan.h"
#include "emulator/watch/tree.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"

#define ENGINE_FD       3
#define PATHS_MAX       256
#define PATHS_BYTES     (FRAME_MAX / 2)
#define CUT_WAIT_MS     2000 // for a save to be finished
#define POLL_MS         300
#define JUST_SCANNED_MS 20
#define TOUCHED_MAX     4096 // of files that came and went, before they are swept

struct helper {
    struct buf in, out;
    bool watch, polling, rescanned, ended;
    int64_t next_poll_ms;
    int64_t scanned_ms; // when the first scan was done
    struct scan scan;
    struct cut cut;
    struct helper_git *git; // instead of the files; NULL: the files
    size_t last_file_count; // of the version that an older helper cut last
    struct strlist tags;    // cuts that were asked for
    int64_t cut_asked_ms;
};

// ---- to the engine ----

static void flush(struct helper *helper)
{
    for (size_t done = 0; done < helper->out.len && !helper->ended;) {
        ssize_t sent =
            send(ENGINE_FD, helper->out.data + done, helper->out.len - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            helper->ended = true;
        }
        done += sent > 0 ? (size_t)sent : 0;
    }
    helper->out.len = 0;
}

static void send_notice(void *context, const char *text)
{
    struct helper *helper = context;
    size_t begin = frame_begin(&helper->out, FRAME_NOTICE);
    frame_add_text(&helper->out, text);
    frame_end(&helper->out, begin);
    flush(helper);
}

static void send_diagnostic(void *context, const struct diagnostic *item)
{
    struct helper *helper = context;
    size_t begin = frame_begin(&helper->out, FRAME_DIAGNOSTIC);
    frame_add_number(&helper->out, item->severity);
    frame_add_text(&helper->out, item->file);
    frame_add_number(&helper->out, (uint64_t)item->line);
    frame_add_text(&helper->out, item->rule);
    frame_add_text(&helper->out, item->text);
    frame_add_text(&helper->out, item->hint);
    frame_end(&helper->out, begin);
    flush(helper);
}

static void send_fatal(struct helper *helper, const struct error *error)
{
    size_t begin = frame_begin(&helper->out, FRAME_FATAL);
    frame_add_bytes(&helper->out, error, sizeof *error);
    frame_end(&helper->out, begin);
    flush(helper);
}

static void send_version(struct helper *helper, const struct tree_version *version)
{
    size_t begin = frame_begin(&helper->out, FRAME_VERSION);
    frame_add_text(&helper->out, version->tag);
    frame_add_list(&helper->out, &version->lowers);
    frame_add_number(&helper->out, version->file_count);
    frame_add_number(&helper->out, version->bytes);
    frame_add_number(&helper->out, version->changed_count);
    frame_add_number(&helper->out, version->written_bytes);
    frame_end(&helper->out, begin);
    flush(helper);
}

static void send_failed(struct helper *helper, const char *tag, const struct error *error)
{
    size_t begin = frame_begin(&helper->out, FRAME_FAILED);
    frame_add_text(&helper->out, tag);
    frame_add_bytes(&helper->out, error, sizeof *error);
    frame_end(&helper->out, begin);
    flush(helper);
}

// ---- what has changed ----

// Against what was told last; the content of a file that never changed before is in the last
// version.
static bool content_differs(struct helper *helper, struct node *node)
{
    auto_free char *path = node_path(node);
    auto_free char *full = fs_join(helper->scan.root, path);
    unsigned char now[DIGEST_SIZE];
    if (digest_file(full, now) < 0) {
        return false; // gone in this moment: its event is on the way
    }
    unsigned char then[DIGEST_SIZE];
    auto_free char *stored = node->digest_known ? NULL : cut_stored_path(&helper->cut, node);
    bool known = node->digest_known || (stored && digest_file(stored, then) == 0);
    if (node->digest_known) {
        memcpy(then, node->digest, DIGEST_SIZE);
    }
    memcpy(node->digest, now, DIGEST_SIZE);
    node->digest_known = true;
    return !node->told || !known || memcmp(now, then, DIGEST_SIZE) != 0;
}

// true: this node is news; it counts as told from here on.
static bool take_news(struct helper *helper, struct node *node)
{
    bool there = node->kind == NODE_FILE && node->reports;
    if (there) {
        bool news = content_differs(helper, node);
        node->told = true;
        return news;
    }
    bool news = node->told;
    node->told = false;
    node->digest_known = false;
    return news;
}

// Files that came and went since the last version: nobody needs them.
static void sweep_touched(struct scan *scan)
{
    size_t kept = 0;
    for (size_t i = 0; i < scan->touched.count; i++) {
        struct node *node = scan->touched.items[i];
        bool idle = node->kind == NODE_NONE && node->stored == STORED_NOWHERE && !node->in_base &&
                    !node->differs;
        if (!idle) {
            scan->touched.items[kept++] = node;
            continue;
        }
        node->touched = false;
        inventory_forget(&scan->inventory, node);
    }
    scan->touched.count = kept;
}

static void collect_news(struct helper *helper, struct strlist *paths, size_t *ret_total)
{
    struct scan *scan = &helper->scan;
    struct node_list changed = scan->changed;
    scan->changed = (struct node_list){0};
    size_t bytes = 0;
    for (size_t i = 0; i < changed.count; i++) {
        if (!take_news(helper, changed.items[i])) {
            continue;
        }
        ++*ret_total;
        auto_free char *path = node_path(changed.items[i]);
        bytes += strlen(path);
        if (paths->count < PATHS_MAX && bytes < PATHS_BYTES) {
            strlist_add(paths, path);
        }
    }
    for (size_t i = 0; i < changed.count; i++) {
        changed.items[i]->changed = false;
        inventory_forget(&scan->inventory, changed.items[i]);
    }
    free(changed.items);
    if (scan->touched.count > TOUCHED_MAX) {
        sweep_touched(scan);
    }
}

static void send_changed(struct helper *helper, size_t total, const struct strlist *paths)
{
    size_t begin = frame_begin(&helper->out, FRAME_CHANGED);
    frame_add_number(&helper->out, total);
    frame_add_number(&helper->out, helper->rescanned);
    frame_add_list(&helper->out, paths);
    frame_end(&helper->out, begin);
    flush(helper);
}

static void tell(struct helper *helper, size_t more)
{
    struct scan *scan = &helper->scan;
    if (scan->rules_changed) {
        scan_load_rules(scan);
        scan_all(scan);
    }
    settle_told(&scan->settle, clock_now_ms());
    struct strlist paths = {0};
    size_t total = more;
    collect_news(helper, &paths, &total);
    if (total > 0) {
        send_changed(helper, total, &paths);
    }
    helper->rescanned = false;
    strlist_clear(&paths);
}

// A commit is a save of all that it changed.
static void tell_commits(struct helper *helper)
{
    struct strlist all = {0};
    helper_git_news(helper->git, &all);
    if (all.count > 0) {
        struct strlist named = {0};
        size_t bytes = 0;
        for (size_t i = 0; i < all.count && i < PATHS_MAX && bytes < PATHS_BYTES; i++) {
            bytes += strlen(all.items[i]);
            strlist_add(&named, all.items[i]);
        }
        send_changed(helper, all.count, &named);
        strlist_clear(&named);
    }
    strlist_clear(&all);
}

// ---- watching, or not ----

static const struct {
    unsigned long type;
    const char *name;
} blind_systems[] = {
    // Changes made elsewhere, or beneath, raise no events here.
    {0x6969, "NFS"},      {0x65735546, "FUSE"}, {0x01021997, "9p"},     {0x517b, "SMB"},
    {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"}, {0x786f4256, "vboxsf"}, {0x5346414f, "AFS"},
};

static const char *blind_system(const char *root)
{
    struct statfs info;
    if (getenv("LEANLOCAL_WATCH_POLL")) {
        return "LEANLOCAL_WATCH_POLL";
    }
    for (size_t i = 0; statfs(root, &info) == 0 && i < ARRAY_LEN(blind_systems); i++) {
        if (((unsigned long)info.f_type & 0xffffffff) == blind_systems[i].type) {
            return blind_systems[i].name;
        }
    }
    return NULL;
}

static void start_polling(struct helper *helper, char *note)
{
    scan_stop_watching(&helper->scan);
    helper->polling = true;
    helper->next_poll_ms = clock_now_ms() + POLL_MS;
    auto_free char *text =
        str_printf(_("%s; looking at all files every %d ms instead"), note, POLL_MS);
    free(note);
    send_notice(helper, text);
}

static void poll_tree(struct helper *helper)
{
    int64_t begun = clock_now_ms();
    scan_all(&helper->scan);
    int64_t took = clock_now_ms() - begun;
    // A large tree must not cost all of a processor.
    helper->next_poll_ms = begun + took + (took * 5 > POLL_MS ? took * 5 : POLL_MS);
    if (helper->scan.changed.count > 0) {
        settle_event(&helper->scan.settle, begun, 1, SETTLE_NEW);
    }
}

static void start_watching(struct helper *helper)
{
    const char *blind = blind_system(helper->scan.root);
    struct error error = {0};
    if (blind) {
        start_polling(helper, str_printf(_("no file events on %s"), blind));
    } else if (scan_watch(&helper->scan, &error) < 0) {
        start_polling(helper,
                      error.errnum == EMFILE ? watcher_limit_text(EMFILE) : str_dup(error.message));
    }
}

static void check_watching(struct helper *helper)
{
    if (helper->scan.watch_errno && !helper->polling) {
        start_polling(helper, watcher_limit_text(helper->scan.watch_errno));
    }
}

// Events were lost: the descriptors too are in doubt. All anew, then one report.
static void start_over(struct helper *helper)
{
    struct scan *scan = &helper->scan;
    log_debug("tree: overflow or lost root, looking at everything");
    scan->overflow = false;
    scan_stop_watching(scan);
    start_watching(helper);
    scan_all(scan);
    check_watching(helper);
    if (!helper->polling && !fs_is_dir(scan->root)) {
        start_polling(helper, str_printf(_("%s is gone"), scan->root));
    }
    helper->rescanned = true;
    settle_event(&scan->settle, clock_now_ms(), 1, SETTLE_GONE);
}

// ---- cutting ----

static void cut_now(struct helper *helper)
{
    auto_free char *tag = str_dup(helper->tags.items[0]);
    struct strlist rest = {0};
    for (size_t i = 1; i < helper->tags.count; i++) {
        strlist_add(&rest, helper->tags.items[i]);
    }
    strlist_clear(&helper->tags);
    helper->tags = rest;
    helper->cut_asked_ms = clock_now_ms();

    struct tree_version version = {0};
    struct error error = {0};
    if (helper->git) {
        if (helper_git_cut(helper->git, tag, &helper->cut, &version, &error) < 0) {
            send_failed(helper, tag, &error);
        } else {
            send_version(helper, &version);
        }
    } else if (helper->scan.rules_error.kind != ERROR_NONE) {
        send_failed(helper, tag, &helper->scan.rules_error); // P-223: the deploy is aborted
    } else if (cut_version(&helper->cut, &helper->scan, tag, &version, &error) < 0) {
        send_failed(helper, tag, &error);
    } else {
        send_version(helper, &version);
    }
    tree_version_release(&version);
    if (helper->scan.changed.count > 0) {
        settle_event(&helper->scan.settle, clock_now_ms(), 1, SETTLE_NEW);
    }
}

// Cuts what may be cut. false: a save is not finished.
static bool serve_cuts(struct helper *helper)
{
    while (helper->tags.count > 0 && !helper->ended) {
        int64_t now_ms = clock_now_ms();
        if (helper->git) {
            tell_commits(helper);
            cut_now(helper);
            continue;
        }
        if (!helper->watch || helper->polling) {
            if (now_ms - helper->scanned_ms > JUST_SCANNED_MS) {
                scan_all(&helper->scan);
            }
        } else {
            scan_events(&helper->scan, now_ms);
        }
        bool pending = helper->watch && settle_wait(&helper->scan.settle, now_ms) > 0;
        if (pending && now_ms - helper->cut_asked_ms < CUT_WAIT_MS) {
            return false;
        }
        if (helper->watch) {
            tell(helper, 0);
        }
        cut_now(helper);
    }
    return true;
}

// ---- start ----

// Where the last version, cut by a helper that died, has this path.
static enum node_stored find_stored(struct helper *helper, struct node *node)
{
    auto_free char *path = node_path(node);
    struct stat info;
    if (helper->cut.delta) {
        auto_free char *at = str_printf("%s/%s/%s", helper->cut.store, helper->cut.delta, path);
        size_t skip = strlen(helper->cut.store) + strlen(helper->cut.delta) + 2;
        if (lstat(at, &info) == 0 && S_ISREG(info.st_mode)) {
            return STORED_DELTA;
        }
        // A whiteout at the name or above it hides the base, as does a file above it.
        for (char *slash = at + strlen(at); slash; slash = strrchr(at + skip, '/')) {
            *slash = '\0';
            if (lstat(at, &info) == 0 && !S_ISDIR(info.st_mode)) {
                return STORED_NOWHERE;
            }
        }
    }
    auto_free char *at = str_printf("%s/%s/%s", helper->cut.store, helper->cut.base, path);
    return lstat(at, &info) == 0 && S_ISREG(info.st_mode) ? STORED_BASE : STORED_NOWHERE;
}

// Surely the same without reading it: as old and as long, and not touched since it was copied.
static bool surely_same(struct helper *helper, struct node *node)
{
    auto_free char *stored = cut_stored_path(&helper->cut, node);
    struct stat info;
    struct stamp stamp;
    if (!stored || stat(stored, &info) < 0) {
        return false;
    }
    stamp_of(&info, &stamp);
    return stamp.size == node->stamp.size && stamp.mtime_ns == node->stamp.mtime_ns &&
           stamp.ctime_ns > node->stamp.ctime_ns;
}

static size_t adopt_below(struct helper *helper, struct node *dir)
{
    size_t found = 0;
    for (struct node *child = dir->first_child; child; child = child->next) {
        if (child->kind == NODE_DIR) {
            found += adopt_below(helper, child);
        }
        if (child->kind != NODE_FILE || !child->uploaded) {
            continue;
        }
        child->stored = find_stored(helper, child);
        found += child->stored != STORED_NOWHERE;
        if (child->stored == STORED_NOWHERE) {
            child->told = false;
        }
        if (child->reports && !surely_same(helper, child)) {
            scan_add_changed(&helper->scan, child);
        }
    }
    return found;
}

// Compares the tree with the last version of the helper that died; one report if anything differs.
static void adopt(struct helper *helper)
{
    size_t found = adopt_below(helper, helper->scan.inventory.root);
    helper->rescanned = true;
    tell(helper, helper->last_file_count > found ? helper->last_file_count - found : 0);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int start_git(struct helper *helper, const char *root, struct error *error)
{
    helper->git = mem_alloc(sizeof *helper->git);
    helper->git->report = send_diagnostic;
    helper->git->context = helper;
    return helper_git_start(helper->git, root, helper->watch, error);
}

static int start(struct helper *helper, struct frame *frame, struct error *error)
{
    auto_free char *root = frame_text(frame);
    auto_free char *store = frame_text(frame);
    auto_free char *ignore_file = frame_text(frame);
    uint64_t flags = frame_number(frame);
    struct layer_owner owner = {.give = (flags & START_OWN) != 0};
    owner.uid = (uint32_t)frame_number(frame);
    owner.gid = (uint32_t)frame_number(frame);
    helper->last_file_count = (size_t)frame_number(frame);
    helper->watch = (flags & START_WATCH) != 0;
    struct strlist lowers = {0};
    struct strlist keep = {0};
    frame_list(frame, &lowers);
    frame_list(frame, &keep);
    helper->scan.no_rules = (flags & START_GIT) != 0;
    int result = scan_init(&helper->scan, root, *ignore_file ? ignore_file : NULL, error);
    if (result == 0) {
        result = cut_init(&helper->cut, store, owner, &keep, error);
        helper->cut.keep_modes = (flags & START_KEEP_MODES) != 0;
    }
    if (result == 0 && flags & START_GIT) {
        result = start_git(helper, root, error);
    }
    struct stat info;
    if (result == 0 && stat(store, &info) == 0) {
        helper->scan.store_dev = info.st_dev;
        helper->scan.store_ino = info.st_ino;
    }
    if (result == 0 && lowers.count > 0 && !helper->git) {
        helper->cut.base = str_dup(last_part(lowers.items[lowers.count - 1]));
        helper->cut.delta = lowers.count > 1 ? str_dup(last_part(lowers.items[0])) : NULL;
    }
    strlist_clear(&lowers);
    strlist_clear(&keep);
    return result;
}

static void first_scan(struct helper *helper)
{
    struct scan *scan = &helper->scan;
    if (!helper->git) {
        if (helper->watch) {
            start_watching(helper);
        }
        scan->quiet = true;
        scan_all(scan);
        scan->quiet = !helper->watch; // then nothing is ever told
        helper->scanned_ms = clock_now_ms();
        check_watching(helper);
    }
    size_t begin = frame_begin(&helper->out, FRAME_READY);
    frame_add_number(&helper->out, scan->inventory.files);
    frame_add_number(&helper->out, helper->polling);
    frame_add_text(&helper->out, helper->polling ? _("polling") : "");
    frame_end(&helper->out, begin);
    flush(helper);
    if (helper->cut.base) {
        adopt(helper);
    }
}

// ---- the turn ----

static void take_frame(struct helper *helper, struct frame *frame)
{
    if (frame->type == FRAME_START) {
        struct error error = {0};
        if (start(helper, frame, &error) < 0) {
            send_fatal(helper, &error);
            helper->ended = true;
            return;
        }
        first_scan(helper);
    } else if (frame->type == FRAME_CUT) {
        if (helper->tags.count == 0) {
            helper->cut_asked_ms = clock_now_ms();
        }
        strlist_take(&helper->tags, frame_text(frame));
    } else if (frame->type == FRAME_REMOVE) {
        auto_free char *name = frame_text(frame);
        cut_remove(&helper->cut, name);
    }
}

static void read_engine(struct helper *helper)
{
    char *room = buf_reserve(&helper->in, 65536);
    ssize_t got = room ? read(ENGINE_FD, room, 65536) : 0;
    if (got < 0 && errno == EINTR) {
        return;
    }
    if (got <= 0) {
        helper->ended = true;
        return;
    }
    buf_added(&helper->in, (size_t)got);
    struct frame frame;
    bool bad = false;
    while (!helper->ended && frame_next(&helper->in, &frame, &bad)) {
        take_frame(helper, &frame);
        frame_drop(&helper->in);
    }
    helper->ended = helper->ended || bad;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int next_wait(struct helper *helper, int64_t now_ms)
{
    int64_t wait = helper->git     ? helper_git_wait(helper->git, now_ms)
                   : helper->watch ? settle_wait(&helper->scan.settle, now_ms)
                                   : -1;
    if (helper->polling) {
        wait = earlier(wait, helper->next_poll_ms > now_ms ? helper->next_poll_ms - now_ms : 0);
    }
    if (helper->tags.count > 0) {
        int64_t due = helper->cut_asked_ms + CUT_WAIT_MS;
        wait = earlier(wait, due > now_ms ? due - now_ms : 0);
    }
    if (helper->cut.waste) {
        wait = earlier(wait, 1); // deletes a little whenever nothing else is to be done
    }
    return wait > 60000 ? 60000 : (int)wait;
}

static void take_turn(struct helper *helper)
{
    struct scan *scan = &helper->scan;
    if (helper->git) {
        if (helper_git_wait(helper->git, clock_now_ms()) == 0) {
            tell_commits(helper);
        }
        serve_cuts(helper);
        return;
    }
    scan_events(scan, clock_now_ms());
    check_watching(helper);
    if (scan->overflow && helper->watch) {
        start_over(helper);
    }
    if (helper->polling && clock_now_ms() >= helper->next_poll_ms) {
        poll_tree(helper);
    }
    if (scan->settle.held && !scan_vcs_busy(scan)) {
        settle_hold(&scan->settle, clock_now_ms(), false);
    }
    if (helper->watch && settle_wait(&scan->settle, clock_now_ms()) == 0) {
        tell(helper, 0);
    }
    serve_cuts(helper);
}

int tree_helper_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    log_open("tree");
    struct helper *helper = mem_alloc(sizeof *helper);
    helper->in.max = 2 * FRAME_MAX;
    helper->cut.lock_fd = helper->scan.root_fd = -1;
    helper->scan.notice = send_notice;
    helper->scan.report = send_diagnostic;
    helper->scan.context = helper;
    while (!helper->ended) {
        struct pollfd fds[2] = {{.fd = ENGINE_FD, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
        bool started = helper->scan.root != NULL;
        struct watcher *watcher = helper->git ? helper->git->watcher : helper->scan.watcher;
        if (watcher) {
            fds[1].fd = watcher_fd(watcher);
        }
        int ready = poll(fds, 2, started ? next_wait(helper, clock_now_ms()) : -1);
        if (ready < 0 && errno != EINTR) {
            break;
        }
        if (ready == 0 && helper->cut.waste && !settle_pending(&helper->scan.settle)) {
            cut_idle(&helper->cut);
        }
        if (fds[0].revents) {
            read_engine(helper);
        }
        if (!helper->ended && helper->scan.root) {
            take_turn(helper);
        }
    }
    if (helper->scan.root) {
        scan_release(&helper->scan);
    }
    if (helper->git) {
        helper_git_release(helper->git);
        free(helper->git);
    }
    cut_release(&helper->cut);
    strlist_clear(&helper->tags);
    buf_release(&helper->in);
    buf_release(&helper->out);
    free(helper);
    return 0;
}
