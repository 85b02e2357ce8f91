#include "emulator/build/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/json.h"
#include "sandbox/base/log.h"

#define RECORD     ".leanlocal/layer.json"
#define RECORD_MAX 65536
#define KEY_LEN    32
// Results of build commands that may still be laid below a running instance.
#define BUILT_KEPT 16

static char *read_salt(const char *layers_dir, const char *key)
{
    auto_free char *path = str_printf("%s/%s.salt", layers_dir, key);
    char *salt = fs_read(path, 64, NULL, NULL);
    bool good = salt && strlen(salt) == 8 && strspn(salt, "0123456789abcdef") == 8;
    if (!good) {
        free(salt);
        salt = str_dup("");
    }
    return salt;
}

static char *new_salt(void)
{
    uint32_t value = 0;
    if (getrandom(&value, sizeof value, 0) != sizeof value) {
        value = (uint32_t)clock_wall_ms();
    }
    return str_printf("%08x", value);
}

int store_slot_open(struct store_slot *slot, const char *cache_dir, const char *key, bool in_place,
                    bool fresh, struct error *error)
{
    *slot = (struct store_slot){.lock_fd = -1};
    slot->layers_dir = fs_join(cache_dir, "layers");
    slot->key = str_printf("%.*s", KEY_LEN, key);
    if (fs_mkdir_p(slot->layers_dir, 0755, error) < 0) {
        store_slot_release(slot);
        return -1;
    }
    slot->salt = fresh ? new_salt() : read_salt(slot->layers_dir, slot->key);
    slot->dir =
        str_printf("%s/%s%s%s", slot->layers_dir, slot->key, *slot->salt ? "-" : "", slot->salt);
    slot->work_dir =
        in_place ? str_dup(slot->dir) : str_printf("%s/tmp-%s", slot->layers_dir, slot->key);
    slot->home_dir = in_place ? str_printf("%s/home-%s", slot->layers_dir, slot->key) : NULL;
    return 0;
}

bool store_slot_is_complete(const struct store_slot *slot, struct strlist *ret_conflicts)
{
    auto_free char *path = fs_join(slot->dir, RECORD);
    size_t len = 0;
    auto_free char *text = fs_read(path, RECORD_MAX, &len, NULL);
    struct cJSON *record = text ? json_parse(text, len, RECORD, NULL) : NULL;
    if (!record) {
        return false;
    }
    json_get_strings(record, "conflicts", ret_conflicts);
    json_free(record);
    utimensat(AT_FDCWD, slot->dir, NULL, 0); // used now; for a size bound some day
    return true;
}

char *store_look(const char *cache_dir, const char *key, char **ret_name, bool *ret_complete)
{
    auto_free char *layers_dir = fs_join(cache_dir, "layers");
    auto_free char *name = str_printf("%.*s", KEY_LEN, key);
    auto_free char *salt = read_salt(layers_dir, name);
    char *dir = str_printf("%s/%s%s%s", layers_dir, name, *salt ? "-" : "", salt);
    auto_free char *record = fs_join(dir, RECORD);
    *ret_complete = fs_exists(record);
    *ret_name = steal(name);
    return dir;
}

static int open_lock(const char *layers_dir, const char *key)
{
    auto_free char *path = str_printf("%s/%s.lock", layers_dir, key);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

int store_slot_lock(struct store_slot *slot, struct error *error)
{
    if (slot->lock_fd >= 0) {
        return 1;
    }
    auto_close int fd = open_lock(slot->layers_dir, slot->key);
    if (fd < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s/%s.lock", slot->layers_dir,
                               slot->key);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return 0;
    }
    slot->lock_fd = steal_fd(&fd);
    return 1;
}

int store_slot_prepare(struct store_slot *slot, struct error *error)
{
    const char *const dirs[] = {slot->work_dir, slot->home_dir};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (dirs[i] && (fs_remove_tree(dirs[i], error) < 0 ||
                        fs_mkdir_p(dirs[i], i ? 0700 : 0755, error) < 0)) {
            return -1;
        }
    }
    return 0;
}

