// The helper "leanlocal @python": what blocks. `find FILE CACHE 0|1 0|1` (FILE: .python-version, or
// empty) prints the answer of answer.c, then sweeps; `sweep CACHE` only sweeps. Its environment is
// the user's: PATH, HOME, PYENV_ROOT are looked at.

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emulator/build/internal.h"
#include "emulator/formats/python_version.h"
#include "emulator/python/install.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

extern char **environ;

// place: the file, or the project's directory; NULL: there is none.
static char *version_file_at(const char *place)
{
    char *file = fs_is_dir(place) ? fs_join(place, PYTHON_VERSION_NAME) : str_dup(place);
    if (*file && fs_exists(file)) {
        return file;
    }
    free(file);
    return NULL;
}

static int find(const char *place, const char *cache_dir, bool legacy, bool for_others)
{
    struct strlist env = {0};
    for (char **entry = environ; *entry; entry++) {
        strlist_add(&env, *entry);
    }
    auto_free char *version_file = version_file_at(place);
    const struct python_options options = {.version_file = version_file,
                                           .env = &env,
                                           .legacy_default = legacy,
                                           .for_others = for_others};
    struct python python = {0};
    struct python_offer offer = {0};
    struct diagnostics diagnostics = {0};
    struct error error = {0};
    bool found = python_find(&options, cache_dir, &python, &offer, &diagnostics, &error) == 0;
    auto_free char *answer =
        build_answer_print(found ? &python : NULL, &offer, &diagnostics, &error);
    int result = fs_write_all(STDOUT_FILENO, answer, strlen(answer)) < 0 ? 1 : 0;
    close(STDOUT_FILENO); // the engine goes on while we sweep
    python_release(&python);
    python_offer_release(&offer);
    diagnostics_clear(&diagnostics);
    strlist_clear(&env);
    return result;
}

// The answer is given; a child that nobody waits for removes what dead builds left.
static void sweep_behind(const char *cache_dir)
{
    if (fork() == 0) {
        setsid();
        store_sweep(cache_dir);
        _exit(0);
    }
}

int build_python_helper_main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[2], "find") == 0) {
        int result = find(argv[3], argv[4], argv[5][0] == '1', argv[6][0] == '1');
        sweep_behind(argv[4]);
        return result;
    }
    if (argc == 7 && strcmp(argv[2], "install") == 0) {
        const struct python_install request = {
            .version = argv[3], .root = argv[4], .program = argv[5], .cache_dir = argv[6]};
        return python_install_main(&request);
    }
    return 2;
}
