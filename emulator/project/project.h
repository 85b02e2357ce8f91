// What: the project's directory, and what the cloud would take it for.
// Why: "would this deploy" begins with detection; the wording is the platform's own (P-6 to P-8).
// Sources: P-1 to P-14. Rules are rows of detection.def, first match wins (P-3).
// Owns: project_release().
#ifndef EMULATOR_PROJECT_PROJECT_H
#define EMULATOR_PROJECT_PROJECT_H

#include <stdbool.h>

#include "emulator/formats/diagnostics.h"
#include "emulator/formats/leanengine_yaml.h"
#include "sandbox/base/error.h"

struct project {
    char *dir;        // absolute, real
    char *name;       // last component, for people
    char *id;         // control_project_id()
    char *build_root; // dir, or the directory below it that `buildRoot` names (P-11)
    struct leanengine_yaml yaml;
};

// DIR must be a directory that can be read: else ERROR_USAGE. Reads no file yet.
int project_open(const char *dir, struct project *ret_project, struct error *error);
// (Re)reads leanengine.yaml. build_root_option overrides the yaml's buildRoot (P-12); may be NULL.
int project_load(struct project *project, const char *build_root_option,
                 struct diagnostics *diagnostics, struct error *error);
// 0: Python. Else ERROR_PROJECT with the platform's sentence, what is missing and the way out.
int project_detect(const struct project *project, struct diagnostics *diagnostics,
                   struct error *error);
void project_release(struct project *project);

#endif
