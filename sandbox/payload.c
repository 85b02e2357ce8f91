#include "sandbox/payload.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define PAYLOAD_MAX (8u << 20) // bytes; the kernel takes less for an exec

struct header {
    size_t argc;
    size_t envc;
    size_t lowers;
    bool from_binds;
    bool terminal;
};

static size_t count(char *const *list)
{
    size_t n = 0;
    while (list[n]) {
        n++;
    }
    return n;
}

static bool add_text(struct buf *bytes, const char *text)
{
    return buf_add(bytes, text, strlen(text) + 1);
}

static bool add_list(struct buf *bytes, char *const *list)
{
    for (size_t i = 0; list[i]; i++) {
        if (!add_text(bytes, list[i])) {
            return false;
        }
    }
    return true;
}

static int add_lowers(struct buf *bytes, const struct sandbox_version *version, struct error *error)
{
    for (size_t i = 0; i < version->lower_count; i++) {
        char path[PATH_MAX];
        if (!realpath(version->lowers[i], path)) {
            return error_set_errno(error, ERROR_SYSTEM, errno, "%s", version->lowers[i]);
        }
        add_text(bytes, path);
    }
    return 0;
}

static int to_memfd(const struct buf *bytes, struct error *error)
{
    auto_close int fd = memfd_create("leanlocal-go", MFD_CLOEXEC);
    if (fd < 0 || fs_write_all(fd, bytes->data, bytes->len) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "memfd_create");
    }
    return steal_fd(&fd);
}

int payload_write(const struct sandbox_version *version, const struct sandbox_command *command,
                  struct error *error)
{
    struct header header = {.argc = count(command->argv),
                            .envc = count(command->env),
                            .lowers = version->lower_count,
                            .from_binds = version->from_binds,
                            .terminal = command->terminal};
    struct buf bytes = {.max = PAYLOAD_MAX};
    int fd = -1;
    if (header.argc == 0) {
        return error_set(error, ERROR_USAGE, _("no command given"));
    }
    if (!buf_add(&bytes, &header, sizeof header) || !add_text(&bytes, command->cwd) ||
        !add_list(&bytes, command->argv) || !add_list(&bytes, command->env)) {
        error_set_errno(error, ERROR_SYSTEM, E2BIG, _("arguments and variables are too long"));
    } else if (add_lowers(&bytes, version, error) == 0) {
        fd = to_memfd(&bytes, error);
    }
    buf_release(&bytes);
    return fd;
}

// The next text of <*at, end>; NULL past the end.
static char *take(char **at, const char *end)
{
    char *text = *at;
    char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
    *at = nul ? nul + 1 : *at;
    return nul ? text : NULL;
}

static char **take_list(char **at, const char *end, size_t n)
{
    char **list = mem_alloc((n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        list[i] = take(at, end);
    }
    return list;
}

int payload_read(int fd, struct child_go *ret_go)
{
    struct stat info;
    if (fstat(fd, &info) < 0) {
        return -1;
    }
    size_t size = (size_t)info.st_size;
    struct header header;
    if (size < sizeof header || size > PAYLOAD_MAX) {
        errno = EINVAL;
        return -1;
    }
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return -1;
    }
    memcpy(&header, bytes, sizeof header);
    char *at = bytes + sizeof header;
    ret_go->cwd = take(&at, bytes + size);
    ret_go->argv = take_list(&at, bytes + size, header.argc);
    ret_go->env = take_list(&at, bytes + size, header.envc);
    ret_go->lowers = take_list(&at, bytes + size, header.lowers);
    ret_go->lower_count = header.lowers;
    ret_go->from_binds = header.from_binds;
    ret_go->terminal = header.terminal;
    return 0;
}
