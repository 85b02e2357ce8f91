#include "emulator/blame/known.h"

#include <string.h>

#include "sandbox/base/cleanup.h"

enum row_kind { ROW_GONE, ROW_OBJECT, ROW_CALL, ROW_SAYS };

struct row {
    enum row_kind kind;
    const char *package, *module, *name, *since;
};

#define GONE(package, module, name, since)      {ROW_GONE, package, module, name, since},
#define OBJECT(package, type, name, since)      {ROW_OBJECT, package, type, name, since},
#define CALL(package, function, keyword, since) {ROW_CALL, package, function, keyword, since},
#define SAYS(package, words, since)             {ROW_SAYS, package, words, "", since},
#define CRASH(user, before, package, since)
#define WANTS(words, package)
static const struct row rows[] = {
#include "emulator/blame/bounds.def"
};
#undef GONE
#undef OBJECT
#undef CALL
#undef SAYS
#undef CRASH
#undef WANTS

#define GONE(package, module, name, since)
#define OBJECT(package, type, name, since)
#define CALL(package, function, keyword, since)
#define SAYS(package, words, since)
#define CRASH(user, before, package, since) {user, before, package, since},
#define WANTS(words, package)
static const struct crash_row {
    const char *user, *before, *package, *since;
} crashes[] = {
#include "emulator/blame/bounds.def"
};
#undef CRASH
#undef WANTS

#define CRASH(user, before, package, since)
#define WANTS(words, package) {words, package},
static const struct {
    const char *words, *package;
} wants[] = {
#include "emulator/blame/bounds.def"
};

#define MODULE_GONE(module, since, instead)     {NULL, module, "", since, instead, false},
#define NAME_GONE(module, name, since, instead) {NULL, module, name, since, instead, false},
#define MODULE_NEW(module, since, backport)     {NULL, module, "", since, backport, true},
#define NAME_NEW(module, name, since)           {NULL, module, name, since, "", true},
static const struct known_break standard[] = {
#include "emulator/blame/standard.def"
};

#define MODULE(module, package) {module, package},
#define COMMAND(word, package)
static const struct {
    const char *module, *package;
} modules[] = {
#include "emulator/blame/modules.def"
};
#undef MODULE
#undef COMMAND

#define MODULE(module, package)
#define COMMAND(word, package) {word, package},
static const struct {
    const char *word, *package;
} commands[] = {
#include "emulator/blame/modules.def"
};

// ---- matching ----

// "a.b" is at or below "a".
static bool is_below(const char *module, const char *top)
{
    size_t len = strlen(top);
    return strncmp(module, top, len) == 0 && (module[len] == '\0' || module[len] == '.');
}

// The name belongs to the module of the row, as far as anything says. A package's own files import
// from below it, and what is dropped from a module is dropped from the package too.
static bool is_of(const struct symptom *symptom, const char *module, const char *name)
{
    if (symptom->kind == SYMPTOM_MODULE) {
        return !*name && is_below(symptom->module, module);
    }
    if (symptom->kind != SYMPTOM_NAME) {
        return false;
    }
    if (!*name) { // from werkzeug import contrib
        size_t len = strlen(symptom->module);
        return strncmp(module, symptom->module, len) == 0 && module[len] == '.' &&
               strcmp(module + len + 1, symptom->name) == 0;
    }
    return strcmp(symptom->name, name) == 0 && is_below(symptom->module, module);
}

static bool fits(const struct row *row, const struct symptom *symptom, struct slice message)
{
    switch (row->kind) {
    case ROW_GONE:
        return is_of(symptom, row->module, row->name);
    case ROW_OBJECT:
        return symptom->kind == SYMPTOM_OBJECT && strcmp(symptom->module, row->module) == 0 &&
               strcmp(symptom->name, row->name) == 0;
    case ROW_CALL:
        return symptom->kind == SYMPTOM_KEYWORD && strcmp(symptom->module, row->module) == 0 &&
               strcmp(symptom->name, row->name) == 0;
    case ROW_SAYS:
        return slice_find(message, row->module) >= 0;
    }
    return false;
}

bool known_bound(const struct packages *packages, const struct symptom *symptom,
                 struct slice message, struct known_break *ret_break)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        const struct package *installed =
            fits(row, symptom, message) ? packages_find(packages, slice_of(row->package)) : NULL;
        if (installed && version_compare(installed->version, row->since) >= 0) {
            bool words = row->kind == ROW_SAYS || row->kind == ROW_CALL;
            *ret_break = (struct known_break){.package = row->package,
                                              .module = words ? "" : row->module,
                                              .name = row->name,
                                              .since = row->since,
                                              .instead = ""};
            return true;
        }
    }
    return false;
}

bool known_standard(const char *python, const struct symptom *symptom,
                    struct known_break *ret_break)
{
    for (size_t i = 0; i < ARRAY_LEN(standard); i++) {
        const struct known_break *row = &standard[i];
        bool object = symptom->kind == SYMPTOM_OBJECT && *row->name &&
                      strcmp(symptom->module, row->module) == 0 &&
                      strcmp(symptom->name, row->name) == 0;
        if (!object && !is_of(symptom, row->module, row->name)) {
            continue;
        }
        bool there = version_compare(python, row->since) >= 0;
        if (there != row->added) {
            *ret_break = *row;
            return true;
        }
    }
    return false;
}

const char *known_package_of(const char *module)
{
    const char *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        size_t len = strlen(modules[i].module);
        if (len > longest && is_below(module, modules[i].module)) {
            longest = len;
            found = modules[i].package;
        }
    }
    return found;
}

const char *known_wanted(struct slice message)
{
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        if (slice_find(message, wants[i].words) >= 0) {
            return wants[i].package;
        }
    }
    return NULL;
}

bool known_crash(const struct packages *packages, struct known_crash *ret_crash)
{
    for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
        const struct package *user = packages_find(packages, slice_of(crashes[i].user));
        const struct package *other = packages_find(packages, slice_of(crashes[i].package));
        if (user && other && version_compare(user->version, crashes[i].before) < 0 &&
            version_compare(other->version, crashes[i].since) >= 0) {
            *ret_crash =
                (struct known_crash){crashes[i].user, crashes[i].package, crashes[i].since};
            return true;
        }
    }
    return false;
}

const char *known_command(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(word, commands[i].word) == 0) {
            return commands[i].package;
        }
    }
    return NULL;
}
