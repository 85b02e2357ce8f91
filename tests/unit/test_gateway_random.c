// Clients and apps that do anything at any moment: half requests, half answers, resets, swaps,
// drains, deadlines that come early. Whatever the order, nothing is left: no connection, no request
// that nobody answers, no compressing stream, no descriptor. A failure prints its seed.
#include "emulator/gateway/internal.h"
#include "tests/unit/gateway_world.h"

#include <dirent.h>

enum { PEERS = 24, OPERATIONS = 3000, LARGE = 300000 };

struct peer {
    int fd;           // -1: none
    const char *rest; // of what it says, still to be said
    size_t rest_len;
};

struct storm {
    struct world *w;
    uint64_t random;
    struct peer clients[PEERS], apps[PEERS];
    char *large_request, *large_answer;
};

static unsigned pick(struct storm *storm, unsigned count)
{
    storm->random = storm->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(storm->random >> 33) % count;
}

static const char *const requests[] = {
    GET,
    "GET /z HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nsaid early",
    GET GET "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    NULL, // the large one
};

#define TEXT_TYPE "Content-Type: text/plain\r\n"
#define STUFF     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const answers[] = {
    OK5,
    "HTTP/1.1 200 OK\r\n" TEXT_TYPE "Transfer-Encoding: chunked\r\n\r\n40\r\n" STUFF
    "\r\n40\r\n" STUFF "\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n" TEXT_TYPE "\r\n" STUFF STUFF STUFF,
    "HTTP/1.1 304 Not\r\nETag: \"x\"\r\n\r\n",
    "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi",
    "HTTP/1.1 100 Go\r\n\r\n" OK5,
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello" OK5, // and one more, out of turn
    NULL,                                              // the large one
};

// ---- what a peer does ----

static void speak(struct storm *storm, struct peer *peer, const char *text)
{
    if (!peer->rest_len) {
        peer->rest = text;
        peer->rest_len = strlen(text);
    }
    size_t len = pick(storm, 3) ? peer->rest_len : pick(storm, (unsigned)peer->rest_len) + 1;
    ssize_t sent = send(peer->fd, peer->rest, len, MSG_NOSIGNAL);
    if (sent > 0) {
        peer->rest += sent;
        peer->rest_len -= (size_t)sent;
    }
}

static void listen_a_while(struct storm *storm, struct peer *peer)
{
    static char waste[65536];
    recv(peer->fd, waste, pick(storm, 2) ? sizeof waste : 1 + pick(storm, 200), 0);
}

static void leave(struct peer *peer, bool reset)
{
    struct linger linger = {.l_onoff = reset};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(peer->fd);
    *peer = (struct peer){.fd = -1};
}

static void move_client(struct storm *storm, struct peer *peer)
{
    if (peer->fd < 0) {
        peer->fd = client(storm->w);
        storm->w->fd_count--; // ours to close
        return;
    }
    const char *text = requests[pick(storm, ARRAY_LEN(requests))];
    switch (pick(storm, 12)) {
    case 0:
        leave(peer, false);
        break;
    case 1:
        leave(peer, true);
        break;
    case 2:
        shutdown(peer->fd, SHUT_WR);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        listen_a_while(storm, peer);
        break;
    default:
        speak(storm, peer, text ? text : storm->large_request);
    }
}

