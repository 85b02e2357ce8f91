#include "sandbox/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"

#define ROUNDS_MAX 50 // a process that cannot die must not hang us

struct found {
    int parent;
    int session;
    char state;
};

static bool look(int pid, struct found *ret_found)
{
    char path[48];
    char line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    auto_fclose FILE *file = fopen(path, "re");
    if (!file || !fgets(line, sizeof line, file) || !strrchr(line, ')')) {
        return false;
    }
    // After the name, which may hold anything: state, parent, group, session.
    return sscanf(strrchr(line, ')') + 1, " %c %d %*d %d", &ret_found->state, &ret_found->parent,
                  &ret_found->session) == 3;
}

// Our helpers run our executable and have our id, so theirs can be read; another user's cannot.
static bool runs_our_executable(int pid)
{
    char path[48];
    struct stat own;
    struct stat other;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static bool is_listed(int pid, const pid_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pids[i] == pid) {
            return true;
        }
    }
    return false;
}

static bool kill_once(pid_t session, const pid_t *inits, size_t init_count)
{
    bool any = false;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        struct found found;
        int pid = atoi(entry->d_name);
        if (pid <= 0 || !look(pid, &found) || is_listed(pid, inits, init_count)) {
            continue;
        }
        bool orphan = found.parent == (int)getpid() && !runs_our_executable(pid);
        if (orphan && found.state == 'Z') {
            any |= waitpid(pid, NULL, WNOHANG) == pid;
        } else if (found.state != 'Z' && (orphan || (session > 0 && found.session == session))) {
            any |= kill(pid, SIGKILL) == 0;
            if (orphan) {
                waitpid(pid, NULL, 0); // its children come to us now
            }
        }
    }
    if (proc) {
        closedir(proc);
    }
    return any;
}

void leftovers_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void leftovers_kill(pid_t session, const pid_t *inits, size_t init_count)
{
    for (int round = 0; round < ROUNDS_MAX && kill_once(session, inits, init_count); round++) {
    }
}
