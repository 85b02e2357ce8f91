// What: what the engine keeps of the requests through its gateway: the record, the access log,
//       replays.
// Order: traffic_new -> traffic_on_request as the gateway's on_request; commands as they come;
//        traffic_free after the gateway.
// Owns: its own state; the engine has the pointer.
#ifndef EMULATOR_ENGINE_TRAFFIC_H
#define EMULATOR_ENGINE_TRAFFIC_H

#include <stdint.h>

#include "emulator/control/server.h"
#include "emulator/gateway/gateway.h"

struct engine;
struct traffic;

struct traffic *traffic_new(struct engine *engine);
void traffic_on_request(struct traffic *traffic, const struct gateway_request *request);
uint64_t traffic_last_id(const struct traffic *traffic);
void traffic_free(struct traffic *traffic);

// The commands of protocol.h. NULL with error.
struct cJSON *traffic_list(struct traffic *traffic, const struct cJSON *arguments);
struct cJSON *traffic_show(struct traffic *traffic, const struct cJSON *arguments,
                           struct error *error);
// 0: answered later, when the new request has been recorded.
int traffic_replay(struct traffic *traffic, const struct server_command *command,
                   struct error *error);

#endif
