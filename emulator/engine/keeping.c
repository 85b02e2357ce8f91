// `persist:` of .leanlocal.yaml: what is kept, and what the cloud would do to it (P-131).

#include <string.h>

#include "emulator/engine/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

static char *join_names(const struct strlist *names)
{
    char *all = str_dup("");
    for (size_t i = 0; i < names->count; i++) {
        char *longer = str_printf("%s%s%s", all, i ? ", " : "", names->items[i]);
        free(all);
        all = longer;
    }
    return all;
}

static char *kept_dir(const struct engine *engine)
{
    auto_free char *state = control_state_dir();
    return str_printf("%s/%s/persist", state, engine->project.id);
}

static struct kept_options options_of(const struct engine *engine, const char *dir,
                                      const struct view *upload)
{
    return (struct kept_options){
        .dir = dir,
        .names = &engine->options.persist,
        .upload = upload,
        .own_files = engine->host.is_root && engine->host.maps_ids,
        .uid = ENGINE_HOST_ID,
        .gid = ENGINE_HOST_ID,
    };
}

void keeping_list(const struct engine *engine, const struct view *upload, struct kept *ret_kept)
{
    *ret_kept = (struct kept){0};
    if (engine->host.has[SANDBOX_MOUNT]) {
        auto_free char *dir = kept_dir(engine);
        const struct kept_options options = options_of(engine, dir, upload);
        kept_list(ret_kept, &options);
    }
}

// What begins as the upload has it: the live files with their rules.
static int prepare(struct engine *engine, const char *dir, struct error *error)
{
    struct rules rules = {0};
    struct view upload;
    int result = rules_load(&rules, engine->project.dir, engine->options.ignore_file, NULL, error);
    view_of_directory(&upload, engine->project.dir, &rules);
    if (result == 0 && *engine->project.build_sub) {
        view_enter(&upload, engine->project.build_sub); // a missing one is told by the deployment
    }
    const struct kept_options options = options_of(engine, dir, &upload);
    result = result < 0 ? -1 : kept_prepare(&engine->kept, &options, error);
    view_release(&upload);
    rules_release(&rules);
    return result;
}

static void tell_shared(struct engine *engine, const char *names)
{
    if (engine->options.instances > 1) {
        engine->deviations++;
        announce_notice(engine, "deviation", "P-133", NULL, NULL,
                        _("the %u instances share %s; in the cloud instances share no files"),
                        engine->options.instances, names);
    }
}

int keeping_begin(struct engine *engine, struct error *error)
{
    if (engine->options.persist.count == 0) {
        return 0;
    }
    auto_free char *names = join_names(&engine->options.persist);
    if (engine->mode == MODE_VERIFY) {
        engine->warnings++;
        announce_notice(
            engine, "warning", "P-131", NULL,
            _("put it into a service: a database, file storage, the data storage"),
            _("`leanlocal up` keeps %s (persist in .leanlocal.yaml); in the cloud it is "
              "gone with each deployment and whenever an instance moves"),
            names);
        return 0;
    }
    if (engine->mode != MODE_UP) {
        return 0;
    }
    if (!engine->host.has[SANDBOX_MOUNT]) {
        engine->warnings++;
        announce_notice(engine, "warning", "P-131", NULL, NULL,
                        _("persist: %s is not kept: this host offers no mounts"), names);
        return 0;
    }
    auto_free char *dir = kept_dir(engine);
    if (prepare(engine, dir, error) < 0) {
        return -1;
    }
    engine->deviations++;
    announce_notice(engine, "deviation", "P-131", NULL, NULL,
                    _("%s is kept over saves and restarts, in %s; in the cloud it is gone with "
                      "each deployment. During a switch two instances have it at once"),
                    names, dir);
    tell_shared(engine, names);
    return 0;
}
