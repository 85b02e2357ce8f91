// What: what the files of this room share: blame.c (who is asked in which order), judge_*.c (which
//       cause), scene.c (whose file it is), phrase.c (the words).
// Not: for anybody else.
#ifndef EMULATOR_BLAME_INTERNAL_H
#define EMULATOR_BLAME_INTERNAL_H

#include "emulator/blame/blame.h"
#include "emulator/blame/known.h"

// Who stumbled: a package, or a line of the app.
struct culprit {
    const struct package *package; // NULL: the app
    char name[160];                // "Flask 1.0.4", "app.py:3", "the app"
};

// One exception, read.
struct scene {
    const struct blame_facts *facts;
    const struct trace *trace;
    struct symptom symptom;
};

// ---- scene.c ----

// The path below the app's root; empty: elsewhere.
struct slice scene_in_app(const struct blame_facts *facts, struct slice path);
const struct package *scene_package_at(const struct blame_facts *facts, struct slice path);
// The innermost line of the app, or of a package other than `besides`.
void scene_find_culprit(const struct scene *scene, const struct package *besides,
                        struct culprit *ret_culprit);
// The innermost line of the app alone.
void scene_find_app(const struct scene *scene, struct culprit *ret_culprit);
// P-53: the vendor's SDK is among the frames, on a Python that it does not support.
bool scene_passes_sdk(const struct scene *scene);
// "email" and ".py": email.py is in the project's root. The module's first part counts.
bool scene_has_name(const struct blame_facts *facts, const char *module, const char *suffix);

// ---- judge_project.c, judge_package.c: true: *cause is filled ----

typedef bool judge_fn(const struct scene *scene, struct blame_cause *cause);
judge_fn judge_hiding;   // P-305
judge_fn judge_variable; // P-303
judge_fn judge_offline;  // P-304
judge_fn judge_database; // P-216
judge_fn judge_bound;    // P-300: bounds.def
judge_fn judge_standard; // standard.def
judge_fn judge_six;
judge_fn judge_unbuilt;
judge_fn judge_missing;
judge_fn judge_lacking;
judge_fn judge_syntax;
judge_fn judge_inside;
// Without a traceback: the last lines.
bool judge_lines(const char *text, size_t len, struct blame_cause *cause);

// ---- phrase.c ----

void phrase_culprit(const struct package *package, struct slice file, int line,
                    struct culprit *ret_culprit);
// A package dropped what the culprit uses.
void phrase_bound(const struct packages *packages, const struct culprit *culprit,
                  const struct known_break *row, struct blame_cause *cause);
// Python's own library lacks it. too_new_for_sdk: P-53.
void phrase_standard(const char *python, const struct culprit *culprit,
                     const struct known_break *row, bool too_new_for_sdk,
                     struct blame_cause *cause);
// The installed package lacks it; no table knows since when.
void phrase_lacks(const struct packages *packages, const struct culprit *culprit, const char *what,
                  const struct package *package, struct blame_cause *cause);
// No package has it.
void phrase_missing(const struct culprit *culprit, const char *module, struct blame_cause *cause);
// It breaks while a package is imported, and that is all that can be said.
void phrase_inside(const struct packages *packages, const struct package *package,
                   bool too_new_for_sdk, struct blame_cause *cause);
void phrase_crash(const struct packages *packages, const struct known_crash *crash,
                  struct blame_cause *cause);

#endif
