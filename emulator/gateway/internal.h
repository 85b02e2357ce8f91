// What: the gateway's parts as they see each other.
// Why: one request is an exchange between a client connection and an upstream connection; each of
//      the three has a file. Everything that can move is moved by gateway_client_run(), whoever
//      woke it.
// Order: sockets are edge-triggered, registered once and never modified; `readable` and `writable`
//        stay set until a call says EAGAIN, so not reading is all there is to back-pressure.
// Owns: endpoints and exchanges that have ended stay in memory until the turn's end (gateway_reap),
//       so that code up the stack may still look at `fd == -1` and `over`.
#ifndef EMULATOR_GATEWAY_INTERNAL_H
#define EMULATOR_GATEWAY_INTERNAL_H

#include "emulator/formats/http1.h"
#include "emulator/gateway/choice.h"
#include "emulator/gateway/gateway.h"
#include "emulator/limits/limits.h"

// Ours, not the platform's: memory and manners of this program.
#define BLOCK_BYTES        16384 // one buffer; each way, per connection
#define BLOCK_HEAD_MAX     (HTTP1_HEAD_MAX + 4096)
#define RETAIN_BYTES       65536 // of a body, kept for a second try (HTTP.md "Retry")
#define BLOCK_REQUEST_MAX  (BLOCK_HEAD_MAX + RETAIN_BYTES + 4096)
#define CONNECTIONS_MAX    10000 // the next one waits in the kernel
#define RETRIES_MAX        2     // HTTP.md "Retry"
#define INTERIM_MAX        32    // 1xx answers before the real one
#define SUSPECT_MS         1000  // an upstream that refused a connection is asked last
#define POOL_IDLE_MS       1000  // short: a single-threaded app must not be kept waiting
#define STUCK_MS           50   // then idle connections are closed: the app may serve one at a time
#define LINGER_MS          2000 // a refused client may still be sending
#define ACCEPT_PAUSE_MS    100  // after EMFILE
#define TURN_BYTES         393216       // one stream, before the others get their turn
#define GZIP_BYTES         (112 * 1024) // window, hash, scratch (gateway_gzip.c)
#define SPARE_BLOCKS_MAX   16
#define SPARE_EXCHANGE_MAX 16
#define CAPTURED_BYTES_MAX (16u << 20) // of all requests in flight, for their records

struct gateway_block {
    char *data;
    uint32_t cap, start, end;
};

enum endpoint_kind { ENDPOINT_LISTENER, ENDPOINT_CLIENT, ENDPOINT_CONN };

struct gateway_endpoint { // first member of what it is part of
    int fd;               // -1: closed, memory goes at the turn's end
    uint8_t kind;
    bool readable, writable;
    bool ended;  // the peer has sent its last byte
    bool broken; // reset, or closed both ways
    struct gateway_endpoint *next_dead;
};

enum gateway_wait { // one queue each, because all of a kind last equally long
    WAIT_NONE,
    WAIT_HEADER,
    WAIT_IDLE,
    WAIT_RESPONSE,
    WAIT_WEBSOCKET,
    WAIT_LINGER,
    WAIT_POOL,   // a connection to an upstream
    WAIT_STUCK,  // an exchange on a fresh connection that the app has not answered yet
    WAIT_ACCEPT, // the gateway itself
    WAIT__COUNT,
};

struct gateway_deadline {
    struct gateway_deadline *previous, *next;
    int64_t at_ms;
    enum gateway_wait wait;
};

struct gateway_exchange;
struct gateway_gzip; // a compressing stream (gateway_gzip.c)

struct gateway_client {
    struct gateway_endpoint endpoint;
    struct gateway *gateway;
    struct gateway_client *previous, *next;
    struct gateway_exchange *exchange; // NULL: idle
    struct gateway_deadline deadline;
    struct gateway_block in, out;
    bool lingering;
    char address[16];
    uint16_t port; // of its end
};

struct gateway_conn {
    struct gateway_endpoint endpoint;
    struct gateway *gateway;
    struct gateway_target *upstream;
    struct gateway_exchange *exchange; // NULL: in the pool
    struct gateway_conn *previous, *next;
    struct gateway_deadline deadline;
    struct gateway_block in;
    bool reused;
    bool send_failed; // it takes no more; what it has to say is still read
    bool eof;
};

struct gateway_target { // an upstream, current or draining
    struct gateway_target *next;
    struct gateway_upstream at;
    struct gateway_side *side; // whose it is or was last
    bool current;
    bool drain_wanted;
    unsigned in_flight;
    int64_t suspect_until_ms;
    uint64_t noticed; // rules already reported, bit 1 << rule
    struct gateway_exchange *exchanges;
    struct gateway_conn *pool; // newest first
};

