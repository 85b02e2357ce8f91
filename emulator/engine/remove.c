#include "emulator/engine/remove.h"

#include <dirent.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
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

int remove_helper_main(int argc, char **argv)
{
    DIR *entries = argc > 2 ? opendir(argv[2]) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (str_starts_with(entry->d_name, REMOVE_PREFIX)) {
            auto_free char *path = fs_join(argv[2], entry->d_name);
            remove_run(path);
        }
    }
    if (entries) {
        closedir(entries);
    }
    return 0;
}
