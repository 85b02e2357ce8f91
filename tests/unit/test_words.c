// Words through a descriptor: the same bytes on the other side.
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/words.h"

static void test_words_come_back(void **state)
{
    (void)state;
    static const char *const words[] = {"ls", "", "a b", "\xe9\xff", "-", "", NULL};
    struct error error = {0};
    struct strlist back = {0};
    auto_close int fd = words_to_fd(words, &error);
    assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    assert_int_equal(words_from_fd(fd, &back, &error), 0);
    assert_int_equal(back.count, 6);
    for (size_t i = 0; i < back.count; i++) {
        assert_string_equal(back.items[i], words[i]);
    }
    strlist_clear(&back);
}

static void test_no_words(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    struct strlist back = {0};
    auto_close int fd = words_to_fd(none, NULL);
    assert_int_equal(words_from_fd(fd, &back, NULL), 0);
    assert_int_equal(back.count, 0);
}

static void test_what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct strlist back = {0};
    struct error error = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0); // it could block for ever
    assert_int_equal(words_from_fd(ends[0], &back, &error), -1);
    assert_int_equal(words_from_fd(-1, &back, &error), -1);
    auto_close int fd = words_to_fd((const char *const[]){"x", NULL}, NULL);
    assert_int_equal(ftruncate(fd, WORDS_MAX_BYTES + 1), 0);
    assert_int_equal(words_from_fd(fd, &back, &error), -1);
    assert_int_equal(ftruncate(fd, 1), 0); // the last NUL is missing
    assert_int_equal(words_from_fd(fd, &back, &error), 0);
    assert_string_equal(back.items[0], "x");
    strlist_clear(&back);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_come_back),
        cmocka_unit_test(test_no_words),
        cmocka_unit_test(test_what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
