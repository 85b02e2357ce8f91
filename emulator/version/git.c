#include "emulator/version/git.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/process.h"

#define LIMIT_MS    120000
#define OUTPUT_MAX  (256u << 20)
#define ARGS_MAX    24
#define NO_SUCH_RUN 127

extern char **environ;

// ---- running git ----

struct run {
    const char *cwd;
    const char *index;       // GIT_INDEX_FILE, or NULL
    const struct buf *input; // stdin, or NULL
    int status;
    struct buf output, words; // stdout, stderr
};

static void run_release(struct run *run)
{
    buf_release(&run->output);
    buf_release(&run->words);
}

// What a hook or an outer git left in the environment would lead elsewhere.
static void make_env(const char *index, struct strlist *env)
{
    static const char *const local[] = {"GIT_DIR=",    "GIT_WORK_TREE=",        "GIT_INDEX_FILE=",
                                        "GIT_PREFIX=", "GIT_OBJECT_DIRECTORY=", "GIT_COMMON_DIR="};
    for (char **entry = environ; *entry; entry++) {
        bool kept = true;
        for (size_t i = 0; i < ARRAY_LEN(local); i++) {
            kept = kept && !str_starts_with(*entry, local[i]);
        }
        if (kept) {
            strlist_add(env, *entry);
        }
    }
    strlist_add(env, "GIT_OPTIONAL_LOCKS=0"); // looking must not touch the index
    strlist_add(env, "GIT_TERMINAL_PROMPT=0");
    if (index) {
        strlist_addf(env, "GIT_INDEX_FILE=%s", index);
    }
}

static void read_back(int fd, struct buf *out)
{
    out->max = OUTPUT_MAX;
    lseek(fd, 0, SEEK_SET);
    char *room;
    ssize_t got;
    while ((room = buf_reserve(out, 65536)) && (got = read(fd, room, 65536)) > 0) {
        buf_added(out, (size_t)got);
    }
}

