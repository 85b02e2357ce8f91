// The cache on disk: one maker a key, what is complete, what is garbage, and who may remove what.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator/build/cache.h"
#include "emulator/build/store.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/json.h"
#include "sandbox/base/mem.h"

#define KEY_A "0123456789abcdef0123456789abcdef"
#define KEY_B "fedcba9876543210fedcba9876543210"

static char *make_cache(void)
{
    char name[] = "/tmp/test-store-XXXXXX";
    assert_non_null(mkdtemp(name));
    return str_dup(name);
}

static void drop_cache(char *cache)
{
    fs_remove_tree(cache, NULL);
    free(cache);
}

static struct store_slot open_slot(const char *cache, const char *key, bool fresh)
{
    struct store_slot slot;
    assert_int_equal(store_slot_open(&slot, cache, STORE_LAYERS, key, false, fresh, NULL), 0);
    return slot;
}

// As install does it. bytes: of the layer.
static void make_layer(struct store_slot *slot, size_t bytes)
{
    assert_int_equal(store_slot_lease(slot, NULL), 1);
    assert_int_equal(store_slot_lock(slot, "a test", NULL), 1);
    assert_int_equal(store_slot_prepare(slot, NULL), 0);
    auto_free char *bin = fs_join(slot->work_dir, "bin");
    auto_free char *python = fs_join(bin, "python");
    auto_free char *own = fs_join(slot->work_dir, ".leanlocal");
    auto_free char *script = fs_join(own, "layer.py");
    auto_free char *data = mem_alloc(bytes + 1);
    assert_int_equal(fs_mkdir_p(bin, 0755, NULL), 0);
    assert_int_equal(fs_mkdir_p(own, 0755, NULL), 0);
    assert_int_equal(fs_write_atomic(python, data, bytes, 0755, NULL), 0);
    assert_int_equal(fs_write_atomic(script, "x", 1, 0644, NULL), 0);
    struct cJSON *record = json_new_object();
    json_put_string(record, "project", "/p");
    struct cJSON *job = store_publish_job(slot, record);
    int64_t measured = 0;
    assert_int_equal(store_publish(job, &measured, NULL), 0);
    assert_true(measured >= (int64_t)bytes);
    json_free(job);
    store_slot_unlock(slot);
}

static enum store_state look(const struct store_slot *slot)
{
    struct cJSON *record;
    enum store_state state = store_slot_look(slot, &record);
    json_free(record);
    return state;
}

static int64_t count_entries(const char *cache)
{
    struct cJSON *list = cache_list(cache);
    int64_t count = (int64_t)json_count(json_get(list, "entries"));
    json_free(list);
    return count;
}

static int64_t prune(const char *cache, int64_t bytes, int64_t spare_ms)
{
    struct cJSON *answer = cache_prune(cache, bytes, spare_ms);
    int64_t count = (int64_t)json_count(json_get(answer, "removed"));
    json_free(answer);
    return count;
}

static void test_publish(void **state)
{
    (void)state;
    char *cache = make_cache();
    struct store_slot slot = open_slot(cache, KEY_A, false);
    assert_int_equal(look(&slot), STORE_ABSENT);
    make_layer(&slot, 100000);
    assert_int_equal(look(&slot), STORE_COMPLETE);
    auto_free char *script = fs_join(slot.dir, ".leanlocal/layer.py");
    assert_false(fs_exists(script));
    assert_false(fs_exists(slot.work_dir));
    store_slot_release(&slot);
    drop_cache(cache);
}

static void test_one_maker(void **state)
{
    (void)state;
    char *cache = make_cache();
    struct store_slot first = open_slot(cache, KEY_A, false);
    struct store_slot second = open_slot(cache, KEY_A, false);
    struct store_slot other = open_slot(cache, KEY_B, false);
    assert_int_equal(store_slot_lock(&first, "me, pid 7", NULL), 1);
    assert_int_equal(store_slot_lock(&second, "you", NULL), 0);
    auto_free char *holder = store_slot_holder(&second);
    assert_string_equal(holder, "me, pid 7");
    assert_int_equal(store_slot_lock(&other, "x", NULL), 1);
    store_slot_release(&first); // as its death does
    assert_int_equal(store_slot_lock(&second, "you", NULL), 1);
    store_slot_release(&second);
    store_slot_release(&other);
    drop_cache(cache);
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *text; // NULL: removed
    } rows[] = {
        {STORE_RECORD, "{"},  {STORE_RECORD, ""},   {STORE_RECORD, "{\"key\":\"another\"}"},
        {STORE_RECORD, NULL}, {"bin/python", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *cache = make_cache();
        struct store_slot slot = open_slot(cache, KEY_A, false);
        make_layer(&slot, 10);
        auto_free char *path = fs_join(slot.dir, rows[i].file);
        if (rows[i].text) {
            assert_int_equal(fs_write_atomic(path, rows[i].text, strlen(rows[i].text), 0644, NULL),
                             0);
        } else {
            assert_int_equal(unlink(path), 0);
        }
        assert_int_equal(look(&slot), STORE_DAMAGED);
        make_layer(&slot, 10); // in its place
        assert_int_equal(look(&slot), STORE_COMPLETE);
        store_slot_release(&slot);
        drop_cache(cache);
    }
}

