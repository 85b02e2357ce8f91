// What the engine makes of an instance that starts: healthy, not yet, or failed and why.
//
// The rule is health_judge()'s; here it meets what else is known: the start's limit, the app's
// exit, the address it asked for. A verdict is told once, and the instance goes. The rounds
// themselves, and what follows when a serving one fails, are checks.c.

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "emulator/health/words.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "emulator/version/modes.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

// ---- failure of a start ----

// A verdict about a candidate or a replacement: told once, and the instance goes.
void running_judge(struct running *running, const struct error *error, const char *mend)
{
    if (running->judged) {
        return;
    }
    running->judged = true;
    enum stage stage = running->bad_rounds || instance_is_listening(running->instance)
                           ? STAGE_HEALTHY
                           : STAGE_START;
    struct error told = *error;
    if (mend) {
        error_set_hint(&told, "%s", mend);
    }
    rollout_failed(running, stage, &told);
}

// What did not listen: nobody answers there, whatever the reason.
static void explain_silence(const struct running *running, int limit_s, struct error *error)
{
    const char *name = instance_name(running->instance);
    if (running->other_port) {
        error_set(error, ERROR_APP, _("%s listened on port %u, and not on port %d within %d s"),
                  name, running->other_port, (int)LIMIT_APP_PORT, limit_s);
    } else {
        error_set(error, ERROR_APP, _("%s did not listen on port %d within %d s"), name,
                  (int)LIMIT_APP_PORT, limit_s);
    }
    auto_free char *cloud = health_words_no_port(NULL, limit_s);
    error_set_rule(error, running->other_port ? "P-91" : "P-103", cloud);
    error_set_hint(error,
                   _("listen on 0.0.0.0 and the port in LEANCLOUD_APP_PORT, or raise "
                     "startupTimeout in leanengine.yaml (at most %d)"),
                   (int)LIMIT_STARTUP_TIMEOUT_MAX_S);
}

static const char *rule_of(const struct running *running, bool strict)
{
    const struct health_probe_result *home = &running->round.home;
    return health_redirects_to_https(&running->round)  ? "P-115"
           : strict                                    ? "P-106"
           : home->errnum == ECONNREFUSED              ? "P-103"
           : home->status >= 300 && home->status < 400 ? "P-110"
                                                       : "P-104";
}

static void mend_answer(const struct running *running, bool strict, struct error *error)
{
    const struct health_probe_result *home = &running->round.home;
    if (health_redirects_to_https(&running->round)) {
        error_set_hint(error, _("the app's own redirect to https comes before the SDK: wrap it "
                                "inside, engine = Engine(HttpsRedirectMiddleware(app)), or let "
                                "/ and /__engine/1/ping pass; the check comes by http"));
    } else if (strict) {
        error_set_hint(error, _("functionsMode is strict: wire the vendor's SDK (application = "
                                "Engine(app)), or take functionsMode out of leanengine.yaml"));
    } else if (home->errnum == ECONNREFUSED && instance_is_listening(running->instance)) {
        error_set_hint(error, _("it has listened, and does not any more: what closed its port?"));
    } else if (home->errnum == ECONNREFUSED) { // COMPAT: without the broker nobody tells of listen
        error_set_hint(error,
                       _("does it take its port from LEANCLOUD_APP_PORT? It is %u here, "
                         "because this host offers no port broker"),
                       instance_port(running->instance));
    } else if (home->status == 0 && !home->is_timeout) {
        error_set_hint(error, _("the answer is broken off, or no HTTP: what serves this port, and "
                                "does it survive GET /?"));
    } else if (home->status == 0) {
        error_set_hint(error, _("it takes connections and does not answer them: does something "
                                "block while it handles GET /?"));
    } else {
        error_set_hint(error, _("answer GET / with 2xx (redirects are not followed), or wire the "
                                "vendor's SDK for /__engine/1/ping"));
    }
}

// P-104, P-106, P-110, P-115: it was asked, and what came will not do.
static void explain_answer(const struct running *running, int limit_s, struct error *error)
{
    bool strict = running_is_strict(running);
    const struct health_round *round = &running->round;
    const struct health_probe_result *culprit = health_words_culprit(round, strict);
    auto_free char *answer = health_words_answer(culprit);
    auto_free char *cloud =
        culprit->status ? health_words_bad_answer(culprit) : health_words_no_port(culprit, limit_s);
    error_set(error, ERROR_APP, _("%s was not healthy within %d s: %s"),
              instance_name(running->instance), limit_s, answer);
    error_set_rule(error, rule_of(running, strict), cloud);
    mend_answer(running, strict, error);
}

