// A Python that is not there: told, offered, installed when somebody asks for it (the screen's key,
// --install-python). The installation belongs to the engine and not to a deployment: a save goes on
// meanwhile with what is installed, or waits for it where nothing is; it ends the installation only
// when another Python is wanted from then on (docs/decisions/0010).

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "emulator/engine/internal.h"
#include "emulator/python/candidates.h"
#include "emulator/python/installer.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"

#define LOOK_AGAIN_MS 5000 // while somebody else's installation runs
#define SETTLE_MS     200

// ---- a version that appears ----

// A version counts when its bin/python is there, which pyenv makes last. So the directory is
// watched for names, and looked at again as long as one of them is not complete.
static void look_again(void *context)
{
    struct engine *engine = context;
    bool incomplete = false;
    uint64_t now = python_versions_stamp(&engine->host_env, &incomplete);
    bool busy = engine->stopping || engine->installer || engine->deployment.active;
    if (!busy && now != engine->versions_stamp) {
        announce_notice(engine, "note", NULL, NULL, NULL, _("pyenv's versions have changed"));
        deployment_begin(engine, &(struct deploy_reason){.rebuild = true});
    } else if (incomplete || now != engine->versions_stamp) {
        loop_timer_restart(engine->versions_timer, LOOK_AGAIN_MS);
    }
}

static void on_versions(void *context, int fd, uint32_t events)
{
    struct engine *engine = context;
    char dropped[4096];
    (void)events;
    while (read(fd, dropped, sizeof dropped) > 0) {
    }
    loop_timer_restart(engine->versions_timer, SETTLE_MS);
}

static void stop_watching(struct engine *engine)
{
    loop_source_free(engine->versions_source);
    engine->versions_source = NULL;
    if (engine->versions_fd >= 0) {
        close(engine->versions_fd);
        engine->versions_fd = -1;
    }
}

static void start_watching(struct engine *engine)
{
    auto_free char *dir = python_versions_dir(&engine->host_env);
    auto_close int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    uint32_t names = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR;
    if (fd < 0 || inotify_add_watch(fd, dir, names) < 0) {
        log_debug("%s is not watched: %s", dir, strerror(errno)); // a save or a reload looks again
        return;
    }
    engine->versions_fd = steal_fd(&fd);
    engine->versions_source =
        loop_add_fd(engine->loop, engine->versions_fd, EPOLLIN, on_versions, engine);
}

// Only while another Python than the one that is used is wanted: else nothing wakes us up.
static void watch_versions(struct engine *engine, bool wanting)
{
    if (engine->mode != MODE_UP) {
        return;
    }
    if (!engine->versions_timer) {
        engine->versions_timer = loop_add_timer(engine->loop, SETTLE_MS, look_again, engine);
    }
    if (!wanting) {
        stop_watching(engine);
        loop_timer_stop(engine->versions_timer);
        return;
    }
    if (engine->versions_fd < 0) {
        start_watching(engine);
    }
    // What came between the search and the watch.
    loop_timer_restart(engine->versions_timer, SETTLE_MS);
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
    if (strstr(tail, "failed to download")) {
        error_set_hint(&error, _("set http_proxy and https_proxy, or PYTHON_BUILD_MIRROR_URL to a "
                                 "mirror that can be reached"));
    } else {
        error_set_hint(&error,
                       _("what building Python needs on this host: "
                         "https://github.com/pyenv/pyenv/wiki#suggested-build-environment"));
    }
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
        installer_free(engine->installer);
        engine->installer = NULL;
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
    stop_watching(engine);
    loop_source_free(engine->versions_timer);
    engine->versions_timer = NULL;
}
