#include "emulator/doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/protocol.h"
#include "emulator/system/system_dependencies.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

extern char **environ;

enum need { REQUIRED, WANTED, TOLD };

static const struct check {
    const char *id; // NULL: a feature of the sandbox
    enum sandbox_feature feature;
    void (*look)(const struct doctor *doctor, struct finding *finding);
    enum need need;
    const char *title, *how, *lost;
} checks[] = {
#define FEATURE(feature, title, how, lost) {NULL, feature, NULL, WANTED, title, how, lost},
#define CHECK(id, function, need, title, how, lost)                                                \
    {id, SANDBOX_FEATURE__COUNT, function, need, title, how, lost},
#include "emulator/doctor/checks.def"
#undef FEATURE
#undef CHECK
};

static void look_at_feature(const struct doctor *doctor, enum sandbox_feature feature,
                            struct finding *finding, enum cause *ret_cause)
{
    const struct sandbox_host *host = &doctor->host;
    *ret_cause = mend_cause(&doctor->scene, host, feature);
    finding->works = host->has[feature];
    finding->errnum = host->errnum[feature];
    if (!finding->works) {
        finding->reason = str_dup(host->reason[feature]);
        finding->mend = str_dup(mend_text(*ret_cause));
        finding->commands = mend_commands(*ret_cause, &doctor->scene);
    }
}

static struct cJSON *lines_of(const char *text)
{
    struct cJSON *lines = json_new_array();
    for (const char *at = text; at && *at;) {
        size_t len = strcspn(at, "\n");
        auto_free char *line = str_dup_len(at, len);
        json_push_string(lines, line);
        at += len + (at[len] == '\n');
    }
    return lines;
}

static void release_finding(struct finding *finding)
{
    free(finding->value);
    free(finding->reason);
    free(finding->mend);
    free(finding->commands);
}

static struct cJSON *write_check(const struct doctor *doctor, const struct check *check,
                                 bool *ret_lacks)
{
    struct finding finding = {0};
    enum cause cause = CAUSE_NONE;
    struct cJSON *tree = json_new_object();
    if (check->look) {
        check->look(doctor, &finding);
    } else {
        look_at_feature(doctor, check->feature, &finding, &cause);
    }
    json_put_string(tree, "id", check->id ? check->id : sandbox_feature_name(check->feature));
    json_put_string(tree, "section", check->look ? "host" : "sandbox");
    json_put_string(tree, "title", _(check->title));
    json_put_bool(tree, "works", finding.works);
    json_put_bool(tree, "required", check->need == REQUIRED);
    json_put_string(tree, "value", finding.value);
    json_put_string(tree, "how", _(check->how));
    if (!finding.works) {
        json_put_string(tree, "reason", finding.reason);
        json_put_int(tree, "errno", finding.errnum);
        json_put_string(tree, "lost", *check->lost ? _(check->lost) : NULL);
        json_put_string(tree, "cause", check->look ? NULL : mend_name(cause));
        json_put_string(tree, "mend", finding.mend);
        json_put_tree(tree, "commands", lines_of(finding.commands));
    }
    *ret_lacks = !finding.works && check->need == REQUIRED;
    release_finding(&finding);
    return tree;
}

static void look_for_pythons(struct doctor *doctor)
{
    const struct python_options options = {
        .env = &doctor->env,
        .for_others = doctor->host.is_root && !doctor->host.has[SANDBOX_MOUNT],
    };
    struct python_offer offer = {0};
    struct diagnostics diagnostics = {0};
    python_candidates_find(&doctor->env, &doctor->candidates);
    // Answers that are there already are taken; none are written into a cache that is not.
    const char *cache = fs_is_dir(doctor->cache_dir) ? doctor->cache_dir : NULL;
    doctor->has_python = python_find(&options, cache, &doctor->python, &offer, &diagnostics,
                                     &doctor->python_error) == 0;
    python_offer_release(&offer);
    diagnostics_clear(&diagnostics);
}

struct cJSON *doctor_look(const char *root)
{
    struct doctor doctor = {.root = root, .cache_dir = control_cache_dir()};
    for (char **entry = environ; *entry; entry++) {
        strlist_add(&doctor.env, *entry);
    }
    sandbox_probe(&doctor.host);
    scene_read(&doctor.scene, root);
    look_for_pythons(&doctor);
    enum sandbox_level level = sandbox_host_level(&doctor.host);
    struct cJSON *tree = json_new_object();
    struct cJSON *list = json_new_array();
    bool lacks_any = level == SANDBOX_LEVEL_NONE;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool lacks;
        json_push(list, write_check(&doctor, &checks[i], &lacks));
        lacks_any = lacks_any || lacks;
    }
    json_put_string(tree, "level", sandbox_level_name(level));
    json_put_int(tree, "code", lacks_any ? error_kind_exit_code(ERROR_HOST) : 0);
    json_put_string(tree, "program", doctor.scene.program);
    json_put_tree(tree, "checks", list);
    strlist_clear(&doctor.env);
    python_candidates_release(&doctor.candidates);
    python_release(&doctor.python);
    free(doctor.cache_dir);
    return tree;
}

int doctor_helper_main(int argc, char **argv)
{
    (void)argv;
    if (argc != 2) {
        return 2;
    }
    const char *root = getenv(SYSTEM_ROOT_VARIABLE);
    struct cJSON *tree = doctor_look(root ? root : "");
    auto_free char *text = json_print(tree);
    printf("%s\n", text);
    json_free(tree);
    return 0;
}
