// The meters' reading of a process tree: anonymous memory of what lives below its first process,
// and the disk of its /tmp. It stands in wherever no cgroup can be read (docs/decisions/0008).
#include "tests/unit/unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/usage.h"

#define TOUCHED (24 << 20)

// root -> child; the child touches anonymous memory, then says so.
static void run_grandchild(int ready_fd)
{
    char *memory = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 1, TOUCHED);
    if (write(ready_fd, "r", 1) != 1) {
        _exit(1);
    }
    pause();
    _exit(memory[0]);
}

static pid_t start_tree(pid_t *ret_leaf)
{
    int ready[2];
    int leaf[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(leaf), 0);
    pid_t root = fork();
    if (root == 0) {
        pid_t child = fork();
        if (child == 0) {
            run_grandchild(ready[1]);
        }
        _exit(write(leaf[1], &child, sizeof child) == sizeof child ? (pause(), 0) : 1);
    }
    assert_int_equal(read(leaf[0], ret_leaf, sizeof *ret_leaf), sizeof *ret_leaf);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(leaf[i]);
    }
    return root;
}

static void anonymous_memory_of_descendants_is_counted(void **state)
{
    (void)state;
    pid_t leaf;
    pid_t root = start_tree(&leaf);
    struct usage usage;
    assert_int_equal(usage_read(root, &usage), 0);
    assert_true(usage.anonymous_bytes >= TOUCHED);
    assert_true(usage.anonymous_bytes < 20ll * TOUCHED);
    assert_int_equal(usage.count, 2);
    int64_t used_bytes;
    int64_t free_bytes;
    assert_int_equal(usage_read_disk(root, &used_bytes, &free_bytes), 0);
    assert_true(used_bytes >= 0 && free_bytes >= 0);
    kill(leaf, SIGKILL);
    kill(root, SIGKILL);
    waitpid(root, NULL, 0);
}

static void first_process_itself_is_not_counted(void **state)
{
    (void)state;
    pid_t root = fork();
    if (root == 0) {
        pause();
        _exit(0);
    }
    struct usage usage;
    assert_int_equal(usage_read(root, &usage), 0);
    assert_int_equal(usage.anonymous_bytes, 0);
    assert_int_equal(usage.cpu_ms, 0);
    kill(root, SIGKILL);
    waitpid(root, NULL, 0);
}

// 24 MB that two forks share count twice for the cheap look, once for the exact one.
static void shared_pages_count_once_where_it_decides(void **state)
{
    (void)state;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t root = fork();
    if (root == 0) {
        setpgid(0, 0);
        if (fork() == 0) {
            char *memory =
                mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(memory, 1, TOUCHED);
            if (fork() == 0) {
                _exit(write(ready[1], "r", 1) == 1 ? (pause(), 0) : 1);
            }
            pause();
        }
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct usage usage;
    assert_int_equal(usage_read(root, &usage), 0);
    assert_true(usage.anonymous_bytes >= 2ll * TOUCHED);
    int64_t exact = usage_exact_memory(root);
    assert_true(exact >= TOUCHED / 2 && exact < 2ll * TOUCHED);
    kill(-root, SIGKILL);
    waitpid(root, NULL, 0);
    assert_int_equal(usage_exact_memory(root), -1);
    close(ready[0]);
    close(ready[1]);
}

static void gone_process_is_an_error(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    struct usage usage;
    assert_int_equal(usage_read(pid, &usage), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anonymous_memory_of_descendants_is_counted),
        cmocka_unit_test(first_process_itself_is_not_counted),
        cmocka_unit_test(shared_pages_count_once_where_it_decides),
        cmocka_unit_test(gone_process_is_an_error),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
