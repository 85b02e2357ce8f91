// What: the files that install's `require` names (P-22, P-23): a digest of them for the key, and a
//      copy for the stage. Both read all bytes: for the helper "@cache", or a command that waits.
// Order: required_list() of the steps; required_digest(); required_copy() when a layer is made.
// Rules: a name is a file or a directory of the upload, and nothing outside of it.
#ifndef EMULATOR_BUILD_REQUIRED_H
#define EMULATOR_BUILD_REQUIRED_H

#include "emulator/formats/leanengine_yaml.h"
#include "emulator/version/view.h"
#include "sandbox/base/error.h"
#include "sandbox/base/hash.h"

struct cJSON;

// [{name, line}], in order; an empty array: nothing is required. Owned by the caller.
struct cJSON *required_list(const struct build_steps *steps);
// ERROR_PROJECT for a name that is not there or leads out of the project. "" when list is empty.
int required_digest(const struct view *upload, const struct cJSON *list,
                    char ret_digest[static HASH_HEX_SIZE], struct error *error);
// Below dir, under their names.
int required_copy(const struct view *upload, const struct cJSON *list, const char *dir,
                  struct error *error);
// Makes the directories above `to`; keeps the executable bit.
int required_copy_file(const char *from, const char *to, struct error *error);

#endif
