// What: who the app is: its id, keys, API server, region and group, and where each comes from.
// Why: the app may be a real one, whose values the developer has somewhere, or nobody's; then
//      values are invented, stable for the project, so that what was signed with a key stays valid.
// Order, first wins: option > the shell's LEANCLOUD_* > .leancloud/ > env files > invented. Keys
//      belong to an id: a source that names another id than the chosen one gives no key.
// Sources: P-100a, P-102g to P-102k, P-197, P-304; DESIGN 10; docs/decisions/0016.
// Owns: identity_release().
#ifndef EMULATOR_ENVIRONMENT_IDENTITY_H
#define EMULATOR_ENVIRONMENT_IDENTITY_H

#include <stdbool.h>

#include "emulator/formats/diagnostics.h"
#include "emulator/formats/dotenv.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

enum identity_part {
    IDENTITY_ID,
    IDENTITY_KEY,
    IDENTITY_MASTER,
    IDENTITY_HOOK,
    IDENTITY_ANDX,
    IDENTITY_API,
    IDENTITY_REGION, // as LEANCLOUD_REGION says it: "CN"
    IDENTITY_GROUP,
    IDENTITY__COUNT,
};

struct env_source {
    const char *label; // "--env-file", ".env": what is shown as a variable's source
    const char *file;  // for messages
    struct dotenv entries;
};

struct identity_request {
    const char *project_dir; // holds .leancloud/
    const char *project_id;  // what invented values are made of
    const struct strlist *host_env;
    const char *app_id, *region, *group; // options; NULL: not given
    const struct env_source *files;      // strongest first
    size_t file_count;
    const char *offline_api; // what invented ids are given for an API server
};

struct identity {
    char *values[IDENTITY__COUNT];
    const char *sources[IDENTITY__COUNT]; // "option", "shell", ".leancloud", "--env-file", ".env",
                                          // "invented", "platform" for what follows from the others
    const char *region;                   // "cn-n1"
};

// The variable that holds the part: "LEANCLOUD_APP_ID".
const char *identity_name(enum identity_part part);
// ERROR_USAGE for an option that cannot be.
int identity_check_options(const struct identity_request *request, struct error *error);
// What else cannot be is warned of and passed over.
void identity_resolve(const struct identity_request *request, struct identity *ret_identity,
                      struct diagnostics *diagnostics);
bool identity_is_invented(const struct identity *identity);
void identity_release(struct identity *identity);

#endif
