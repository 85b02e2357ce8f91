#include "sandbox/leftovers.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/base/cleanup.h"

static bool is_of_session(int pid, pid_t session)
{
    char path[48];
    char line[512];
    char state = 'Z';
    int of = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    auto_fclose FILE *file = fopen(path, "re");
    if (!file || !fgets(line, sizeof line, file) || !strrchr(line, ')')) {
        return false;
    }
    // After the name, which may hold anything: state, parent, group, session.
    sscanf(strrchr(line, ')') + 1, " %c %*d %*d %d", &state, &of);
    return of == (int)session && state != 'Z';
}

static bool kill_once(pid_t session)
{
    bool any = false;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        int pid = atoi(entry->d_name);
        if (pid > 0 && is_of_session(pid, session)) {
            any |= kill(pid, SIGKILL) == 0;
        }
    }
    if (proc) {
        closedir(proc);
    }
    return any;
}

void leftovers_kill(pid_t session)
{
    // Bounded: a process that cannot die must not hang us.
    for (int round = 0; round < 20 && kill_once(session); round++) {
    }
}
