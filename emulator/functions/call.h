// What: a call of a cloud function or hook: the request as the platform makes it, and what the
//       answer means. Pure.
// Why: `leanlocal call`, the Functions pane and timers say what they want; this knows paths,
//      headers, bodies and errors.
// Sources: P-190 to P-195, P-199, P-202. Which key the platform shows the app is not public: the
//      app's own key here, the master key when asked for.
// Owns: call_request_release().
// Not: I/O, the limits' clock (engine/calling.c).
#ifndef EMULATOR_FUNCTIONS_CALL_H
#define EMULATOR_FUNCTIONS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emulator/functions/metadata.h"
#include "sandbox/base/error.h"
#include "sandbox/base/mem.h"

#define CALL_DATA_BYTES   262144 // sent
#define CALL_ANSWER_BYTES 262144 // taken

struct call_keys {
    const char *app_id, *app_key, *master_key, *hook_key;
};

struct call_wish {
    const struct function *function;
    const char *data;    // JSON; NULL: {}
    const char *user;    // JSON, of hooks; NULL: nobody
    const char *session; // token; NULL: none
    bool rpc;            // typed parameters and result (/1.1/call)
    bool master;         // with the master key
    bool sign;           // X-LC-Sign instead of the key itself
};

struct call_request {
    char *target;
    struct strlist headers;
    char *body;
};

// ERROR_USAGE for data that is no JSON object, and for what does not go together.
int call_compose(const struct call_wish *wish, const struct call_keys *keys, int64_t wall_ms,
                 struct call_request *ret_request, struct error *error);
void call_request_release(struct call_request *request);

struct call_answer {
    int status;          // 0: none
    const char *failure; // "" when complete
    bool is_timeout, is_cut;
    const char *body;
    size_t body_len;
    const char *location; // of a redirect; NULL: none
    int64_t limit_ms;     // that held
};

// The result as JSON on one line, owned by the caller; NULL: error says what the app or the
// platform's rule said and what to do. list: what the app is known to have.
char *call_read(const struct function *function, const struct call_answer *answer,
                const struct metadata *list, struct error *error);

// What the app has instead, as a hint.
void call_hint_at_names(const struct function *function, const struct metadata *list,
                        struct error *error);

#endif
