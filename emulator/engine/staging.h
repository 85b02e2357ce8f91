// What: the staging environment, which names that begin with "stg-" reach (P-160, P-163): one
// instance
//       of the version that serves, with LEANCLOUD_APP_ENV "stage", named "web-staging" (P-176).
// Why: in the cloud every standard group has one; here it costs a sandbox, so it is started by the
//      first request that wants it and renewed with each new version from then on.
// Order: staging_fill for the gateway's options, staging_begin once it listens; then rollout.c
// hands
//        on what its instances report (their ids are not the fleet's).
// Not: several instances, pauses after crashes: a request that wants it starts it again; sleep
//      (P-171).
#ifndef EMULATOR_ENGINE_STAGING_H
#define EMULATOR_ENGINE_STAGING_H

#include <stdbool.h>

#include "sandbox/base/error.h"

struct engine;
struct gateway_options;
struct running;

void staging_fill(struct engine *engine, struct gateway_options *gateway);
void staging_begin(struct engine *engine);
// A new version serves.
void staging_renew(struct engine *engine);

// One of its instances, by the id; by the name.
bool staging_has(unsigned id);
bool staging_is_name(const struct engine *engine, const char *name);
void staging_name(const struct engine *engine, unsigned id, char name[static 32]);

void staging_healthy(struct running *running);
void staging_failed(struct running *running, const struct error *error);
void staging_unhealthy(struct running *running);
void staging_drained(struct running *running);
// error: why, if it served.
void staging_exited(struct engine *engine, unsigned id, const struct error *error);

#endif
