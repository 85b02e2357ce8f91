// What: the API server of an app that is nobody's: it answers every call 503, "offline" (P-304).
// Why: some apps call the API while they are imported; a clear answer at once beats a time-out, and
//      a live service must never be called with an invented id.
// Order: offline_api_new() listens on 127.77.255.x, an address that no instance is given;
//      offline_api_url() is LEANCLOUD_API_SERVER.
// Owns: its sockets. At most OFFLINE_CLIENTS_MAX at once; policy: one more is closed.
#ifndef EMULATOR_ENVIRONMENT_OFFLINE_API_H
#define EMULATOR_ENVIRONMENT_OFFLINE_API_H

#include "emulator/loop.h"
#include "sandbox/base/error.h"

struct offline_api;

// call: "POST /1.1/functions/hello", valid UTF-8.
typedef void (*offline_api_fn)(void *context, const char *call);

struct offline_api *offline_api_new(struct loop *loop, offline_api_fn on_call, void *context,
                                    struct error *error);
const char *offline_api_url(const struct offline_api *api);
void offline_api_free(struct offline_api *api); // NULL is fine

#endif
