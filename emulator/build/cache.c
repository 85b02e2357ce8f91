#include "emulator/build/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/build/required.h"
#include "emulator/build/store.h"
#include "emulator/control/project_options.h"
#include "emulator/control/protocol.h"
#include "emulator/version/view.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/hash.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

#define BOUND_BYTES ((int64_t)5 << 30)
#define RECORD_MAX  65536
#define KNOWN       "sources" // one empty file a digest of sources that were built before
// Pruning that nobody asked for leaves what may be wanted again at once, whatever the bound says.
#define SPARE_MS    (10 * 60 * 1000)

extern char **environ;

// ---- entries ----

struct entry {
    const char *kind; // "layer", "products", "pip"
    char *room_dir;
    char *path;
    char *project;
    char *detail; // "Python 3.11.7, pip 23.2.1"
    int64_t bytes, used_ms;
    bool in_use;
};

struct entries {
    struct entry *items;
    size_t count;
};

static void release_entries(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].room_dir);
        free(entries->items[i].path);
        free(entries->items[i].project);
        free(entries->items[i].detail);
    }
    free(entries->items);
    *entries = (struct entries){0};
}

static bool is_in_use(const char *path)
{
    auto_free char *lease = str_printf("%s.use", path);
    if (!fs_exists(lease)) {
        return false;
    }
    auto_close int fd = store_lock_file(lease, LOCK_EX);
    return fd < 0;
}

static int64_t modified_ms(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        return 0;
    }
    return (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
}

static struct entry *add_entry(struct entries *entries, const char *kind, const char *room_dir,
                               const char *path)
{
    entries->items = mem_resize(entries->items, (entries->count + 1) * sizeof *entries->items);
    struct entry *entry = &entries->items[entries->count++];
    *entry = (struct entry){.kind = kind,
                            .room_dir = str_dup(room_dir),
                            .path = str_dup(path),
                            .used_ms = modified_ms(path),
                            .in_use = is_in_use(path)};
    return entry;
}

static void add_recorded(struct entries *entries, const char *kind, const char *room_dir,
                         const char *name)
{
    auto_free char *path = fs_join(room_dir, name);
    auto_free char *file = fs_join(path, STORE_RECORD);
    size_t len = 0;
    auto_free char *text = fs_read(file, RECORD_MAX, &len, NULL);
    struct cJSON *record = text ? json_parse(text, len, STORE_RECORD, NULL) : NULL;
    if (!text) {
        return; // in the making, or garbage
    }
    struct entry *entry = add_entry(entries, kind, room_dir, path);
    const char *python = json_get_string(record, "python");
    const char *pip = json_get_string(record, "pip");
    int64_t files = 0;
    entry->bytes = json_get_int(record, "bytes", -1);
    entry->bytes = entry->bytes >= 0 ? entry->bytes : store_measure(path, &files);
    entry->project = str_dup(json_get_string(record, "project"));
    entry->detail =
        python ? str_printf("Python %s%s%s", python, pip ? ", pip " : "", pip ? pip : "") : NULL;
    json_free(record);
}

static void scan(const char *cache_dir, struct entries *entries)
{
    static const char *const kinds[STORE_ROOM__COUNT] = {"layer", "products"};
    for (int room = 0; room < STORE_ROOM__COUNT; room++) {
        auto_free char *dir = fs_join(cache_dir, store_room_name((enum store_room)room));
        DIR *stream = opendir(dir);
        for (struct dirent *entry; stream && (entry = readdir(stream));) {
            if (store_is_entry(entry->d_name)) {
                add_recorded(entries, kinds[room], dir, entry->d_name);
            }
        }
        if (stream) {
            closedir(stream);
        }
    }
    auto_free char *pip = fs_join(cache_dir, "pip");
    if (fs_is_dir(pip)) {
        int64_t files = 0;
        struct entry *entry = add_entry(entries, "pip", cache_dir, pip);
        entry->bytes = store_measure(pip, &files);
    }
}

static int64_t total_of(const struct entries *entries)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < entries->count; i++) {
        bytes += entries->items[i].bytes;
    }
    return bytes;
}

static int older_first(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return (x->used_ms > y->used_ms) - (x->used_ms < y->used_ms);
}

static void sort(struct entries *entries)
{
    if (entries->count) {
        qsort(entries->items, entries->count, sizeof *entries->items, older_first);
    }
}

static struct cJSON *entry_to_json(const struct entry *entry)
{
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "kind", entry->kind);
    json_put_string(tree, "path", entry->path);
    json_put_string(tree, "project", entry->project);
    json_put_string(tree, "detail", entry->detail);
    json_put_int(tree, "bytes", entry->bytes);
    json_put_int(tree, "used_ms", entry->used_ms);
    json_put_bool(tree, "in_use", entry->in_use);
    return tree;
}

