// The asking half of health: two libcurl transfers a round, driven by the loop.
//
// libcurl names the sockets and the time it waits for (SOCKETFUNCTION, TIMERFUNCTION); each becomes
// a source of the loop that calls curl_multi_socket_action(). What has finished is read after that
// call, outside libcurl, so that on_round may free everything.
//
// A probe must see what a stranger on the network would see: no proxy (http_proxy is set on many
// laptops and would get the probe), no kept-alive connection (it would survive the listener), no
// redirect followed (P-110), a numeric address (no resolver, no blocking).
#include "emulator/health/health.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"
#include "sandbox/base/mem.h"

// How long the other probe may still take after one that is enough.
#define GRACE_MS 50

static const char HOME_PATH[] = "/";
static const char PING_PATH[] = "/__engine/1/ping";

struct probe {
    CURL *easy;
    struct health_probe_result *result;
    struct buf body;
    char message[CURL_ERROR_SIZE];
    int64_t started_us;
    bool is_under_way;
};

struct health {
    struct loop *loop;
    struct health_options options;
    CURLM *multi;
    struct curl_slist *headers;
    struct loop_source *transfer_timer; // libcurl's
    struct loop_source *round_timer;    // the next round
    struct loop_source *grace_timer;
    struct loop_source
        *sockets[4]; // two transfers; libcurl may hold an old and a new socket of each
    struct health_round round;
    struct probe probes[2];
    int64_t round_started_ms;
    bool is_round_under_way;
    bool is_grace; // what drips must not prolong it
    bool is_next_at_once;
};

// --- libcurl on the loop ----------------------------------------------------------------------

static void on_transfers_moved(struct health *health);

static void on_socket_ready(void *context, int fd, uint32_t events)
{
    struct health *health = context;
    int mask = 0;
    mask |= events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0;
    mask |= events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    mask |= events & EPOLLERR ? CURL_CSELECT_ERR : 0;
    int running;
    curl_multi_socket_action(health->multi, fd, mask, &running);
    on_transfers_moved(health);
}

static void on_transfer_time(void *context)
{
    struct health *health = context;
    int running;
    curl_multi_socket_action(health->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    on_transfers_moved(health);
}

static void forget_socket(struct health *health, struct loop_source *source)
{
    for (size_t i = 0; source && i < ARRAY_LEN(health->sockets); i++) {
        if (health->sockets[i] == source) {
            health->sockets[i] = NULL;
            loop_source_free(source);
        }
    }
}

static void add_socket(struct health *health, curl_socket_t fd, uint32_t events)
{
    for (size_t i = 0; i < ARRAY_LEN(health->sockets); i++) {
        if (!health->sockets[i]) {
            health->sockets[i] = loop_add_fd(health->loop, fd, events, on_socket_ready, health);
            curl_multi_assign(health->multi, fd, health->sockets[i]);
            return;
        }
    }
    log_debug("health: more sockets than transfers, one is not watched");
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    (void)easy;
    struct health *health = context;
    struct loop_source *source = per_socket;
    if (what == CURL_POLL_REMOVE) {
        forget_socket(health, source);
        return 0;
    }
    uint32_t events = 0;
    events |= what & CURL_POLL_IN ? EPOLLIN : 0;
    events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
    if (source) {
        loop_set_fd_events(source, events);
    } else {
        add_socket(health, fd, events);
    }
    return 0;
}

static int on_curl_timer(CURLM *multi, long after_ms, void *context)
{
    (void)multi;
    struct health *health = context;
    if (after_ms < 0) {
        loop_timer_stop(health->transfer_timer);
    } else {
        loop_timer_restart(health->transfer_timer, after_ms);
    }
    return 0;
}

// libcurl's own sockets are inherited by every child; ours never are.
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// --- one probe --------------------------------------------------------------------------------

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    size_t len = size * count;
    // One byte over the bound is kept, as a sign that there was more.
    size_t room = HEALTH_BODY_BYTES + 1 - probe->body.len;
    buf_add(&probe->body, bytes, len < room ? len : room);
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    static const char name[] = "location:";
    struct probe *probe = context;
    size_t len = size * count;
    if (len > strlen(name) && strncasecmp(bytes, name, strlen(name)) == 0) {
        const char *value = bytes + strlen(name);
        size_t value_len = len - strlen(name);
        while (value_len > 0 && (*value == ' ' || *value == '\t')) {
            value++;
            value_len--;
        }
        while (value_len > 0 && (unsigned char)value[value_len - 1] <= ' ') {
            value_len--;
        }
        snprintf(probe->result->location, sizeof probe->result->location, "%.*s", (int)value_len,
                 value);
    }
    return len;
}

