#include "emulator/engine/why.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/project/save.h"
#include "emulator/version/git.h"
#include "emulator/watch/scan.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

struct why {
    const struct engine *engine;
    struct rules rules;
    char *path; // relative to the project
    bool exists, is_dir;

    bool uploaded;
    const char *effect, *text, *rule;
    char *by;
};

// ---- which path is meant ----

// Relative to the project's directory; NULL: it lies elsewhere.
static char *below_project(const struct engine *engine, const char *absolute)
{
    auto_free char *clean = view_clean_path(absolute + 1);
    auto_free char *full = clean ? str_printf("/%s", clean) : NULL;
    size_t len = strlen(engine->project.dir);
    bool inside = full && strncmp(full, engine->project.dir, len) == 0 && full[len] == '/';
    return inside ? str_dup(full + len + 1) : NULL;
}

static bool exists_in(const struct engine *engine, const char *path)
{
    auto_free char *full = path ? fs_join(engine->project.dir, path) : NULL;
    return full && fs_exists(full);
}

static char *find_path(const struct engine *engine, const char *typed)
{
    if (*typed == '/') {
        return below_project(engine, typed);
    }
    char *here = getcwd(NULL, 0);
    auto_free char *joined = fs_join(here ? here : "/", typed);
    free(here);
    auto_free char *from_here = below_project(engine, joined);
    auto_free char *from_project = view_clean_path(typed);
    bool first = from_here && (exists_in(engine, from_here) || !exists_in(engine, from_project));
    return first ? steal(from_here) : from_project && *from_project ? steal(from_project) : NULL;
}

// ---- what holds for it ----

static void left_out(struct why *why, const char *text)
{
    why->uploaded = false;
    why->effect = "nothing";
    why->text = text;
}

// The first directory on the way, or path itself, that is one.
static char *find_virtualenv(const struct why *why)
{
    for (size_t len = 0; why->path[len]; len++) {
        len += strcspn(why->path + len, "/");
        auto_free char *part = str_dup_len(why->path, len);
        auto_free char *full = fs_join(why->engine->project.dir, part);
        if (scan_is_virtualenv(full)) {
            return steal(part);
        }
        if (!why->path[len]) {
            break;
        }
    }
    return NULL;
}

static void judge_rules(struct why *why, struct verdict verdict, const char *decided)
{
    const struct rules *rules = &why->rules;
    if (verdict.noise >= 0 && rules_is_skipped(verdict.noise)) {
        const char *reason = rules_noise_reason(verdict.noise);
        left_out(why, _("nothing is done: it is left out"));
        why->by = str_printf(_("built-in: %s%s%s"), rules_noise_pattern(verdict.noise),
                             reason ? ", " : "", reason ? reason : "");
        why->rule = rules_would_upload(rules, decided, true) ? "P-221" : NULL;
        return;
    }
    why->rule = rules->is_default ? "P-221" : "P-223";
    const char *pattern = leanignore_pattern(rules->ignore, verdict.line);
    why->by = rules->is_default ? str_printf(_("the defaults: %s"), pattern)
                                : str_printf("%s:%u: %s", rules->shown, verdict.line, pattern);
    left_out(why, _("nothing is done: it is left out"));
}

static void judge_save(struct why *why)
{
    const struct project *project = &why->engine->project;
    struct save save = save_judge(project, deployment_env_file(why->engine), why->path);
    why->effect = save_effect_name(save.effect);
    why->text = save_effect_text(save.effect);
    why->rule = save.rule;
    free(why->by);
    why->by = save.line ? str_printf("%s:%d: require", project->yaml_name, save.line) : NULL;
    if (save.effect == SAVE_NOTHING) {
        why->by = project->yaml.build_root
                      ? str_printf("%s: buildRoot: %s", project->yaml_name, project->build_sub)
                      : str_printf("--build-root %s", project->build_sub);
    }
}

// --from git: what is committed counts, and only a commit is a save.
static int judge_git(struct why *why, struct error *error)
{
    struct git git;
    struct git_listing listing = {0};
    char tree[GIT_ID_SIZE];
    int result = git_open(&git, why->engine->project.dir, error);
    if (result == 0) {
        result = git_head(&git, tree, error) < 0 ? -1 : git_list(&git, tree, &listing, error);
    }
    if (result == 0 && !strlist_contains(&listing.files, why->path)) {
        left_out(why, _("nothing is done: it is not committed"));
        why->rule = "P-220";
    } else if (result == 0) {
        why->uploaded = true;
        judge_save(why);
        why->by = why->by ? why->by : str_dup(_("when it is committed"));
    }
    git_listing_release(&listing);
    git_release(&git);
    return result;
}

static void judge_files(struct why *why)
{
    auto_free char *decided = NULL;
    struct verdict verdict = rules_judge_path(&why->rules, why->path, why->is_dir, &decided);
    auto_free char *virtualenv = find_virtualenv(why);
    why->uploaded = verdict.uploaded;
    if (virtualenv && (verdict.uploaded || strlen(virtualenv) < strlen(decided))) {
        left_out(why, _("nothing is done: it is left out"));
        why->by = str_printf(_("%s is a virtualenv"), virtualenv);
        why->rule = "P-225";
        return;
    }
    if (!verdict.uploaded) {
        judge_rules(why, verdict, decided);
    }
    if (verdict.uploaded || verdict.reports) {
        judge_save(why);
    }
    if (verdict.uploaded && !verdict.reports && verdict.noise >= 0) {
        why->effect = "nothing";
        why->text = _("nothing is done now; the next version has it");
        free(why->by);
        why->by = str_printf(_("built-in: %s"), rules_noise_pattern(verdict.noise));
    }
}

// ---- the answer ----

// What leanengine.yaml says of the build root and of required files; a broken one says nothing.
static void load_project(struct engine *engine, const struct rules *rules)
{
    struct view upload;
    view_of_directory(&upload, engine->project.dir, rules);
    project_load(&engine->project, &upload, engine->options.build_root, NULL, NULL, NULL);
    view_release(&upload);
}

struct cJSON *why_make(struct engine *engine, const char *path, struct error *error)
{
    struct why why = {.engine = engine};
    if (!engine->options.from_git &&
        rules_load(&why.rules, engine->project.dir, engine->options.ignore_file, NULL, error) < 0) {
        rules_release(&why.rules);
        return NULL;
    }
    load_project(engine, &why.rules);
    why.path = find_path(engine, path);
    if (!why.path) {
        error_set(error, ERROR_USAGE, _("%s is not below %s"), path, engine->project.dir);
        rules_release(&why.rules);
        return NULL;
    }
    auto_free char *full = fs_join(engine->project.dir, why.path);
    why.exists = fs_exists(full);
    why.is_dir = fs_is_dir(full) || str_ends_with(path, "/");
    if (!engine->options.from_git) {
        judge_files(&why);
    } else if (judge_git(&why, error) < 0) {
        free(why.path);
        rules_release(&why.rules);
        return NULL;
    }
    struct cJSON *answer = json_new_object();
    json_put_string(answer, "path", why.path);
    json_put_bool(answer, "exists", why.exists);
    json_put_bool(answer, "uploaded", why.uploaded);
    json_put_string(answer, "effect", why.effect);
    json_put_string(answer, "text", why.text);
    json_put_string(answer, "by", why.by);
    json_put_string(answer, "rule", why.rule);
    free(why.path);
    free(why.by);
    rules_release(&why.rules);
    return answer;
}
