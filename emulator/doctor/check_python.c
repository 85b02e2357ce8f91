// Which Pythons are here, where pip comes from. Only the one that would be taken is asked.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/doctor/doctor.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

void check_python(const struct doctor *doctor, struct finding *finding)
{
    finding->works = doctor->has_python;
    if (doctor->has_python) {
        size_t others = doctor->candidates.count - 1;
        finding->value = str_printf(_("%s, %s; %zu others"), doctor->python.version,
                                    doctor->python.executable, others);
        return;
    }
    finding->reason = str_dup(doctor->python_error.message);
    finding->errnum = doctor->python_error.errnum;
    finding->mend = str_dup(_("install one, the distribution's or pyenv's"));
    finding->commands = str_dup("sudo apt-get install python3\npyenv install 3");
}

void check_pyenv(const struct doctor *doctor, struct finding *finding)
{
    const struct python_candidates *candidates = &doctor->candidates;
    size_t versions = 0;
    for (size_t i = 0; i < candidates->count; i++) {
        versions += str_equal(candidates->items[i].source, "pyenv");
    }
    finding->works = candidates->pyenv_program != NULL;
    if (candidates->pyenv_root) {
        finding->value = str_printf(_("%s, %zu versions"), candidates->pyenv_root, versions);
    }
    if (!finding->works) {
        finding->reason =
            str_dup(versions ? _("its versions are here, its command is not") : _("not found"));
        finding->mend = str_dup(_("install pyenv; leanlocal then lets it install what is wanted"));
        finding->commands = str_dup("curl -fsSL https://pyenv.run | bash");
    }
}

// Of an index only its place: names and passwords may stand in the address.
static char *index_of(const struct strlist *env)
{
    const char *url = strlist_env_get(env, "PIP_INDEX_URL");
    if (str_empty(url)) {
        return NULL;
    }
    const char *host = strstr(url, "://");
    host = host ? host + strlen("://") : url;
    size_t len = strcspn(host, "/?#");
    for (size_t i = 0; i < len; i++) {
        if (host[i] == '@') {
            host += i + 1;
            len -= i + 1;
            i = (size_t)-1;
        }
    }
    return str_dup_len(host, len);
}

void check_pip(const struct doctor *doctor, struct finding *finding)
{
    const struct python *python = &doctor->python;
    if (!doctor->has_python) {
        finding->reason = str_dup(_("there is no Python"));
        return;
    }
    finding->works = python->pip_version != NULL;
    if (!finding->works) {
        finding->reason = str_printf(_("no pip that suits Python %s"), python->version);
        finding->mend =
            str_dup(_("install the distribution's pip, or a Python of pyenv, which has it"));
        finding->commands = str_dup("sudo apt-get install python3-pip");
        return;
    }
    const char *place = python->pip_dir ? python->pip_dir : python->pip_wheel;
    auto_free char *index = index_of(&doctor->env);
    finding->value = index ? str_printf(_("%s, %s; PIP_INDEX_URL: %s"), python->pip_version,
                                        place ? place : "", index)
                           : str_printf("%s, %s", python->pip_version, place ? place : "");
}
