// What: which instance gets a request, and what becomes of it when there is none. Pure.
// Why: "no request is refused while an instance could serve it, none waits while an old version is
//      healthy" is a promise about every order of events; the simulation (tests/simulate) plays
//      them against this code, not against a copy of its rules.
// Rules: in turn (P-156); one that has just refused a connection, and the one that a request has
//        tried already, only if there is no other. Nothing to send to: held until the first version
//        serves; later refused, unless the app is asleep and this request wakes it (P-162).
// Not: connections, tries and their limits (gateway_exchange.c).
#ifndef EMULATOR_GATEWAY_CHOICE_H
#define EMULATOR_GATEWAY_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choice {
    size_t count; // instances, in the order they were given
    size_t turn;
    bool had;     // there have been some
    bool patient; // that does not count: somebody debugs
    bool refused; // nothing will come: the deployment has failed
    bool asleep;  // whoever asks wakes it
};

void choice_set(struct choice *choice, size_t count);

#define CHOICE_NONE SIZE_MAX

// suspect_until_ms: of each of the count instances. not_this: that has been tried, or CHOICE_NONE.
// CHOICE_NONE: there is none.
size_t choice_take(struct choice *choice, const int64_t *suspect_until_ms, size_t not_this,
                   int64_t now_ms);

// Without an instance: true: held, false: 503. With one: not asked.
bool choice_holds(const struct choice *choice);

#endif
