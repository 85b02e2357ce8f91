// What stands around the sandbox: the system, certificates, watching, time zones, terminal, locale.
#include <dirent.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "emulator/doctor/doctor.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define WATCHES_WANTED 65536 // a project with node_modules beside it has some 10 000 directories

void check_system(const struct doctor *doctor, struct finding *finding)
{
    struct utsname system;
    const struct scene *scene = &doctor->scene;
    const char *container = container_name(scene->container);
    finding->works = true;
    if (uname(&system) == 0) {
        finding->value =
            str_printf("%s %s %s%s%s%s%s%s", system.sysname, system.release, system.machine,
                       *scene->distribution ? ", " : "", scene->distribution,
                       *container ? ", " : "", container, doctor->host.is_root ? ", root" : "");
    }
}

static bool can_read(const struct doctor *doctor, const char *path)
{
    auto_free char *whole = str_printf("%s%s", doctor->root, path);
    return access(whole, R_OK) == 0;
}

void check_certificates(const struct doctor *doctor, struct finding *finding)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
        "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
        "/etc/ssl/ca-bundle.pem",             // openSUSE
        "/etc/ssl/cert.pem",
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (can_read(doctor, files[i])) {
            finding->works = true;
            finding->value = str_dup(files[i]);
            return;
        }
    }
    finding->errnum = ENOENT;
    finding->reason = str_printf("%s: %s", files[0], strerror(ENOENT));
    finding->mend = str_dup(_("install the distribution's certificates"));
    finding->commands = str_dup("sudo apt-get install ca-certificates");
}

static long read_limit(const struct doctor *doctor, const char *name)
{
    auto_free char *path = str_printf("%s/proc/sys/fs/inotify/%s", doctor->root, name);
    auto_free char *text = fs_read(path, 64, NULL, NULL);
    return text ? strtol(text, NULL, 10) : -1;
}

static int try_watch(void)
{
    auto_close int fd = inotify_init1(IN_CLOEXEC);
    return fd >= 0 && inotify_add_watch(fd, "/", IN_ATTRIB) >= 0 ? 0 : errno;
}

void check_watches(const struct doctor *doctor, struct finding *finding)
{
    (void)doctor;
    int errnum = try_watch();
    finding->works = errnum == 0;
    if (errnum) {
        finding->errnum = errnum;
        finding->reason = str_printf("inotify: %s", strerror(errnum));
        finding->mend = str_dup(_("raise the limit; other programs of this user have used it up"));
        finding->commands =
            str_dup(errnum == EMFILE ? "sudo sysctl fs.inotify.max_user_instances=1024"
                                     : "sudo sysctl fs.inotify.max_user_watches=524288");
    }
}

void check_many_watches(const struct doctor *doctor, struct finding *finding)
{
    long watches = read_limit(doctor, "max_user_watches");
    finding->works = watches < 0 || watches >= WATCHES_WANTED;
    finding->value = str_printf("%ld", watches);
    if (!finding->works) {
        finding->reason = str_printf(_("less than %d"), WATCHES_WANTED);
        finding->mend = str_dup(_("raise the limit"));
        finding->commands = str_dup("echo fs.inotify.max_user_watches=524288 |\n"
                                    "  sudo tee /etc/sysctl.d/60-leanlocal-watches.conf\n"
                                    "sudo sysctl -p /etc/sysctl.d/60-leanlocal-watches.conf");
    }
}

void check_tzdata(const struct doctor *doctor, struct finding *finding)
{
    finding->works = can_read(doctor, "/usr/share/zoneinfo/Asia/Shanghai");
    if (!finding->works) {
        finding->errnum = ENOENT;
        finding->reason = str_printf("/usr/share/zoneinfo/Asia/Shanghai: %s", strerror(ENOENT));
        finding->mend = str_dup(_("install tzdata"));
        finding->commands = str_dup("sudo apt-get install tzdata");
    }
}

// terminfo is looked for as ncurses does: home, /etc, /lib, /usr/share; by letter.
static bool has_terminfo(const struct doctor *doctor, const char *term)
{
    const char *home = strlist_env_get(&doctor->env, "HOME");
    auto_free char *own = str_printf("%s/.terminfo", home ? home : "");
    const char *dirs[] = {strlist_env_get(&doctor->env, "TERMINFO"), own, "/etc/terminfo",
                          "/lib/terminfo", "/usr/share/terminfo"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        auto_free char *file = str_printf("%s/%c/%s", dirs[i] ? dirs[i] : "", term[0], term);
        if (dirs[i] && fs_is_file(file)) {
            return true;
        }
    }
    return false;
}

void check_terminal(const struct doctor *doctor, struct finding *finding)
{
    const char *term = strlist_env_get(&doctor->env, "TERM");
    if (str_empty(term) || strcmp(term, "dumb") == 0) {
        finding->reason = str_printf(_("TERM is %s"), str_empty(term) ? _("not set") : term);
        finding->mend = str_dup(_("start it in a terminal"));
    } else if (strchr(term, '/') || !has_terminfo(doctor, term)) {
        finding->reason = str_printf(_("there is no description of TERM=%s"), term);
        finding->errnum = ENOENT;
        finding->mend = str_dup(_("install descriptions of more terminals, or take a usual one"));
        finding->commands =
            str_dup("sudo apt-get install ncurses-term\nexport TERM=xterm-256color");
    } else {
        finding->works = true;
        finding->value = str_dup(term);
    }
}

static const char *wanted_locale(const struct strlist *env)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = strlist_env_get(env, names[i]);
        if (!str_empty(value)) {
            return value;
        }
    }
    return "C";
}

// As main.c has set it: where a UTF-8 locale is asked for that is not installed, another one
// serves.
void check_language(const struct doctor *doctor, struct finding *finding)
{
    const char *wanted = wanted_locale(&doctor->env);
    const char *used = setlocale(LC_CTYPE, NULL);
    finding->works = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (finding->works) {
        finding->value = strcmp(wanted, used) == 0
                             ? str_dup(used)
                             : str_printf(_("%s (%s is not installed)"), used, wanted);
        return;
    }
    finding->reason = str_printf(_("%s is no UTF-8"), wanted);
    finding->mend = str_dup(_("take a UTF-8 locale; this one is everywhere"));
    finding->commands = str_dup("export LANG=C.UTF-8");
}
