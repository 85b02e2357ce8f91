// What: what is installed in a layer, as packages.py wrote it down, and who asked for it. Pure.
// Why: a traceback names files and modules; people name packages, and mend requirements.txt.
// Order: packages_parse() -> look-ups -> packages_release(). A zeroed one is empty: nothing known.
// Owns: all strings; what look-ups return belongs to it.
// Sources: P-300, P-301.
#ifndef EMULATOR_BLAME_PACKAGES_H
#define EMULATOR_BLAME_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "emulator/blame/trace.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define PACKAGES_FILE ".packages.json" // in the layer
#define PACKAGES_MAX  (8 << 20)        // bytes of it

struct package {
    char *name; // as its author writes it: "Flask"
    char *version;
    struct strlist requires; // "Jinja2 (>=2.10)", "Jinja2>=2.10; extra == 'x'"
    struct strlist modules;  // "flask", "google.protobuf"
};

struct requirement { // a line of requirements.txt, or of what it includes
    char *name;
    char *text; // "flask>=1.0"
    char *file;
    int line;
};

struct packages {
    char *python; // "3.8.18"
    struct package *items;
    size_t count;
    struct requirement *requirements;
    size_t requirement_count;
    struct strlist standard; // the modules of this Python's own library
};

int packages_parse(const char *text, size_t len, struct packages *ret_packages,
                   struct error *error);
void packages_release(struct packages *packages);

// By name, as pip compares names: case, '-', '_' and '.' are one.
const struct package *packages_find(const struct packages *packages, struct slice name);
// Who installed this module: "flask.json" -> Flask.
const struct package *packages_owner(const struct packages *packages, struct slice module);
// The line that asks for a package by name; NULL: something else pulled it in.
const struct requirement *packages_requested(const struct packages *packages, const char *name);
// The installed package that asks for `name`, one of requirements.txt first; *ret_text is how, such
// as "Jinja2 (>=2.10)".
const struct package *packages_wanted_by(const struct packages *packages, const char *name,
                                         const char **ret_text);
bool packages_is_standard(const struct packages *packages, struct slice module);

bool package_name_equal(struct slice name, const char *other);
// "flask" of "flask[async]>=1.0; python_version > '3'".
struct slice requirement_name(const char *text);
bool requirement_is_pinned(const char *text); // with ==
// Release numbers only: "2.1" < "2.1.1", "3.0rc1" counts as 3.0. <0, 0, >0.
int version_compare(const char *a, const char *b);

#endif
