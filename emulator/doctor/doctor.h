// What: the helper "leanlocal @doctor": what this host can reproduce of the cloud's container, what
//       not, and the command that mends it. A check is a row of checks.def and a function.
// Why: degradation is quiet by design; whoever wonders why the level is not "full" looks here.
// Order: doctor_look() once. It needs no project and no engine, starts nothing but probes, and
//        writes nothing.
// Owns: the tree is the caller's. Shape: {level, code, program, checks: [{id, section, title,
//       works, required, value, how, reason, errno, lost, cause, mend, commands: [lines]}]}; texts
//       are in the reader's language; level, id, section and cause are names that stay. code: 0 at
//       level full or container with all that `up` requires, else 3.
#ifndef EMULATOR_DOCTOR_DOCTOR_H
#define EMULATOR_DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "emulator/doctor/mend.h"
#include "emulator/python/candidates.h"
#include "emulator/python/python.h"
#include "sandbox/base/mem.h"

struct doctor {
    const char *root; // before the paths of the host, "" usually
    struct strlist env;
    struct sandbox_host host;
    struct scene scene;
    struct python_candidates candidates;
    struct python python; // what a project without .python-version gets
    bool has_python;
    struct error python_error;
    char *cache_dir;
};

// What one check has found. Zeroed: missing, nothing to say. The strings are the finding's.
struct finding {
    bool works;
    char *value;  // what was found
    char *reason; // why not
    int errnum;   // of what failed, or 0
    char *mend;
    char *commands; // lines
};

struct cJSON *doctor_look(const char *root);
int doctor_helper_main(int argc, char **argv);

#define FEATURE(feature, title, how, lost)
#define CHECK(id, function, need, title, how, lost)                                                \
    void function(const struct doctor *doctor, struct finding *finding);
#include "emulator/doctor/checks.def"
#undef FEATURE
#undef CHECK

#endif
