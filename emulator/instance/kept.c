#include "emulator/instance/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define APP_TARGET  "/home/leanengine/app"        // P-132
#define KEPT_TARGET "/home/leanengine/.leanlocal" // what links of files lead into
#define FILES_MAX   100000                        // of one directory, copied at first
#define COPY_CHUNK  (1 << 20)

// ---- files ----

static int give(const struct kept_options *options, const char *path, struct error *error)
{
    if (options->own_files && lchown(path, options->uid, options->gid) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    return 0;
}

// Each directory of path below the kept one belongs to the app.
static int make_directory(const struct kept_options *options, const char *path, struct error *error)
{
    if (fs_mkdir_p(path, 0755, error) < 0) {
        return -1;
    }
    auto_free char *above = str_dup(path);
    for (size_t least = strlen(options->dir); strlen(above) >= least;) {
        if (give(options, above, error) < 0) {
            return -1;
        }
        *strrchr(above, '/') = '\0';
    }
    return 0;
}

static int make_parent(const struct kept_options *options, const char *path, struct error *error)
{
    auto_free char *parent = str_dup_len(path, (size_t)(strrchr(path, '/') - path));
    return make_directory(options, parent, error);
}

static int copy_bytes(int from, int to)
{
    ssize_t copied;
    do {
        copied = sendfile(to, from, NULL, COPY_CHUNK);
    } while (copied > 0);
    return copied < 0 ? -1 : 0;
}

// A copy that is cut short by a crash is not taken for the kept file the next time.
static int copy(const struct kept_options *options, const char *from, const char *path,
                struct error *error)
{
    auto_free char *part = str_printf("%s.part", path);
    if (make_parent(options, path, error) < 0) {
        return -1;
    }
    auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
    auto_close int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (in < 0 || out < 0 || copy_bytes(in, out) < 0 || give(options, part, error) < 0 ||
        rename(part, path) < 0) {
        unlink(part);
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    return 0;
}

// ---- one name ----

static const char *own_text(struct kept *kept, char *text)
{
    strlist_take(&kept->texts, text);
    return text;
}

static void add_bind(struct kept *kept, const char *source, char *target)
{
    kept->binds = mem_resize(kept->binds, (kept->bind_count + 1) * sizeof *kept->binds);
    kept->binds[kept->bind_count++] = (struct sandbox_bind){
        own_text(kept, str_dup(source)), own_text(kept, target), SANDBOX_BIND_WRITABLE};
}

static void add_symlink(struct kept *kept, const char *name)
{
    kept->symlinks = mem_resize(kept->symlinks, (kept->symlink_count + 1) * sizeof *kept->symlinks);
    kept->symlinks[kept->symlink_count++] = (struct sandbox_symlink){
        own_text(kept, fs_join(APP_TARGET, name)), own_text(kept, fs_join(KEPT_TARGET, name))};
}

static int copy_all(const struct kept_options *options, const char *name, const char *path,
                    struct error *error)
{
    struct strlist files = {0};
    int result = 0;
    view_list(options->upload, name, FILES_MAX, &files);
    for (size_t i = 0; result == 0 && i < files.count; i++) {
        auto_free char *inner = fs_join(name, files.items[i]);
        auto_free char *from = view_find(options->upload, inner);
        auto_free char *to = fs_join(path, files.items[i]);
        result = from ? copy(options, from, to, error) : 0;
    }
    strlist_clear(&files);
    return result;
}

static int make_kept_directory(const struct kept_options *options, const char *name,
                               struct error *error)
{
    auto_free char *path = fs_join(options->dir, name);
    bool fresh = !fs_exists(path);
    if (make_directory(options, path, error) < 0) {
        return -1;
    }
    return fresh ? copy_all(options, name, path, error) : 0;
}

static int make_kept_file(const struct kept_options *options, const char *name, struct error *error)
{
    auto_free char *path = fs_join(options->dir, name);
    auto_free char *from = view_find(options->upload, name);
    if (fs_exists(path)) {
        return 0;
    }
    return from ? copy(options, from, path, error) : make_parent(options, path, error);
}

static bool is_directory(const struct kept_options *options, size_t index, const char *name)
{
    return str_ends_with(options->names->items[index], "/") ||
           view_kind(options->upload, name) == VIEW_DIRECTORY;
}

void kept_list(struct kept *kept, const struct kept_options *options)
{
    *kept = (struct kept){0};
    for (size_t i = 0; i < options->names->count; i++) {
        auto_free char *name = view_clean_path(options->names->items[i]);
        if (is_directory(options, i, name)) {
            auto_free char *path = fs_join(options->dir, name);
            add_bind(kept, path, fs_join(APP_TARGET, name));
        } else {
            add_symlink(kept, name);
        }
    }
    if (kept->symlink_count > 0) {
        add_bind(kept, options->dir, str_dup(KEPT_TARGET));
    }
}

int kept_prepare(struct kept *kept, const struct kept_options *options, struct error *error)
{
    *kept = (struct kept){0};
    for (size_t i = 0; i < options->names->count; i++) {
        auto_free char *name = view_clean_path(options->names->items[i]);
        int result = is_directory(options, i, name) ? make_kept_directory(options, name, error)
                                                    : make_kept_file(options, name, error);
        if (result < 0) {
            return error_prefix(error, "persist: ");
        }
    }
    kept_list(kept, options);
    return 0;
}

void kept_release(struct kept *kept)
{
    free(kept->binds);
    free(kept->symlinks);
    strlist_clear(&kept->texts);
    *kept = (struct kept){0};
}
