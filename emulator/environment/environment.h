// What: the variables that the app gets: the platform's built-ins, the project's own, the few that
//      a process needs.
// Why: a clean environment, never the developer's shell (DESIGN 10).
// Order, first wins: built-ins > --env-file > .env; who the app is comes from identity.h.
// Sources: variables.def, databases.def; P-100a to P-102m, P-126, P-140, P-210 to P-214.
// Owns: environment_release().
#ifndef EMULATOR_ENVIRONMENT_ENVIRONMENT_H
#define EMULATOR_ENVIRONMENT_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/environment/region.h"
#include "emulator/formats/diagnostics.h"
#include "emulator/limits/sizes.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

// Where an invented id's API server would be when no engine answers there: nothing listens (P-304).
#define ENVIRONMENT_OFFLINE_API "http://127.77.255.254:9"

enum variable_kind {
    VARIABLE_PLATFORM, // a built-in
    VARIABLE_RUNTIME,  // what a process needs; PATH, HOME
    VARIABLE_DEFAULT,  // the same, but the project may say otherwise; LANG
    VARIABLE_CUSTOM,   // the project's own (P-102b)
};

struct environment_variable {
    char *name;
    char *value;
    enum variable_kind kind;
    const char *source; // "platform", "runtime", "invented", "option", "shell", ".leancloud",
                        // "--env-file", ".env"
    const char *rule;   // P-number or ""
    bool secret;        // masked wherever it could be shown or saved
};

struct environment {
    struct environment_variable *items;
    size_t count;
    const char *region; // "cn-n1"
    char *group;        // "web"
    bool invented;      // the id is nobody's
    bool keys_invented; // the key or the master key is
};

struct environment_request {
    const char *project_dir; // holds .leancloud/
    const char *env_dir;     // holds .env
    const char *project_id;
    const struct strlist *host_env; // only the identity's names are read from it
    const char *environment;        // "development", "stage", "production"
    const char *app_id;             // --app-id, --region, --group: NULL if not given
    const char *region;
    const char *group;
    const struct instance_size *size; // NULL: the default
    const char *env_file;             // --env-file, or NULL
    const char *offline_api;          // NULL: ENVIRONMENT_OFFLINE_API
    uint16_t port;                    // what LEANCLOUD_APP_PORT says
    const char *version_tag;
    const char *instance;      // "web1"; NULL or "": none yet
    const char *home;          // HOME
    const char *layer;         // PATH begins with <layer>/bin; NULL: no layer
    bool zone_variable;        // level none: TZ, since no /etc/localtime can be put in place
    const char *temporary_dir; // level none: TMPDIR, since /tmp is the host's; NULL: none
};

// ERROR_USAGE with file and line for a bad env file. Attempts to override a built-in go to
// diagnostics.
int environment_build(const struct environment_request *request,
                      struct environment *ret_environment, struct diagnostics *diagnostics,
                      struct error *error);
void environment_release(struct environment *environment);
void environment_to_list(const struct environment *environment, struct strlist *ret_list);

// "Redis" for a name that the cloud sets for a database (P-210 to P-212), else NULL.
const char *environment_database_of(const char *name);
// "REDIS_URL_" for a name that begins with it in another spelling (P-213), else NULL.
const char *environment_database_meant(const char *name);
// By name, and by what the value looks like.
bool environment_looks_secret(const char *name, const char *value);

#endif