enum gateway_part { // in the order in which they come
    CAPTURE_REQUEST_HEAD,
    CAPTURE_REQUEST_BODY,
    CAPTURE_RESPONSE_HEAD,
    CAPTURE_RESPONSE_BODY,
    CAPTURE__COUNT,
};

struct gateway_capture {
    struct gateway_block block; // the parts, one after the other
    enum gateway_part part;     // the newest that has begun
    uint32_t len[CAPTURE__COUNT];
    uint64_t total[CAPTURE__COUNT];
};

enum gateway_phase {
    PHASE_HEAD,   // the request head is arriving
    PHASE_HELD,   // no upstream yet
    PHASE_PROXY,  // between client and upstream
    PHASE_TUNNEL, // upgraded
    PHASE_ANSWER, // our own answer, or the rest of the upstream's: only the client is left
};

struct gateway_side { // production or staging: who serves it, and who waits for that
    struct gateway_target **current;
    int64_t *suspects; // of each of them, for the choice
    struct choice choice;
    struct gateway_exchange *held;
};

struct gateway_exchange {
    struct gateway_exchange *previous, *next; // in gateway->held or target->exchanges
    struct gateway_exchange **list;           // which, or NULL
    struct gateway_exchange *next_again, *next_dead;
    struct gateway_client *client;
    struct gateway_conn *conn;
    struct gateway_target *upstream;
    struct gateway_side *side;
    enum gateway_phase phase;
    bool over, again;
    bool cut; // an endless stream that had to end with its instance

    // the request
    char record_inline[160];
    char *record; // method NUL target NUL
    const char *method, *target;
    bool is_head, idempotent, minor_1, keep_alive, expects;
    char upgrade[48]; // what was asked for, or ""
    enum http1_body request_body;
    uint64_t request_left, request_total;
    struct http1_chunks request_chunks;
    bool request_read; // all of it is in the buffer or further
    struct gateway_block request;
    uint32_t request_sent; // offset into request; before it only what is kept for a second try
    bool intact;           // the buffer still begins with the head
    uint64_t written;      // bytes upstream, over all tries
    int tries;
    bool fresh_only; // a pooled connection was stale
    struct gateway_deadline stuck;

    // the response
    bool response_head, response_begun, out_chunked, endless;
    unsigned interim;
    uint64_t response_left, response_total;
    struct http1_chunks response_chunks;
    bool accepts_gzip, gzip_suits; // the client asks for it; what the app sends is of that kind
    struct gateway_gzip *gzip;     // NULL: the body goes as it is

    // the record for on_request
    char upstream_name[32];
    const char *rule;
    int status;
    bool lost, refused;
    int64_t start_wall_ms, start_us, first_byte_us;
    uint64_t request_bytes, response_bytes;
    char reason[160];
    struct gateway_capture capture;

    // The request's until it is forwarded, then the response's. Last: what is before it is zeroed.
    struct http1_head head;
};

struct gateway {
    struct loop *loop;
    struct gateway_options options;
    enum limit_id body_limit, response_limit; // the edge's or the balancer's
    int64_t response_wait_ms, websocket_wait_ms;
    struct gateway_endpoint listener;
    uint16_t port;
    bool accepting;
    int epoll_fd;
    struct loop_source *source, *timer, *defer;
    int64_t now_ms, timer_at_ms;                 // timer_at_ms 0: not armed
    struct gateway_deadline queues[WAIT__COUNT]; // sentinels
    struct gateway_deadline accept_deadline;

    struct gateway_client *clients;
    struct gateway_target *targets;
    struct gateway_side production, staging;
    char *status_text;
    char *forced_text;        // it is forced to sleep; else NULL
    char *staging_text;       // there is no staging; else NULL
    const char *staging_rule; // with it
    struct gateway_exchange *again;

    struct gateway_endpoint *dead;
    struct gateway_exchange *dead_exchanges;
    char *spare_blocks[SPARE_BLOCKS_MAX];
    unsigned spare_block_count;
    struct gateway_exchange *spare_exchanges[SPARE_EXCHANGE_MAX];
    unsigned spare_exchange_count;
    uint64_t noticed; // rules that clients broke and that were let through, bit 1 << rule
    struct gateway_gzip *spare_gzip;
    unsigned gzip_streams;

    struct gateway_stats stats;
    size_t captured_bytes;
};

// ---- gateway_io.c: buffers, sockets, deadlines ----

static inline uint32_t block_len(const struct gateway_block *block)
{
    return block->end - block->start;
}
// Room for at least `room` bytes behind end; false: it would grow past max, or there is no memory.
bool gateway_block_need(struct gateway *gateway, struct gateway_block *block, size_t room,
                        size_t max);
