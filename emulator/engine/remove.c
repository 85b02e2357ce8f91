#include "emulator/engine/remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "emulator/build/store.h"
#include "emulator/control/protocol.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"
#include "sandbox/cgroup.h"

#define RECORD_MAX 8192

// Files first, since others wait for them; then its groups, where its record says: they may be
// below another group than ours.
static void remove_run(const char *run_dir)
{
    auto_free char *path = fs_join(run_dir, REMOVE_GROUPS);
    auto_free char *record = fs_read(path, RECORD_MAX, NULL, NULL);
    fs_remove_tree(run_dir, NULL);
    if (record) {
        cgroup_sweep(record);
    }
}

// Nobody holds its lock, so its engine is dead.
static void bury_if_dead(const char *runs, const char *name)
{
    auto_free char *dir = fs_join(runs, name);
    auto_free char *lock = fs_join(dir, "lock");
    auto_free char *grave = str_printf("%s/" REMOVE_PREFIX "%s", runs, name);
    auto_close int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        log_debug("sweeping %s", dir);
        rename(dir, grave);
    }
}

// Under the lock that an engine holds while it makes its run directory.
static void bury_dead(const char *runs)
{
    auto_free char *path = fs_join(runs, ".lock");
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    DIR *entries = fd >= 0 && flock(fd, LOCK_EX) == 0 ? opendir(runs) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (entry->d_name[0] != '.') {
            bury_if_dead(runs, entry->d_name);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

static void remove_buried(const char *runs)
{
    DIR *entries = opendir(runs);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (str_starts_with(entry->d_name, REMOVE_PREFIX)) {
            auto_free char *path = fs_join(runs, entry->d_name);
            remove_run(path);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

// A socket whose engine was killed: with its lock in our hands nobody can be about to listen.
static void remove_if_stale(const char *path)
{
    auto_free char *lock = str_printf("%s.lock", path);
    auto_close int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        unlink(path);
    }
}

static void remove_stale_sockets(void)
{
    auto_free char *sockets = control_socket_dir(NULL);
    DIR *entries = sockets ? opendir(sockets) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (str_ends_with(entry->d_name, ".sock")) {
            auto_free char *path = fs_join(sockets, entry->d_name);
            remove_if_stale(path);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

int remove_helper_main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        bury_dead(argv[i]);
        remove_buried(argv[i]);
    }
    remove_stale_sockets();
    for (int i = 2; i < argc; i++) {
        auto_free char *cache = fs_join(argv[i], "..");
        store_sweep(cache); // half a layer
    }
    return 0;
}
