// Who listens on a port: /proc/net/tcp names the socket's inode, /proc/PID/fd the process that
// holds it.
#include "emulator/gateway/internal.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/process.h"

#define STATE_LISTEN 0x0A

// The listening socket's inode in one of the tables; 0 if there is none. In tcp6 only the last word
// of the address is compared: :: and ::ffff:127.0.0.1 both stand for ours.
static unsigned long find_inode(const char *path, uint32_t address, uint16_t port)
{
    auto_fclose FILE *file = fopen(path, "re");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        char local[33];
        unsigned local_port, state;
        unsigned long inode;
        if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                   local, &local_port, &state, &inode) != 4 ||
            state != STATE_LISTEN || local_port != port) {
            continue;
        }
        uint32_t there = ntohl((uint32_t)strtoul(local + strlen(local) - 8, NULL, 16));
        if (there == INADDR_ANY || address == INADDR_ANY || there == address) {
            return inode;
        }
    }
    return 0;
}

static bool holds(const char *pid, unsigned long inode)
{
    char path[300], link[64], wanted[64];
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    int want_len = snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *at; directory && !found && (at = readdir(directory));) {
        ssize_t len = readlinkat(dirfd(directory), at->d_name, link, sizeof link);
        found = len == want_len && memcmp(link, wanted, (size_t)len) == 0;
    }
    if (directory) {
        closedir(directory);
    }
    return found;
}

char *gateway_port_owner(uint32_t address, uint16_t port)
{
    unsigned long inode = find_inode("/proc/net/tcp", address, port);
    if (!inode) {
        inode = find_inode("/proc/net/tcp6", address, port);
    }
    DIR *directory = inode ? opendir("/proc") : NULL;
    char *owner = NULL;
    for (struct dirent *at; directory && !owner && (at = readdir(directory));) {
        if (at->d_name[0] < '1' || at->d_name[0] > '9' || !holds(at->d_name, inode)) {
            continue;
        }
        auto_free char *command = process_command_line(atoi(at->d_name));
        owner = str_printf("pid %s (%s)", at->d_name, command ? command : "?");
    }
    if (directory) {
        closedir(directory);
    }
    return owner;
}
