// What: how the balancer of this engine looks to its clients: names, protocol, address of the
//       client, edge nodes; the options of `up` that say so.
// Why: what the gateway takes is bytes and flags; what people write is checked here, and what of it
//      the cloud would do otherwise is said here.
// Order: front_read with the options, front_check before the gateway is made, front_fill for it,
//        front_announce once it listens.
// Owns: its strings, which the gateway uses as long as it lives.
#ifndef EMULATOR_ENGINE_FRONT_H
#define EMULATOR_ENGINE_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/gateway/gateway.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct cJSON;
struct engine;

struct front {
    struct strlist domains; // lower case, without a port
    char *client_ip;
    bool https, https_redirect, edge, lenient;
    char inside[24]; // how the gateway knows our own calls (gateway.h)
};

void front_read(struct front *front, const struct cJSON *options);
// ERROR_USAGE: a name that is none, an address that is none.
int front_check(const struct front *front, struct error *error);
void front_fill(const struct front *front, struct gateway_options *gateway);
// The name of the URL that is shown: a bound one, else the fallback.
const char *front_name(const struct front *front, const char *fallback);
void front_announce(struct engine *engine);
void front_release(struct front *front);

#endif
