// Causes in what is installed: a package or a Python that moved, a module that nobody has.
#include "emulator/blame/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

// ---- the tables ----

bool judge_bound(const struct scene *scene, struct blame_cause *cause)
{
    struct known_break row;
    struct culprit culprit;
    const struct packages *packages = scene->facts->packages;
    if (!known_bound(packages, &scene->symptom, scene->trace->message, &row)) {
        return false;
    }
    scene_find_culprit(scene, packages_find(packages, slice_of(row.package)), &culprit);
    phrase_bound(packages, &culprit, &row, cause);
    return true;
}

bool judge_standard(const struct scene *scene, struct blame_cause *cause)
{
    struct known_break row;
    struct culprit culprit;
    if (!known_standard(scene->facts->python, &scene->symptom, &row)) {
        return false;
    }
    scene_find_culprit(scene, NULL, &culprit);
    phrase_standard(scene->facts->python, &culprit, &row, scene_passes_sdk(scene), cause);
    return true;
}

// six of before 1.16 makes six.moves by a hook that 3.12 no longer asks; many carry a copy.
bool judge_six(const struct scene *scene, struct blame_cause *cause)
{
    const struct symptom *symptom = &scene->symptom;
    const char *at = strstr(symptom->module, "six.moves");
    bool whole = at && (at == symptom->module || at[-1] == '.');
    if (symptom->kind != SYMPTOM_MODULE || !whole ||
        version_compare(scene->facts->python, "3.12") < 0) {
        return false;
    }
    const struct known_break row = {
        .module = symptom->module, .name = "", .since = "3.12", .instead = ""};
    struct culprit culprit;
    scene_find_culprit(scene, NULL, &culprit);
    phrase_standard(scene->facts->python, &culprit, &row, scene_passes_sdk(scene), cause);
    return true;
}

// ---- a module that nobody has ----

// Parts of Python that are built only where a library's headers were.
bool judge_unbuilt(const struct scene *scene, struct blame_cause *cause)
{
    static const struct {
        const char *module, *package;
    } parts[] = {
        {"_bz2", "libbz2-dev"},          {"_ctypes", "libffi-dev"},
        {"_curses", "libncurses-dev"},   {"_lzma", "liblzma-dev"},
        {"_sqlite3", "libsqlite3-dev"},  {"_ssl", "libssl-dev"},
        {"readline", "libreadline-dev"}, {"zlib", "zlib1g-dev"},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (scene->symptom.kind == SYMPTOM_MODULE &&
            strcmp(scene->symptom.module, parts[i].module) == 0) {
            cause->text = str_printf(_("this host's Python %s was built without %s"),
                                     scene->facts->python, parts[i].module);
            cause->mend = str_printf(_("apt install %s, then build it again: pyenv install --force "
                                       "%s"),
                                     parts[i].package, scene->facts->python);
            return true;
        }
    }
    return false;
}

bool judge_missing(const struct scene *scene, struct blame_cause *cause)
{
    const struct symptom *symptom = &scene->symptom;
    const struct packages *packages = scene->facts->packages;
    struct culprit culprit;
    const char *wanted = known_wanted(scene->trace->message);
    if (wanted) {
        scene_find_culprit(scene, NULL, &culprit);
        phrase_missing(&culprit, wanted, cause);
        return true;
    }
    if (symptom->kind != SYMPTOM_MODULE) {
        return false;
    }
    const struct package *owner = packages_owner(packages, slice_of(symptom->module));
    scene_find_culprit(scene, owner, &culprit);
    if (owner && strchr(symptom->module, '.')) {
        phrase_lacks(packages, &culprit, symptom->module, owner, cause);
    } else if (scene_has_name(scene->facts, symptom->module, ".py") ||
               scene_has_name(scene->facts, symptom->module, "")) {
        size_t len = strcspn(symptom->module, ".");
        bool file = scene_has_name(scene->facts, symptom->module, ".py");
        cause->rule = "P-220";
        cause->text = str_printf(_("%s imports %s; %.*s%s is in the project, but not in what is "
                                   "uploaded"),
                                 culprit.name, symptom->module, (int)len, symptom->module,
                                 file ? ".py" : "/");
        cause->mend = str_printf(_("leanlocal why %.*s%s names the line of .leanignore"), (int)len,
                                 symptom->module, file ? ".py" : "");
    } else {
        phrase_missing(&culprit, symptom->module, cause);
    }
    return true;
}

