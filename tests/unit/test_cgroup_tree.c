// Control groups of version 2, and of both versions at once, in a tree of files that stands for the
// kernel's: what is written where, what is read, what is removed. The kernel's own groups of
// version 1 are used by tests/contract/test_instance_limits.py.
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/cgroup.h"

// ---- a kernel: a new group has its files, and an old one is removed with them ----

static const char *const group_files[] = {
    "cgroup.procs",        "cgroup.subtree_control",
    "memory.max",          "memory.swap.max",
    "memory.oom.group",    "memory.stat",
    "memory.events",       "cpu.max",
    "memory.swap.current", "memory.limit_in_bytes",
    "cpu.cfs_quota_us",    "cpu.cfs_period_us",
};
static const char *left_out; // this kernel does not have it

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);

static bool is_group(const char *path)
{
    return strstr(path, "/" CGROUP_PREFIX) != NULL;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    int result = __real_mkdir(path, mode);
    for (size_t i = 0; result == 0 && is_group(path) && i < ARRAY_LEN(group_files); i++) {
        if (!str_equal(group_files[i], left_out)) {
            unit_write(path, group_files[i], "");
        }
    }
    return result;
}

int __wrap_rmdir(const char *path)
{
    for (size_t i = 0; is_group(path) && i < ARRAY_LEN(group_files); i++) {
        auto_free char *file = fs_join(path, group_files[i]);
        unlink(file);
    }
    return __real_rmdir(path);
}

// ---- a host ----

static char *mount_of(const char *dir, const char *below, const char *type, const char *options)
{
    return str_printf("41 31 0:38 / %s%s rw - %s none %s\n", dir, below, type, options);
}

// Version 2 alone, mounted at dir; our group is dir/a.scope, and hands `handed` on.
static void probe_v2(const char *dir, const char *handed, struct cgroup_host *ret_host)
{
    auto_free char *mountinfo = mount_of(dir, "", "cgroup2", "rw,nsdelegate");
    auto_free char *own = fs_join(dir, "a.scope");
    __real_mkdir(own, 0755);
    if (handed) {
        unit_write(own, "cgroup.subtree_control", handed);
    } else { // it cannot be written: EISDIR instead of the kernel's EBUSY
        auto_free char *refusing = fs_join(own, "cgroup.subtree_control");
        __real_mkdir(refusing, 0755);
    }
    cgroup_probe_texts(mountinfo, "0::/a.scope\n", ret_host);
}

static void assert_holds(const char *dir, const char *name, const char *text)
{
    auto_free char *path = fs_join(dir, name);
    auto_free char *found = fs_read(path, 4096, NULL, NULL);
    if (!str_equal(found, text)) {
        fail_msg("%s: %s instead of %s", path, found ? found : "nothing", text);
    }
}

static const struct cgroup_limits half = {.memory_bytes = 64 << 20, .cpu_milli = 500};

static void one_group_has_both_limits(void **state)
{
    struct cgroup_host host;
    probe_v2(*state, "cpu io memory\n", &host);
    auto_free char *told = cgroup_describe(&host, CGROUP_MEMORY);
    auto_free char *expected = str_printf("cgroup v2 %s/a.scope", (const char *)*state);
    assert_string_equal(told, expected);
    assert_holds(host.places[CGROUP_CPU].dir, "cgroup.subtree_control", "cpu io memory\n");
    struct cgroup *group = cgroup_new(&host, "web1", &half);
    const char *dirs[CGROUP_KIND__COUNT];
    assert_int_equal(cgroup_dirs(group, dirs), 1);
    assert_holds(dirs[0], "memory.max", "67108864");
    assert_holds(dirs[0], "memory.swap.max", "0");
    assert_holds(dirs[0], "memory.oom.group", "1");
    assert_holds(dirs[0], "cpu.max", "50000 100000");
    auto_free char *dir = str_dup(dirs[0]);
    cgroup_free(group);
    assert_false(fs_exists(dir));
    cgroup_host_release(&host);
}

static void what_is_used_is_read(void **state)
{
    struct cgroup_host host;
    probe_v2(*state, "cpu memory\n", &host);
    struct cgroup *group = cgroup_new(&host, "web1", &half);
    const char *dirs[CGROUP_KIND__COUNT];
    assert_int_equal(cgroup_dirs(group, dirs), 1);
    unit_write(dirs[0], "memory.stat", "inactive_anon 1\nanon 4096\nfile 999999\n");
    assert_int_equal(cgroup_anonymous_bytes(group), -1); // nobody has joined
    unit_write(dirs[0], "cgroup.procs", "12\n13\n");
    assert_int_equal(cgroup_anonymous_bytes(group), 4096);
    unit_write(dirs[0], "memory.swap.current", "100\n");
    assert_int_equal(cgroup_anonymous_bytes(group), 4196);
    assert_int_equal(cgroup_kills(group), 0);
    unit_write(dirs[0], "memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1\n");
    assert_int_equal(cgroup_kills(group), 2);
    unit_write(dirs[0], "cgroup.procs", "");
    cgroup_free(group);
    cgroup_host_release(&host);
}

