#include "emulator/build/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/limits/texts.h"
#include "emulator/version/modes.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/utf8.h"

#define MARK          '\x01' // see steps.py
#define CONFLICTS_MAX 20
#define SHOWN_MAX     900 // bytes of the last lines in an error's message

#define HINT_REQUIRE                                                                               \
    N_("while installing only requirements.txt is there; name what else it needs in "              \
       "leanengine.yaml: install: [{require: [FILE]}, {use: default}]")
#define HINT_NETWORK                                                                               \
    N_("check the network; proxies (https_proxy), PIP_INDEX_URL, pip.conf and CA files "           \
       "(SSL_CERT_FILE) of your shell are used")

#define HINT_OLDER_PYTHON                                                                          \
    N_("take a newer release of that package, or an older Python in .python-version")

static const struct trouble {
    const char *needle;
    enum error_kind kind;
    const char *rule;
    const char *reason;
    const char *hint;
} troubles[] = {
#define TROUBLE(needle, kind, rule, reason, hint) {needle, ERROR_##kind, rule, reason, hint},
#include "emulator/build/troubles.def"
#undef TROUBLE
};

void build_log_init(struct build_log *log)
{
    *log = (struct build_log){.trouble = -1};
}

static void forget_lines(struct build_log *log)
{
    for (size_t i = 0; i < log->kept_count; i++) {
        free(log->kept[i]);
    }
    log->kept_count = 0;
}

static void keep_line(struct build_log *log, const char *text)
{
    if (!*text) {
        return;
    }
    if (log->kept_count == BUILD_LOG_KEPT) {
        free(log->kept[0]);
        memmove(log->kept, log->kept + 1, (BUILD_LOG_KEPT - 1) * sizeof log->kept[0]);
        log->kept_count--;
    }
    log->kept[log->kept_count++] = str_dup(text);
}

static void add_conflict(struct build_log *log, const char *text)
{
    if (log->conflicts.count < CONFLICTS_MAX && !strlist_contains(&log->conflicts, text)) {
        strlist_add(&log->conflicts, text);
    }
}

static void look_for_trouble(struct build_log *log, const char *text)
{
    size_t end = log->trouble < 0 ? ARRAY_LEN(troubles) : (size_t)log->trouble;
    for (size_t i = 0; i < end; i++) {
        if (strstr(text, troubles[i].needle)) {
            log->trouble = (int)i;
            str_replace(&log->trouble_line, text);
            return;
        }
    }
}

static enum build_line take_mark(struct build_log *log, const char *text)
{
    if (str_starts_with(text, "step ")) {
        str_replace(&log->step, text + 5);
        forget_lines(log);
        log->trouble = -1;
        return BUILD_LINE_STEP;
    }
    if (str_starts_with(text, "failed ")) {
        log->failed = true;
        log->exit_code = atoi(text + 7);
    } else if (str_starts_with(text, "conflict ")) {
        add_conflict(log, text + 9);
    }
    return BUILD_LINE_HIDDEN;
}

enum build_line build_log_line(struct build_log *log, const char *text)
{
    if (text[0] == MARK) {
        return take_mark(log, text + 1);
    }
    keep_line(log, text);
    look_for_trouble(log, text);
    return BUILD_LINE_OUTPUT;
}

// The first row that the last line holds.
static const struct {
    const char *needle;
    const char *doing;
} doings[] = {
    {"Retrying (", N_("the index does not answer, pip tries again")},
    {"Looking in ", N_("pip waits for the index")},
    {"Collecting ", N_("pip waits for the index")},
    {"Downloading ", N_("pip downloads")},
    {"Cloning ", N_("git clones")},
    {"Installing build dependencies", N_("pip installs what a package needs to be built")},
    {"Getting requirements to build", N_("pip asks a package what its build needs")},
    {"Preparing metadata", N_("pip builds a package's metadata")},
    {"Building wheel", N_("pip builds a package from source")},
    {"Running setup.py", N_("pip builds a package from source")},
    {"Installing collected packages", N_("pip copies packages into the layer")},
};

const char *build_log_doing(const struct build_log *log)
{
    const char *last = log->kept_count ? log->kept[log->kept_count - 1] : "";
    for (size_t i = 0; i < ARRAY_LEN(doings); i++) {
        if (strstr(last, doings[i].needle)) {
            return doings[i].doing;
        }
    }
    return NULL;
}

// The last lines that fit, oldest first.
static char *last_lines(const struct build_log *log)
{
    size_t first = log->kept_count;
    size_t total = 0;
    while (first > 0 && total + strlen(log->kept[first - 1]) + 1 < SHOWN_MAX) {
        total += strlen(log->kept[--first]) + 1;
    }
    struct buf text = {0};
    for (size_t i = first; i < log->kept_count; i++) {
        buf_addf(&text, "\n%s", log->kept[i]);
    }
    return buf_steal(&text);
}

// P-53: "default = newest stable" collides with what the vendor's SDK supports.
static bool is_too_new_for_sdk(const char *python)
{
    int major = 0;
    int minor = 0;
    return sscanf(python, "%d.%d", &major, &minor) == 2 && major == 3 && minor >= 12;
}

int build_log_failure(const struct build_log *log, const char *python, bool uses_sdk,
                      struct error *error)
{
    const struct trouble *trouble = log->trouble < 0 ? NULL : &troubles[log->trouble];
    auto_free char *step = utf8_cut(log->step ? log->step : _("making the environment"), 120);
    auto_free char *cause = utf8_cut(log->trouble_line ? log->trouble_line : "", 200);
    auto_free char *lines = last_lines(log);
    auto_free char *reason = trouble ? str_printf("%s (%s)", _(trouble->reason), cause) : NULL;
    error_set(error, trouble ? trouble->kind : ERROR_PROJECT, _("%s: exit %d%s%s%s"), step,
              log->exit_code, reason ? ": " : "", reason ? reason : "", lines);
    auto_free char *cloud = str_printf(TEXT_STEP_FAILED, step, log->exit_code);
    error_set_rule(error, trouble ? trouble->rule : "P-67", cloud);
    bool project = !trouble || trouble->kind == ERROR_PROJECT;
    if (project && uses_sdk && is_too_new_for_sdk(python)) {
        error_set_rule(error, "P-53", cloud);
        return error_set_hint(error, _("the leancloud SDK cannot be installed on Python 3.12 and "
                                       "newer: write 3.11 or older into .python-version"));
    }
    if (trouble) {
        return error_set_hint(error, "%s", _(trouble->hint));
    }
    if (modes_explain(log->exit_code, log->step ? log->step : "", error)) {
        return -1;
    }
    return error_set_hint(error, _("the lines above are the step's last ones; --build-logs shows "
                                   "what all steps say"));
}

void build_log_conflicts(const struct strlist *conflicts, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < conflicts->count; i++) {
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, "requirements.txt", 0, 0, "P-301",
                        _("pin versions that fit together"),
                        _("pip installed packages that contradict each other: %s"),
                        conflicts->items[i]);
    }
}

void build_log_release(struct build_log *log)
{
    forget_lines(log);
    free(log->step);
    free(log->trouble_line);
    strlist_clear(&log->conflicts);
    build_log_init(log);
}