struct cJSON *cache_list(const char *cache_dir)
{
    struct entries entries = {0};
    scan(cache_dir, &entries);
    sort(&entries);
    struct cJSON *tree = json_new_object();
    struct cJSON *list = json_new_array();
    json_put_string(tree, "cache", cache_dir);
    json_put_int(tree, "bytes", total_of(&entries));
    for (size_t i = entries.count; i-- > 0;) {
        json_push(list, entry_to_json(&entries.items[i]));
    }
    json_put_tree(tree, "entries", list);
    release_entries(&entries);
    return tree;
}

// ---- pruning ----

// After --no-cache the salt says which layer counts: it goes with its layer.
static void remove_salt(const struct entry *entry)
{
    const char *name = strrchr(entry->path, '/') + 1;
    const char *dash = strchr(name, '-');
    if (!dash) {
        return;
    }
    auto_free char *path = str_printf("%s/%.*s.salt", entry->room_dir, (int)(dash - name), name);
    auto_free char *salt = fs_read(path, 64, NULL, NULL);
    if (str_equal(salt, dash + 1)) {
        unlink(path);
    }
}

// false: somebody uses it.
static bool remove_entry(const struct entry *entry)
{
    auto_free char *lease = str_printf("%s.use", entry->path);
    const char *name = strrchr(entry->path, '/') + 1;
    auto_free char *lock =
        str_printf("%s/%.*s.lock", entry->room_dir, (int)strcspn(name, "-"), name);
    auto_close int fd = store_lock_file(lease, LOCK_EX);
    auto_close int lock_fd = store_lock_file(lock, LOCK_EX); // nobody makes it anew meanwhile
    if (fd < 0 || lock_fd < 0 || store_bury(entry->room_dir, entry->path, NULL) < 0) {
        return false;
    }
    remove_salt(entry);
    unlink(lock);
    unlink(lease); // who waited for it looks whether it is still the one (store_lock_file)
    return true;
}

struct cJSON *cache_prune(const char *cache_dir, int64_t max_bytes, int64_t spare_ms)
{
    struct entries entries = {0};
    scan(cache_dir, &entries);
    sort(&entries);
    int64_t left = total_of(&entries);
    int64_t before = left;
    int64_t kept_in_use = 0;
    struct cJSON *removed = json_new_array();
    for (size_t i = 0; i < entries.count && left > max_bytes; i++) {
        const struct entry *entry = &entries.items[i];
        if (clock_wall_ms() - entry->used_ms < spare_ms) {
            continue;
        }
        if (entry->in_use || !remove_entry(entry)) {
            kept_in_use++;
            continue;
        }
        left -= entry->bytes;
        json_push(removed, entry_to_json(entry));
    }
    release_entries(&entries);
    if (max_bytes == 0 && spare_ms == 0) {
        auto_free char *known = fs_join(cache_dir, KNOWN);
        store_bury(cache_dir, known, NULL);
    }
    store_sweep(cache_dir);
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "cache", cache_dir);
    json_put_tree(tree, "removed", removed);
    json_put_int(tree, "removed_bytes", before - left);
    json_put_int(tree, "bytes", left);
    json_put_int(tree, "kept_in_use", kept_in_use);
    return tree;
}

// ---- sources ----

// How executable bits count: as a version has them, or as it would have them of live files (P-71).
static bool is_executable(const struct stat *status, enum source_modes modes)
{
    return modes == SOURCE_MODES_OF_VERSION ? (status->st_mode & S_IXUSR) != 0
                                            : modes == SOURCE_MODES_KEPT && status->st_mode & 0111;
}

static int hash_source(struct hash *hash, const char *name, const char *path,
                       enum source_modes modes, int64_t *bytes)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return -1;
    }
    auto_free char *head =
        str_printf("%lld %s", (long long)status.st_size, is_executable(&status, modes) ? "x" : "-");
    hash_adds(hash, name);
    hash_adds(hash, head);
    char chunk[65536];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        if (got > 0) {
            hash_add(hash, chunk, (size_t)got);
            *bytes += got;
        }
    }
    return 0;
}

int cache_hash_sources(const struct view *view, enum source_modes modes,
                       char ret_digest[static HASH_HEX_SIZE], int64_t *ret_bytes,
                       struct error *error)
{
    struct strlist files = {0};
    struct hash hash;
    int result = 0;
    view_list(view, "", SIZE_MAX, &files);
    hash_init(&hash);
    for (size_t i = 0; i < files.count && result == 0; i++) {
        auto_free char *path = view_find(view, files.items[i]);
        if (path && hash_source(&hash, files.items[i], path, modes, ret_bytes) < 0) {
            result = error_set_errno(error, ERROR_SYSTEM, errno, "%s", files.items[i]);
        }
    }
    hash_hex(&hash, ret_digest);
    strlist_clear(&files);
    return result;
}

// true: the same sources were built before. From now on they were.
static bool was_known(const char *cache_dir, const char *digest)
{
    auto_free char *dir = fs_join(cache_dir, KNOWN);
    auto_free char *mark = fs_join(dir, digest);
    if (fs_exists(mark)) {
        return true;
    }
    if (fs_mkdir_p(dir, 0755, NULL) == 0) {
        fs_write_atomic(mark, "", 0, 0644, NULL);
    }
    return false;
}

