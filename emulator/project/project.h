// What: the project's directory, its build root and its leanengine.yaml; and (detect.c) what the
//      cloud would take it for.
// Why: "would this deploy" begins with detection; the wording is the platform's own (P-6 to P-8).
// Order: project_open; for each upload project_load, then project_detect, both with a view of that
//      upload (version/view.h): what the upload leaves out does not exist for them.
// Sources: P-1 to P-14. Rules are rows of detection.def, first match wins (P-3).
// Owns: project_release().
#ifndef EMULATOR_PROJECT_PROJECT_H
#define EMULATOR_PROJECT_PROJECT_H

#include <stdbool.h>

#include "emulator/formats/diagnostics.h"
#include "emulator/formats/leanengine_yaml.h"
#include "emulator/version/view.h"
#include "sandbox/base/error.h"

struct project {
    char *dir;        // absolute, real: what is uploaded
    char *name;       // last component, for people
    char *id;         // control_project_id()
    char *build_sub;  // "", or the directory below dir that `buildRoot` names (P-11)
    char *build_root; // dir and build_sub
    char *yaml_name;  // of leanengine.yaml, relative to dir; in the build root when an option names
                      // that (P-12)
    struct leanengine_yaml yaml;
};

// DIR must be a directory that can be read: else ERROR_USAGE. Reads no file yet.
int project_open(const char *dir, struct project *ret_project, struct error *error);
// (Re)reads leanengine.yaml of the upload and enters the build root in it. build_root_option
// overrides the yaml's buildRoot (P-12); may be NULL. *ret_changed (may be NULL): the first stage
// whose input differs from what was loaded before.
int project_load(struct project *project, struct view *upload, const char *build_root_option,
                 enum yaml_stage *ret_changed, struct diagnostics *diagnostics,
                 struct error *error);
// root: the view that project_load entered. 0: Python. Else ERROR_PROJECT with the platform's
// sentence, what is missing and the way out.
int project_detect(const struct project *project, const struct view *root,
                   struct diagnostics *diagnostics, struct error *error);
void project_release(struct project *project);

#endif
