// The helper's side: "leanlocal @tree". One turn: read what inotify has, let settle decide, tell,
// cut. A cut waits until nothing is half saved, and what is pending is told before it: so a version
// never holds a change that the engine has not heard of, and never an editor's half-finished dance.
#include "emulator/watch/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sandbox/base/clock.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"

#define CUT_WAIT_MS     2000 // for a save to be finished
#define POLL_MS         300
#define JUST_SCANNED_MS 20

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
        helper_send_changed(helper, all.count, &named);
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
    helper_send_notice(helper, text);
}

static void poll_tree(struct helper *helper)
{
    int64_t begun = clock_now_ms();
    scan_all(&helper->scan);
    int64_t took = clock_now_ms() - begun;
    // A large tree must not cost all of a processor.
    helper->next_poll_ms = begun + took + (took * 5 > POLL_MS ? took * 5 : POLL_MS);
    if (helper->scan.changed.count > 0 || scan_extra_differs(&helper->scan)) {
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
            helper_send_failed(helper, tag, &error);
        } else {
            helper_send_version(helper, &version);
        }
    } else if (helper->scan.rules_error.kind != ERROR_NONE) {
        helper_send_failed(helper, tag, &helper->scan.rules_error); // P-223: the deploy is aborted
    } else if (cut_version(&helper->cut, &helper->scan, tag, &version, &error) < 0) {
        helper_send_failed(helper, tag, &error);
    } else {
        helper_send_version(helper, &version);
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
            helper_tell(helper, 0);
        }
        cut_now(helper);
    }
    return true;
}

// ---- start ----

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int start_git(struct helper *helper, const char *root, struct error *error)
{
    helper->git = mem_alloc(sizeof *helper->git);
    helper->git->report = helper_send_diagnostic;
    helper->git->context = helper;
    return helper_git_start(helper->git, root, helper->watch, error);
}

static int start(struct helper *helper, struct frame *frame, struct error *error)
{
    auto_free char *root = frame_text(frame);
    auto_free char *store = frame_text(frame);
    auto_free char *ignore_file = frame_text(frame);
    auto_free char *env_file = frame_text(frame);
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
    if (result == 0 && helper->watch && *env_file) {
        scan_watch_extra(&helper->scan, env_file);
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
    helper_flush(helper);
    if (helper->git && helper->last_file_count > 0) { // what the one before us knew is lost
        helper->rescanned = true;
        helper_send_changed(helper, 1, &(struct strlist){0});
        helper->rescanned = false;
    }
    if (helper->cut.base) {
        helper_adopt(helper);
    }
}

// ---- the turn ----

static void take_frame(struct helper *helper, struct frame *frame)
{
    if (frame->type == FRAME_START) {
        struct error error = {0};
        if (start(helper, frame, &error) < 0) {
            helper_send_fatal(helper, &error);
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
        helper_tell(helper, 0);
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
    helper->scan.notice = helper_send_notice;
    helper->scan.report = helper_send_diagnostic;
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