static struct cJSON *digest(const char *cache_dir, char *const *dirs, struct error *error)
{
    struct strlist lowers = {0};
    struct view view;
    char hex[HASH_HEX_SIZE];
    int64_t bytes = 0;
    for (; *dirs; dirs++) {
        strlist_add(&lowers, *dirs);
    }
    view_of_version(&view, &lowers);
    int result = cache_hash_sources(&view, SOURCE_MODES_OF_VERSION, hex, &bytes, error);
    view_release(&view);
    strlist_clear(&lowers);
    if (result < 0) {
        return NULL;
    }
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "digest", hex);
    json_put_int(tree, "new_bytes", was_known(cache_dir, hex) ? 0 : bytes);
    return tree;
}

// ---- the helper ----

int cache_bound(const struct strlist *env, int64_t *ret_bytes, struct error *error)
{
    static const char name[] = "LEANLOCAL_CACHE_BYTES";
    static const struct option_rule rule = {.name = name, .value = "SIZE"};
    const char *text = strlist_env_get(env, name);
    *ret_bytes = BOUND_BYTES;
    if (str_empty(text)) {
        return 0;
    }
    struct cJSON *options = json_new_object();
    int result = option_put(options, &rule, text, NULL, name, error);
    *ret_bytes = json_get_int(options, name, BOUND_BYTES);
    json_free(options);
    return result;
}

static int read_bound(int64_t *ret_bytes, struct error *error)
{
    struct strlist env = {0};
    for (char **entry = environ; *entry; entry++) {
        strlist_add(&env, *entry);
    }
    int result = cache_bound(&env, ret_bytes, error);
    strlist_clear(&env);
    return result;
}

static int answer(struct cJSON *tree, const struct error *error)
{
    if (!tree) {
        tree = json_new_object();
        json_put_tree(tree, "error", error_encode(error));
    }
    auto_free char *text = json_print(tree);
    json_free(tree);
    int result = fs_write_all(STDOUT_FILENO, text, strlen(text));
    close(STDOUT_FILENO);
    return result < 0 ? 1 : 0;
}

// The answer is given and nobody waits for us: a child that nobody knows does the rest.
static void prune_behind(const char *cache_dir)
{
    int64_t bound = BOUND_BYTES;
    if (fork() == 0) {
        setsid();
        read_bound(&bound, NULL);
        json_free(cache_prune(cache_dir, bound, SPARE_MS));
        _exit(0);
    }
}

static struct cJSON *publish(const char *text, struct error *error)
{
    struct cJSON *job = json_parse(text, strlen(text), "@cache", error);
    struct cJSON *tree = NULL;
    int64_t bytes = 0;
    if (job && store_publish(job, &bytes, error) == 0) {
        tree = json_new_object();
        json_put_int(tree, "bytes", bytes);
    }
    json_free(job);
    return tree;
}

static struct cJSON *require(const char *text, struct error *error)
{
    struct cJSON *job = json_parse(text, strlen(text), "@cache", error);
    struct strlist lowers = {0};
    struct view view;
    char digest_hex[HASH_HEX_SIZE] = "";
    json_get_strings(job, "lowers", &lowers);
    view_of_version(&view, &lowers);
    const struct cJSON *files = json_get(job, "files");
    const char *dir = json_get_string(job, "dir");
    int result = dir ? required_copy(&view, files, dir, error)
                     : required_digest(&view, files, digest_hex, error);
    view_release(&view);
    strlist_clear(&lowers);
    json_free(job);
    if (result < 0) {
        return NULL;
    }
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "digest", digest_hex);
    return tree;
}

static struct cJSON *list(const char *cache_dir, struct error *error)
{
    int64_t bound = 0;
    if (read_bound(&bound, error) < 0) {
        return NULL;
    }
    struct cJSON *tree = cache_list(cache_dir);
    json_put_int(tree, "max_bytes", bound);
    return tree;
}

static struct cJSON *prune(const char *cache_dir, const char *bytes, struct error *error)
{
    int64_t bound = 0;
    if (read_bound(&bound, error) < 0) {
        return NULL;
    }
    return cache_prune(cache_dir, *bytes ? atoll(bytes) : bound, 0);
}

int cache_helper_main(int argc, char **argv)
{
    struct error error = {0};
    const char *word = argc > 3 ? argv[2] : "";
    if (strcmp(word, "publish") == 0 && argc == 5) {
        int result = answer(publish(argv[3], &error), &error);
        prune_behind(argv[4]);
        return result;
    }
    if (strcmp(word, "digest") == 0) {
        return answer(digest(argv[3], argv + 4, &error), &error);
    }
    if (strcmp(word, "require") == 0) {
        return answer(require(argv[3], &error), &error);
    }
    if (strcmp(word, "sweep") == 0) {
        store_sweep(argv[3]);
        return 0;
    }
    if (strcmp(word, "list") == 0) {
        return answer(list(argv[3], &error), &error);
    }
    if (strcmp(word, "prune") == 0 && argc == 5) {
        return answer(prune(argv[3], argv[4], &error), &error);
    }
    return 2;
}
