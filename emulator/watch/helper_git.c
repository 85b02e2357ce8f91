#include "emulator/watch/helper_git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define QUIET_MS 30 // after git's last word
#define BUSY_MS  200

// ---- watching ----

// The directory of the branch's ref: git puts a new one there by rename.
static void watch_branch(struct helper_git *source)
{
    auto_free char *head = fs_join(source->git.dir, "HEAD");
    size_t len = 0;
    auto_free char *text = fs_read(head, 4096, &len, NULL);
    if (!text || !str_starts_with(text, "ref: ")) {
        return; // detached: HEAD itself says it
    }
    text[strcspn(text, "\r\n")] = '\0';
    auto_free char *ref = fs_join(source->git.common, text + 5);
    *strrchr(ref, '/') = '\0';
    watcher_add(source->watcher, ref);
}

static void watch(struct helper_git *source)
{
    source->watcher = watcher_new(NULL);
    if (!source->watcher) {
        return;
    }
    watcher_add(source->watcher, source->git.dir);
    watcher_add(source->watcher, source->git.common); // packed-refs
    watch_branch(source);
    source->env_wd = watcher_add(source->watcher, source->project);
}

int helper_git_start(struct helper_git *source, const char *project, bool watching,
                     struct error *error)
{
    source->project = str_dup(project);
    source->env_wd = -1;
    if (git_open(&source->git, project, error) < 0) {
        return -1;
    }
    if (watching) {
        watch(source);
    }
    return 0;
}

void helper_git_release(struct helper_git *source)
{
    watcher_free(source->watcher);
    git_release(&source->git);
    git_cut_release(&source->cut);
    free(source->project);
    *source = (struct helper_git){0};
}

// A rebase moves HEAD many times; index.lock is there while git works.
static bool is_busy(const struct helper_git *source)
{
    static const char *const marks[] = {"index.lock", "HEAD.lock", "rebase-merge", "rebase-apply"};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        auto_free char *path = fs_join(source->git.dir, marks[i]);
        if (access(path, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

int helper_git_wait(struct helper_git *source, int64_t now_ms)
{
    struct watch_event event;
    while (source->watcher && watcher_next(source->watcher, &event)) {
        bool env = event.wd == source->env_wd && event.wd >= 0;
        if (env && strcmp(event.name, ".env") != 0) {
            continue;
        }
        source->env_changed = source->env_changed || env;
        source->due_ms = now_ms + QUIET_MS;
    }
    if (source->due_ms == 0) {
        return -1;
    }
    return source->due_ms > now_ms ? (int)(source->due_ms - now_ms) : 0;
}

void helper_git_news(struct helper_git *source, struct strlist *ret_paths)
{
    char tree[GIT_ID_SIZE];
    if (is_busy(source)) {
        source->due_ms = clock_now_ms() + BUSY_MS;
        return;
    }
    source->due_ms = 0;
    if (source->env_changed) {
        strlist_add(ret_paths, ".env");
        source->env_changed = false;
    }
    if (source->watcher) {
        watch_branch(source);
    }
    if (!*source->told || git_head(&source->git, tree, NULL) < 0 ||
        strcmp(tree, source->told) == 0) {
        return;
    }
    git_differences(&source->git, source->told, tree, ret_paths, ret_paths, NULL);
    snprintf(source->told, sizeof source->told, "%s", tree);
}

// ---- cutting ----

static void report(struct helper_git *source, enum diagnostic_severity severity, const char *file,
                   const char *rule, const char *hint, const char *text)
{
    const struct diagnostic item = {.severity = severity,
                                    .file = (char *)(uintptr_t)file,
                                    .rule = (char *)(uintptr_t)rule,
                                    .text = (char *)(uintptr_t)text,
                                    .hint = (char *)(uintptr_t)hint};
    source->report(source->context, &item);
}

static void report_state(struct helper_git *source, const struct git_listing *listing)
{
    size_t files, commits;
    git_pending(&source->git, &files, &commits);
    if (files > 0) {
        auto_free char *text = str_printf(
            _("changed but not committed, and so not in this version: %zu files"), files);
        report(source, DIAGNOSTIC_NOTE, NULL, "P-220", NULL, text);
    }
    if (commits > 0) {
        auto_free char *text =
            str_printf(_("not pushed, and so not in a Git deploy: %zu commits"), commits);
        report(source, DIAGNOSTIC_WARNING, NULL, "P-220", "git push", text);
    }
    if (*source->git.prefix) {
        auto_free char *text =
            str_printf(_("the repository's root is %s: the deploy needs the build root %s"),
                       source->git.top, source->git.prefix);
        report(source, DIAGNOSTIC_NOTE, NULL, "P-12", NULL, text);
    }
    for (size_t i = 0; i < listing->submodules.count && i < 10; i++) {
        report(source, DIAGNOSTIC_DEVIATION, listing->submodules.items[i], "P-220", NULL,
               _("a submodule: left out here"));
    }
}

int helper_git_cut(struct helper_git *source, const char *tag, const struct cut *store,
                   struct tree_version *ret_version, struct error *error)
{
    char tree[GIT_ID_SIZE];
    struct git_listing listing = {0};
    if (git_head(&source->git, tree, error) < 0 ||
        git_cut_version(&source->cut, &source->git, tree, tag, store->store, store->owner, &listing,
                        ret_version, error) < 0) {
        return -1;
    }
    if (strcmp(tree, source->told) != 0 || !*source->told) {
        report_state(source, &listing);
    }
    snprintf(source->told, sizeof source->told, "%s", tree);
    git_listing_release(&listing);
    return 0;
}
