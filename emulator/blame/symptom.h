// What: what one exception says is missing: which name of which module. Pure.
// Why: Python words it differently in 2.7, 3.6, 3.7 and 3.12; the rest of this room sees one form.
#ifndef EMULATOR_BLAME_SYMPTOM_H
#define EMULATOR_BLAME_SYMPTOM_H

#include "emulator/blame/trace.h"

enum symptom_kind {
    SYMPTOM_OTHER,   // only the words
    SYMPTOM_MODULE,  // No module named <module>
    SYMPTOM_NAME,    // <module> has no <name>
    SYMPTOM_OBJECT,  // a <module> object has no <name>
    SYMPTOM_KEYWORD, // function <module> takes no keyword <name>
};

struct symptom {
    enum symptom_kind kind;
    char module[160]; // dotted; "" if nothing says which
    char name[96];
    struct slice place; // the file that Python found instead; empty if it does not say
};

void symptom_read(const struct trace *trace, struct symptom *ret_symptom);
// "flask.json" of ".../site-packages/flask/json.py"; "" for a file outside a package directory.
void symptom_module_of(struct slice path, char *out, size_t size);

#endif
