// What a program writes to a terminal, and the lines that one would see there (typed_line.h).
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "emulator/logs/typed_line.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/mem.h"

static const struct {
    const char *written;
    const char *lines; // "|" after each that was handed on
    const char *open;
} cases[] = {
    {"one\r\ntwo\r\n", "one\n|two\n|", ""},
    {"> /app/wsgi.py(3)\r\n(Pdb) ", "> /app/wsgi.py(3)\n|", "(Pdb) "},
    {"(Pdb) n\r\n", "(Pdb) n\n|", ""},
    {"abc\b \b\b \bx\r\n", "ax \n|", ""}, // a dumb terminal's backspace
    {"abc\b\033[K\b\033[Kx", "", "ax"},   // and a clever one's
    {"10%\r20%\r100%", "", "100%"},
    {"100%\r20%", "", "20%%"}, // what is not written over stays
    {"\033[?2004h>>> \033[?2004l", "", ">>> "},
    {"\033[31mred\033[0m\r\n", "\033[31mred\033[0m\n|", ""},
    {"\033]0;a title\a$ ", "", "$ "},
    {"\033]0;a title that is longer than any sequence may be\033\\$ ", "", "$ "},
    {"\033]0;never ended\r\nx", "\n|", "x"},
    {"ab\033[2Dxy", "", "xy"},
    {"abc\r\033[1P", "", "bc"},
    {"abc\033[9D\033[2@", "", "  abc"},
    {"abc\r\033[2Cx", "", "abx"},
    {"abc\033[2Kx", "", "x"},
    {"\xe4\xbd\xa0\xe5\xa5\xbd\b\033[K", "", "\xe4\xbd\xa0"}, // one character, three bytes
    {"\xe4\xbd\xa0\xe5\xa5\xbd\rab", "", "ab"},
    {"\xe4\xbd\xa0z\ra", "", "az"},
    {"\b\b\033[9D\033[9Ca\a", "", "a"},
    {"\n\n", "\n|\n|", ""},
};

static void take(void *context, const char *bytes, size_t len)
{
    buf_add(context, bytes, len);
    buf_adds(context, "|");
}

static void lines_are_what_one_would_see(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int one_by_one = 0; one_by_one < 2; one_by_one++) { // reads may end anywhere
            struct buf out = {0};
            struct typed_line *line = mem_alloc(sizeof *line);
            typed_line_init(line, take, &out);
            size_t len = strlen(cases[i].written);
            size_t step = one_by_one ? 1 : len;
            for (size_t at = 0; at < len; at += step) {
                typed_line_feed(line, cases[i].written + at, step);
            }
            line->text[line->len] = '\0';
            assert_string_equal(out.data ? out.data : "", cases[i].lines);
            assert_string_equal(line->text, cases[i].open);
            assert_true(line->at <= line->len);
            buf_release(&out);
            free(line);
        }
    }
}

static void a_line_without_an_end_is_handed_on_in_parts(void **state)
{
    (void)state;
    struct buf out = {0};
    struct typed_line *line = mem_alloc(sizeof *line);
    typed_line_init(line, take, &out);
    for (size_t i = 0; i < 3 * TYPED_LINE_MAX; i++) {
        typed_line_feed(line, "x", 1);
    }
    assert_int_equal(out.len, 2 * (TYPED_LINE_MAX + 1));
    typed_line_feed(line, "\n", 1); // exactly full
    assert_int_equal(out.len, 3 * TYPED_LINE_MAX + 1 + 3);
    typed_line_feed(line, "rest", 4);
    typed_line_finish(line);
    assert_string_equal(out.data + out.len - 5, "rest|");
    buf_release(&out);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_what_one_would_see),
        cmocka_unit_test(a_line_without_an_end_is_handed_on_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