static int probe_init(struct health *health, struct probe *probe, const char *path,
                      struct health_probe_result *result)
{
    const struct health_options *options = &health->options;
    probe->easy = curl_easy_init();
    probe->body.max = HEALTH_BODY_BYTES + 1;
    probe->result = result;
    snprintf(result->path, sizeof result->path, "%s", path);
    if (!probe->easy) {
        return -1;
    }
    char url[128];
    snprintf(url, sizeof url, "http://%u.%u.%u.%u:%u%s", options->address >> 24 & 255,
             options->address >> 16 & 255, options->address >> 8 & 255, options->address & 255,
             options->port, path);
    CURL *easy = probe->easy;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->probe_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "leanlocal/" LEANLOCAL_VERSION " (health check)");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, health->headers);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, probe);
    return 0;
}

static void probe_start(struct health *health, struct probe *probe)
{
    char path[sizeof probe->result->path];
    snprintf(path, sizeof path, "%s", probe->result->path);
    *probe->result = (struct health_probe_result){0};
    snprintf(probe->result->path, sizeof probe->result->path, "%s", path);
    probe->message[0] = '\0';
    buf_release(&probe->body);
    probe->started_us = clock_now_us();
    probe->is_under_way = curl_multi_add_handle(health->multi, probe->easy) == CURLM_OK;
}

// In English whatever the language: "connect ECONNREFUSED" of P-109 is made from it.
static void describe_failure(struct probe *probe, CURLcode code)
{
    struct health_probe_result *result = probe->result;
    long errnum = 0;
    curl_easy_getinfo(probe->easy, CURLINFO_OS_ERRNO, &errnum);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(result->failure, sizeof result->failure, "no answer within %lld ms",
                 (long long)(clock_now_us() - probe->started_us) / 1000);
    } else if (code == CURLE_COULDNT_CONNECT && errnum != 0 && strerrordesc_np((int)errnum)) {
        snprintf(result->failure, sizeof result->failure, "%s", strerrordesc_np((int)errnum));
    } else {
        snprintf(result->failure, sizeof result->failure, "%.*s", (int)sizeof result->failure - 1,
                 probe->message[0] ? probe->message : curl_easy_strerror(code));
    }
}

static void probe_finish(struct health *health, struct probe *probe, CURLcode code)
{
    struct health_probe_result *result = probe->result;
    curl_multi_remove_handle(health->multi, probe->easy);
    probe->is_under_way = false;
    result->duration_us = clock_now_us() - probe->started_us;
    long status = 0;
    curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
    // A body that has no end (a stream on the home page) is an answer; one that broke off is none.
    if (code == CURLE_OK || (code == CURLE_OPERATION_TIMEDOUT && status >= 200)) {
        result->status = (int)status;
        health_read_body(result, probe->body.data ? probe->body.data : "", probe->body.len);
    } else {
        describe_failure(probe, code);
    }
}

static void probe_cancel(struct health *health, struct probe *probe)
{
    if (probe->is_under_way) {
        curl_multi_remove_handle(health->multi, probe->easy);
        probe->is_under_way = false;
        probe->result->duration_us = clock_now_us() - probe->started_us;
        snprintf(probe->result->failure, sizeof probe->result->failure, "not waited for");
    }
}

// --- rounds -----------------------------------------------------------------------------------

static void start_round(void *context)
{
    struct health *health = context;
    loop_timer_stop(health->round_timer);
    health->is_round_under_way = true;
    health->is_next_at_once = false;
    health->is_grace = false;
    health->round_started_ms = loop_now_ms(health->loop);
    for (size_t i = 0; i < ARRAY_LEN(health->probes); i++) {
        probe_start(health, &health->probes[i]);
    }
}

static void schedule_next_round(struct health *health)
{
    int64_t due_ms = health->round_started_ms + health->options.interval_ms;
    int64_t after_ms = due_ms - loop_now_ms(health->loop);
    loop_timer_restart(health->round_timer, health->is_next_at_once || after_ms < 0 ? 0 : after_ms);
}

