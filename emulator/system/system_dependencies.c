#include "emulator/system/system_dependencies.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "."
#endif

enum kind { KIND_COMMAND, KIND_LIBRARY, KIND_FONT, KIND_NODE, KIND__COUNT };

static const struct dependency {
    const char *name;
    enum kind kind;
    const char *proof;
    const char *packages;
    const char *directories;
    const char *advice; // N_(), or NULL
} dependencies[] = {
#define SYSTEM_DEPENDENCY(name, kind, proof, packages, directories, advice)                        \
    {name, KIND_##kind, proof, packages, directories, advice},
#include "emulator/system/system_dependencies.def"
#undef SYSTEM_DEPENDENCY
};

// Where each kind is looked for: what the app's PATH, the loader and fontconfig look through.
static const char *const places[KIND__COUNT] = {
    [KIND_COMMAND] = "/usr/local/bin|/usr/bin|/bin",
    [KIND_LIBRARY] = "/usr/local/lib|/usr/lib/" MULTIARCH "|/usr/lib64|/usr/lib|/lib",
    [KIND_FONT] = "/usr/share/fonts|/usr/local/share/fonts",
    [KIND_NODE] = "",
};

static const struct dependency *find_row(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(dependencies); i++) {
        if (strcmp(dependencies[i].name, name) == 0) {
            return &dependencies[i];
        }
    }
    return NULL;
}

static void split(const char *text, struct strlist *ret_parts)
{
    while (*text) {
        size_t len = strcspn(text, "|");
        strlist_take(ret_parts, str_dup_len(text, len));
        text += len + (text[len] == '|');
    }
}

static bool is_there(const char *root, const char *dir, const char *file, enum kind kind)
{
    auto_free char *path = str_printf("%s%s%s%s", root, dir, *dir ? "/" : "", file);
    return access(path, kind == KIND_COMMAND ? X_OK : R_OK) == 0;
}

static bool is_proved(const struct dependency *row, const char *root)
{
    struct strlist files = {0};
    struct strlist dirs = {0};
    bool found = row->kind == KIND_NODE;
    split(row->proof, &files);
    split(places[row->kind], &dirs);
    for (size_t i = 0; i < files.count && !found; i++) {
        const char *file = files.items[i];
        if (*file == '/') {
            found = is_there(root, "", file, row->kind);
        }
        for (size_t j = 0; j < dirs.count && *file != '/' && !found; j++) {
            found = is_there(root, dirs.items[j], file, row->kind);
        }
    }
    strlist_clear(&files);
    strlist_clear(&dirs);
    return found;
}

bool system_dependency_present(const char *name, const char *root)
{
    const struct dependency *row = find_row(name);
    return row && is_proved(row, root);
}

static void append(char **text, const char *separator, const char *more)
{
    char *longer = str_printf("%s%s%s", *text, **text ? separator : "", more);
    free(*text);
    *text = longer;
}

void system_dependencies_check(const struct strlist *names, int line, const char *root,
                               struct diagnostics *diagnostics)
{
    auto_free char *missing = str_dup("");
    auto_free char *packages = str_dup("");
    auto_free char *advice = str_dup("");
    for (size_t i = 0; i < names->count; i++) {
        const struct dependency *row = find_row(names->items[i]);
        if (row && row->kind == KIND_NODE) {
            diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, "leanengine.yaml", line, 1, "P-26",
                            _("remove the name"), "systemDependencies: %s %s", row->name,
                            _(row->advice));
        } else if (row && !is_proved(row, root)) {
            append(&missing, ", ", row->name);
            if (*row->packages) {
                append(&packages, " ", row->packages);
            } else {
                append(&advice, "; ", _(row->advice));
            }
        }
    }
    if (!*missing) {
        return;
    }
    auto_free char *command =
        *packages ? str_printf(_("as root: apt-get install %s"), packages) : str_dup("");
    if (*advice) {
        append(&command, "; ", advice);
    }
    diagnostics_add(diagnostics, DIAGNOSTIC_DEVIATION, "leanengine.yaml", line, 1, "P-26", command,
                    _("systemDependencies: not installed on this machine: %s (the cloud has it)"),
                    missing);
}

void system_dependencies_directories(const struct strlist *names, struct strlist *ret_paths)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct dependency *row = find_row(names->items[i]);
        struct strlist paths = {0};
        split(row ? row->directories : "", &paths);
        for (size_t j = 0; j < paths.count; j++) {
            if (!strlist_contains(ret_paths, paths.items[j])) {
                strlist_add(ret_paths, paths.items[j]);
            }
        }
        strlist_clear(&paths);
    }
}
