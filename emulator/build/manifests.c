#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/build/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define REQUIREMENTS       "requirements.txt"
#define REQUIREMENTS_MAX   (4 << 20)
// A required file is copied and hashed on the loop; wheels of this size take some 0.1 s.
// NEEDSWORK: hand both to the helper when somebody requires more.
#define REQUIRED_MAX       (256 << 20)
#define REQUIRED_FILES_MAX 10000
// To be raised when layers of older programs must not be used any more.
#define LAYER_FORMAT       "3"

// ---- requirements.txt ----

static bool is_comment(const char *line, size_t len)
{
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\f", line[blank])) {
        blank++;
    }
    return blank == len || line[blank] == '#';
}

// "leancloud>=2.9", "leancloud-sdk"; not "leancloud-counter".
static bool names_sdk(const char *line, size_t len)
{
    static const char *const names[] = {"leancloud-sdk", "leancloud"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t name_len = strlen(names[i]);
        if (len >= name_len && strncasecmp(line, names[i], name_len) == 0) {
            char next = len > name_len ? line[name_len] : '\n';
            return !isalnum((unsigned char)next) && !strchr("-_.", next);
        }
    }
    return false;
}

static void look_at_lines(struct manifests *manifests)
{
    const char *at = manifests->requirements;
    const char *end = at + manifests->requirements_len;
    if (end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) {
        at += 3;
    }
    manifests->is_empty = true;
    while (at < end) {
        size_t len = strcspn(at, "\n");
        if (!is_comment(at, len)) {
            manifests->is_empty = false;
        }
        if (names_sdk(at, len)) {
            manifests->uses_sdk = true;
        }
        at += len + 1;
    }
}

int manifests_read(const struct view *upload, struct manifests *ret_manifests, struct error *error)
{
    auto_free char *path = view_find(upload, REQUIREMENTS);
    struct manifests manifests = {0};
    struct error reading = {.errnum = ENOENT};
    if (path) {
        manifests.requirements =
            fs_read(path, REQUIREMENTS_MAX, &manifests.requirements_len, &reading);
    }
    if (!manifests.requirements) {
        error_set_errno(error, ERROR_PROJECT, reading.errnum, _("%s cannot be read"), REQUIREMENTS);
        error_set_rule(error, "P-1", NULL);
        return error_set_hint(error, _("it must be a text file in the project's root"));
    }
    if (memchr(manifests.requirements, '\0', manifests.requirements_len)) {
        manifests_release(&manifests);
        error_set(error, ERROR_PROJECT, _("%s: not a text file"), REQUIREMENTS);
        return error_set_hint(error, _("save it as UTF-8"));
    }
    look_at_lines(&manifests);
    *ret_manifests = manifests;
    return 0;
}

void manifests_release(struct manifests *manifests)
{
    free(manifests->requirements);
    *manifests = (struct manifests){0};
}

// ---- required files ----

static int fail_required(struct error *error, int line, const char *name, const char *reason)
{
    error_set(error, ERROR_PROJECT, "leanengine.yaml:%d: install: require: %s: %s", line, name,
              reason);
    error_set_rule(error, "P-22", NULL);
    return error_set_hint(error, _("name files of the project, relative to its root"));
}

// The files of a required name, sorted: the key must not depend on a directory's order.
static int list_required(const struct view *upload, const char *name, int line,
                         struct strlist *ret_files, struct error *error)
{
    auto_free char *clean = view_clean_path(name);
    if (!clean) {
        return fail_required(error, line, name, _("lies outside the project"));
    }
    if (view_kind(upload, clean) == VIEW_NOTHING) {
        return fail_required(error, line, name, _("no such file"));
    }
    view_list(upload, clean, REQUIRED_FILES_MAX, ret_files);
    return 0;
}

// Of a file that list_required() named, relative to the upload. Owned by the caller.
static char *required_path(const char *name, const char *file)
{
    auto_free char *clean = view_clean_path(name);
    return *file && *clean ? fs_join(clean, file) : str_dup(*file ? file : clean);
}

static int copy_file(const char *from, const char *to, struct error *error)
{
    auto_free char *dir = str_dup(to);
    *strrchr(dir, '/') = '\0';
    if (fs_mkdir_p(dir, 0755, error) < 0) {
        return -1;
    }
    size_t len = 0;
    auto_free char *bytes = fs_read(from, REQUIRED_MAX, &len, error);
    struct stat status;
    if (!bytes || stat(from, &status) < 0) {
        return -1;
    }
    mode_t mode = status.st_mode & 0111 ? 0755 : 0644;
    return fs_write_atomic(to, bytes, len, mode, error);
}

