// What: which key of leanengine.yaml has another value now, and so from where a build begins anew.
//      Pure.
// Why: a new `run` must not install anything, and a comment must not build anything; each row of
//      leanengine_yaml.def says which stage its value decides.
// Not: where a value stands: a step that only moved to another line is the same.
#ifndef EMULATOR_FORMATS_YAML_DIFFER_H
#define EMULATOR_FORMATS_YAML_DIFFER_H

#include "emulator/formats/leanengine_yaml.h"

// The differing key whose stage comes first; NULL: nothing that counts differs.
const struct leanengine_yaml_key *yaml_differ(const struct leanengine_yaml *before,
                                              const struct leanengine_yaml *after);

#endif
