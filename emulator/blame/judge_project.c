// Causes in the project or around it: a file that hides a module, a variable that is not set, the
// API that is called too early, a command that is not there.
#include "emulator/blame/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

// ---- a file of the app that hides a module (P-305) ----

static bool is_somebodys(const struct blame_facts *facts, struct slice module)
{
    return packages_is_standard(facts->packages, module) ||
           packages_owner(facts->packages, module) != NULL;
}

// "email" of "email.py" and "email/__init__.py", in the app's root.
static struct slice top_module(struct slice own)
{
    const char *slash = own.len ? memchr(own.at, '/', own.len) : NULL;
    struct slice top = {own.at, slash ? (size_t)(slash - own.at) : own.len};
    if (!slash && !slice_ends(top, ".py")) {
        return (struct slice){NULL, 0};
    }
    top.len -= slash ? 0 : 3;
    return top;
}

static bool hides(const struct scene *scene, struct slice own)
{
    struct slice top = top_module(own);
    return top.len && is_somebodys(scene->facts, top);
}

// The file that stands where somebody else's module is looked for; empty: none.
static struct slice find_hiding(const struct scene *scene)
{
    const struct trace *trace = scene->trace;
    struct slice own = scene_in_app(scene->facts, scene->symptom.place);
    if (hides(scene, own)) {
        return own;
    }
    for (size_t i = 1; i < trace->count; i++) {
        own = scene_in_app(scene->facts, trace->frames[i].path);
        bool from_app = scene_in_app(scene->facts, trace->frames[i - 1].path).len > 0;
        if (!from_app && own.len && slice_equal(trace->frames[i].function, "<module>") &&
            hides(scene, own)) {
            return own;
        }
    }
    long renaming = slice_find(trace->message, "consider renaming '");
    struct slice path;
    if (renaming >= 0 && slice_quoted(trace->message, (size_t)renaming, &path)) {
        return scene_in_app(scene->facts, path);
    }
    return (struct slice){NULL, 0};
}

bool judge_hiding(const struct scene *scene, struct blame_cause *cause)
{
    char file[160];
    const struct symptom *symptom = &scene->symptom;
    struct slice top = {symptom->module, strcspn(symptom->module, ".")};
    bool packless = slice_find(scene->trace->message, "is not a package") >= 0;
    slice_copy(find_hiding(scene), file, sizeof file);
    bool named = packless || symptom->kind == SYMPTOM_NAME;
    if (!*file && named && is_somebodys(scene->facts, top) &&
        scene_has_name(scene->facts, symptom->module, ".py")) {
        snprintf(file, sizeof file, "%.*s.py", (int)top.len, top.at);
    }
    if (!*file) {
        return false;
    }
    auto_free char *module = str_dup_len(file, strcspn(file, "./"));
    cause->rule = "P-305";
    cause->text =
        str_printf(_("%s of the project hides the module %s, which others import"), file, module);
    cause->mend = str_printf(_("give %s another name"), file);
    return true;
}

// ---- a variable that is not set (P-303) ----

static bool is_of_variable(char c)
{
    return isupper((unsigned char)c) || isdigit((unsigned char)c) || c == '_';
}

// A word of capitals, such as DATABASE_URL; one with an underscore rather than another.
static struct slice find_variable(struct slice text)
{
    static const char *const others[] = {"ERROR", "WARNING", "FATAL", "CRITICAL", "INFO", "ENV"};
    struct slice found = {NULL, 0};
    for (size_t i = 0; i < text.len;) {
        size_t start = i;
        bool whole = true;
        while (i < text.len && (isalnum((unsigned char)text.at[i]) || text.at[i] == '_')) {
            whole = is_of_variable(text.at[i]) && whole;
            i++;
        }
        struct slice word = {text.at + start, i - start};
        i += i == start;
        for (size_t j = 0; j < ARRAY_LEN(others); j++) {
            whole = whole && !slice_equal(word, others[j]);
        }
        if (!whole || word.len < 3 || !isupper((unsigned char)*word.at)) {
            continue;
        }
        if (memchr(word.at, '_', word.len)) {
            return word;
        }
        found = found.len ? found : word;
    }
    return found;
}

static bool talks_of_variables(struct slice text)
{
    static const char *const words[] = {"environment variable",
                                        "Environment variable",
                                        "envvar",
                                        "env var",
                                        "ENV variable",
                                        "环境变量"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_find(text, words[i]) >= 0) {
            return true;
        }
    }
    return false;
}

static void phrase_variable(const char *who, struct slice name, struct blame_cause *cause)
{
    char variable[100];
    slice_copy(name, variable, sizeof variable);
    cause->rule = "P-303";
    cause->text = str_printf(_("%s needs the variable %s, which is not set"), who, variable);
    cause->mend = str_printf(_("here: put %s=... into .env; in the cloud: set it for the group in "
                               "the console"),
                             variable);
}