static int stage_required(const struct view *upload, const char *name, int line, const char *own,
                          struct error *error)
{
    struct strlist files = {0};
    int result = list_required(upload, name, line, &files, error);
    for (size_t i = 0; i < files.count && result == 0; i++) {
        auto_free char *path = required_path(name, files.items[i]);
        auto_free char *from = view_find(upload, path);
        auto_free char *to = str_printf("%s/required/%s", own, path);
        result = from ? copy_file(from, to, error) : 0;
    }
    strlist_clear(&files);
    return result;
}

int manifests_stage(const struct view *upload, const struct build_steps *steps, const char *own,
                    struct error *error)
{
    static const char *const names[] = {REQUIREMENTS, ".python-version"}; // P-23 [I]
    auto_free char *dir = fs_join(own, "manifests");
    if (fs_mkdir_p(dir, 0755, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *from = view_find(upload, names[i]);
        auto_free char *to = fs_join(dir, names[i]);
        if (from && copy_file(from, to, error) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        for (size_t j = 0; j < step->files.count; j++) {
            if (stage_required(upload, step->files.items[j], step->line, own, error) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

// ---- the key ----

static int hash_required(struct hash *hash, const struct view *upload, const char *name, int line,
                         struct error *error)
{
    struct strlist files = {0};
    int result = list_required(upload, name, line, &files, error);
    for (size_t i = 0; i < files.count && result == 0; i++) {
        auto_free char *path = required_path(name, files.items[i]);
        auto_free char *from = view_find(upload, path);
        size_t len = 0;
        auto_free char *bytes = from ? fs_read(from, REQUIRED_MAX, &len, error) : NULL;
        auto_free char *size = str_printf("%zu", len);
        hash_adds(hash, path);
        hash_adds(hash, size);
        if (bytes) {
            hash_add(hash, bytes, len);
        }
        result = bytes ? 0 : -1;
    }
    strlist_clear(&files);
    return result;
}

static int hash_steps(struct hash *hash, const struct view *upload, const struct build_steps *steps,
                      struct error *error)
{
    hash_adds(hash, steps->given ? "steps" : "default");
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        auto_free char *kind = str_printf("%d", step->kind);
        hash_adds(hash, kind);
        hash_adds(hash, step->text);
        for (size_t j = 0; j < step->files.count; j++) {
            hash_adds(hash, step->files.items[j]);
            if (hash_required(hash, upload, step->files.items[j], step->line, error) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

// Variables that differ with every deployment would make every layer a new one.
static bool changes_always(const char *entry)
{
    return str_starts_with(entry, "LEANCLOUD_VERSION_TAG=") ||
           str_starts_with(entry, "LEANCLOUD_APP_INSTANCE=") ||
           str_starts_with(entry, "LC_APP_INSTANCE=") ||
           strstr(entry, "_API_SERVER=http://127.77.255."); // offline_api.h: of this engine alone
}

void manifests_hash_env(struct hash *hash, const struct strlist *build_env)
{
    for (size_t i = 0; i < build_env->count; i++) {
        if (!changes_always(build_env->items[i])) {
            hash_adds(hash, build_env->items[i]);
        }
    }
}

int manifests_key(const struct view *upload, const struct build_steps *steps,
                  const struct manifests *manifests, const struct python *python,
                  const struct strlist *build_env, const char *target,
                  char ret_key[static HASH_HEX_SIZE], struct error *error)
{
    struct hash hash;
    hash_init(&hash);
    hash_adds(&hash, "layer " LAYER_FORMAT);
    hash_adds(&hash, python->version);
    hash_adds(&hash, python->executable);
    hash_adds(&hash, python->prefix);
    hash_adds(&hash, python->pip_version);
    hash_adds(&hash, target);
    hash_add(&hash, manifests->requirements, manifests->requirements_len);
    hash_adds(&hash, "");
    manifests_hash_env(&hash, build_env);
    if (hash_steps(&hash, upload, steps, error) < 0) {
        return -1;
    }
    hash_hex(&hash, ret_key);
    return 0;
}