static void test_salt(void **state)
{
    (void)state;
    char *cache = make_cache();
    struct store_slot old = open_slot(cache, KEY_A, false);
    make_layer(&old, 10);
    struct store_slot fresh = open_slot(cache, KEY_A, true);
    assert_string_not_equal(fresh.dir, old.dir);
    struct store_slot before = open_slot(cache, KEY_A, false);
    assert_string_equal(before.dir, old.dir); // not before it is published
    make_layer(&fresh, 10);
    struct store_slot after = open_slot(cache, KEY_A, false);
    assert_string_equal(after.dir, fresh.dir);
    assert_int_equal(look(&old), STORE_COMPLETE); // somebody may use it
    auto_free char *dir = str_dup(fresh.dir);
    store_slot_release(&fresh);
    store_slot_release(&after);
    assert_int_equal(prune(cache, 0, 0), 1); // `old` has its lease
    assert_int_not_equal(access(dir, F_OK), 0);
    struct store_slot again = open_slot(cache, KEY_A, false);
    assert_string_equal(again.dir, old.dir);
    store_slot_release(&again);
    store_slot_release(&before);
    store_slot_release(&old);
    drop_cache(cache);
}

static void set_age(const struct store_slot *slot, int seconds)
{
    struct stat status;
    assert_int_equal(stat(slot->dir, &status), 0);
    struct timespec times[2] = {status.st_mtim, status.st_mtim};
    times[0].tv_sec = times[1].tv_sec -= seconds;
    assert_int_equal(utimensat(AT_FDCWD, slot->dir, times, 0), 0);
}

static void test_prune(void **state)
{
    (void)state;
    char *cache = make_cache();
    struct store_slot old = open_slot(cache, KEY_A, false);
    struct store_slot young = open_slot(cache, KEY_B, false);
    make_layer(&old, 1 << 20);
    make_layer(&young, 1 << 20);
    set_age(&old, 3600);
    assert_int_equal(count_entries(cache), 2);
    assert_int_equal(prune(cache, 10 << 20, 0), 0); // there is room
    assert_int_equal(prune(cache, 0, 0), 0);        // both are leased
    auto_free char *old_dir = str_dup(old.dir);
    auto_free char *young_dir = str_dup(young.dir);
    store_slot_release(&old);
    store_slot_release(&young);
    assert_int_equal(prune(cache, 0, 7200 * 1000), 0); // spared
    assert_int_equal(prune(cache, (3 << 20) / 2, 0), 1);
    assert_false(fs_exists(old_dir));
    assert_true(fs_exists(young_dir));
    assert_int_equal(prune(cache, 0, 0), 1);
    assert_int_equal(count_entries(cache), 0);
    drop_cache(cache);
}

static void test_sweep(void **state)
{
    (void)state;
    char *cache = make_cache();
    struct store_slot held = open_slot(cache, KEY_A, false);
    struct store_slot left = open_slot(cache, KEY_B, false);
    assert_int_equal(store_slot_lock(&held, "x", NULL), 1);
    assert_int_equal(store_slot_prepare(&held, NULL), 0);
    assert_int_equal(store_slot_prepare(&left, NULL), 0); // its maker is dead
    auto_free char *grave = fs_join(left.room_dir, "dead-x");
    auto_free char *stranger = fs_join(left.room_dir, "notes");
    assert_int_equal(fs_mkdir_p(grave, 0755, NULL), 0);
    assert_int_equal(fs_mkdir_p(stranger, 0755, NULL), 0);
    store_sweep(cache);
    assert_true(fs_exists(held.work_dir));
    assert_false(fs_exists(left.work_dir));
    assert_false(fs_exists(grave));
    assert_true(fs_exists(stranger));
    store_slot_release(&held);
    store_slot_release(&left);
    drop_cache(cache);
}

// A lock file that was unlinked under its lock must not be taken for the one that is there.
static void test_lock_file(void **state)
{
    (void)state;
    char *cache = make_cache();
    auto_free char *path = fs_join(cache, "x.use");
    int first = store_lock_file(path, LOCK_SH);
    int second = store_lock_file(path, LOCK_SH);
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(store_lock_file(path, LOCK_EX), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(second);
    unlink(path);
    int other = store_lock_file(path, LOCK_EX); // a new one
    assert_true(other >= 0);
    close(other);
    close(first);
    drop_cache(cache);
}

static void test_bound(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes; // -1: refused
    } rows[] = {
        {NULL, (int64_t)5 << 30},
        {"", (int64_t)5 << 30},
        {"1G", 1 << 30},
        {"500M", 500 << 20},
        {"4096", 4096},
        {"0", 0},
        {"much", -1},
        {"-1", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strlist env = {0};
        struct error error = {0};
        int64_t bytes = 0;
        if (rows[i].text) {
            strlist_env_set(&env, "LEANLOCAL_CACHE_BYTES", rows[i].text);
        }
        int result = cache_bound(&env, &bytes, &error);
        assert_int_equal(result, rows[i].bytes < 0 ? -1 : 0);
        if (rows[i].bytes >= 0) {
            assert_int_equal(bytes, rows[i].bytes);
        } else {
            assert_int_equal(error.kind, ERROR_USAGE);
        }
        strlist_clear(&env);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish),   cmocka_unit_test(test_one_maker),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_salt),
        cmocka_unit_test(test_prune),     cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_lock_file), cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
