#include "emulator/engine/traffic.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/control/request_wire.h"
#include "emulator/engine/internal.h"
#include "emulator/logs/access_log.h"
#include "emulator/requests/mask.h"
#include "emulator/requests/record.h"
#include "emulator/requests/replay.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/utf8.h"

#define FLUSH_MS    100
#define PAGE_MAX    200 // a page stays far below PROTOCOL_LINE_MAX
#define REPLAYS_MAX 8

struct running_replay {
    struct running_replay *next;
    struct traffic *traffic;
    struct replay *replay;
    uint64_t of;
    struct server_client *client;
    int64_t command_id;
};

struct traffic {
    struct engine *engine;
    struct request_log *log;
    struct access_log *access;
    struct loop_source *flush_timer;
    struct running_replay *replays;
    size_t replay_count;
};

static void flush(void *context)
{
    struct traffic *traffic = context;
    access_log_flush(traffic->access);
}

struct traffic *traffic_new(struct engine *engine)
{
    struct traffic *traffic = mem_alloc(sizeof *traffic);
    auto_free char *state = control_state_dir();
    auto_free char *dir = str_printf("%s/%s/access", state, engine->project.id);
    traffic->engine = engine;
    traffic->log = request_log_new(REQUEST_LOG_BYTES);
    traffic->access = access_log_new(&(struct access_log_options){.dir = dir});
    traffic->flush_timer = loop_add_timer(engine->loop, FLUSH_MS, flush, traffic);
    loop_timer_stop(traffic->flush_timer);
    return traffic;
}

static void forget_replay(struct running_replay *running)
{
    struct traffic *traffic = running->traffic;
    struct running_replay **slot = &traffic->replays;
    while (*slot != running) {
        slot = &(*slot)->next;
    }
    *slot = running->next;
    traffic->replay_count--;
    replay_free(running->replay);
    free(running);
}

void traffic_free(struct traffic *traffic)
{
    if (!traffic) {
        return;
    }
    while (traffic->replays) {
        forget_replay(traffic->replays);
    }
    loop_source_free(traffic->flush_timer);
    access_log_free(traffic->access);
    request_log_free(traffic->log);
    free(traffic);
}

uint64_t traffic_last_id(const struct traffic *traffic)
{
    uint64_t first, last;
    request_log_range(traffic->log, &first, &last);
    return last;
}

// ---- what the gateway tells ----

static struct running_replay *find_replay(const struct traffic *traffic,
                                          const struct gateway_request *request)
{
    for (struct running_replay *at = traffic->replays; at; at = at->next) {
        if (replay_is(at->replay, request->client, request->client_port)) {
            return at;
        }
    }
    return NULL;
}

static struct request_bytes kept(const struct gateway_bytes *part)
{
    return (struct request_bytes){part->bytes, part->len, part->total};
}

static struct request_record record_of(const struct gateway_request *request)
{
    return (struct request_record){
        .start_wall_ms = request->start_wall_ms,
        .first_byte_us = request->first_byte_us,
        .total_us = request->total_us,
        .request_size = request->request_bytes,
        .response_size = request->response_bytes,
        .status = request->status,
        .retries = request->retries,
        .method = request->method,
        .target = request->target,
        .instance = request->upstream,
        .rule = request->rule,
        .reason = request->reason,
        .client = request->client,
        .request_head = kept(&request->request_head),
        .request_body = kept(&request->request_body),
        .response_head = kept(&request->response_head),
        .response_body = kept(&request->response_body),
    };
}

static void write_access(struct traffic *traffic, const struct request_record *record)
{
    struct request_bytes agent = {0};
    struct request_bytes referer = {0};
    request_head_field(&record->request_head, "user-agent", &agent);
    bool refers = request_head_field(&record->request_head, "referer", &referer);
    bool query = strchr(record->target, '?') != NULL;
    auto_free char *url = query ? mask_target(record->target) : NULL;
    auto_free char *from = refers ? str_dup_len(referer.bytes, referer.len) : NULL;
    auto_free char *masked_from = from ? mask_target(from) : NULL;
    const struct access_entry entry = {
        .wall_ms = record->start_wall_ms,
        .total_us = record->total_us,
        .first_byte_us = record->first_byte_us,
        .request_bytes = record->request_size,
        .response_bytes = record->response_size,
        .replay = record->replay_of != 0,
        .status = record->status,
        .retries = record->retries,
        .instance = record->instance,
        .method = record->method,
        .url = url ? url : record->target,
        .host = record->host,
        .rule = record->rule,
        .client = record->client,
        .user_agent = {agent.bytes, agent.len},
        .referer = {masked_from, masked_from ? strlen(masked_from) : 0},
    };
    if (access_log_add(traffic->access, &entry)) {
        loop_timer_restart(traffic->flush_timer, FLUSH_MS);
    }
}

void traffic_on_request(struct traffic *traffic, const struct gateway_request *request)
{
    struct engine *engine = traffic->engine;
    struct running_replay *replay = traffic->replays ? find_replay(traffic, request) : NULL;
    struct request_record record = record_of(request);
    record.replay_of = replay ? replay->of : 0;
    const struct request_record *added = request_log_add(traffic->log, &record);
    if (added) {
        write_access(traffic, added);
    }
    if (replay) {
        struct cJSON *members = json_new_object();
        json_put_int(members, "request", (int64_t)traffic_last_id(traffic));
        server_reply_ok(engine->server, replay->client, replay->command_id, members);
        forget_replay(replay);
    }
}

// ---- commands ----

