// What: libFuzzer target of formats/python_version: no crash; a refusal says where and why, and
// gives nothing out. ./dev fuzz python_version.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/python_version.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct error *error, enum error_kind kind, const char *name)
{
    CHECK(error->kind == kind);
    CHECK(strncmp(error->message, name, strlen(name)) == 0);
    char *valid = utf8_valid(error->message, strlen(error->message));
    CHECK(strcmp(valid, error->message) == 0);
    free(valid);
}

// A version is of its own prefix, and of a shorter one only at a dot.
static void check_prefix(const char *text)
{
    int numbers[3];
    char *plain = python_version_without_threads(text);
    const char *number = plain ? plain : text;
    if (python_version_numbers(number, numbers)) {
        CHECK(python_version_has_prefix(text, text));
        char *longer = str_printf("%s0", number);
        CHECK(!python_version_has_prefix(longer, number));
        free(longer);
    }
    free(plain);
}

static void check_runtime_txt(const char *bytes, size_t len)
{
    char *word = python_version_of_runtime_txt(bytes, len);
    CHECK(!word || word[0] == '2' || word[0] == '3');
    free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_runtime_txt((const char *)data, size);
    struct python_version version = {0};
    struct diagnostics diagnostics = {0};
    struct error error = {0};
    if (python_version_parse((const char *)data, size, &version, &diagnostics, &error) < 0) {
        CHECK(version.count == 0);
        check_error(&error, ERROR_PROJECT, PYTHON_VERSION_NAME ":");
    }
    for (size_t i = 0; i < version.count; i++) {
        const char *text = version.items[i].text;
        int numbers[3];
        CHECK((text[0] == '2' || text[0] == '3') && !strpbrk(text, "/ \t\r\n"));
        check_prefix(text);
        if (python_version_numbers(text, numbers)) {
            CHECK(numbers[0] >= 2 && python_version_compare(text, text) == 0);
        }
    }
    python_version_release(&version);
    diagnostics_clear(&diagnostics);
    return 0;
}