// ---- what an installed package lacks, by no table ----

bool judge_lacking(const struct scene *scene, struct blame_cause *cause)
{
    const struct symptom *symptom = &scene->symptom;
    const struct packages *packages = scene->facts->packages;
    const struct trace *trace = scene->trace;
    bool circular = slice_find(trace->message, "partially initialized module") >= 0;
    const struct package *owner =
        symptom->kind == SYMPTOM_NAME ? packages_owner(packages, slice_of(symptom->module)) : NULL;
    // A package that asks itself for what is not there has its own reasons, such as a setting.
    bool itself = owner && slice_equal(trace->kind, "AttributeError") && trace->count &&
                  scene_package_at(scene->facts, trace->frames[trace->count - 1].path) == owner;
    if (!owner || circular || itself) {
        return false;
    }
    struct culprit culprit;
    auto_free char *what = str_printf("%s.%s", symptom->module, symptom->name);
    scene_find_culprit(scene, owner, &culprit);
    phrase_lacks(packages, &culprit, what, owner, cause);
    return true;
}

// ---- syntax of another Python ----

bool judge_syntax(const struct scene *scene, struct blame_cause *cause)
{
    const struct trace *trace = scene->trace;
    if (!trace->count ||
        !(slice_equal(trace->kind, "SyntaxError") || slice_equal(trace->kind, "TabError"))) {
        return false;
    }
    static const char *const old_words[] = {
        "Missing parentheses in call to 'print'", "Missing parentheses in call to 'exec'",
        "multiple exception types must be parenthesized", "leading zeros in decimal integer"};
    const struct trace_frame *last = &trace->frames[trace->count - 1];
    const struct package *package = scene_package_at(scene->facts, last->path);
    struct culprit culprit;
    phrase_culprit(package, scene_in_app(scene->facts, last->path), last->line, &culprit);
    for (size_t i = 0; i < ARRAY_LEN(old_words); i++) {
        if (slice_find(trace->message, old_words[i]) >= 0) {
            cause->rule = package ? "P-300" : "P-40";
            cause->text = str_printf(_("%s is written for Python 2; this is %s"), culprit.name,
                                     scene->facts->python);
            cause->mend = package ? str_printf(_("take a newer %s, or write 2.7 into "
                                                 ".python-version"),
                                               package->name)
                                  : str_dup(_("write 2.7 into .python-version, or change it"));
            return true;
        }
    }
    if (package) {
        bool keyword = slice_find(last->code, "async") >= 0 &&
                       version_compare(scene->facts->python, "3.7") >= 0;
        cause->rule = "P-300";
        cause->text =
            str_printf(_("%s is not written for Python %s"), culprit.name, scene->facts->python);
        cause->mend = str_printf(keyword ? _("take a newer %s, or write 3.6 into .python-version: "
                                             "\"async\" is a keyword since 3.7")
                                         : _("take another release of %s, or write another version "
                                             "into .python-version"),
                                 package->name);
    }
    return package != NULL;
}

// ---- the package in whose import it happens ----

bool judge_inside(const struct scene *scene, struct blame_cause *cause)
{
    static const char *const kinds[] = {"ImportError", "AttributeError",      "TypeError",
                                        "NameError",   "ModuleNotFoundError", "ValueError",
                                        "RuntimeError"};
    const struct trace *trace = scene->trace;
    bool fits = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        fits = fits || slice_equal(trace->kind, kinds[i]);
    }
    for (size_t i = trace->count; fits && i > 0; i--) {
        const struct trace_frame *frame = &trace->frames[i - 1];
        if (scene_in_app(scene->facts, frame->path).len) {
            return false;
        }
        const struct package *package = scene_package_at(scene->facts, frame->path);
        if (package && slice_equal(frame->function, "<module>")) {
            phrase_inside(scene->facts->packages, package, scene_passes_sdk(scene), cause);
            return true;
        }
    }
    return false;
}