void running_judge_timeout(void *context)
{
    struct running *running = context;
    struct engine *engine = running->engine;
    int limit_s = engine->project.yaml.startup_timeout_s;
    struct error error = {0};
    bool listens = instance_is_listening(running->instance);
    if (!running->has_round) { // the first is still under way, or never began
        running->round = (struct health_round){
            .home = {.path = "/", .failure = "no answer yet", .is_timeout = true},
            .ping = {.path = "/__engine/1/ping", .failure = "no answer yet", .is_timeout = true}};
    }
    if (!listens && (engine->host.has[SANDBOX_NOTIFY] || !running->has_round)) {
        explain_silence(running, limit_s, &error);
    } else {
        explain_answer(running, limit_s, &error);
    }
    running_explain(running, -1, &error);
    running_judge(running, &error, NULL);
}

// ---- its end ----

void running_describe_death(struct running *running, int wait_status, bool app_exited,
                            struct error *error)
{
    const char *name = instance_name(running->instance);
    if (instance_over_bytes(running->instance)) {
        size_explain_memory(running, error);
        return;
    }
    auto_free char *death = health_words_death(wait_status, running->engine->project.yaml.run);
    if (app_exited) {
        error_set(error, ERROR_APP, "%s: %s", name, death);
    } else {
        error_set(error, ERROR_APP, _("%s: its sandbox is gone: %s"), name, death);
    }
    error_set_rule(error, "P-107", NULL);
}

// At once: nobody waits for startupTimeout when nothing is left that could answer.
void running_judge_exit(struct running *running, int wait_status, bool app_exited)
{
    struct engine *engine = running->engine;
    struct error error = {0};
    if (instance_over_bytes(running->instance)) {
        size_explain_memory(running, &error);
        running_judge(running, &error, NULL);
        return;
    }
    const char *trouble = instance_last_trouble(running->instance);
    const char *run = engine->project.yaml.run;
    auto_free char *lines = instance_last_lines(running->instance);
    auto_free char *cloud = health_words_no_port(NULL, engine->project.yaml.startup_timeout_s);
    auto_free char *death = health_words_death(wait_status, run);
    if (*lines) {
        announce_cloud(engine, TEXT_INSTANCE_LOG, lines); // P-113
    }
    if (*trouble) {
        error_set(&error, ERROR_APP, "%s", trouble);
    } else {
        error_set(&error, ERROR_APP, _("%s ended before it was healthy: %s"),
                  app_exited ? _("the app") : _("the sandbox"), death);
    }
    error_set_rule(&error, "P-109", cloud);
    if (app_exited && wait_status == 0) {
        error_set_hint(&error, _("let it stay: the server has to run in the foreground until it is "
                                 "ended"));
    } else {
        error_set_hint(&error, _("its last lines are in the log; mend the file and save"));
    }
    if (run && app_exited && WIFEXITED(wait_status)) {
        modes_explain(WEXITSTATUS(wait_status), run, &error);
    }
    running_explain(running, wait_status, &error);
    running_judge(running, &error, NULL);
}

// ---- the address it asks for ----

bool running_is_loopback(const char *asked)
{
    return str_starts_with(asked, "127.") || str_starts_with(asked, "::1:") ||
           str_starts_with(asked, "[::1]") || str_starts_with(asked, "::ffff:127.");
}

// P-105: refused at once, saying what the cloud would do after its limit; but served in
// development, because the vendor's own template listens on localhost then (P-84).
bool running_refuse_loopback(struct running *running, const char *asked)
{
    struct engine *engine = running->engine;
    if (!running_is_loopback(asked)) {
        return false;
    }
    const char *mend = "app.run(host='0.0.0.0', port=int(os.environ['LEANCLOUD_APP_PORT']))";
    auto_free char *cloud = health_words_no_port(NULL, engine->project.yaml.startup_timeout_s);
    if (strcmp(engine->options.environment, "development") == 0) {
        engine->warnings++;
        announce_notice(engine, "warning", "P-105", cloud, mend,
                        _("the app listens on %s only; in the cloud this deploy would fail"),
                        asked);
        return false;
    }
    struct error error = {0};
    error_set(&error, ERROR_APP, _("the app must listen on 0.0.0.0; it asked for %s"), asked);
    error_set_rule(&error, "P-105", cloud);
    running_judge(running, &error, mend);
    return true;
}