static void move_app(struct storm *storm, struct peer *peer)
{
    if (peer->fd < 0) {
        peer->fd =
            accept4(storm->w->listeners[pick(storm, 2)], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return;
    }
    const char *text = answers[pick(storm, ARRAY_LEN(answers))];
    switch (pick(storm, 10)) {
    case 0:
        leave(peer, false);
        break;
    case 1:
        leave(peer, true);
        break;
    case 2:
    case 3:
    case 4:
        listen_a_while(storm, peer);
        break;
    default:
        speak(storm, peer, text ? text : storm->large_answer);
    }
}

// ---- what the engine and the clock do ----

static void come_early(struct storm *storm)
{
    struct gateway_deadline *queue = &storm->w->gateway->queues[1 + pick(storm, WAIT__COUNT - 1)];
    if (queue->next != queue) {
        queue->next->at_ms = 1;
        gateway_deadlines_arm(storm->w->gateway);
    }
}

static void move_engine(struct storm *storm)
{
    struct world *w = storm->w;
    switch (pick(storm, 8)) {
    case 0:
        gateway_set_upstreams(w->gateway, w->upstreams, pick(storm, 3));
        break;
    case 1:
        gateway_set_upstreams(w->gateway, w->upstreams + 1, 1);
        break;
    case 2:
        gateway_drain(w->gateway, w->upstreams[pick(storm, 2)].name, pick(storm, 2));
        break;
    case 3:
        gateway_refuse_held(w->gateway, pick(storm, 2));
        break;
    default:
        come_early(storm);
    }
}

// ---- the storm ----

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

// A client that has gone with more in flight than its request is known by the app's answer only.
static void hang_up(struct world *w)
{
    int fd;
    for (int i = 0; i < 2; i++) {
        while ((fd = accept(w->listeners[i], NULL, NULL)) >= 0) {
            close(fd);
        }
    }
}

static void calm_down(struct storm *storm)
{
    struct world *w = storm->w;
    for (int i = 0; i < PEERS; i++) {
        if (storm->clients[i].fd >= 0) {
            leave(&storm->clients[i], false);
        }
        if (storm->apps[i].fd >= 0) {
            leave(&storm->apps[i], false);
        }
    }
    gateway_set_upstreams(w->gateway, NULL, 0);
    gateway_refuse_held(w->gateway, true);
    struct gateway_stats stats;
    WAIT(w, (hang_up(w), gateway_get_stats(w->gateway, &stats), stats.connections == 0));
    assert_int_equal(stats.active, 0);
    assert_int_equal(stats.held, 0);
    WAIT(w, !w->gateway->targets); // each was drained, and swept
    assert_int_equal(w->gateway->gzip_streams, 0);
    assert_null(w->gateway->production.held);
    gateway_refuse_held(w->gateway, false);
}

static void run(struct world *w, uint64_t seed)
{
    struct storm storm = {.w = w, .random = seed};
    struct buf request = {0}, answer = {0};
    buf_addf(&request, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", LARGE);
    buf_addf(&answer, "HTTP/1.1 200 OK\r\n" TEXT_TYPE "Content-Length: %d\r\n\r\n", LARGE);
    for (int i = 0; i < LARGE; i++) {
        char byte = (char)('a' + pick(&storm, 26));
        buf_add(&request, &byte, 1);
        buf_add(&answer, &byte, 1);
    }
    storm.large_request = request.data;
    storm.large_answer = answer.data;
    for (int i = 0; i < PEERS; i++) {
        storm.clients[i].fd = storm.apps[i].fd = -1;
    }
    size_t descriptors = count_descriptors();
    gateway_set_upstreams(w->gateway, w->upstreams, 2);
    for (int i = 0; i < OPERATIONS; i++) {
        unsigned what = pick(&storm, 20);
        if (what == 0) {
            move_engine(&storm);
        } else if (what < 10) {
            move_client(&storm, &storm.clients[pick(&storm, PEERS)]);
        } else {
            move_app(&storm, &storm.apps[pick(&storm, PEERS)]);
        }
        if (pick(&storm, 4) == 0) {
            step(w);
        }
    }
    calm_down(&storm);
    if (getenv("GATEWAY_SEED")) {
        struct gateway_stats stats;
        gateway_get_stats(w->gateway, &stats);
        fprintf(stderr, "%llu requests, %llu lost, %llu refused, %d told, %d notices\n",
                (unsigned long long)stats.requests, (unsigned long long)stats.lost,
                (unsigned long long)stats.refused, w->requests, w->notices);
    }
    assert_int_equal(count_descriptors(), descriptors);
    buf_release(&request);
    buf_release(&answer);
}

static void test_any_order(void **state)
{
    const char *seed = getenv("GATEWAY_SEED");
    for (uint64_t i = seed ? strtoull(seed, NULL, 10) : 1, end = i + (seed ? 1 : 2); i < end; i++) {
        fprintf(stderr, "GATEWAY_SEED=%llu\n", (unsigned long long)i);
        run(*state, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {NONE(test_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