size_t gateway_block_room(const struct gateway_block *block, size_t max);
void gateway_block_consume(struct gateway_block *block, size_t len);
void gateway_block_release(struct gateway *gateway, struct gateway_block *block);
// Unchecked: after gateway_block_need.
void gateway_put(struct gateway_block *block, const void *bytes, size_t len);
void gateway_puts(struct gateway_block *block, const char *text);
// Data as one chunk; needs len + CHUNK_FRAME bytes of room.
#define CHUNK_FRAME HTTP1_CHUNK_FRAME
void gateway_put_chunk(struct gateway_block *block, const char *bytes, size_t len);

enum gateway_io { IO_DONE, IO_AGAIN, IO_EOF, IO_ERROR };
// Reads what fits in the block (it must have room).
enum gateway_io gateway_receive(struct gateway_endpoint *endpoint, struct gateway_block *block);
// Sends <bytes, len>; IO_DONE: *ret_sent bytes went, maybe fewer.
enum gateway_io gateway_send(struct gateway_endpoint *endpoint, const char *bytes, size_t len,
                             size_t *ret_sent);
int gateway_watch(struct gateway *gateway, struct gateway_endpoint *endpoint, int fd,
                  enum endpoint_kind kind);
// Closes now; the memory around it is freed at the turn's end.
void gateway_endpoint_close(struct gateway *gateway, struct gateway_endpoint *endpoint);

void gateway_deadline_set(struct gateway *gateway, struct gateway_deadline *deadline,
                          enum gateway_wait wait);
void gateway_deadline_clear(struct gateway_deadline *deadline);
// The next one that is due at now_ms, still in its queue; NULL.
struct gateway_deadline *gateway_deadline_take(struct gateway *gateway);
// Arms the loop's timer for the earliest deadline.
void gateway_deadlines_arm(struct gateway *gateway);

// ---- gateway.c ----

void gateway_schedule(struct gateway *gateway); // a turn of our own, soon
void gateway_accept_resume(struct gateway *gateway);

// ---- gateway_client.c ----

void gateway_client_new(struct gateway *gateway, int fd, const char *address, uint16_t port);
// Does all that can be done for this client now.
void gateway_client_run(struct gateway_client *client);
void gateway_client_close(struct gateway_client *client, bool reset);
void gateway_client_expired(struct gateway_client *client, enum gateway_wait wait);
// The exchange is over and every byte has gone: next request, or good-bye (to one who still sends).
void gateway_client_continue(struct gateway_client *client, bool keep_alive, bool sends);

// ---- gateway_exchange.c ----

struct gateway_exchange *gateway_exchange_new(struct gateway_client *client);
// The head has been read: decides what becomes of it.
void gateway_exchange_begin(struct gateway_exchange *exchange);
// Finds an upstream and a connection.
void gateway_exchange_dispatch(struct gateway_exchange *exchange);
// Moves bytes until nothing moves; may end the exchange (over).
void gateway_exchange_pump(struct gateway_exchange *exchange);
enum gateway_failure { FAILURE_CONNECT, FAILURE_CLOSED, FAILURE_MALFORMED };
// The upstream cannot answer: another try, 502, or the client's connection is aborted.
void gateway_exchange_failed(struct gateway_exchange *exchange, enum gateway_failure failure,
                             const char *rule, const char *text);
// The client went away: nothing is left to do for the upstream.
void gateway_exchange_abandon(struct gateway_exchange *exchange);
// Gives the upstream free (pooled if reusable), the exchange goes on with the client alone.
void gateway_exchange_release(struct gateway_exchange *exchange, bool reusable);
// The last byte has gone: records it, and the client goes on.
void gateway_exchange_end(struct gateway_exchange *exchange);
void gateway_exchange_free(struct gateway *gateway, struct gateway_exchange *exchange);
void gateway_exchange_list(struct gateway_exchange **list, struct gateway_exchange *exchange);
void gateway_exchange_unlist(struct gateway_exchange *exchange);

// ---- gateway_request.c ----

// The request as the upstream gets it, from the head at the start of the client's buffer.
bool gateway_request_build(struct gateway_exchange *exchange);
bool gateway_request_read(struct gateway_exchange *exchange); // true: something moved
bool gateway_request_write(struct gateway_exchange *exchange);

// ---- gateway_response.c ----

bool gateway_response_read(struct gateway_exchange *exchange);
bool gateway_response_write(struct gateway_exchange *exchange);

// ---- gateway_gzip.c ----

// The request's head: does Accept-Encoding want it?
bool gateway_gzip_accepted(const struct http1_head *head, const char *bytes);
// The answer's head: may and should its body be compressed?
bool gateway_gzip_suits(const struct http1_head *head, const char *bytes);
// The lines that an answer gets if it suits, and those of one that is compressed.
void gateway_gzip_print(const struct gateway_exchange *exchange, const char *bytes, char *out,
                        size_t size);
