// The section that tells what stands in front of the app: the balancer's limits, each with its
// rule, and what a connection costs.

#include <string.h>

#include "emulator/engine/explain.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

#define PREFIX "gateway: "

static void add_limit(struct explanation *explanation, const struct limit_row *row)
{
    auto_free char *note = str_printf("%s, %s", row->where + strlen(PREFIX), row->source);
    explain_row(explanation, row->name, note, "%lld", (long long)row->value);
}

void explain_gateway(struct explanation *explanation)
{
    explain_row(explanation, "address", NULL, "%s:%d", explanation->engine->options.host,
                explanation->engine->options.port);
    for (size_t i = 0; i < LIMIT__COUNT; i++) {
        if (strncmp(limit_rows[i].where, PREFIX, strlen(PREFIX)) == 0) {
            add_limit(explanation, &limit_rows[i]);
        }
    }
    explain_row(explanation, "connection", _("its memory while idle, in bytes"), "%zu",
                gateway_idle_bytes());
    explain_row(explanation, "connection", _("its memory at most, in bytes"), "%zu",
                gateway_most_bytes());
}
