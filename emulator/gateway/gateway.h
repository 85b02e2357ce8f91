// What: the platform's balancer in front of the instances, on 127.0.0.1:3000: accepts, parses each
//       request, chooses an instance per request, streams both ways.
// Why: a save swaps instances under running clients; in-flight requests finish on the old instance,
//      new ones (also on kept-alive connections) go to the new one, none is refused or delayed.
// Order: gateway_new (listens at once; requests are held until the first upstream is set), then
//        gateway_set_upstreams at each switch, gateway_drain for the old one, gateway_free.
// Owns: its sockets, in one nested epoll that is one source on the loop; one timer. Idle, nothing
//       wakes it. It raises the process's soft RLIMIT_NOFILE; children start with the old one
//       (base/process.h).
// Not: gateway_free() from inside its own callbacks; everything else may be called there.
// Sources: HTTP.md row by row, P-150 to P-158. Codec: formats/http1.h.
#ifndef EMULATOR_GATEWAY_GATEWAY_H
#define EMULATOR_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "emulator/loop.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

struct gateway;

struct gateway_upstream {
    char name[32];    // "web1"
    uint32_t address; // host byte order
    uint16_t port;
};

struct gateway_stats {
    uint64_t requests; // ended, but for those whose client went away first
    uint64_t lost;     // 502/503/504 by us or aborted towards the client, not by the client
    uint64_t refused;  // by a rule (4xx of ours)
    unsigned active;   // in flight now
    unsigned held;     // waiting for the first upstream
    unsigned connections;
};

struct gateway_bytes {
    const char *bytes; // NULL with len 0
    size_t len;
    uint64_t total; // more than len: the rest was not kept
};
#define GATEWAY_REQUEST_BODY_KEPT  65536
#define GATEWAY_RESPONSE_BODY_KEPT 16384

struct gateway_request { // for on_request, after the last byte
    const char *method, *target;
    const char *upstream; // "" if none
    const char *rule;     // "P-150" or ""
    const char *reason;   // the sentence that goes with it, or why there was no answer; ""
    int status;           // 499: the client went away before an answer was complete; 101: a tunnel
    int64_t start_wall_ms;
    int64_t total_us, first_byte_us;
    uint64_t request_bytes, response_bytes; // with heads and framing, on the client's side
    unsigned retries;
    const char *client; // its address
    uint16_t client_port;
    // With options.capture, as the client sent and got them; bodies without framing.
    struct gateway_bytes request_head, request_body, response_head, response_body;
};

struct gateway_options {
    uint32_t address; // host byte order; 127.0.0.1
    uint16_t port;    // 0: any
    // Somebody debugs: no answer is too late, and requests are held whenever nothing serves.
    bool patient;
    bool lenient; // lines of requests may end with LF alone
    bool edge;    // as edge nodes are: less time, smaller bodies, no PATCH, no WebSocket (P-158)
    bool capture; // keep heads and beginnings of bodies for on_request
    bool https;   // what X-Forwarded-Proto and Forwarded say (P-152)
    bool https_redirect; // http is answered with 301 to https of the same path (P-151)
    // What X-Leanlocal-Inside says of requests that come from inside the cloud, as its API server's
    // calls do: no name is asked for, nothing is redirected, no edge node is passed. NULL: none do.
    const char *inside;
    int64_t response_wait_ms, websocket_wait_ms; // 0: the platform's
    const char *client_ip; // what X-Real-IP and Forwarded say, IPv4 or IPv6; NULL: who connects
    // Bound names in lower case, which outlive the gateway. Other names get P-117's answer, and
    // "stg-" before a name means staging (P-160, P-163). NULL: whatever Host says is production.
    const struct strlist *domains;
    void *context;
    void (*on_request)(void *context, const struct gateway_request *request); // may be NULL
    // A request is held because the app sleeps: it wants to be woken. May be NULL.
    void (*on_asleep)(void *context);
    // A request is held because nothing serves staging. NULL: there is none, such requests get 503.
    void (*on_staging_wanted)(void *context);
    // A request goes to that upstream now. May be NULL.
    void (*on_begin)(void *context, const char *upstream_name);
    // The last request of a draining upstream has ended.
    void (*on_drained)(void *context, const char *upstream_name);
    // An app's answer was bent into shape (each rule once per instance) or a rule was hit: one
    // sentence. upstream_name may be "". May be NULL.
    void (*on_notice)(void *context, const char *upstream_name, const char *rule, const char *text);
};

// Address in use: ERROR_HOST, the message names the owner's pid and command where /proc shows them,
// and the way out (--port).
struct gateway *gateway_new(struct loop *loop, const struct gateway_options *options,
                            struct error *error);
uint16_t gateway_port(const struct gateway *gateway);
// The instances that get new requests, round robin (P-156). count 0: hold (before the first
// version) or, once there has been one, answer 503.
void gateway_set_upstreams(struct gateway *gateway, const struct gateway_upstream *upstreams,
                           size_t count);
// The same for staging, which begins without any: its requests are held until there is one.
void gateway_set_staging(struct gateway *gateway, const struct gateway_upstream *upstreams,
                         size_t count);
// Requests for staging get 503 with the text from now on, also those that are held; NULL: held
// again.
void gateway_refuse_staging(struct gateway *gateway, const char *rule, const char *text);
// Why held requests are waiting or refused: shown in the 503's body ("install failed: ..."). May be
// NULL.
void gateway_set_status_text(struct gateway *gateway, const char *text);
// true: also answer held and new requests with 503 and the status text instead of holding them.
void gateway_refuse_held(struct gateway *gateway, bool refuse);
// P-162. While nothing serves because it sleeps requests are held and on_asleep tells; while it is
// forced to, they get 503 with the text (may be NULL otherwise). Setting upstreams does not end it.
enum gateway_sleep { GATEWAY_AWAKE, GATEWAY_ASLEEP, GATEWAY_FORCED };
void gateway_set_sleep(struct gateway *gateway, enum gateway_sleep sleep, const char *text);
// Requests in flight on this instance now.
unsigned gateway_in_flight(const struct gateway *gateway, const char *upstream_name);
// Calls on_drained when in_flight reaches 0 (at the next turn if it is 0 now). close_streams:
// endless streams (event streams, upgraded connections) of this instance are closed at once,
// requests never.
void gateway_drain(struct gateway *gateway, const char *upstream_name, bool close_streams);
// The memory of one client's connection, known at compile time (HTTP.md "Bounds"): while it is
// idle, and at most, with a request and an answer in all its buffers.
size_t gateway_idle_bytes(void);
size_t gateway_most_bytes(void);
void gateway_get_stats(const struct gateway *gateway, struct gateway_stats *ret_stats);
void gateway_free(struct gateway *gateway);

#endif
