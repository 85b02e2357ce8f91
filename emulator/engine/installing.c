// A Python that is not there: told, offered, installed when somebody asks for it (the screen's key,
// --install-python). The installation belongs to the engine and not to a deployment: a save goes on
// meanwhile with what is installed, or waits for it where nothing is; it ends the installation only
// when another Python is wanted from then on (docs/decisions/0010).

#include <stdlib.h>
#include <string.h>

#include "emulator/engine/internal.h"
#include "emulator/python/candidates.h"
#include "emulator/python/installer.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

#define LOOK_AGAIN_MS 5000 // DESIGN 13: at most 0.2 wake-ups a second

// ---- a version that appears ----

static void look_again(void *context)
{
    struct engine *engine = context;
    uint64_t now =
        engine->stopping ? engine->versions_stamp : python_versions_stamp(&engine->host_env);
    if (engine->installer || engine->deployment.active || now == engine->versions_stamp) {
        loop_timer_restart(engine->versions_timer, LOOK_AGAIN_MS);
        return;
    }
    announce_notice(engine, "note", NULL, NULL, NULL, _("pyenv's versions have changed"));
    deployment_begin(engine, &(struct deploy_reason){.rebuild = true});
}

// Only while another Python than the one that is used is wanted: else nothing wakes us up.
static void watch_versions(struct engine *engine, bool wanting)
{
    if (engine->mode != MODE_UP) {
        return;
    }
    if (!engine->versions_timer) {
        engine->versions_timer = loop_add_timer(engine->loop, LOOK_AGAIN_MS, look_again, engine);
    }
    if (wanting) {
        loop_timer_restart(engine->versions_timer, LOOK_AGAIN_MS);
    } else {
        loop_timer_stop(engine->versions_timer);
    }
}

// ---- the installation ----

static void show_line(void *context, const char *text, size_t len)
{
    deployment_show_output(context, BUILD_OUTPUT_LINE, "python", text, len);
}

static void fail(struct engine *engine, const char *tail)
{
    struct error error = {0};
    error_set(&error, ERROR_HOST, _("Python %s could not be installed:\n%s"), engine->offer.version,
              tail);
    error_set_rule(&error, "P-40", NULL);
    error_set_hint(&error, _("what building Python needs on this host: "
                             "https://github.com/pyenv/pyenv/wiki#suggested-build-environment"));
    if (engine->python_missing) {
        deployment_fail(engine, STAGE_PYTHON, &error, NULL);
    } else {
        announce_notice(engine, "error", error.rule, NULL, error.hint, "%s", error.message);
    }
}

// Looks for Python again: for the deployment that waits, else in a new one.
static void look_now(struct engine *engine)
{
    if (engine->deployment.waits_for_python) {
        engine->deployment.waits_for_python = false;
        deployment_build(engine);
    } else if (engine->mode == MODE_UP) {
        deployment_begin(engine, &(struct deploy_reason){.rebuild = true});
    }
}

static void on_done(void *context, enum python_install_exit result, const char *tail)
{
    struct engine *engine = context;
    installer_free(engine->installer);
    engine->installer = NULL;
    engine->last_output[0] = '\0';
    if (engine->stopping) {
        return;
    }
    switch (result) {
    case PYTHON_INSTALL_DONE:
        announce_notice(engine, "note", NULL, NULL, NULL, _("Python %s is installed"),
                        engine->offer.version);
        look_now(engine);
        break;
    case PYTHON_INSTALL_CANCELLED:
        announce_notice(engine, "note", NULL, NULL, NULL,
                        _("the installation of Python %s was cancelled; nothing of it is left"),
                        engine->offer.version);
        if (engine->python_missing) {
            look_now(engine);
        }
        break;
    case PYTHON_INSTALL_FAILED:
        fail(engine, tail);
        break;
    }
    touch(engine);
}

static void start(struct engine *engine)
{
    struct error error = {0};
    const struct installer_request request = {
        .offer = &engine->offer, .cache_dir = engine->cache_dir, .env = &engine->host_env};
    const struct installer_callbacks callbacks = {
        .context = engine, .on_line = show_line, .on_done = on_done};
    str_replace(&engine->install_tried, engine->offer.version);
    engine->installer = installer_start(engine->loop, &request, &callbacks, &error);
    if (!engine->installer) {
        announce_notice(engine, "error", NULL, NULL, NULL, "%s", error.message);
        return;
    }
    auto_free char *step = str_printf("$ pyenv install %s", engine->offer.version);
    deployment_show_output(engine, BUILD_OUTPUT_STEP, "python", step, strlen(step));
}

static void show_waiting(struct engine *engine)
{
    auto_free char *detail = str_printf(_("installing Python %s"), engine->offer.version);
    announce_stage(engine, STAGE_PYTHON, "running", -1, detail);
}

bool installing_judge(struct engine *engine, struct build_result *result, bool python_missing)
{
    python_offer_release(&engine->offer);
    engine->offer = result->offer;
    result->offer = (struct python_offer){0};
    engine->python_missing = python_missing;
    const char *version = engine->offer.version;
    if (engine->installer && !str_equal(installer_version(engine->installer), version)) {
        announce_notice(engine, "note", NULL, NULL, NULL,
                        _("the installation of Python %s is given up: it is not wanted any more"),
                        installer_version(engine->installer));
        installing_release(engine);
    }
    watch_versions(engine, python_missing || version);
    bool wanted = version && installing_is_asked_for(engine);
    if (wanted && !engine->installer) {
        start(engine);
    }
    if (!engine->installer || !python_missing) {
        return false;
    }
    engine->deployment.waits_for_python = true;
    show_waiting(engine);
    return true;
}

// What failed once, or was cancelled, is not tried again by itself.
bool installing_is_asked_for(const struct engine *engine)
{
    return engine->install_python &&
           (!engine->offer.version || !str_equal(engine->install_tried, engine->offer.version));
}

int installing_ask(struct engine *engine, struct error *error)
{
    if (!engine->offer.version) {
        error_set(error, ERROR_USAGE, _("there is no Python to install"));
        return -1;
    }
    if (engine->installer) {
        return 0;
    }
    engine->install_python = true;
    start(engine);
    if (engine->installer && engine->python_missing && !engine->deployment.active) {
        engine->failure = (struct error){0};
        show_waiting(engine);
    }
    return 0;
}

int installing_cancel(struct engine *engine, struct error *error)
{
    if (!engine->installer) {
        return error_set(error, ERROR_USAGE, _("no Python is being installed"));
    }
    installer_cancel(engine->installer);
    return 0;
}

void installing_release(struct engine *engine)
{
    installer_free(engine->installer);
    engine->installer = NULL;
}
