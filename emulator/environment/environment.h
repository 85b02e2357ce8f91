// What: the variables that the app gets: the platform's built-ins, the project's own, the few that
// a process needs. Why: a clean environment, never the developer's shell (DESIGN 10). First wins:
// built-ins > --env-file > .env.
//       Identity (id, keys, region, API server): option > the shell's LEANCLOUD_* > invented,
//       stable per project.
// Sources: variables.def; P-100a to P-102m, P-126, P-140, P-197, P-304.
// Owns: environment_release().
#ifndef EMULATOR_ENVIRONMENT_ENVIRONMENT_H
#define EMULATOR_ENVIRONMENT_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/formats/diagnostics.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct environment_variable {
    char *name;
    char *value;
    const char *source; // "platform", "invented", "shell", ".env", "--env-file", "runtime"
    const char *rule;   // P-number or ""
    bool secret;        // masked wherever it could be shown or saved
};

struct environment {
    struct environment_variable *items;
    size_t count;
};

struct environment_request {
    const char *project_dir;
    const char *project_id;
    const struct strlist *host_env; // only the identity's names are read from it
    const char *environment;        // "development", "stage", "production"
    const char *region;             // "cn-n1" ... (P-141)
    const char *group;              // "web"
    const char *env_file;           // --env-file, or NULL
    uint16_t port;                  // what LEANCLOUD_APP_PORT says
    const char *version_tag;        // given at "go"; "" before
    const char *instance;           // "web1"
    const char *home;               // HOME
    const char *layer;              // PATH begins with <layer>/bin; NULL: no layer
    bool zone_variable;             // level none: TZ, since no /etc/localtime can be put in place
    const char *temporary_dir;      // level none: TMPDIR, since /tmp is the host's; NULL: none
};

// ERROR_USAGE with file and line for a bad env file. Attempts to override a built-in go to
// diagnostics.
int environment_build(const struct environment_request *request,
                      struct environment *ret_environment, struct diagnostics *diagnostics,
                      struct error *error);
void environment_release(struct environment *environment);
void environment_to_list(const struct environment *environment, struct strlist *ret_list);

// P-141: "cn-n1" -> "CN"; NULL if unknown.
const char *environment_region_code(const char *region);
// Known regions, blank-separated, for messages.
const char *environment_region_names(void);
// P-140: offset from UTC of the region, seconds.
long environment_region_utc_offset_s(const char *region);
// A complete TZif file for /etc/localtime of the region; also where the host has no tzdata.
void environment_region_localtime(const char *region, const void **ret_bytes, size_t *ret_len);
const char *environment_region_rule(const char *region); // for TZ: "CST-8"
const char *environment_region_zone(const char *region); // "Asia/Shanghai", "UTC"

#endif
