// --debug: what an editor needs to know to attach to the app (DESIGN 11).
//
// All ports of an instance are bound to its own loopback address, a debugger's too: nothing outside
// this machine can reach it, whatever the app asked for. There is one instance, and its successors
// get the same address, so that an editor's configuration stays true.

#include <arpa/inet.h>
#include <stdio.h>

#include "emulator/engine/internal.h"
#include "emulator/engine/running.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

// One entry of "configurations" in an editor's launch.json. Owned by the caller.
static char *make_configuration(const struct running *running, const char *host, uint16_t port)
{
    auto_free char *remote = fs_join(instance_home(running->instance), "app");
    struct cJSON *connect = json_new_object();
    json_put_string(connect, "host", host);
    json_put_int(connect, "port", port);
    struct cJSON *mapping = json_new_object();
    json_put_string(mapping, "localRoot", running->engine->project.build_root);
    json_put_string(mapping, "remoteRoot", remote);
    struct cJSON *mappings = json_new_array();
    json_push(mappings, mapping);
    struct cJSON *entry = json_new_object();
    json_put_string(entry, "name", "leanlocal");
    json_put_string(entry, "type", "debugpy");
    json_put_string(entry, "request", "attach");
    json_put_tree(entry, "connect", connect);
    json_put_tree(entry, "pathMappings", mappings);
    char *text = json_print(entry);
    json_free(entry);
    return text;
}

void running_tell_debugger(struct running *running, uint16_t asked_port)
{
    struct engine *engine = running->engine;
    if (asked_port == 0 || engine->debugger_port == asked_port) {
        return; // any free port is nobody's door; the address has been told
    }
    engine->debugger_port = asked_port;
    struct in_addr address = {.s_addr = htonl(instance_address(running->instance))};
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address, host, sizeof host);
    auto_free char *configuration = make_configuration(running, host, asked_port);
    announce_notice(engine, "note", NULL, NULL, NULL,
                    _("the app listens on %s:%u, reachable from this machine alone; if it is "
                      "debugpy, for launch.json:\n%s"),
                    host, asked_port, configuration);
}
