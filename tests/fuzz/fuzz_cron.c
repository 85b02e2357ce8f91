// What: libFuzzer target of formats/cron: no crash; a refusal says where and why and gives nothing
// out; what is taken has a next time, which fits, and no earlier one. ./dev fuzz cron.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/cron.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define BEGIN_S  INT64_C(1795774000) // 2026-11-27
#define OFFSET_S 28800

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct error *error)
{
    CHECK(error->kind == ERROR_USAGE);
    CHECK(strncmp(error->message, "cron:", 5) == 0);
    CHECK(!strpbrk(error->message, "\n\r\x1b"));
    char *valid = utf8_valid(error->message, strlen(error->message));
    CHECK(strcmp(valid, error->message) == 0);
    free(valid);
}

// The day, hour, minute and second of a time, by the fields that need no calendar.
static void check_fits(const struct cron *cron, int64_t at_s)
{
    int64_t in_day = (at_s + OFFSET_S) % 86400;
    CHECK(cron->fits[CRON_HOUR] >> in_day / 3600 & 1);
    CHECK(cron->fits[CRON_MINUTE] >> in_day / 60 % 60 & 1);
    CHECK(cron->fits[CRON_SECOND] >> in_day % 60 & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = str_dup_len((const char *)data, size);
    struct cron cron = {0};
    struct error error = {0};
    if (cron_parse(text, "cron", &cron, &error) < 0) {
        check_error(&error);
        for (int i = 0; i < CRON__COUNT; i++) {
            CHECK(cron.fits[i] == 0);
        }
        free(text);
        return 0;
    }
    int64_t first = cron_next(&cron, BEGIN_S, OFFSET_S);
    int64_t second = cron_next(&cron, first, OFFSET_S);
    CHECK(first > BEGIN_S && second > first);
    check_fits(&cron, first);
    check_fits(&cron, second);
    CHECK(cron_next(&cron, first - 1, OFFSET_S) == first);
    CHECK(cron_next(&cron, BEGIN_S + (first - BEGIN_S) / 2, OFFSET_S) == first);
    free(text);
    return 0;
}
