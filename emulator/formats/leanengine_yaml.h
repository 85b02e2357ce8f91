// What: leanengine.yaml, parsed and typed (P-20 to P-37). Pure.
// Why: the cloud reads it, the vendor's CLI does not (P-13); a misspelt key is silently ignored
//      there, so we report it with line, column and a suggestion.
// Sources: keys in leanengine_yaml.def, one row a key. libyaml's event interface; over 64 KB, depth
//      over 32, aliases, non-UTF-8 are refused (DESIGN 14). Scalars are typed by our rows, not by
//      YAML 1.1.
// Owns: leanengine_yaml_release() frees what parse filled in.
#ifndef EMULATOR_FORMATS_LEANENGINE_YAML_H
#define EMULATOR_FORMATS_LEANENGINE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

enum build_step_kind {
    BUILD_STEP_SHELL,   // text: for /bin/sh -c
    BUILD_STEP_DEFAULT, // {use: default}
    BUILD_STEP_REQUIRE, // {require: [..]}: files
};

struct build_step {
    enum build_step_kind kind;
    char *text;
    struct strlist files;
    int line;
};

struct build_steps {
    bool given;
    struct build_step *items;
    size_t count;
};

// What must be done again when a key's value changes (DESIGN 4, "classify").
enum yaml_stage {
    YAML_STAGE_NOTHING,
    YAML_STAGE_DETECT,
    YAML_STAGE_INSTALL,
    YAML_STAGE_BUILD,
    YAML_STAGE_START,
};

// A row of leanengine_yaml.def, for help, docs and completion.
struct leanengine_yaml_key {
    const char *name;
    const char *type;    // "text", "steps", "list", "bool", "seconds", "functions_mode", "unused"
    const char *choices; // "strict|disabled" or ""
    int min, max;        // 0, 0: no range
    enum yaml_stage stage;
    const char *rule;
    const char *help; // N_()
};
extern const struct leanengine_yaml_key leanengine_yaml_keys[];
extern const size_t leanengine_yaml_key_count;

enum functions_mode { FUNCTIONS_AUTO, FUNCTIONS_STRICT, FUNCTIONS_DISABLED };

struct leanengine_yaml {
    char *runtime; // NULL: detected
    char *run;     // NULL: default server
    int run_line;
    struct build_steps install;         // P-22..P-24
    struct build_steps build;           // P-25
    struct strlist system_dependencies; // names of system_dependencies.def (P-26)
    int system_dependencies_line;
    char *build_root; // NULL: the root
    bool expose_environments_on_build;
    int startup_timeout_s; // default 30 (P-29)
    enum functions_mode functions_mode;
};

// 0 with the struct filled and warnings in diagnostics, or -1: `leanengine.yaml:line:col: ...`.
// An empty file is an empty configuration; a key without a value counts as not given. Everything
// the file can have wrong is ERROR_PROJECT [I]: the cloud's own texts are not published.
int leanengine_yaml_parse(const char *bytes, size_t len, struct leanengine_yaml *ret_yaml,
                          struct diagnostics *diagnostics, struct error *error);
void leanengine_yaml_init(struct leanengine_yaml *yaml); // defaults
void leanengine_yaml_release(struct leanengine_yaml *yaml);

void build_steps_copy(struct build_steps *to, const struct build_steps *from);
void build_steps_release(struct build_steps *steps);

#endif
