#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/build/internal.h"
#include "emulator/build/required.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define REQUIREMENTS     "requirements.txt"
#define REQUIREMENTS_MAX (4 << 20)
// To be raised when layers of older programs must not be used any more.
#define LAYER_FORMAT     "4"

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

int manifests_stage(const struct view *upload, const char *own, struct error *error)
{
    static const char *const names[] = {REQUIREMENTS, ".python-version"}; // P-23 [I]
    auto_free char *dir = fs_join(own, "manifests");
    if (fs_mkdir_p(dir, 0755, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *from = view_find(upload, names[i]);
        auto_free char *to = fs_join(dir, names[i]);
        if (from && required_copy_file(from, to, error) < 0) {
            return -1;
        }
    }
    return 0;
}

// ---- the key ----

static void hash_steps(struct hash *hash, const struct build_steps *steps)
{
    hash_adds(hash, steps->given ? "steps" : "default");
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        auto_free char *kind = str_printf("%d", step->kind);
        hash_adds(hash, kind);
        hash_adds(hash, step->text);
        for (size_t j = 0; j < step->files.count; j++) {
            hash_adds(hash, step->files.items[j]);
        }
    }
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

void manifests_key(const struct build_steps *steps, const char *required,
                   const struct manifests *manifests, const struct python *python,
                   const struct strlist *build_env, const char *target,
                   char ret_key[static HASH_HEX_SIZE])
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
    hash_steps(&hash, steps);
    hash_adds(&hash, required);
    hash_hex(&hash, ret_key);
}
