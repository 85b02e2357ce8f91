// What: asks an instance whether it is healthy, as the platform does: `/` and `/__engine/1/ping`.
// Why: the verdict decides whether a version gets traffic. The verdict is a pure function; the
//      asking is web/web.h.
// Sources: P-103 (once a second), P-104 (2xx on `/`, or the SDK's ping), P-109, P-110 (no
//      redirects), P-114.
// Order: health_start(); rounds until health_free(). A round asks both paths at the same time. It
//      ends when both have answered, or shortly after the first answer that is enough by itself (an
//      app whose home page takes seconds is healthy by its ping at once).
// Owns: its transfers. health_free() cancels them.
// Not: what a verdict leads to, and the time limit of a start; the engine knows those.
#ifndef EMULATOR_HEALTH_HEALTH_H
#define EMULATOR_HEALTH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/health/times.h" // whoever asks needs to know how often
#include "emulator/loop.h"
#include "sandbox/base/error.h"

struct health_probe_result {
    char path[64];        // "/" or "/__engine/1/ping"
    int status;           // HTTP status, 0 when none
    char failure[128];    // why status is 0: "Connection refused"; never translated
    int errnum;           // ECONNREFUSED ..., of a connection that failed; 0: not known
    bool is_timeout;      // nothing came within the limit of one try
    char location[160];   // of a redirect
    char body[200];       // its beginning, valid UTF-8, one line
    char title[200];      // of a page of HTML, as the body; ""
    bool is_sdk_ping;     // body is JSON with runtime and version (P-114)
    char sdk_runtime[32]; // "cpython-3.7.1"
    char sdk_version[32];
    int64_t duration_us;
    uint64_t bent;  // what the balancer would bend of its head, and
    int unreadable; // what it could not read: rules of formats/http1.h
};

// Pure: body, title, is_sdk_ping, sdk_runtime and sdk_version from the bytes of an answer's body
// (its beginning; what is longer than HEALTH_BODY_BYTES is no ping).
#define HEALTH_BODY_BYTES 4096
void health_read_body(struct health_probe_result *result, const char *bytes, size_t len);

enum health_verdict {
    HEALTH_HEALTHY,
    HEALTH_NOT_YET, // keep asking until the limit
};

struct health_round { // one asking of both paths
    struct health_probe_result home;
    struct health_probe_result ping;
    enum health_verdict verdict;
    const char *healthy_path; // "/" or "/__engine/1/ping" when healthy
};

// Pure (P-104, P-110, P-114). strict: functionsMode strict asks for a correct ping (P-106). A
// result with status 0 has not answered (yet).
enum health_verdict health_judge(const struct health_probe_result *home,
                                 const struct health_probe_result *ping, bool strict);

struct health;
struct health_options {
    uint32_t address; // host byte order
    uint16_t port;
    const char *host_header; // NULL: the address and port
    bool strict;
    int64_t first_after_ms; // 0: now
    int64_t interval_ms;    // between rounds (P-103: 1000)
    int64_t probe_timeout_ms;
    void *context;
    // After each round. In callbacks health_free() is allowed.
    void (*on_round)(void *context, const struct health_round *round);
};
// Copies the options. Never calls on_round before it returns. NULL only when libcurl cannot start.
struct health *health_start(struct loop *loop, const struct health_options *options,
                            struct error *error);
// A round at once; when one is under way, another follows it without a pause.
void health_probe_now(struct health *health);
// From the next round on: a healthy instance is asked rarely (P-107).
void health_set_interval(struct health *health, int64_t interval_ms);
// When the next round is due, or when the one under way was; monotonic.
int64_t health_next_ms(const struct health *health);
void health_free(struct health *health); // NULL is fine

#endif
