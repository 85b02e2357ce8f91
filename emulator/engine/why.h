// What: "why": would a save of this path be uploaded, and what would it do, by which rule.
// Why: "I saved it and nothing happened" and "it is not there in the cloud" have their cause in a
//      line of a file; this names it. It asks what the watcher and the deployment ask (rules.h,
//      save.h), so it cannot differ from what they do.
// Order: why_make() in an engine of mode "explain", which may block.
// Owns: what it returns is the caller's tree.
#ifndef EMULATOR_ENGINE_WHY_H
#define EMULATOR_ENGINE_WHY_H

#include "emulator/engine/internal.h"

// path: as typed; relative to where the user is when that is in the project, else to the project.
// {path, uploaded, effect, text, by, rule}: effect is a name of save.h; by (may be absent) is
// "file:line: pattern" or a word. NULL: ERROR_USAGE, the path is not below the project.
struct cJSON *why_make(struct engine *engine, const char *path, struct error *error);

#endif
