#include "emulator/build/required.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

#define REQUIRED_MAX       (256 << 20)
#define REQUIRED_FILES_MAX 10000

struct cJSON *required_list(const struct build_steps *steps)
{
    struct cJSON *list = json_new_array();
    for (size_t i = 0; i < steps->count; i++) {
        const struct build_step *step = &steps->items[i];
        for (size_t j = 0; j < step->files.count; j++) {
            struct cJSON *one = json_new_object();
            json_put_string(one, "name", step->files.items[j]);
            json_put_int(one, "line", step->line);
            json_push(list, one);
        }
    }
    return list;
}

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

int required_copy_file(const char *from, const char *to, struct error *error)
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

// Calls visit() for each file that the list names.
static int for_each(const struct view *upload, const struct cJSON *list,
                    int (*visit)(void *context, const char *path, const char *from,
                                 struct error *error),
                    void *context, struct error *error)
{
    int result = 0;
    for (const struct cJSON *one = json_first(list); one && result == 0; one = json_next(one)) {
        struct strlist files = {0};
        const char *name = json_get_string(one, "name");
        result = list_required(upload, name, (int)json_get_int(one, "line", 0), &files, error);
        for (size_t i = 0; i < files.count && result == 0; i++) {
            auto_free char *path = required_path(name, files.items[i]);
            auto_free char *from = view_find(upload, path);
            result = from ? visit(context, path, from, error) : 0;
        }
        strlist_clear(&files);
    }
    return result;
}

static int hash_file(void *context, const char *path, const char *from, struct error *error)
{
    struct hash *hash = context;
    size_t len = 0;
    auto_free char *bytes = fs_read(from, REQUIRED_MAX, &len, error);
    if (!bytes) {
        return -1;
    }
    auto_free char *size = str_printf("%zu", len);
    hash_adds(hash, path);
    hash_adds(hash, size);
    hash_add(hash, bytes, len);
    return 0;
}

int required_digest(const struct view *upload, const struct cJSON *list,
                    char ret_digest[static HASH_HEX_SIZE], struct error *error)
{
    struct hash hash;
    hash_init(&hash);
    if (for_each(upload, list, hash_file, &hash, error) < 0) {
        return -1;
    }
    hash_hex(&hash, ret_digest);
    if (json_count(list) == 0) {
        ret_digest[0] = '\0';
    }
    return 0;
}

static int copy_below(void *context, const char *path, const char *from, struct error *error)
{
    auto_free char *to = fs_join(context, path);
    return required_copy_file(from, to, error);
}

int required_copy(const struct view *upload, const struct cJSON *list, const char *dir,
                  struct error *error)
{
    return for_each(upload, list, copy_below, (void *)(uintptr_t)dir, error);
}