static void put(char *field, size_t size, const char *text)
{
    auto_free char *valid = utf8_valid(text, strlen(text));
    auto_free char *cut = utf8_cut(valid, size - 1);
    memcpy(field, cut, strlen(cut) + 1);
}
#define PUT(field, text) put(field, sizeof(field), text)

static void summarise(const struct request_record *record, bool reveal,
                      struct request_summary *ret_summary)
{
    auto_free char *target = reveal ? str_dup(record->target) : mask_target(record->target);
    *ret_summary = (struct request_summary){
        .id = (int64_t)record->id,
        .replay_of = (int64_t)record->replay_of,
        .wall_ms = record->start_wall_ms,
        .first_byte_us = record->first_byte_us,
        .total_us = record->total_us,
        .request_size = (int64_t)record->request_size,
        .response_size = (int64_t)record->response_size,
        .status = record->status,
        .retries = record->retries,
    };
    PUT(ret_summary->method, record->method);
    PUT(ret_summary->target, target);
    PUT(ret_summary->host, record->host);
    PUT(ret_summary->instance, record->instance);
    PUT(ret_summary->rule, record->rule);
    PUT(ret_summary->reason, record->reason);
    PUT(ret_summary->client, record->client);
}

struct cJSON *traffic_list(struct traffic *traffic, const struct cJSON *arguments)
{
    uint64_t first, last;
    int64_t since = json_get_int(arguments, "since", 0);
    int64_t limit = json_get_int(arguments, "limit", PAGE_MAX);
    limit = limit < 1 || limit > PAGE_MAX ? PAGE_MAX : limit;
    request_log_range(traffic->log, &first, &last);
    uint64_t from = since >= 0 && (uint64_t)since >= first ? (uint64_t)since + 1 : first;
    if (last >= (uint64_t)limit && from < last + 1 - (uint64_t)limit) {
        from = last + 1 - (uint64_t)limit; // the newest ones: who wants more pages asks "before"
    }
    struct cJSON *list = json_new_array();
    for (uint64_t id = from; id <= last; id++) {
        struct request_summary summary;
        summarise(request_log_get(traffic->log, id), false, &summary);
        json_push(list, request_summary_encode(&summary));
    }
    struct cJSON *members = json_new_object();
    json_put_int(members, "first", (int64_t)first);
    json_put_int(members, "last", (int64_t)last);
    json_put_tree(members, "requests", list);
    return members;
}

static const struct request_record *find_record(const struct traffic *traffic,
                                                const struct cJSON *arguments, struct error *error)
{
    int64_t id = json_get_int(arguments, "request", 0);
    uint64_t first, last;
    request_log_range(traffic->log, &first, &last);
    const struct request_record *record =
        id > 0 ? request_log_get(traffic->log, (uint64_t)id) : NULL;
    if (!record && id > 0 && (uint64_t)id < first) {
        error_set(error, ERROR_USAGE, _("request %lld is kept no more: the oldest is %llu"),
                  (long long)id, (unsigned long long)first);
    } else if (!record) {
        error_set(error, ERROR_USAGE, _("there is no request %lld"), (long long)id);
    }
    return record;
}

static void put_part(struct cJSON *object, const char *name, const struct request_bytes *part)
{
    json_put_tree(object, name, request_part_encode(part->bytes, part->len, part->total));
}

static void put_head(struct cJSON *object, const char *name, const struct request_bytes *head,
                     bool reveal)
{
    if (reveal) {
        put_part(object, name, head);
        return;
    }
    size_t len;
    auto_free char *masked = mask_head(head->bytes, head->len, &len);
    uint64_t missing = head->total - head->len;
    json_put_tree(object, name, request_part_encode(masked, len, len + missing));
}

struct cJSON *traffic_show(struct traffic *traffic, const struct cJSON *arguments,
                           struct error *error)
{
    const struct request_record *record = find_record(traffic, arguments, error);
    bool reveal = json_get_bool(arguments, "reveal", false);
    if (!record) {
        return NULL;
    }
    struct request_summary summary;
    summarise(record, reveal, &summary);
    struct cJSON *object = request_summary_encode(&summary);
    put_head(object, "request_head", &record->request_head, reveal);
    put_part(object, "request_body", &record->request_body);
    put_head(object, "response_head", &record->response_head, reveal);
    put_part(object, "response_body", &record->response_body);
    struct cJSON *members = json_new_object();
    json_put_tree(members, "request", object);
    return members;
}

static void on_replay_end(void *context, struct replay *replay, const struct error *error)
{
    struct running_replay *running = context;
    (void)replay;
    server_reply_error(running->traffic->engine->server, running->client, running->command_id,
                       error);
    forget_replay(running);
}

int traffic_replay(struct traffic *traffic, const struct server_command *command,
                   struct error *error)
{
    struct engine *engine = traffic->engine;
    struct in_addr address;
    const struct request_record *record = find_record(traffic, command->arguments, error);
    if (!record) {
        return -1;
    }
    if (traffic->replay_count == REPLAYS_MAX ||
        inet_pton(AF_INET, engine->options.host, &address) != 1) {
        return error_set(error, ERROR_USAGE, _("%d requests are being sent again: one at a time"),
                         REPLAYS_MAX);
    }
    struct running_replay *running = mem_alloc(sizeof *running);
    running->replay =
        replay_start(engine->loop, ntohl(address.s_addr), gateway_port(engine->gateway), record,
                     on_replay_end, running, error);
    if (!running->replay) {
        free(running);
        return -1;
    }
    running->traffic = traffic;
    running->of = record->id;
    running->client = command->client;
    running->command_id = command->id;
    running->next = traffic->replays;
    traffic->replays = running;
    traffic->replay_count++;
    return 0;
}