static int wait_for(const struct process *process)
{
    struct pollfd wait = {.fd = process->pidfd, .events = POLLIN};
    int ready;
    while ((ready = poll(&wait, 1, LIMIT_MS)) < 0 && errno == EINTR) {
    }
    if (ready == 0) {
        kill(-process->pid, SIGKILL);
    }
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
    }
    close(process->pidfd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// arguments: blank-separated; "%" stands for the next of values.
static void split(const char *arguments, const char *const *values, char **argv, struct buf *room)
{
    size_t count = 0;
    buf_adds(room, arguments);
    argv[count++] = (char *)(uintptr_t) "git";
    argv[count++] = (char *)(uintptr_t) "-c";
    argv[count++] = (char *)(uintptr_t) "core.fsmonitor=false";
    char *rest = room->data;
    char *word;
    while ((word = strsep(&rest, " ")) && count < ARGS_MAX - 1) {
        argv[count++] = strcmp(word, "%") == 0 ? (char *)(uintptr_t)*values++ : word;
    }
    argv[count] = NULL;
}

static int start_git(struct run *run, char **argv, struct error *error)
{
    auto_close int in = run->input ? memfd_create("git-in", MFD_CLOEXEC) : -1;
    auto_close int out = memfd_create("git-out", MFD_CLOEXEC);
    auto_close int words = memfd_create("git-words", MFD_CLOEXEC);
    if (run->input) {
        fs_write_all(in, run->input->data, run->input->len);
        lseek(in, 0, SEEK_SET);
    }
    struct strlist env = {0};
    make_env(run->index, &env);
    const struct process_options options = {.path = "git",
                                            .argv = argv,
                                            .env = env.items,
                                            .cwd = run->cwd,
                                            .stdin_fd = in,
                                            .stdout_fd = out,
                                            .stderr_fd = words,
                                            .extra_fd = -1,
                                            .new_session = true,
                                            .die_with_parent = true};
    struct process process;
    int result = process_start(&options, &process, error);
    strlist_clear(&env);
    if (result == 0) {
        run->status = wait_for(&process);
        read_back(out, &run->output);
        read_back(words, &run->words);
    }
    return result;
}

// 0: git ran, whatever it answered.
static int run_git(struct run *run, struct error *error, const char *arguments,
                   const char *const *values)
{
    char *argv[ARGS_MAX];
    struct buf room = {0};
    split(arguments, values, argv, &room);
    int result = start_git(run, argv, error);
    buf_release(&room);
    if (result == 0 && run->status == NO_SUCH_RUN && run->words.len == 0) {
        error_set(error, ERROR_HOST, _("git is not installed here"));
        return error_set_hint(error, _("apt install git"));
    }
    return result;
}

static int refuse(const struct run *run, enum error_kind kind, struct error *error)
{
    size_t len = run->words.data ? strcspn(run->words.data, "\n") : 0;
    error_set(error, kind, "git: %.*s", (int)(len < 400 ? len : 400),
              run->words.data ? run->words.data : "");
    return -1;
}

// As run_git, but what git refuses is an error.
static int must_git(struct run *run, struct error *error, const char *arguments,
                    const char *const *values)
{
    if (run_git(run, error, arguments, values) < 0) {
        return -1;
    }
    return run->status == 0 ? 0 : refuse(run, ERROR_HOST, error);
}

// ---- the repository ----

static char *take_line(char **at)
{
    char *line = *at;
    size_t len = line ? strcspn(line, "\n") : 0;
    *at = line && line[len] ? line + len + 1 : NULL;
    return line ? str_dup_len(line, len) : str_dup("");
}

static char *absolute(const char *dir, char *path)
{
    char *full = *path == '/' ? str_dup(path) : fs_join(dir, path);
    free(path);
    return full;
}

int git_open(struct git *git, const char *project, struct error *error)
{
    struct run run = {.cwd = project};
    *git = (struct git){0};
    if (run_git(&run, error, "rev-parse --show-toplevel --show-prefix --git-dir --git-common-dir",
                NULL) < 0) {
        run_release(&run);
        return -1;
    }
    if (run.status != 0) {
        refuse(&run, ERROR_USAGE, error);
        run_release(&run);
        return error_set_hint(error, _("--from git takes what a repository has committed"));
    }
    char *at = run.output.data;
    git->top = take_line(&at);
    git->prefix = take_line(&at);
    git->dir = absolute(project, take_line(&at));
    git->common = absolute(project, take_line(&at));
    size_t len = strlen(git->prefix);
    if (len > 0) {
        git->prefix[len - 1] = '\0'; // it ends in a slash
    }
    run_release(&run);
    return 0;
}

void git_release(struct git *git)
{
    free(git->top);
    free(git->prefix);
    free(git->dir);
    free(git->common);
    *git = (struct git){0};
}

int git_head(const struct git *git, char ret_tree[static GIT_ID_SIZE], struct error *error)
{
    struct run run = {.cwd = git->top};
    auto_free char *name = str_printf("HEAD:%s", git->prefix);
    int result = run_git(&run, error, "rev-parse --verify %", (const char *[]){name});
    if (result == 0 && run.status != 0) {
        result = refuse(&run, ERROR_PROJECT, error);
        error_set_hint(error, _("commit first: a Git deploy has what is committed"));
    } else if (result == 0) {
        snprintf(ret_tree, GIT_ID_SIZE, "%.*s", (int)strcspn(run.output.data, "\n"),
                 run.output.data);
    }
    run_release(&run);
    return result;
}

// ---- trees ----

// "100644 blob <id> <size>\t<path>"
static void take_entry(struct git_listing *listing, const char *entry)
{
    const char *tab = strchr(entry, '\t');
    if (!tab) {
        return;
    }
    if (strncmp(entry, "160000", 6) == 0) {
        strlist_add(&listing->submodules, tab + 1);
        return;
    }
    const char *size = tab;
    while (size > entry && size[-1] != ' ') {
        size--;
    }
    listing->bytes += strtoull(size, NULL, 10);
    strlist_add(&listing->files, tab + 1);
}

int git_list(const struct git *git, const char *tree, struct git_listing *ret_listing,
             struct error *error)
{
    struct run run = {.cwd = git->top};
    *ret_listing = (struct git_listing){0};
    int result = must_git(&run, error, "ls-tree -r -l -z --full-tree %", (const char *[]){tree});
    const char *end = run.output.data + run.output.len;
    for (const char *at = run.output.data; result == 0 && at && at < end; at += strlen(at) + 1) {
        take_entry(ret_listing, at);
    }
    run_release(&run);
    return result;
}

void git_listing_release(struct git_listing *listing)
{
    strlist_clear(&listing->files);
    strlist_clear(&listing->submodules);
    *listing = (struct git_listing){0};
}

int git_differences(const struct git *git, const char *from, const char *to,
                    struct strlist *ret_other, struct strlist *ret_gone, struct error *error)
{
    struct run run = {.cwd = git->top};
    int result = must_git(&run, error, "diff-tree -r -z --name-status --no-renames % %",
                          (const char *[]){from, to});
    const char *end = run.output.data + run.output.len;
    for (const char *at = run.output.data; result == 0 && at && at < end;) {
        const char *path = at + strlen(at) + 1;
        strlist_add(*at == 'D' ? ret_gone : ret_other, path);
        at = path + strlen(path) + 1;
    }
    run_release(&run);
    return result;
}

int git_write(const struct git *git, const char *tree, const struct strlist *files, const char *dir,
              const char *index, struct error *error)
{
    struct buf names = {0};
    for (size_t i = 0; files && i < files->count; i++) {
        buf_add(&names, files->items[i], strlen(files->items[i]) + 1);
    }
    auto_free char *prefix = str_printf("--prefix=%s/", dir);
    struct run reading = {.cwd = git->top, .index = index};
    struct run writing = {.cwd = git->top, .index = index, .input = files ? &names : NULL};
    int result = must_git(&reading, error, "read-tree %", (const char *[]){tree});
    if (result == 0) {
        result = must_git(&writing, error,
                          files ? "checkout-index -q % -z --stdin" : "checkout-index -q % -a",
                          (const char *[]){prefix});
    }
    unlink(index);
    run_release(&reading);
    run_release(&writing);
    buf_release(&names);
    return result;
}

static size_t count_bytes(const struct buf *text, char wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < text->len; i++) {
        count += text->data[i] == wanted;
    }
    return count;
}

void git_pending(const struct git *git, size_t *ret_files, size_t *ret_commits)
{
    struct run status = {.cwd = git->top};
    struct run ahead = {.cwd = git->top};
    const char *where = *git->prefix ? git->prefix : ".";
    bool known = run_git(&status, NULL, "status --porcelain --no-renames -z -- %",
                         (const char *[]){where}) == 0;
    *ret_files = known && status.status == 0 ? count_bytes(&status.output, '\0') : 0;
    known = run_git(&ahead, NULL, "rev-list --count @{upstream}..HEAD", NULL) == 0;
    *ret_commits = known && ahead.status == 0 ? strtoull(ahead.output.data, NULL, 10) : 0;
    run_release(&status);
    run_release(&ahead);
}
