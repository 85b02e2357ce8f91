// What: a YAML document as a small tree of texts, lists and maps that know their place. Pure.
// Why: libyaml's events know no limits and no types; here the limits of DESIGN 14 are applied, and
//      every scalar stays text, so that our own rows type it (3.10 is not a number, `on` is not a
//      boolean).
// Order: yaml_tree_parse() -> read -> yaml_tree_free().
// Owns: the whole tree hangs on the returned root.
// Not: anchors' meaning, tags' meaning, several documents. An alias is refused.
#ifndef EMULATOR_FORMATS_YAML_TREE_H
#define EMULATOR_FORMATS_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/base/error.h"

#define YAML_TREE_MAX_BYTES 65536 // 200 KB of "{a: " takes libyaml 6.6 s
#define YAML_TREE_MAX_DEPTH 32

enum yaml_kind { YAML_KIND_TEXT, YAML_KIND_LIST, YAML_KIND_MAP };

struct yaml_node {
    enum yaml_kind kind;
    char *text;  // TEXT
    bool quoted; // TEXT: quoted, a block scalar or tagged !!str: never null, number or boolean
    int line;    // from 1
    int column;  // from 1, in characters
    struct yaml_node **items; // LIST: values; MAP: key, value, key, value ...
    size_t count;
};

// 0 with *ret_root (NULL for an empty document), or -1: `<name>:line:column: reason`,
// ERROR_PROJECT.
int yaml_tree_parse(const char *bytes, size_t len, const char *name, struct yaml_node **ret_root,
                    struct error *error);
void yaml_tree_free(struct yaml_node *node);

// Plain and empty, `~` or null: a key without a value.
bool yaml_node_is_null(const struct yaml_node *node);

#endif
