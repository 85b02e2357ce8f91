// What: what a saved file means: nothing, a new version, new variables, or a build, and by which
//      rule (DESIGN 4, "classify").
// Why one place: the engine acts by it and `why` explains by it; they must never differ.
// Order: ask for names that the upload has, or that are read here besides (.env, .leanignore);
//      what is left out of the upload is watch/rules.h's to say.
// Sources: P-11, P-12, P-23, P-28, P-40, P-60; which key of leanengine.yaml asks for what is
//      formats/yaml_differ.h.
#ifndef EMULATOR_PROJECT_SAVE_H
#define EMULATOR_PROJECT_SAVE_H

#include "emulator/project/project.h"

enum save_effect { // in the order of how much is done again
    SAVE_NOTHING,  // outside of the build root
    SAVE_OPTIONS,  // .leanlocal.yaml: read when leanlocal is started, never a part of the upload
    SAVE_RELOAD,   // a new version, started
    SAVE_IGNORE,   // .leanignore: what the upload has may change
    SAVE_INSTANCE, // variables: a new instance
    SAVE_YAML,     // leanengine.yaml: as the key says that changed
    SAVE_INSTALL,
    SAVE_PYTHON,
    SAVE__COUNT,
};

struct save {
    enum save_effect effect;
    const char *rule; // "P-23" or NULL
    int line;         // of leanengine.yaml, when a `require` says so; else 0
};

// path and env_file (--env-file; NULL: none) are relative to the project's directory.
struct save save_judge(const struct project *project, const char *env_file, const char *path);
// "reload", "install" ...; stable, for machines.
const char *save_effect_name(enum save_effect effect);
// A sentence for people, translated.
const char *save_effect_text(enum save_effect effect);
// Must the build be asked? Of SAVE_YAML the difference decides.
bool save_asks_for_build(enum save_effect effect);

#endif
