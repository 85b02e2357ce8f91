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
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/log.h"

#define RECORD_MAX 65536
#define HOLDER_MAX 4096
#define KEY_LEN    32

const char *store_room_name(enum store_room room)
{
    static const char *const names[STORE_ROOM__COUNT] = {
        [STORE_LAYERS] = "layers",
        [STORE_BUILT] = "built",
    };
    return names[room];
}

// ---- names ----

static char *read_salt(const char *room_dir, const char *key)
{
    auto_free char *path = str_printf("%s/%s.salt", room_dir, key);
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

int store_slot_open(struct store_slot *slot, const char *cache_dir, enum store_room room,
                    const char *key, bool in_place, bool fresh, struct error *error)
{
    *slot = (struct store_slot){.room = room, .lock_fd = -1, .lease_fd = -1};
    slot->room_dir = fs_join(cache_dir, store_room_name(room));
    slot->key = str_printf("%.*s", KEY_LEN, key);
    if (fs_mkdir_p(slot->room_dir, 0755, error) < 0) {
        store_slot_release(slot);
        return -1;
    }
    slot->salt = fresh ? new_salt() : read_salt(slot->room_dir, slot->key);
    slot->dir =
        str_printf("%s/%s%s%s", slot->room_dir, slot->key, *slot->salt ? "-" : "", slot->salt);
    slot->work_dir =
        in_place ? str_dup(slot->dir) : str_printf("%s/tmp-%s", slot->room_dir, slot->key);
    slot->home_dir = in_place ? str_printf("%s/home-%s", slot->room_dir, slot->key) : NULL;
    return 0;
}

char *store_look(const char *cache_dir, enum store_room room, const char *key, char **ret_name,
                 bool *ret_complete)
{
    auto_free char *layers_dir = fs_join(cache_dir, store_room_name(room));
    auto_free char *name = str_printf("%.*s", KEY_LEN, key);
    auto_free char *salt = read_salt(layers_dir, name);
    char *dir = str_printf("%s/%s%s%s", layers_dir, name, *salt ? "-" : "", salt);
    auto_free char *record = fs_join(dir, STORE_RECORD);
    *ret_complete = fs_exists(record);
    *ret_name = steal(name);
    return dir;
}

bool store_is_entry(const char *name)
{
    if (strspn(name, "0123456789abcdef") != KEY_LEN) {
        return false;
    }
    const char *salt = name + KEY_LEN;
    return *salt == '\0' || (*salt == '-' && strspn(salt + 1, "0123456789abcdef") == 8 && !salt[9]);
}

// ---- locks ----

int store_lock_file(const char *path, int operation)
{
    for (;;) {
        auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        struct stat held, named;
        if (fd < 0 || flock(fd, operation | LOCK_NB) < 0 || fstat(fd, &held) < 0) {
            return -1;
        }
        if (stat(path, &named) == 0 && held.st_ino == named.st_ino) {
            return steal_fd(&fd);
        }
    }
}

int store_slot_lease(struct store_slot *slot, struct error *error)
{
    if (slot->lease_fd >= 0) {
        return 1;
    }
    auto_free char *path = str_printf("%s.use", slot->dir);
    slot->lease_fd = store_lock_file(path, LOCK_SH);
    if (slot->lease_fd < 0 && errno != EWOULDBLOCK) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    return slot->lease_fd >= 0;
}

static char *lock_path(const struct store_slot *slot)
{
    return str_printf("%s/%s.lock", slot->room_dir, slot->key);
}

int store_slot_lock(struct store_slot *slot, const char *holder, struct error *error)
{
    if (slot->lock_fd >= 0) {
        return 1;
    }
    auto_free char *path = lock_path(slot);
    slot->lock_fd = store_lock_file(path, LOCK_EX);
    if (slot->lock_fd < 0) {
        return errno == EWOULDBLOCK ? 0 : error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    // For people only, so a full disk is no reason to stop.
    if (ftruncate(slot->lock_fd, 0) == 0) {
        (void)!pwrite(slot->lock_fd, holder, strlen(holder), 0);
    }
    return 1;
}

char *store_slot_holder(const struct store_slot *slot)
{
    auto_free char *path = lock_path(slot);
    char *holder = fs_read(path, HOLDER_MAX, NULL, NULL);
    return holder ? holder : str_dup("");
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
    if (slot->room_dir) { // a zeroed slot holds no descriptor 0
        store_slot_unlock(slot);
        if (slot->lease_fd >= 0) {
            close(slot->lease_fd);
        }
    }
    free(slot->room_dir);
    free(slot->key);
    free(slot->salt);
    free(slot->dir);
    free(slot->work_dir);
    free(slot->home_dir);
    *slot = (struct store_slot){.lock_fd = -1, .lease_fd = -1};
}

// ---- what is there ----

// What every use needs; that all files are still as they were is not looked at.
static bool has_essence(const struct store_slot *slot)
{
    auto_free char *path = fs_join(slot->dir, slot->room == STORE_LAYERS ? "bin/python" : "tree");
    return access(path, F_OK) == 0; // follows the link to the interpreter
}

enum store_state store_slot_look(const struct store_slot *slot, struct cJSON **ret_record)
{
    auto_free char *path = fs_join(slot->dir, STORE_RECORD);
    size_t len = 0;
    auto_free char *text = fs_read(path, RECORD_MAX, &len, NULL);
    struct cJSON *record = text ? json_parse(text, len, STORE_RECORD, NULL) : NULL;
    *ret_record = NULL;
    if (!record || !str_equal(json_get_string(record, "key"), slot->key) || !has_essence(slot)) {
        json_free(record);
        return fs_exists(slot->dir) ? STORE_DAMAGED : STORE_ABSENT;
    }
    utimensat(AT_FDCWD, slot->dir, NULL, 0); // used now
    *ret_record = record;
    return STORE_COMPLETE;
}

// ---- making ----

int store_bury(const char *room_dir, const char *path, struct error *error)
{
    auto_free char *salt = new_salt();
    auto_free char *grave = str_printf("%s/dead-%s-%d", room_dir, salt, (int)getpid());
    if (rename(path, grave) < 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "%s", path);
    }
    return 0;
}

int store_slot_prepare(struct store_slot *slot, struct error *error)
{
    const char *const dirs[] = {slot->work_dir, slot->home_dir};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (dirs[i] && (store_bury(slot->room_dir, dirs[i], error) < 0 ||
                        fs_mkdir_p(dirs[i], i ? 0700 : 0755, error) < 0)) {
            return -1;
        }
    }
    return 0;
}

