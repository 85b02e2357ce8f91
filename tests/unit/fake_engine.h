// What: an engine's end of the socket for tests of its clients: a forked child that plays a scene
// and writes a
//       real journal.
// Order: fake_start(scene) -> descriptor for client_from_fd(); fake_end() reaps it and removes its
// files.
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator/control/protocol.h"
#include "emulator/logs/journal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"

#define FAKE_WALL_MS 1795342531000 // 2026-11-22 10:15:31 UTC

struct fake {
    int fd;
    FILE *in;
    char dir[64];
    struct journal *journal;
    struct snapshot snapshot;
    int64_t wall_ms;
};

struct fake_process {
    pid_t pid;
    int fd; // the client's end
    char dir[64];
};

static inline void fake_write(struct fake *fake, const char *line)
{
    if (fs_write_all(fake->fd, line, strlen(line)) < 0) {
        _exit(9); // the client is gone
    }
}

static inline void fake_send(struct fake *fake, struct cJSON *tree)
{
    auto_free char *text = json_print(tree);
    auto_free char *line = str_printf("%s\n", text);
    json_free(tree);
    fake_write(fake, line);
}

static inline void fake_snapshot(struct fake *fake)
{
    struct cJSON *tree = json_new_object();
    json_put_tree(tree, "snapshot", snapshot_encode(&fake->snapshot));
    fake_send(fake, tree);
}

static inline void fake_grown(struct fake *fake)
{
    journal_flush(fake->journal);
    auto_free char *line = str_printf("{\"journal\":{\"last\":%llu}}\n",
                                      (unsigned long long)journal_last_seq(fake->journal));
    fake_write(fake, line);
}

static inline void fake_log(struct fake *fake, enum journal_stream stream, const char *source,
                            const char *text)
{
    journal_append(fake->journal, fake->wall_ms, stream, 0, source, text, strlen(text));
    fake_grown(fake);
}

// event: JSON
static inline void fake_event(struct fake *fake, const char *event)
{
    journal_append(fake->journal, fake->wall_ms, JOURNAL_EVENT, 0, "", event, strlen(event));
    journal_flush(fake->journal);
    auto_free char *line = str_printf("{\"event\":%s}\n", event);
    fake_write(fake, line);
}

// Waits for the next command; answers {"ok":true} to each that comes before the one that is named.
static inline void fake_wait(struct fake *fake, const char *name)
{
    char line[65536];
    while (fgets(line, sizeof line, fake->in)) {
        struct cJSON *tree = json_parse(line, strlen(line), "client", NULL);
        bool found = str_equal(json_get_string(tree, "command"), name);
        auto_free char *reply =
            str_printf("{\"reply\":%lld,\"ok\":true}\n", (long long)json_get_int(tree, "id", 0));
        json_free(tree);
        fake_write(fake, reply);
        if (found) {
            return;
        }
    }
    _exit(8);
}

static inline void fake_play(struct fake *fake, void (*scene)(struct fake *fake))
{
    struct journal_options options = {.dir = fake->dir};
    fake->journal = journal_create(&options, NULL);
    fake->in = fdopen(dup(fake->fd), "r");
    fake->wall_ms = FAKE_WALL_MS;
    fake->snapshot.protocol = PROTOCOL_VERSION;
    snprintf(fake->snapshot.project, sizeof fake->snapshot.project, "flask-hello");
    snprintf(fake->snapshot.url, sizeof fake->snapshot.url, "http://localhost:3000");
    snprintf(fake->snapshot.journal_dir, sizeof fake->snapshot.journal_dir, "%s", fake->dir);
    snprintf(fake->snapshot.environment, sizeof fake->snapshot.environment, "development");
    scene(fake);
    journal_close(fake->journal);
    _exit(0);
}

static inline struct fake_process fake_start(void (*scene)(struct fake *fake))
{
    int ends[2];
    struct fake_process process = {.dir = "/tmp/test-fake-engine-XXXXXX"};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 || !mkdtemp(process.dir)) {
        abort();
    }
    fflush(NULL);
    process.pid = fork();
    if (process.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        close(ends[0]);
        struct fake *fake = mem_alloc(sizeof *fake);
        fake->fd = ends[1];
        memcpy(fake->dir, process.dir, sizeof fake->dir);
        fake_play(fake, scene);
    }
    close(ends[1]);
    process.fd = ends[0];
    return process;
}

// The scene's exit status, 128+n for a signal.
static inline int fake_end(struct fake_process *process)
{
    int status = 0;
    waitpid(process->pid, &status, 0);
    fs_remove_tree(process->dir, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
