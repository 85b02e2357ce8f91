// What: puts a trial instance to sleep and wakes it (P-162, P-171), as fleet/doze.h says.
// Order: dozing_begin() when the gateway is there; then what happens; dozing_release(). Everything
//        is nothing to an engine whose instances do not sleep.
// Owns: one timer.
// Not: when (doze.h), what runs (rollout.c), how requests are held (gateway.h).
#ifndef EMULATOR_ENGINE_DOZING_H
#define EMULATOR_ENGINE_DOZING_H

#include "emulator/fleet/doze.h"

struct engine;

// "idle-ms=300,budget-ms=2000,window-ms=5000,room-ms=10": for tests, and for who does not want to
// wait half an hour to see it.
#define DOZE_VARIABLE "LEANLOCAL_TRIAL"

void dozing_begin(struct engine *engine);
void dozing_on_request(struct engine *engine);  // the gateway sends one to an instance
void dozing_on_asleep(void *context);           // it holds one because it sleeps; context: engine
void dozing_on_answered(struct engine *engine); // one has ended
void dozing_on_serves(struct engine *engine);   // an instance works
void dozing_on_died(struct engine *engine);     // one has ended by itself, or could not be started
enum doze_state dozing_state(const struct engine *engine); // DOZE_AWAKE: also if it never sleeps
void dozing_release(struct engine *engine);

#endif