struct cJSON *store_publish_job(const struct store_slot *slot, struct cJSON *record)
{
    struct cJSON *job = json_new_object();
    json_put_string(job, "room", slot->room_dir);
    json_put_string(job, "dir", slot->dir);
    json_put_string(job, "work_dir", slot->work_dir);
    json_put_string(job, "home_dir", slot->home_dir);
    json_put_string(job, "key", slot->key);
    json_put_string(job, "salt", slot->salt);
    json_put_string(record, "key", slot->key);
    json_put_tree(job, "record", record);
    return job;
}

int64_t store_measure(const char *path, int64_t *ret_files)
{
    struct stat status;
    if (lstat(path, &status) < 0) {
        return 0;
    }
    int64_t bytes = status.st_blocks * 512;
    *ret_files += 1;
    DIR *stream = S_ISDIR(status.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            auto_free char *below = fs_join(path, entry->d_name);
            bytes += store_measure(below, ret_files);
        }
    }
    if (stream) {
        closedir(stream);
    }
    return bytes;
}

static int write_record(const struct cJSON *job, int64_t bytes, int64_t files, struct error *error)
{
    auto_free char *copy = json_print(json_get(job, "record"));
    struct cJSON *record = json_parse(copy, strlen(copy), STORE_RECORD, NULL);
    json_put_int(record, "bytes", bytes);
    json_put_int(record, "files", files);
    json_put_int(record, "made_ms", clock_wall_ms());
    auto_free char *text = json_print(record);
    json_free(record);
    const char *work_dir = json_get_string(job, "work_dir");
    auto_free char *own = fs_join(work_dir, ".leanlocal");
    auto_free char *path = fs_join(work_dir, STORE_RECORD);
    if (fs_mkdir_p(own, 0755, error) < 0) {
        return -1;
    }
    return fs_write_atomic(path, text, strlen(text), 0644, error);
}

