// What: a recorded request sent again, through the gateway, as the client sent it.
// Why: the bytes of its head go out as they came, so that what was refused is refused again. Only a
//      body that came in chunks is framed anew.
// Order: replay_start -> the gateway tells of a request of a client that replay_is() ->
// replay_free.
//        on_end comes when it cannot come to that any more.
// Owns: its socket and a copy of the bytes. The answer is read and thrown away: the new record has
//       it.
#ifndef EMULATOR_REQUESTS_REPLAY_H
#define EMULATOR_REQUESTS_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/loop.h"
#include "emulator/requests/record.h"
#include "sandbox/base/error.h"

#define REPLAY_LIMIT_MS 90000 // longer than the balancer waits for an answer

struct replay;
typedef void (*replay_end_fn)(void *context, struct replay *replay, const struct error *error);

// NULL with error: not all of it was kept, or the gateway cannot be reached. address: host byte
// order.
struct replay *replay_start(struct loop *loop, uint32_t address, uint16_t port,
                            const struct request_record *record, replay_end_fn on_end,
                            void *context, struct error *error);
// Whether that client is our end of the connection.
bool replay_is(const struct replay *replay, const char *address, uint16_t port);
void replay_free(struct replay *replay); // also from within on_end

#endif
