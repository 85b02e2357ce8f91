// What: what running.c, verdict.c, checks.c, size.c, cause.c and rollout.c know of each other.
// Not: for anybody else.
#ifndef EMULATOR_ENGINE_RUNNING_H
#define EMULATOR_ENGINE_RUNNING_H

#include "emulator/engine/internal.h"

// ---- running.c: one instance ----
struct running_order {
    unsigned id, slot;
    enum role role;
    const struct tree_version *version;
    const struct strlist *built_lowers;
};
// NULL: it does not start. If it had begun to live, it is there until it is gone.
struct running *running_start(struct engine *engine, const struct running_order *order,
                              struct error *error);
void running_free(struct running *running);
void running_add_kept(struct build_mounts *mounts, const struct kept *kept);
// 127.77.N.0: the project's own instances are counted up from it.
uint32_t running_base_address(const struct engine *engine);

// ---- verdict.c: is it healthy ----
// A verdict about a candidate or a replacement: told once, and the instance goes. mend may be NULL.
void running_judge(struct running *running, const struct error *error, const char *mend);
void running_judge_timeout(void *context);
void running_judge_exit(struct running *running, int wait_status, bool app_exited);
// Of one that served: "web1: it was killed by SIGSEGV (...)".
void running_describe_death(struct running *running, int wait_status, bool app_exited,
                            struct error *error);
// "127.0.0.1:3000", "::1:3000": nobody outside could reach it.
bool running_is_loopback(const char *asked);
// P-105: true: it was refused.
bool running_refuse_loopback(struct running *running, const char *asked);

// ---- checks.c: the rounds of probes ----
void running_start_health(struct running *running, int64_t interval_ms);
// P-106: functionsMode strict.
bool running_is_strict(const struct running *running);

// ---- size.c: what the instance's size means ----
// P-172: that it was killed for its memory, and what would do.
void size_explain_memory(const struct running *running, struct error *error);
// P-130.
void size_tell_full(struct running *running, const char *filled);

// ---- cause.c: what an app's last words mean ----
// Adds the cause to the error, and what would mend it, if it is known. wait_status -1: it still
// runs.
void running_explain(const struct running *running, int wait_status, struct error *error);

// ---- debugger.c ----
// --debug: the app listens on a port of its own.
void running_tell_debugger(struct running *running, uint16_t asked_port);

// ---- rollout.c: who serves; what its instances tell it ----
bool rollout_version_in_use(const struct engine *engine, const char *tag); // releases.c
void rollout_take_over(struct running *running);                           // it is healthy
void rollout_failed(struct running *running, enum stage stage, const struct error *error);
// Nothing is left of it; error: why, if it served.
void rollout_exited(struct engine *engine, unsigned id, const struct error *error);
// Later checks (P-107): one has failed, one has succeeded again, too many have failed.
void rollout_failing(struct running *running);
void rollout_recovered(struct running *running);
void rollout_unhealthy(struct running *running);

#endif
