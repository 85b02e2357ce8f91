// What: the timers that a project writes into `.leanlocal.yaml` (docs/decisions/0040):
//           cron:
//             - {cron: 0 30 8 * * MON-FRI, function: report}
//             - {name: nightly, cron: 0 0 3 * * *, function: clean, data: '{"days": 7}'}
// Why: in the cloud they are rows of the console; here they are checked and tried.
// Owns: nothing; options is the caller's tree and gets "cron": [{name, cron, function, data}].
#ifndef EMULATOR_CONTROL_PROJECT_TIMERS_H
#define EMULATOR_CONTROL_PROJECT_TIMERS_H

#include "emulator/formats/yaml_tree.h"
#include "sandbox/base/error.h"

#define PROJECT_TIMERS     "cron"
#define PROJECT_TIMERS_MAX 32

struct cJSON;

// -1: ERROR_USAGE, `.leanlocal.yaml:line:column: reason`.
int project_timers_read(const struct yaml_node *list, struct cJSON *options, struct error *error);

#endif
