#include "emulator/formats/yaml_differ.h"

#include <stddef.h>

#include "sandbox/base/cleanup.h"

typedef bool (*differ_fn)(const void *before, const void *after);

static bool differ_TEXT(const void *before, const void *after)
{
    return !str_equal(*(char *const *)before, *(char *const *)after);
}

static bool differ_LIST(const void *before, const void *after)
{
    const struct strlist *a = before;
    const struct strlist *b = after;
    if (a->count != b->count) {
        return true;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!str_equal(a->items[i], b->items[i])) {
            return true;
        }
    }
    return false;
}

static bool differ_STEPS(const void *before, const void *after)
{
    const struct build_steps *a = before;
    const struct build_steps *b = after;
    if (a->given != b->given || a->count != b->count) {
        return true;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].kind != b->items[i].kind ||
            !str_equal(a->items[i].text, b->items[i].text) ||
            differ_LIST(&a->items[i].files, &b->items[i].files)) {
            return true;
        }
    }
    return false;
}

static bool differ_BOOL(const void *before, const void *after)
{
    return *(const bool *)before != *(const bool *)after;
}

static bool differ_SECONDS(const void *before, const void *after)
{
    return *(const int *)before != *(const int *)after;
}

static bool differ_FUNCTIONS_MODE(const void *before, const void *after)
{
    return *(const enum functions_mode *)before != *(const enum functions_mode *)after;
}

static bool differ_UNUSED(const void *before, const void *after)
{
    (void)before;
    (void)after;
    return false;
}

static const struct {
    differ_fn differ;
    size_t offset;
} members[] = {
#define YAML_KEY(name, type, member, choices, min, max, stage, rule, help)                         \
    {differ_##type, offsetof(struct leanengine_yaml, member)},
#include "emulator/formats/leanengine_yaml.def"
#undef YAML_KEY
};

const struct leanengine_yaml_key *yaml_differ(const struct leanengine_yaml *before,
                                              const struct leanengine_yaml *after)
{
    const struct leanengine_yaml_key *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct leanengine_yaml_key *key = &leanengine_yaml_keys[i];
        size_t offset = members[i].offset;
        if (key->stage != YAML_STAGE_NOTHING && (!first || key->stage < first->stage) &&
            members[i].differ((const char *)before + offset, (const char *)after + offset)) {
            first = key;
        }
    }
    return first;
}
