// The asking half of health: two requests a round (web/web.h: as a stranger on the network would
// ask, with no proxy, no kept connection, no redirect followed, P-110).
#include "emulator/health/health.h"

#include <stdio.h>
#include <string.h>

#include "emulator/web/web.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

// How long the other probe may still take after one that is enough.
#define GRACE_MS 50
// How long a body may take whose head has come: a page without end has answered.
#define BODY_MS  500

static const char HOME_PATH[] = "/";
static const char PING_PATH[] = "/__engine/1/ping";

struct probe {
    struct health *health;
    struct health_probe_result *result;
    const char *path;
    struct web_call *call; // NULL: not under way
    int64_t started_us;
};

struct health {
    struct loop *loop;
    struct health_options options;
    struct web *web;
    char *host_header;               // "Host: ..."; NULL: the address and port
    struct loop_source *round_timer; // the next round
    struct loop_source *grace_timer;
    struct loop_source *body_timer; // looks for bodies that take long
    struct health_round round;
    struct probe probes[2];
    int64_t round_started_ms, next_ms;
    bool is_round_under_way;
    bool is_grace; // what drips must not prolong it
    bool is_next_at_once;
};

// --- one probe --------------------------------------------------------------------------------

static void on_probes_moved(struct health *health);

static void on_answer(void *context, const struct web_answer *answer)
{
    struct probe *probe = context;
    struct health_probe_result *result = probe->result;
    probe->call = NULL;
    result->duration_us = answer->duration_us;
    result->bent = answer->bent;
    result->unreadable = answer->unreadable;
    const char *location = web_answer_header(answer, "Location");
    snprintf(result->location, sizeof result->location, "%s", location ? location : "");
    // A body that has no end (a stream on the home page) is an answer; one that broke off is none.
    if (answer->is_complete || (answer->is_timeout && answer->status >= 200)) {
        result->status = answer->status;
        health_read_body(result, answer->body, answer->body_len);
    } else {
        snprintf(result->failure, sizeof result->failure, "%s", answer->failure);
        result->errnum = answer->errnum;
        result->is_timeout = answer->is_timeout;
    }
    on_probes_moved(probe->health);
}

static void probe_start(struct health *health, struct probe *probe)
{
    static const char user_agent[] = "User-Agent: leanlocal/" LEANLOCAL_VERSION " (health check)";
    const char *headers[] = {user_agent, health->host_header, NULL};
    const struct web_request request = {
        .address = health->options.address,
        .port = health->options.port,
        .target = probe->path,
        .headers = headers,
        .timeout_ms = health->options.probe_timeout_ms,
        // One byte over the bound is kept, as a sign that there was more.
        .answer_max = HEALTH_BODY_BYTES + 1,
        .stops_there = true, // a home page without end
        .context = probe,
        .on_answer = on_answer,
    };
    *probe->result = (struct health_probe_result){0};
    snprintf(probe->result->path, sizeof probe->result->path, "%s", probe->path);
    probe->started_us = clock_now_us();
    probe->call = web_ask(health->web, &request, NULL);
}

static void probe_cancel(struct probe *probe)
{
    if (probe->call) {
        web_cancel(steal(probe->call));
        probe->result->duration_us = clock_now_us() - probe->started_us;
        snprintf(probe->result->failure, sizeof probe->result->failure, "not waited for");
    }
}

// --- rounds -----------------------------------------------------------------------------------

static void schedule_next_round(struct health *health)
{
    health->next_ms = health->round_started_ms + health->options.interval_ms;
    int64_t after_ms = health->next_ms - loop_now_ms(health->loop);
    loop_timer_restart(health->round_timer, health->is_next_at_once || after_ms < 0 ? 0 : after_ms);
}

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
    loop_timer_restart(health->body_timer, BODY_MS);
    if (!health->probes[0].call && !health->probes[1].call) { // no resources: the next time
        health->is_round_under_way = false;
        schedule_next_round(health);
    }
}

// on_round comes last: it may free us.
static void finish_round(struct health *health)
{
    struct health_round *round = &health->round;
    loop_timer_stop(health->grace_timer);
    loop_timer_stop(health->body_timer);
    for (size_t i = 0; i < ARRAY_LEN(health->probes); i++) {
        probe_cancel(&health->probes[i]);
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

// One at a time: its answer may end the round and free us.
static void on_body_late(void *context)
{
    struct health *health = context;
    loop_timer_restart(health->body_timer, BODY_MS);
    for (size_t i = 0; i < ARRAY_LEN(health->probes); i++) {
        if (health->probes[i].call && web_finish(health->probes[i].call)) {
            return;
        }
    }
}

static void on_probes_moved(struct health *health)
{
    bool is_home_done = !health->probes[0].call;
    bool is_ping_done = !health->probes[1].call;
    if (is_home_done && is_ping_done) {
        finish_round(health);
    } else if (!health->is_grace && health_judge(&health->round.home, &health->round.ping,
                                                 health->options.strict) == HEALTH_HEALTHY) {
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

static void init_probe(struct health *health, struct probe *probe, const char *path,
                       struct health_probe_result *result)
{
    probe->health = health;
    probe->path = path;
    probe->result = result;
}

struct health *health_start(struct loop *loop, const struct health_options *options,
                            struct error *error)
{
    struct health *health = mem_alloc(sizeof *health);
    health->loop = loop;
    health->options = *options;
    health->host_header =
        options->host_header ? str_printf("Host: %s", options->host_header) : NULL;
    health->options.host_header = NULL; // the caller's; not ours to keep
    init_probe(health, &health->probes[0], HOME_PATH, &health->round.home);
    init_probe(health, &health->probes[1], PING_PATH, &health->round.ping);
    health->grace_timer = loop_add_timer(loop, 0, on_grace_over, health);
    health->body_timer = loop_add_timer(loop, 0, on_body_late, health);
    health->round_timer = loop_add_timer(loop, options->first_after_ms, start_round, health);
    health->web = web_new(loop, error);
    if (!health->web || !health->grace_timer || !health->body_timer || !health->round_timer) {
        error_set(error, ERROR_SYSTEM, _("cannot prepare the health check (libcurl, timers)"));
        health_free(health);
        return NULL;
    }
    loop_timer_stop(health->grace_timer);
    loop_timer_stop(health->body_timer);
    return health;
}

int64_t health_next_ms(const struct health *health)
{
    return health->next_ms;
}

void health_free(struct health *health)
{
    if (!health) {
        return;
    }
    web_free(health->web);
    free(health->host_header);
    loop_source_free(health->round_timer);
    loop_source_free(health->grace_timer);
    loop_source_free(health->body_timer);
    free(health);
}