int store_slot_publish(struct store_slot *slot, const char *python, const char *pip,
                       const struct strlist *conflicts, struct error *error)
{
    struct cJSON *record = json_new_object();
    json_put_string(record, "python", python);
    json_put_string(record, "pip", pip);
    json_put_strings(record, "conflicts", conflicts);
    auto_free char *text = json_print(record);
    json_free(record);
    auto_free char *own = fs_join(slot->work_dir, ".leanlocal");
    auto_free char *path = fs_join(slot->work_dir, RECORD);
    if (fs_mkdir_p(own, 0755, error) < 0 ||
        fs_write_atomic(path, text, strlen(text), 0644, error) < 0) {
        return -1;
    }
    if (strcmp(slot->work_dir, slot->dir) != 0 && rename(slot->work_dir, slot->dir) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", slot->dir);
    }
    if (*slot->salt) {
        auto_free char *salt = str_printf("%s/%s.salt", slot->layers_dir, slot->key);
        return fs_write_atomic(salt, slot->salt, strlen(slot->salt), 0644, error);
    }
    return 0;
}

void store_slot_unlock(struct store_slot *slot)
{
    if (slot->lock_fd >= 0) {
        close(slot->lock_fd);
        slot->lock_fd = -1;
    }
}

void store_slot_release(struct store_slot *slot)
{
    if (slot->layers_dir) { // a zeroed slot holds no descriptor 0
        store_slot_unlock(slot);
    }
    free(slot->layers_dir);
    free(slot->key);
    free(slot->salt);
    free(slot->dir);
    free(slot->work_dir);
    free(slot->home_dir);
    *slot = (struct store_slot){.lock_fd = -1};
}

// ---- cleaning ----

static bool is_key(const char *text)
{
    return strspn(text, "0123456789abcdef") == KEY_LEN &&
           (text[KEY_LEN] == '\0' || text[KEY_LEN] == '-');
}

// The key of a directory that may be garbage; NULL: it is none of ours, or complete.
static const char *garbage_key(const char *layers_dir, const char *name)
{
    static const char *const prefixes[] = {"tmp-", "home-"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], len) == 0) {
            return is_key(name + len) ? name + len : NULL;
        }
    }
    auto_free char *record = str_printf("%s/%s/%s", layers_dir, name, RECORD);
    return is_key(name) && !fs_exists(record) ? name : NULL;
}

static void sweep_one(const char *layers_dir, const char *name)
{
    const char *found = garbage_key(layers_dir, name);
    auto_free char *dir = fs_join(layers_dir, name);
    if (!found || !fs_is_dir(dir)) {
        return;
    }
    auto_free char *key = str_printf("%.*s", KEY_LEN, found);
    auto_close int fd = open_lock(layers_dir, key);
    // Looked at again under the lock: its owner may just have published it.
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && garbage_key(layers_dir, name)) {
        log_debug("sweep %s", dir);
        fs_remove_tree(dir, NULL);
    }
}

static int64_t modified_ns(const char *path)
{
    struct stat status;
    return stat(path, &status) < 0
               ? 0
               : (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

static int newer_first(const void *a, const void *b)
{
    int64_t x = modified_ns(*(char *const *)a);
    int64_t y = modified_ns(*(char *const *)b);
    return (x < y) - (x > y);
}

static void sweep_built(const char *cache_dir)
{
    auto_free char *built = fs_join(cache_dir, "built");
    DIR *stream = opendir(built);
    struct strlist dirs = {0};
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] != '.') {
            strlist_take(&dirs, fs_join(built, entry->d_name));
        }
    }
    if (stream) {
        closedir(stream);
    }
    if (dirs.count > BUILT_KEPT) {
        qsort(dirs.items, dirs.count, sizeof *dirs.items, newer_first);
    }
    for (size_t i = BUILT_KEPT; i < dirs.count; i++) {
        fs_remove_tree(dirs.items[i], NULL);
    }
    strlist_clear(&dirs);
}

void store_sweep(const char *cache_dir)
{
    auto_free char *layers = fs_join(cache_dir, "layers");
    DIR *stream = opendir(layers);
    struct strlist names = {0};
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        strlist_add(&names, entry->d_name);
    }
    if (stream) {
        closedir(stream);
    }
    for (size_t i = 0; i < names.count; i++) {
        sweep_one(layers, names.items[i]);
    }
    strlist_clear(&names);
    sweep_built(cache_dir);
}
