// What: libFuzzer target of formats/leanengine_yaml: no crash; a refusal says where and why, and
// gives nothing out. ./dev fuzz yaml.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/leanengine_yaml.h"
#include "emulator/formats/yaml_differ.h"
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

static void check_steps(const struct build_steps *steps)
{
    CHECK(steps->given || steps->count == 0);
    for (size_t i = 0; i < steps->count; i++) {
        CHECK((steps->items[i].kind == BUILD_STEP_SHELL) == (steps->items[i].text != NULL));
        for (size_t j = 0; j < steps->items[i].files.count; j++) {
            CHECK(steps->items[i].files.items[j][0] != '/');
        }
    }
}

// What is read twice is the same; what differs from nothing given is a row of the table.
static void check_differ(const struct leanengine_yaml *yaml, const uint8_t *data, size_t size)
{
    struct leanengine_yaml again = {0};
    CHECK(leanengine_yaml_parse((const char *)data, size, &again, NULL, NULL) == 0);
    CHECK(yaml_differ(yaml, &again) == NULL);
    leanengine_yaml_release(&again);
    leanengine_yaml_init(&again);
    const struct leanengine_yaml_key *key = yaml_differ(&again, yaml);
    CHECK((key == NULL) == (yaml_differ(yaml, &again) == NULL) && (!key || key->name));
    leanengine_yaml_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leanengine_yaml yaml = {0};
    struct diagnostics diagnostics = {0};
    struct error error = {0};
    if (leanengine_yaml_parse((const char *)data, size, &yaml, &diagnostics, &error) < 0) {
        check_error(&error, ERROR_PROJECT, "leanengine.yaml:");
    } else {
        CHECK(yaml.startup_timeout_s >= 15 && yaml.startup_timeout_s <= 120);
        check_steps(&yaml.install);
        check_steps(&yaml.build);
        check_differ(&yaml, data, size);
    }
    leanengine_yaml_release(&yaml);
    diagnostics_clear(&diagnostics);
    return 0;
}
