#include "emulator/helpers.h"

#include <stdio.h>
#include <string.h>

#include "emulator/build/build.h"
#include "emulator/build/cache.h"
#include "emulator/doctor/doctor.h"
#include "emulator/engine/engine.h"
#include "emulator/engine/remove.h"
#include "emulator/watch/tree.h"
#include "sandbox/base/cleanup.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} helpers[] = {
    {"@engine", engine_main},
    {"@tree", tree_helper_main},
    {"@python", build_python_helper_main},
    {"@cache", cache_helper_main},
    {"@doctor", doctor_helper_main},
    {"@remove", remove_helper_main},
};

int helper_main(int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(helpers); i++) {
        if (strcmp(argv[1], helpers[i].name) == 0) {
            return helpers[i].run(argc, argv);
        }
    }
    fprintf(stderr, "leanlocal: no helper %s\n", argv[1]);
    return 2;
}
