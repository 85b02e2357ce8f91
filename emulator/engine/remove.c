#include "emulator/engine/remove.h"

#include <dirent.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"

int remove_helper_main(int argc, char **argv)
{
    DIR *entries = argc > 2 ? opendir(argv[2]) : NULL;
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        if (str_starts_with(entry->d_name, REMOVE_PREFIX)) {
            auto_free char *path = fs_join(argv[2], entry->d_name);
            fs_remove_tree(path, NULL);
        }
    }
    if (entries) {
        closedir(entries);
    }
    return 0;
}