static int put_in_place(const struct cJSON *job, struct error *error)
{
    const char *room = json_get_string(job, "room");
    const char *dir = json_get_string(job, "dir");
    const char *work_dir = json_get_string(job, "work_dir");
    const char *salt = json_get_string(job, "salt");
    if (strcmp(work_dir, dir) != 0) {
        // What is there is damaged, or it would have been used.
        if (store_bury(room, dir, error) < 0) {
            return -1;
        }
        if (rename(work_dir, dir) < 0) {
            return error_set_errno(error, ERROR_SYSTEM, errno, "%s", dir);
        }
    }
    if (*salt) {
        auto_free char *path = str_printf("%s/%s.salt", room, json_get_string(job, "key"));
        return fs_write_atomic(path, salt, strlen(salt), 0644, error);
    }
    return 0;
}

int store_publish(const struct cJSON *job, int64_t *ret_bytes, struct error *error)
{
    const char *work_dir = json_get_string(job, "work_dir");
    const char *home_dir = json_get_string(job, "home_dir");
    const char *const own[] = {".leanlocal", "home"}; // scripts, manifests, what stood for home
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        auto_free char *path = fs_join(work_dir, own[i]);
        fs_remove_tree(path, NULL);
    }
    if (home_dir) {
        fs_remove_tree(home_dir, NULL);
    }
    int64_t files = 0;
    int64_t bytes = store_measure(work_dir, &files);
    struct error failure = {0};
    if (write_record(job, bytes, files, &failure) < 0 || put_in_place(job, &failure) < 0) {
        if (failure.errnum == ENOSPC || failure.errnum == EDQUOT) {
            error_set_hint(&failure, _("make room: leanlocal cache prune --max-size 1G"));
        }
        fs_remove_tree(work_dir, NULL);
        *error = failure;
        return -1;
    }
    *ret_bytes = bytes;
    return 0;
}

// ---- cleaning ----

// The key of a directory that may be garbage; NULL: it is none of ours, or complete.
static const char *garbage_key(const char *room_dir, const char *name)
{
    static const char *const prefixes[] = {"tmp-", "home-"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], len) == 0) {
            return store_is_entry(name + len) ? name + len : NULL;
        }
    }
    auto_free char *record = str_printf("%s/%s/%s", room_dir, name, STORE_RECORD);
    return store_is_entry(name) && !fs_exists(record) ? name : NULL;
}

static void sweep_one(const char *room_dir, const char *name)
{
    const char *found = garbage_key(room_dir, name);
    auto_free char *dir = fs_join(room_dir, name);
    if (str_starts_with(name, "dead-")) {
        fs_remove_tree(dir, NULL);
        return;
    }
    if (!found || !fs_is_dir(dir)) {
        return;
    }
    auto_free char *path = str_printf("%s/%.*s.lock", room_dir, KEY_LEN, found);
    auto_close int fd = store_lock_file(path, LOCK_EX);
    // Looked at again under the lock: its owner may just have published it.
    if (fd >= 0 && garbage_key(room_dir, name)) {
        log_debug("sweep %s", dir);
        fs_remove_tree(dir, NULL);
    }
}

static void sweep_room(const char *dir)
{
    DIR *stream = opendir(dir);
    struct strlist names = {0};
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        strlist_add(&names, entry->d_name);
    }
    if (stream) {
        closedir(stream);
    }
    for (size_t i = 0; i < names.count; i++) {
        sweep_one(dir, names.items[i]);
    }
    strlist_clear(&names);
}

void store_sweep(const char *cache_dir)
{
    for (int room = 0; room < STORE_ROOM__COUNT; room++) {
        auto_free char *dir = fs_join(cache_dir, store_room_name((enum store_room)room));
        sweep_room(dir);
    }
    sweep_room(cache_dir); // pip's cache may have been buried there
}
