#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
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
#define LAYER_FORMAT       "2"

// ---- requirements.txt ----

static bool is_comment(const char *line, size_t len)
{
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\f", line[blank])) {
        blank++;
    }
    return blank == len || line[blank] == '#';
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
        if (len >= 9 && strncasecmp(at, "leancloud", 9) == 0) {
            manifests->uses_sdk = true;
        }
        at += len + 1;
    }
}

int manifests_read(const char *project_dir, struct manifests *ret_manifests, struct error *error)
{
    auto_free char *path = fs_join(project_dir, REQUIREMENTS);
    struct manifests manifests = {0};
    struct error reading = {0};
    manifests.requirements = fs_read(path, REQUIREMENTS_MAX, &manifests.requirements_len, &reading);
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

// The real path of a required file or directory, in the project and nowhere else.
static char *resolve_required(const char *project_dir, const char *name, int line,
                              struct error *error)
{
    auto_free char *path = fs_join(project_dir, name);
    auto_free char *root = realpath(project_dir, NULL);
    auto_free char *real = realpath(path, NULL);
    size_t root_len = root ? strlen(root) : 0;
    if (!root || !real || (!fs_is_file(real) && !fs_is_dir(real))) {
        fail_required(error, line, name, _("no such file"));
        return NULL;
    }
    if (strncmp(real, root, root_len) != 0 || real[root_len] != '/') {
        fail_required(error, line, name, _("lies outside the project"));
        return NULL;
    }
    return steal(real);
}

// nftw() has no context argument; a walk ends before list_files() returns.
static struct strlist *walked;

static int collect_file(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type == FTW_F && S_ISREG(status->st_mode) && walked->count < REQUIRED_FILES_MAX) {
        strlist_add(walked, path);
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The regular files at or below real, sorted: the key must not depend on the directory's order.
static void list_files(const char *real, struct strlist *ret_files)
{
    walked = ret_files;
    nftw(real, collect_file, 16, FTW_PHYS);
    walked = NULL;
    if (ret_files->count) {
        qsort(ret_files->items, ret_files->count, sizeof *ret_files->items, by_name);
    }
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

static int stage_required(const char *project_dir, const char *name, int line, const char *own,
                          struct error *error)
{
    auto_free char *real = resolve_required(project_dir, name, line, error);
    if (!real) {
        return -1;
    }
    struct strlist files = {0};
    list_files(real, &files);
    int result = 0;
    for (size_t i = 0; i < files.count && result == 0; i++) {
        auto_free char *to =
            str_printf("%s/required/%s%s", own, name, files.items[i] + strlen(real));
        result = copy_file(files.items[i], to, error);
    }
    strlist_clear(&files);
    return result;
}

int manifests_stage(const char *project_dir, const struct build_steps *steps, const char *own,
                    struct error *error)
{
    static const char *const names[] = {REQUIREMENTS, ".python-version"}; // P-23 [I]
    auto_free char *dir = fs_join(own, "manifests");
    if (fs_mkdir_p(dir, 0755, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *from = fs_join(project_dir, names[i]);
        auto_free char *to = fs_join(dir, names[i]);
        if (fs_is_file(from) && copy_file(from, to, error) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        for (size_t j = 0; j < step->files.count; j++) {
            if (stage_required(project_dir, step->files.items[j], step->line, own, error) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

// ---- the key ----

static int hash_required(struct hash *hash, const char *project_dir, const char *name, int line,
                         struct error *error)
{
    auto_free char *real = resolve_required(project_dir, name, line, error);
    if (!real) {
        return -1;
    }
    struct strlist files = {0};
    list_files(real, &files);
    int result = 0;
    for (size_t i = 0; i < files.count && result == 0; i++) {
        size_t len = 0;
        auto_free char *bytes = fs_read(files.items[i], REQUIRED_MAX, &len, error);
        hash_adds(hash, files.items[i] + strlen(real));
        auto_free char *size = str_printf("%zu", len);
        hash_adds(hash, size);
        if (bytes) {
            hash_add(hash, bytes, len);
        }
        result = bytes ? 0 : -1;
    }
    strlist_clear(&files);
    return result;
}

static int hash_steps(struct hash *hash, const char *project_dir, const struct build_steps *steps,
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
            if (hash_required(hash, project_dir, step->files.items[j], step->line, error) < 0) {
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
           str_starts_with(entry, "LC_APP_INSTANCE=");
}

int manifests_key(const char *project_dir, const struct build_steps *steps,
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
    for (size_t i = 0; i < build_env->count; i++) {
        if (!changes_always(build_env->items[i])) {
            hash_adds(&hash, build_env->items[i]);
        }
    }
    if (hash_steps(&hash, project_dir, steps, error) < 0) {
        return -1;
    }
    hash_hex(&hash, ret_key);
    return 0;
}