// on_round comes last: it may free us.
static void finish_round(struct health *health)
{
    struct health_round *round = &health->round;
    loop_timer_stop(health->grace_timer);
    for (size_t i = 0; i < ARRAY_LEN(health->probes); i++) {
        probe_cancel(health, &health->probes[i]);
    }
    health->is_round_under_way = false;
    bool strict = health->options.strict;
    round->verdict = health_judge(&round->home, &round->ping, strict);
    // Which of the two: what would be enough without the other.
    const struct health_probe_result none = {0};
    round->healthy_path = NULL;
    if (round->verdict == HEALTH_HEALTHY) {
        bool by_home = health_judge(&round->home, &none, strict) == HEALTH_HEALTHY;
        round->healthy_path = by_home ? HOME_PATH : PING_PATH;
    }
    schedule_next_round(health);
    health->options.on_round(health->options.context, round);
}

static void on_grace_over(void *context)
{
    finish_round(context);
}

static void on_transfers_moved(struct health *health)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(health->multi, &left))) {
        char *probe = NULL;
        CURLcode code = message->data.result; // gone once the handle is removed
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &probe);
        probe_finish(health, (struct probe *)(void *)probe, code);
    }
    if (!health->is_round_under_way) {
        return;
    }
    if (!health->probes[0].is_under_way && !health->probes[1].is_under_way) {
        finish_round(health);
        return;
    }
    bool one_is_done = !health->probes[0].is_under_way || !health->probes[1].is_under_way;
    if (one_is_done && !health->is_grace &&
        health_judge(&health->round.home, &health->round.ping, health->options.strict) ==
            HEALTH_HEALTHY) {
        health->is_grace = true;
        loop_timer_restart(health->grace_timer, GRACE_MS);
    }
}

void health_probe_now(struct health *health)
{
    if (health->is_round_under_way) {
        health->is_next_at_once = true;
    } else {
        loop_timer_restart(health->round_timer, 0);
    }
}

void health_set_interval(struct health *health, int64_t interval_ms)
{
    health->options.interval_ms = interval_ms;
    if (!health->is_round_under_way && health->round_started_ms > 0) {
        schedule_next_round(health);
    }
}

// --- life -------------------------------------------------------------------------------------

// Once a process. Plain HTTP to a numeric address needs nothing of it; TLS would cost milliseconds.
static bool start_libcurl(void)
{
    static bool is_started;
    if (!is_started) {
        is_started = curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK;
    }
    return is_started;
}

static int init_transfers(struct health *health)
{
    health->multi = start_libcurl() ? curl_multi_init() : NULL;
    if (!health->multi) {
        return -1;
    }
    curl_multi_setopt(health->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(health->multi, CURLMOPT_SOCKETDATA, health);
    curl_multi_setopt(health->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(health->multi, CURLMOPT_TIMERDATA, health);
    if (health->options.host_header) {
        auto_free char *host = str_printf("Host: %s", health->options.host_header);
        health->headers = curl_slist_append(NULL, host);
        health->options.host_header = NULL; // the caller's; not ours to keep
    }
    if (probe_init(health, &health->probes[0], HOME_PATH, &health->round.home) < 0) {
        return -1;
    }
    return probe_init(health, &health->probes[1], PING_PATH, &health->round.ping);
}

struct health *health_start(struct loop *loop, const struct health_options *options,
                            struct error *error)
{
    struct health *health = mem_alloc(sizeof *health);
    health->loop = loop;
    health->options = *options;
    health->transfer_timer = loop_add_timer(loop, 0, on_transfer_time, health);
    health->grace_timer = loop_add_timer(loop, 0, on_grace_over, health);
    health->round_timer = loop_add_timer(loop, options->first_after_ms, start_round, health);
    if (!health->transfer_timer || !health->grace_timer || !health->round_timer ||
        init_transfers(health) < 0) {
        error_set(error, ERROR_SYSTEM, _("cannot prepare the health check (libcurl, timers)"));
        health_free(health);
        return NULL;
    }
    loop_timer_stop(health->transfer_timer);
    loop_timer_stop(health->grace_timer);
    return health;
}

void health_free(struct health *health)
{
    if (!health) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(health->probes); i++) {
        probe_cancel(health, &health->probes[i]);
        curl_easy_cleanup(health->probes[i].easy);
        buf_release(&health->probes[i].body);
    }
    if (health->multi) {
        curl_multi_cleanup(health->multi); // names the sockets that it gives up
    }
    curl_slist_free_all(health->headers);
    for (size_t i = 0; i < ARRAY_LEN(health->sockets); i++) {
        loop_source_free(health->sockets[i]);
    }
    loop_source_free(health->transfer_timer);
    loop_source_free(health->round_timer);
    loop_source_free(health->grace_timer);
    free(health);
}
