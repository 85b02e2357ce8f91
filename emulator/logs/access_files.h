// What: the files of an access log, shared by its writer and its reader.
// Order: access_files_list -> look at items, oldest first -> access_files_release.
// Owns: items.
#ifndef EMULATOR_LOGS_ACCESS_FILES_H
#define EMULATOR_LOGS_ACCESS_FILES_H

#include <stddef.h>
#include <stdint.h>

#define ACCESS_DAY_SIZE  11 // "2026-11-22"
#define ACCESS_NAME_SIZE 40

struct access_file {
    char name[ACCESS_NAME_SIZE];
    char day[ACCESS_DAY_SIZE];
    uint64_t first; // number of its first line
    uint64_t bytes;
};

struct access_files {
    struct access_file *items;
    size_t count;
};

// Those of the directory that are an access log's, by number. -1 with errno.
int access_files_list(int dir_fd, struct access_files *ret_files);
void access_files_release(struct access_files *files);
void access_file_name(char out[static ACCESS_NAME_SIZE], const char *day, uint64_t first);

#endif
