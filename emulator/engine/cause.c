// What a start's last words mean: the layer's packages and the project's names are read, the rest
// is emulator/blame. Only a start that failed pays for it, some 2 ms for 100 packages.

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "emulator/blame/blame.h"
#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/log.h"

#define NAMES_MAX 4096

static void read_packages(const struct engine *engine, struct packages *packages)
{
    struct error error = {0};
    size_t len = 0;
    auto_free char *path = fs_join(engine->built.layer_dir, PACKAGES_FILE);
    auto_free char *text = fs_read(path, PACKAGES_MAX, &len, &error);
    if (!text || packages_parse(text, len, packages, &error) < 0) {
        log_debug("%s: %s", path, error.message); // then less is known
    }
}

static void read_names(const struct engine *engine, struct strlist *names)
{
    DIR *stream = opendir(engine->project.build_root);
    for (struct dirent *entry; stream && names->count < NAMES_MAX && (entry = readdir(stream));) {
        strlist_add(names, entry->d_name);
    }
    if (stream) {
        closedir(stream);
    }
}

static bool find_cause(const struct running *running, int wait_status, struct blame_cause *cause)
{
    const struct engine *engine = running->engine;
    auto_free char *words = instance_last_words(running->instance);
    auto_free char *app_root = fs_join(instance_home(running->instance), "app");
    struct packages packages = {0};
    struct strlist names = {0};
    read_packages(engine, &packages);
    read_names(engine, &names);
    const struct blame_facts facts = {.packages = &packages,
                                      .python = engine->built.python.version,
                                      .app_root = app_root,
                                      .names = &names};
    bool found = blame_text(&facts, words, strlen(words), cause);
    if (!found && wait_status >= 0 && WIFSIGNALED(wait_status)) {
        found = blame_signal(&facts, WTERMSIG(wait_status), cause);
    } else if (!found && wait_status >= 0 && WEXITSTATUS(wait_status) > 128) { // a shell's way
        found = blame_signal(&facts, WEXITSTATUS(wait_status) - 128, cause);
    }
    packages_release(&packages);
    strlist_clear(&names);
    return found;
}

void running_explain(const struct running *running, int wait_status, struct error *error)
{
    struct blame_cause cause = {0};
    if (!running->engine->has_built || !find_cause(running, wait_status, &cause)) {
        return;
    }
    size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used, "\n%s", cause.text);
    if (cause.rule) {
        snprintf(error->rule, sizeof error->rule, "%s", cause.rule);
    }
    error_set_hint(error, "%s", cause.mend);
    blame_cause_release(&cause);
}
