// What: when a trial instance sleeps, and when it is woken. Pure: fed with what happens and the
//       time, it says what to do and when to ask again.
// Why: in the cloud it sleeps after half an hour without a request, wakes by the next one, and may
//      not run longer than 18 hours of any 24 (P-171, P-162): what works here only because it never
//      sleeps (a thread that does something every hour, P-181) would not work there.
// Order: doze_init(); doze_tell() at each event, and with DOZE_TICK not before doze_deadline();
//        what it returns is to be done at once.
// Rules: health checks are no requests. While a request is under way it does not sleep for want of
//        one; the run time's limit does not wait for it. A request that is woken for is held by the
//        caller, one that finds the sleep forced is refused. The window rolls: each millisecond of
//        run time counts for 24 hours and then no more. After a forced sleep it may be woken when
//        the window has room again (the limits table says for how long: [I]).
// Not: what a restart of leanlocal forgets: the window begins empty.
#ifndef EMULATOR_FLEET_DOZE_H
#define EMULATOR_FLEET_DOZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doze_limits {
    int64_t idle_ms;   // without a request
    int64_t budget_ms; // of run time ...
    int64_t window_ms; // ... within so long
    int64_t room_ms;   // of run time that the window must have before it may be woken again
};

// The platform's, changed by a text: "idle-ms=300,budget-ms=2000,window-ms=5000,room-ms=10".
void doze_limits_read(const char *text, struct doze_limits *ret_limits);

enum doze_event {
    DOZE_STARTED, // it serves: the first one, one that was woken, a new version
    DOZE_STOPPED, // nothing serves or starts any more, and we did not ask for that
    DOZE_REQUEST, // one has come: it has been given to the instance, or is held
    DOZE_QUIET,   // none is under way any more
    DOZE_TICK,
};

enum doze_action {
    DOZE_NOTHING,
    DOZE_SLEEP, // end the instance, hold what comes
    DOZE_WAKE,  // start the same version again
    DOZE_FORCE, // end the instance, refuse what comes
    DOZE_ALLOW, // hold again what comes: it will be woken for it
};

enum doze_state {
    DOZE_DOWN, // nothing runs, and that is not our doing
    DOZE_AWAKE,
    DOZE_ASLEEP,
    DOZE_WAKING,
    DOZE_FORCED,
};

// More stretches of run time than these within one window: of the two that lie nearest to each
// other the earlier one is moved beside the later. The sum stays exact; some of it counts longer.
#define DOZE_SPELLS 64

struct doze {
    struct doze_limits limits;
    enum doze_state state;
    bool busy;        // a request is under way
    bool running;     // since spell_ms
    int64_t now_ms;   // never goes back
    int64_t quiet_ms; // since then nobody has asked for anything
    int64_t spell_ms;
    struct doze_spell {
        int64_t begin_ms, end_ms;
    } spells[DOZE_SPELLS]; // that have ended, oldest first
    size_t count;
};

void doze_init(struct doze *doze, const struct doze_limits *limits);
enum doze_action doze_tell(struct doze *doze, enum doze_event event, int64_t now_ms);
// When DOZE_TICK will have something to say; -1: not of itself. Later than the last event, unless
// that was no tick.
int64_t doze_deadline(const struct doze *doze);
// Run time within the window that ends at now_ms.
int64_t doze_run_ms(const struct doze *doze, int64_t now_ms);

#endif