// os.environ['NAME']: the innermost frame is that of os.environ.
bool judge_variable(const struct scene *scene, struct blame_cause *cause)
{
    const struct trace *trace = scene->trace;
    const struct trace_frame *last = trace->count ? &trace->frames[trace->count - 1] : NULL;
    bool of_environ = last && slice_equal(trace->kind, "KeyError") &&
                      slice_equal(last->function, "__getitem__") &&
                      (slice_ends(last->path, "/os.py") || slice_ends(last->path, "/UserDict.py") ||
                       slice_find(last->path, "frozen os") >= 0);
    struct slice name = {NULL, 0};
    if (of_environ) {
        slice_quoted(trace->message, 0, &name);
    } else if (talks_of_variables(trace->message)) {
        name = find_variable(trace->message);
    }
    if (!name.len) {
        return false;
    }
    struct culprit culprit;
    scene_find_app(scene, &culprit);
    phrase_variable(culprit.name, name, cause);
    return true;
}

// ---- the platform's API while importing (P-304) ----

bool judge_offline(const struct scene *scene, struct blame_cause *cause)
{
    static const char *const kinds[] = {"ConnectionError",        "ConnectTimeout",
                                        "MaxRetryError",          "URLError",
                                        "ConnectionRefusedError", "LeanCloudError"};
    bool network = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        network = network || slice_equal(scene->trace->kind, kinds[i]);
    }
    struct slice sdk = {NULL, 0};
    for (size_t i = 0; network && i < scene->trace->count; i++) {
        long at = slice_find(scene->trace->frames[i].path, "/site-packages/leancloud/");
        sdk = at >= 0 ? scene->trace->frames[i].path : sdk;
    }
    if (!sdk.len) {
        return false;
    }
    cause->rule = "P-304";
    cause->text = str_dup(_("the app calls the platform's API while it is imported; here nothing "
                            "answers for an app id that was made up"));
    cause->mend = str_dup(_("make the call when it is needed, not at import; or give leanlocal the "
                            "app's id and keys (eval \"$(lean env)\")"));
    return true;
}

// ---- a database that is looked for on this machine (P-216) ----

// What the words of a client say: they differ, the port does not.
static const struct database {
    const char *place;    // in the message
    const char *name;     // of the service
    const char *variable; // that the platform gives (P-210 to P-212)
} databases[] = {
    {"127.0.0.1:6379", "Redis", "REDIS_URL_NAME"},
    {"localhost:6379", "Redis", "REDIS_URL_NAME"},
    {"127.0.0.1:27017", "MongoDB", "MONGODB_URL_NAME"},
    {"localhost:27017", "MongoDB", "MONGODB_URL_NAME"},
    {"MySQL server on '127.0.0.1", "MySQL", "MYSQL_HOST_NAME"},
    {"MySQL server on 'localhost", "MySQL", "MYSQL_HOST_NAME"},
    {"MySQL server through socket", "MySQL", "MYSQL_HOST_NAME"},
};

bool judge_database(const struct scene *scene, struct blame_cause *cause)
{
    for (size_t i = 0; i < ARRAY_LEN(databases); i++) {
        const struct database *row = &databases[i];
        if (slice_find(scene->trace->message, row->place) < 0) {
            continue;
        }
        struct culprit culprit;
        scene_find_app(scene, &culprit);
        cause->rule = "P-216";
        cause->text = str_printf(_("%s looks for %s on this machine, where nothing answers; in the "
                                   "cloud it never is there"),
                                 culprit.name, row->name);
        cause->mend = str_printf(_("take its address from %s, and put that into .env for here"),
                                 row->variable);
        return true;
    }
    return false;
}

// ---- an app's own words, and the shell's ----

// "/bin/sh: 1: gunicorn: not found", "sh: gunicorn: command not found"
static bool judge_command(struct slice line, struct blame_cause *cause)
{
    long end = slice_find(line, ": not found");
    end = end < 0 ? slice_find(line, ": command not found") : end;
    if (end <= 0 || slice_find(line, "sh: ") < 0) {
        return false;
    }
    size_t start = (size_t)end;
    while (start > 0 && line.at[start - 1] != ' ') {
        start--;
    }
    char word[80];
    slice_copy((struct slice){line.at + start, (size_t)end - start}, word, sizeof word);
    const char *package = known_command(word);
    cause->rule = "P-21";
    cause->text = str_printf(_("the command %s is not there"), word);
    cause->mend = package && !*package
                      ? str_printf(_("a Python version has no %s: put what it makes into the "
                                     "project"),
                                   word)
                      : str_printf(_("add \"%s\" to requirements.txt"), package ? package : word);
    return true;
}

// The last lines, when there is no traceback: an app's own words.
bool judge_lines(const char *text, size_t len, struct blame_cause *cause)
{
    for (int lines = 0; len > 0 && lines < 8; lines++) {
        const char *newline = memrchr(text, '\n', len);
        struct slice line = {newline ? newline + 1 : text,
                             newline ? len - (size_t)(newline - text) - 1 : len};
        struct slice name =
            talks_of_variables(line) ? find_variable(line) : (struct slice){NULL, 0};
        if (name.len) {
            phrase_variable(_("the app"), name, cause);
            return true;
        }
        if (judge_command(line, cause)) {
            return true;
        }
        len = newline ? (size_t)(newline - text) : 0;
    }
    return false;
}
