// Where things of one project or one user lie: the socket, the cache, the state. Declared in
// protocol.h, because every client needs them and nothing else of the engine.
#include "emulator/control/protocol.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/i18n.h"

#define ID_DIGITS 16

char *control_project_id(const char *project_dir)
{
    auto_free char *real = realpath(project_dir, NULL);
    struct hash hash;
    hash_init(&hash);
    hash_adds(&hash, real ? real : project_dir);
    char hex[HASH_HEX_SIZE];
    hash_hex(&hash, hex);
    return str_dup_len(hex, ID_DIGITS);
}

// A directory that is really there, ours, and nobody else's to write. lstat: a link in /tmp is
// somebody's trap.
static int check_private_dir(const char *dir, struct error *error)
{
    struct stat status;
    if (lstat(dir, &status) < 0) {
        return error_set_errno(error, ERROR_HOST, errno, "%s", dir);
    }
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 0077) != 0) {
        error_set(error, ERROR_HOST, _("%s is not a private directory of this user"), dir);
        return error_set_hint(error, _("remove it, or set XDG_RUNTIME_DIR"));
    }
    return 0;
}

static int make_private_dir(const char *dir, struct error *error)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        return error_set_errno(error, ERROR_HOST, errno, "%s", dir);
    }
    return check_private_dir(dir, error);
}

static bool fits_socket_address(const char *dir)
{
    return strlen(dir) + strlen("/.sock") + ID_DIGITS < sizeof(((struct sockaddr_un *)0)->sun_path);
}

// "$XDG_RUNTIME_DIR/leanlocal" when that variable can be trusted: sudo and su leave another user's
// behind.
static char *runtime_dir(void)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    if (str_empty(base) || *base != '/' || stat(base, &status) < 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid()) {
        return NULL;
    }
    auto_free char *dir = str_printf("%s/leanlocal", base);
    if (!fits_socket_address(dir) || make_private_dir(dir, NULL) < 0) {
        return NULL;
    }
    return steal(dir);
}

char *control_socket_dir(struct error *error)
{
    char *dir = runtime_dir();
    if (!dir) {
        dir = str_printf("/tmp/leanlocal-%u", (unsigned)geteuid());
        if (make_private_dir(dir, error) < 0) {
            free(dir);
            return NULL;
        }
    }
    return dir;
}

char *control_socket_path(const char *project_dir, struct error *error)
{
    auto_free char *dir = control_socket_dir(error);
    if (!dir) {
        return NULL;
    }
    auto_free char *id = control_project_id(project_dir);
    return str_printf("%s/%s.sock", dir, id);
}

static char *home_dir(void)
{
    const char *home = getenv("HOME");
    if (!str_empty(home) && *home == '/') {
        return str_dup(home);
    }
    const struct passwd *user = getpwuid(geteuid());
    if (user && !str_empty(user->pw_dir)) {
        return str_dup(user->pw_dir);
    }
    return str_printf("/tmp/leanlocal-%u", (unsigned)geteuid());
}

// The XDG base directory specification: a relative path is to be ignored.
static char *xdg_dir(const char *variable, const char *below_home)
{
    const char *base = getenv(variable);
    if (!str_empty(base) && *base == '/') {
        return str_printf("%s/leanlocal", base);
    }
    auto_free char *home = home_dir();
    return str_printf("%s/%s/leanlocal", home, below_home);
}

char *control_cache_dir(void)
{
    return xdg_dir("XDG_CACHE_HOME", ".cache");
}

char *control_state_dir(void)
{
    return xdg_dir("XDG_STATE_HOME", ".local/state");
}
