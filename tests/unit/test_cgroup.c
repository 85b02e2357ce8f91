// Control groups: where our own is, as the kernel's texts say it; what its files say; and that only
// what bears our name is ever swept. Making some is shown by
// tests/contract/test_instance_limits.py.
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/cgroup.h"

#define V1 "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define V1_CPU                                                                                     \
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V2     "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static void own_group_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *mountinfo, *membership, *controller, *dir;
        bool unified;
    } rows[] = {
        {V2, "0::/user.slice/a.scope\n", "memory", "/sys/fs/cgroup/user.slice/a.scope", true},
        {V2, "0::/\n", "cpu", "/sys/fs/cgroup", true},
        {V1, "4:memory:/a/b\n", "memory", "/sys/fs/cgroup/memory/a/b", false},
        {V1, "4:memory:/\n0::/x\n", "memory", "/sys/fs/cgroup/memory", false},
        {V1_CPU V1, "3:cpu,cpuacct:/c\n", "cpu", "/sys/fs/cgroup/cpu,cpuacct/c", false},
        // both: where the controller is
        {HYBRID V1, "4:memory:/m\n0::/u\n", "memory", "/sys/fs/cgroup/memory/m", false},
        {HYBRID V1, "4:memory:/m\n0::/u\n", "cpu", "/sys/fs/cgroup/unified/u", true},
        // a container sees what is below the mount's root
        {"9 8 0:3 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
         "4:memory:/docker/1/deep\n", "memory", "/sys/fs/cgroup/memory/deep", false},
        {"9 8 0:3 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
         "4:memory:/docker/12\n", "memory", NULL, true},
        {V2, "0::/../outside\n", "memory", NULL, true}, // outside of our cgroup namespace
        {"9 8 0:3 / /mnt/with\\040blank rw - cgroup2 none rw\n", "0::/a\n", "memory",
         "/mnt/with blank/a", true},
        // names that are not the controller's
        {"9 8 0:3 / /cg rw - cgroup cgroup rw,cpuset\n", "4:cpuset:/a\n", "cpu", NULL, true},
        {"", "", "memory", NULL, true},
        {"nonsense\n\n - \n", "::\n:\n", "memory", NULL, true},
        {V1, "", "memory", NULL, true},
        {V2, "0::/a b\n", "memory", "/sys/fs/cgroup/a b", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool unified;
        auto_free char *dir =
            cgroup_own_dir(rows[i].mountinfo, rows[i].membership, rows[i].controller, &unified);
        if (!str_equal(dir, rows[i].dir)) {
            fail_msg("row %zu: %s instead of %s", i, dir ? dir : "NULL",
                     rows[i].dir ? rows[i].dir : "NULL");
        }
        if (dir) {
            assert_int_equal(unified, rows[i].unified);
        }
    }
}

static void values_are_read_by_whole_keys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key;
        int64_t value;
    } rows[] = {
        {"anon 4096\nfile 8192\n", "anon", 4096},
        {"inactive_anon 1\nanon_thp 2\nanon 3\n", "anon", 3},
        {"rss 1\ntotal_rss 2\n", "rss", 1},
        {"total_rss_huge 7\ntotal_rss 9223372036854771712\n", "total_rss", 9223372036854771712LL},
        {"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill", 3},
        {"anon", "anon", -1},
        {"", "anon", -1},
        {NULL, "anon", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(cgroup_value(rows[i].text, rows[i].key), rows[i].value);
    }
}

static void make(const char *dir, const char *name)
{
    auto_free char *path = fs_join(dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static bool is_there(const char *dir, const char *name)
{
    auto_free char *path = fs_join(dir, name);
    return fs_is_dir(path);
}

// The record is a file of the user's: nothing in it may remove what is not a group of that owner.
static void only_the_owners_are_swept(void **state)
{
    const char *dir = *state;
    make(dir, "leanlocal-7-aa-web1");
    make(dir, "leanlocal-7-aa-web2");
    make(dir, "leanlocal-7-bb-web1");
    make(dir, "other");
    auto_free char *record = str_printf("%s/leanlocal-7-aa-\n/nowhere/leanlocal-7-aa-\n", dir);
    cgroup_sweep(record);
    assert_false(is_there(dir, "leanlocal-7-aa-web1"));
    assert_false(is_there(dir, "leanlocal-7-aa-web2"));
    assert_true(is_there(dir, "leanlocal-7-bb-web1"));
    auto_free char *bad =
        str_printf("%s/\n%s/o\n%s/leanlocal-\n\n/\nleanlocal-7-bb-\n", dir, dir, dir);
    cgroup_sweep(bad);
    assert_true(is_there(dir, "leanlocal-7-bb-web1"));
    assert_true(is_there(dir, "other"));
}

static void what_is_denied_cannot_be_had(void **state)
{
    (void)state;
    struct cgroup_host host;
    static const struct cgroup_limits limits = {.memory_bytes = 1 << 24, .cpu_milli = 1000};
    setenv("LEANLOCAL_SANDBOX_DENY", "mount,cgroup", 1);
    cgroup_probe(&host);
    unsetenv("LEANLOCAL_SANDBOX_DENY");
    assert_null(host.places[CGROUP_MEMORY].dir);
    assert_null(host.places[CGROUP_CPU].dir);
    assert_true(*host.places[CGROUP_CPU].reason);
    assert_null(cgroup_new(&host, "web1", &limits));
    assert_null(cgroup_describe(&host, CGROUP_MEMORY));
    auto_free char *record = cgroup_record(&host);
    assert_string_equal(record, "");
    const char *dirs[CGROUP_KIND__COUNT];
    assert_int_equal(cgroup_dirs(NULL, dirs), 0);
    assert_int_equal(cgroup_anonymous_bytes(NULL), -1);
    assert_int_equal(cgroup_kills(NULL), 0);
    cgroup_free(NULL);
    cgroup_host_release(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_group_is_found),
        cmocka_unit_test(values_are_read_by_whole_keys),
        cmocka_unit_test_setup_teardown(only_the_owners_are_swept, unit_make_dir, unit_remove_dir),
        cmocka_unit_test(what_is_denied_cannot_be_had),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
