// What: libFuzzer target of formats/dotenv: no crash; a refusal says where and why, and gives
// nothing out. ./dev fuzz dotenv.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/dotenv.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dotenv entries = {0};
    struct error error = {0};
    if (dotenv_parse((const char *)data, size, ".env", &entries, &error) < 0) {
        CHECK(entries.count == 0);
        check_error(&error, ERROR_USAGE, ".env:");
    }
    int line = 1;
    for (size_t i = 0; i < entries.count; i++) {
        CHECK(*entries.items[i].name && !strpbrk(entries.items[i].name, "= \t\n"));
        CHECK(entries.items[i].line >= line);
        line = entries.items[i].line + 1;
    }
    dotenv_release(&entries);
    return 0;
}
