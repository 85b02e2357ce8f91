// What: an HTTP client on the loop: one request, one answer, one callback.
// Why: probes, calls of functions, replay and timers all ask a numeric address of this machine and
//      must not stall the engine. libcurl's multi interface is driven by our loop; no libcurl type
//      leaves web.c.
// What it does not do, each on purpose: no proxy (http_proxy is set on many laptops and would get
//      the request), no name resolved, no redirect followed, no connection kept (it would survive
//      the listener), no "Expect", no header that the caller did not give besides Host, Accept and
//      Content-Length.
// Order: web_new(); web_ask() as often as liked; web_free(). on_answer comes once for each request
//      that was not cancelled, never before web_ask() returns. In it everything is allowed,
//      web_free() too; the call is gone afterwards.
// Owns: its transfers. What an answer points to is valid during the callback only.
#ifndef EMULATOR_WEB_WEB_H
#define EMULATOR_WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/loop.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define WEB_HEADERS_MAX 128 // lines of an answer that are kept

struct web;
struct web_call;

struct web_answer {
    int status;          // 0: no head of an answer came
    bool is_complete;    // false: failure says why, even when there is a status
    bool is_timeout;     // not complete within the limit
    int errnum;          // ECONNREFUSED ..., of a connection that failed; 0: not known
    bool is_cut;         // the body was longer than answer_max; its beginning is here
    const char *failure; // "Connection refused"; "" when complete; never translated
    const char *body;    // never NULL; a NUL byte follows
    size_t body_len;
    const struct strlist *headers; // "Name: value", without the line's end
    // The head as our own lexer reads an app's (formats/http1.h): what it would bend, bit
    // 1 << enum http1_rule, and by which rule it cannot be read at all (0: it can).
    uint64_t bent;
    int unreadable;
    int64_t duration_us;
};

struct web_request {
    uint32_t address; // host byte order
    uint16_t port;
    const char *method;         // NULL: GET, or POST when there is a body
    const char *target;         // "/path?query", sent as it is
    const char *const *headers; // NULL-terminated "Name: value"; NULL: none
    const char *body;           // NULL: none; copied
    size_t body_len;
    int64_t timeout_ms; // for all of it; 0: none
    size_t answer_max;  // bytes of the body that are kept
    bool stops_there;   // who has sent more is not listened to any further: it is complete, and cut
    void *context;
    void (*on_answer)(void *context, const struct web_answer *answer);
};

// NULL only when libcurl cannot start.
struct web *web_new(struct loop *loop, struct error *error);
// Copies what it needs. NULL only for want of resources.
struct web_call *web_ask(struct web *web, const struct web_request *request, struct error *error);
void web_cancel(struct web_call *call); // NULL is fine; no callback follows
// Whose head has come is answered now, as if its limit were over; false: none has. Not in
// on_answer.
bool web_finish(struct web_call *call);
void web_free(struct web *web); // NULL is fine; cancels what is under way

// The value without blanks around it, of the last line of that name; NULL: none. Case does not
// count.
const char *web_answer_header(const struct web_answer *answer, const char *name);

#endif