// A root of a small virtual machine: nothing is handed on yet, but may be.
static void controllers_are_handed_on(void **state)
{
    struct cgroup_host host;
    probe_v2(*state, "", &host);
    assert_non_null(host.places[CGROUP_MEMORY].dir);
    // "+memory", and "+cpu" over it: a real one takes each for a request.
    assert_holds(host.places[CGROUP_CPU].dir, "cgroup.subtree_control", "+cpuory");
    cgroup_host_release(&host);
}

// A session's scope: processes live in it. What is said names the controller and the refusal.
static void where_nothing_is_handed_on_the_place_says_why(void **state)
{
    struct cgroup_host host;
    probe_v2(*state, NULL, &host);
    for (enum cgroup_kind kind = 0; kind < CGROUP_KIND__COUNT; kind++) {
        assert_null(host.places[kind].dir);
        assert_non_null(
            strstr(host.places[kind].reason, kind == CGROUP_CPU ? "cpu: " : "memory: "));
    }
    assert_null(cgroup_new(&host, "web1", &half));
    cgroup_host_release(&host);
}

// A limit that cannot be set is none: the place is not taken, and the trial's group goes.
static void a_limit_that_is_refused_is_no_place(void **state)
{
    struct cgroup_host host;
    left_out = "cpu.max";
    probe_v2(*state, "cpu memory\n", &host);
    left_out = NULL;
    assert_non_null(host.places[CGROUP_MEMORY].dir);
    assert_null(host.places[CGROUP_CPU].dir);
    auto_free char *trial = str_printf("%s/%strial", host.places[CGROUP_MEMORY].dir, host.owner);
    assert_false(fs_exists(trial));
    struct cgroup *group = cgroup_new(&host, "web1", &half);
    assert_true(cgroup_has(group, CGROUP_MEMORY) && !cgroup_has(group, CGROUP_CPU));
    cgroup_free(group);
    cgroup_host_release(&host);
}

// Version 1 for memory, version 2 for the rest: two groups, each written in its own words.
static void both_versions_at_once(void **state)
{
    const char *dir = *state;
    struct cgroup_host host;
    auto_free char *memory = fs_join(dir, "memory");
    auto_free char *unified = fs_join(dir, "unified");
    __real_mkdir(memory, 0755);
    __real_mkdir(unified, 0755);
    unit_write(unified, "cgroup.subtree_control", "cpu\n");
    auto_free char *v1 = mount_of(dir, "/memory", "cgroup", "rw,memory");
    auto_free char *v2 = mount_of(dir, "/unified", "cgroup2", "rw");
    auto_free char *mountinfo = str_printf("%s%s", v1, v2);
    cgroup_probe_texts(mountinfo, "4:memory:/\n0::/\n", &host);
    struct cgroup *group = cgroup_new(&host, "web1", &half);
    const char *dirs[CGROUP_KIND__COUNT];
    assert_int_equal(cgroup_dirs(group, dirs), 2);
    assert_holds(dirs[0], "memory.limit_in_bytes", "67108864");
    assert_holds(dirs[0], "memory.max", "");
    assert_holds(dirs[1], "cpu.max", "50000 100000");
    unit_write(dirs[0], "cgroup.procs", "12\n");
    unit_write(dirs[0], "memory.stat", "rss 1\ntotal_rss 8192\ntotal_swap 8\n");
    assert_int_equal(cgroup_anonymous_bytes(group), 8200);
    auto_free char *record = cgroup_record(&host);
    unit_write(dirs[0], "cgroup.procs", "");
    cgroup_sweep(record); // as if its owner were dead
    assert_false(fs_exists(dirs[0]) || fs_exists(dirs[1]));
    cgroup_free(group);
    cgroup_host_release(&host);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, unit_make_dir, unit_remove_dir)
    const struct CMUnitTest tests[] = {
        ROW(one_group_has_both_limits),
        ROW(what_is_used_is_read),
        ROW(controllers_are_handed_on),
        ROW(where_nothing_is_handed_on_the_place_says_why),
        ROW(a_limit_that_is_refused_is_no_place),
        ROW(both_versions_at_once),
    };
    return cmocka_run_group_tests_name("cgroup_tree", tests, NULL, NULL);
}
