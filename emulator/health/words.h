// What: how the platform and how we say what a check or a death was.
// Why: the platform's wording is known for one case of each kind (a refused connection, a
//      redirect); what it says in the others is chosen here, in one place (docs/decisions/0033).
// Order: any; pure.
// Owns: str_printf's results are the caller's.
// Sources: P-108, P-109, P-110, P-115; the other causes are [I].
#ifndef EMULATOR_HEALTH_WORDS_H
#define EMULATOR_HEALTH_WORDS_H

#include <stdbool.h>

#include "emulator/health/health.h"

// P-109: nothing was answered until the limit. NULL: nothing listened, which is a refusal.
char *health_words_no_port(const struct health_probe_result *result, int startup_timeout_s);
// P-110: an answer that will not do.
char *health_words_bad_answer(const struct health_probe_result *result);
// P-108: a later check. where: "127.77.1.2:3000".
char *health_words_later(const char *instance, const struct health_probe_result *result,
                         const char *where);
// What of a round that is not healthy the platform would name: with `/` that did not answer, or
// when the SDK's ping is required, the ping.
const struct health_probe_result *health_words_culprit(const struct health_round *round,
                                                       bool strict);

// In the user's language: "/ redirects: 302 to /login", "/ answers 500: Internal Server Error",
// "/ gives no answer: Connection refused".
char *health_words_answer(const struct health_probe_result *result);
// The app sends even the ping to https (P-115): its own redirect is outside the SDK's Engine.
bool health_redirects_to_https(const struct health_round *round);

// How an app ended, in the user's language: "it ended with exit status 1", "it was killed by
// SIGSEGV (Segmentation fault)", and that a server must not end where it ended with 0. shell: it
// was started by one, which tells a signal as 128 + n.
char *health_words_death(int wait_status, bool shell);

#endif
