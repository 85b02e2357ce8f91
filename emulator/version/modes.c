#include "emulator/version/modes.h"

#include <string.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

#define SHELL_CANNOT_EXECUTE 126

bool modes_explain(int exit_status, const char *command, struct error *error)
{
    if (exit_status != SHELL_CANNOT_EXECUTE) {
        return false;
    }
    auto_free char *word = str_dup_len(command, strcspn(command, " \t\n;&|"));
    auto_free char *cloud = str_dup(error->cloud);
    error_set_rule(error, "P-71", *cloud ? cloud : NULL);
    error_set_hint(error, _("an upload loses executable bits; write: sh %s"),
                   strchr(word, '/') ? word : "FILE");
    return true;
}