// NULL: no memory, or too many at a time; the body goes as it is then.
struct gateway_gzip *gateway_gzip_new(struct gateway *gateway);
void gateway_gzip_free(struct gateway *gateway, struct gateway_gzip *gzip);
void gateway_gzip_drop_spare(struct gateway *gateway);
// A run of at most BLOCK_BYTES becomes chunks in the client's buffer. False: no memory for them.
bool gateway_gzip_put(struct gateway_exchange *exchange, const char *bytes, size_t len);
bool gateway_gzip_finish(struct gateway_exchange *exchange);
// The app pauses: what has been held back goes. True: it did, or the client had to be closed.
bool gateway_gzip_flush(struct gateway_exchange *exchange);

// ---- gateway_capture.c ----

void gateway_capture_bytes(struct gateway_exchange *exchange, enum gateway_part part,
                           const char *bytes, size_t len);
static inline void gateway_capture(struct gateway_exchange *exchange, enum gateway_part part,
                                   const char *bytes, size_t len)
{
    if (exchange->client->gateway->options.capture) {
        gateway_capture_bytes(exchange, part, bytes, len);
    }
}
// Of the exchange's own block: valid until gateway_capture_release().
void gateway_capture_fill(const struct gateway_exchange *exchange,
                          struct gateway_bytes parts[static CAPTURE__COUNT]);
void gateway_capture_release(struct gateway_exchange *exchange);

// ---- gateway_route.c ----

// Which side serves this name; NULL: it is not bound to anything (P-163).
struct gateway_side *gateway_route(struct gateway *gateway, const char *host, size_t len);
// Below the path of P-153, however it is spelled: //.well-known/./acme%2Dchallenge/x is, too.
bool gateway_is_certificate_check(const char *target);
// The answer that needs no app, if there is one: unbound names, redirects, what edge nodes refuse.
// True: it has been given.
bool gateway_answer_before_app(struct gateway_exchange *exchange, const char *bytes);

// ---- gateway_tunnel.c ----

bool gateway_tunnel_move(struct gateway_exchange *exchange);

// ---- gateway_answer.c ----

// Our own answer: `text` is one sentence, `rule` its source or "". The connection is kept only if
// keep.
void gateway_answer(struct gateway_exchange *exchange, int status, const char *rule,
                    const char *text, bool keep);
// As above, by a row of the limits table, which is named in X-Leanlocal-Limit.
void gateway_answer_limit(struct gateway_exchange *exchange, int status, enum limit_id limit,
                          const char *text, bool keep);
bool gateway_body_is_too_large(const struct gateway_exchange *exchange, uint64_t bytes);
void gateway_answer_too_large(struct gateway_exchange *exchange);
struct gateway_reply {
    int status;
    const char *rule, *text;
    const struct limit_row *limit; // or NULL
    const char *location;          // or NULL
    bool keep;
};
void gateway_reply(struct gateway_exchange *exchange, const struct gateway_reply *reply);
// The name of the field whose line holds the byte `at` of a head; "" for the first line.
void gateway_field_at(const char *bytes, size_t len, size_t at, char *ret_name, size_t size);
// As above, by a rule of the lexer.
void gateway_answer_rule(struct gateway_exchange *exchange, enum http1_rule rule);
const char *gateway_reason(int status);
void gateway_notice(struct gateway *gateway, const char *upstream, const char *rule,
                    const char *text);
// The rules of a set (1 << rule) that *noticed does not hold yet: what was kept or dropped though
// wrong.
void gateway_notice_bent(struct gateway *gateway, const char *upstream, uint64_t *noticed,
                         uint64_t reported);

// ---- gateway_upstream.c ----

struct gateway_target *gateway_target_find(const struct gateway *gateway, const char *name);
// Round robin; avoids `not_this` and those that just refused, as long as there is another. NULL:
// none.
struct gateway_target *gateway_target_choose(struct gateway *gateway, struct gateway_side *side,
                                             const struct gateway_target *not_this);
// Nothing serves this side: true: its requests are held, false: 503.
bool gateway_side_holds(const struct gateway *gateway, const struct gateway_side *side);
void gateway_targets_sweep(struct gateway *gateway);
void gateway_target_close_pool(struct gateway_target *target);
// pooled: one from the pool will do. NULL: the connection could not be begun (errno).
struct gateway_conn *gateway_conn_get(struct gateway_target *target, bool pooled,
                                      struct gateway *gateway);
void gateway_conn_put(struct gateway_conn *conn); // into the pool
void gateway_conn_close(struct gateway_conn *conn);
void gateway_pool_remove(struct gateway_conn *conn);

// ---- gateway_owner.c ----

// "pid 1234 (python app.py)" of who listens there; NULL if /proc does not show it. The caller's.
char *gateway_port_owner(uint32_t address, uint16_t port);

#endif
