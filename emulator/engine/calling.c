// A call from outside the app, as the platform's API server would make it: through the balancer, so
// that it is held, counted, recorded and drained like any other request (docs/decisions/0039), with
// the platform's limits of time.

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/engine/dozing.h"
#include "emulator/engine/functions.h"
#include "emulator/engine/rollout.h"
#include "emulator/engine/timers.h"
#include "emulator/functions/call.h"
#include "emulator/limits/limits.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

struct calling {
    struct engine *engine;
    struct calling *next, **link;
    struct function function;
    struct timer *timer; // NULL: it is none's
    struct server_client *client;
    int64_t id;
    int64_t limit_ms; // 0: none
};

// P-199, or shorter by LEANLOCAL_CALL_LIMITS. --debug: it may stand at a breakpoint.
static int64_t limit_ms(const struct engine *engine, enum function_kind kind)
{
    int64_t function_ms = LIMIT_FUNCTION_MS;
    int64_t before_ms = LIMIT_BEFORE_HOOK_MS;
    int64_t other_ms = LIMIT_OTHER_HOOK_MS;
    const struct limit_word words[] = {
        {"function-ms=", &function_ms, 1},
        {"before-ms=", &before_ms, 1},
        {"other-ms=", &other_ms, 1},
    };
    limits_read_words(getenv("LEANLOCAL_CALL_LIMITS"), words, ARRAY_LEN(words));
    if (engine->options.debug) {
        return 0;
    }
    const int64_t by_class[] = {[FUNCTION_LIMIT_CALL] = function_ms,
                                [FUNCTION_LIMIT_BEFORE] = before_ms,
                                [FUNCTION_LIMIT_OTHER] = other_ms};
    return by_class[function_limit(kind)];
}

static void free_calling(struct calling *calling)
{
    *calling->link = calling->next;
    if (calling->next) {
        calling->next->link = calling->link;
    }
    function_release(&calling->function);
    free(calling);
}

void calling_release(struct functions *functions)
{
    while (functions->callings) {
        free_calling(functions->callings); // its request goes with the web
    }
}

// ---- the answer ----

static void tell_late(struct calling *calling, const struct error *error)
{
    announce_notice(calling->engine, "warning", error->rule, error->cloud, error->hint, "%s",
                    error->message);
}

static void on_answer(void *context, const struct web_answer *web_answer)
{
    struct calling *calling = context;
    struct engine *engine = calling->engine;
    struct error error = {0};
    int status = web_answer->status;
    const struct call_answer answer = {
        .status = status,
        .failure = web_answer->failure,
        .is_timeout = web_answer->is_timeout,
        .is_cut = web_answer->is_cut,
        .body = web_answer->body,
        .body_len = web_answer->body_len,
        .location =
            status >= 300 && status < 400 ? web_answer_header(web_answer, "Location") : NULL,
        .limit_ms = calling->limit_ms,
    };
    auto_free char *result =
        call_read(&calling->function, &answer, &engine->functions->list, &error);
    if (result) {
        struct cJSON *members = json_new_object();
        json_put_string(members, "result", result);
        json_put_int(members, "ms", web_answer->duration_us / 1000);
        server_reply_ok(engine->server, calling->client, calling->id, members);
    } else {
        if (answer.is_timeout && !calling->timer) {
            tell_late(calling, &error);
        }
        server_reply_error(engine->server, calling->client, calling->id, &error);
    }
    if (calling->timer) {
        timer_ended(engine, calling->timer, result ? NULL : &error);
    }
    free_calling(calling);
}

// ---- the request ----

static int choose_function(const struct engine *engine, const struct cJSON *arguments,
                           struct function *ret_function, struct timer **ret_timer,
                           struct error *error)
{
    const char *name = json_get_string(arguments, "name");
    if (json_get_bool(arguments, "timer", false)) {
        *ret_timer = timer_find(engine, name, error);
        if (*ret_timer) {
            function_plain((*ret_timer)->function, ret_function);
        }
        return *ret_timer ? 0 : -1;
    }
    bool is_hook = json_get_bool(arguments, "hook", false);
    if (str_empty(name)) {
        return error_set(error, ERROR_USAGE, _("name a function"));
    }
    if (!is_hook) {
        function_plain(name, ret_function);
        return 0;
    }
    if (!function_hook_from_name(name, ret_function)) {
        error_set(error, ERROR_USAGE, _("%s is no hook"), name);
        return error_set_hint(error, _("hooks are called %s"), function_hook_forms());
    }
    const struct metadata *list = &engine->functions->list;
    if (list->state == METADATA_LISTED && !metadata_find(list, name)) {
        error_set(error, ERROR_APP, _("the app has no hook %s; the cloud would not call it"), name);
        error_set_rule(error, "P-196", NULL);
        call_hint_at_names(ret_function, list, error);
        function_release(ret_function);
        return -1;
    }
    return 0;
}

static int check_serving(const struct engine *engine, struct error *error)
{
    bool sleeps = dozing_state(engine) != DOZE_AWAKE; // the call wakes it (P-162)
    if ((!rollout_serving(engine) && !sleeps) || !engine->gateway) {
        error_set(error, ERROR_HOST, _("nothing serves yet"));
        return error_set_hint(error, _("`leanlocal status` says how far it is"));
    }
    if (engine->project.yaml.functions_mode == FUNCTIONS_DISABLED) {
        error_set(error, ERROR_PROJECT,
                  _("functionsMode is disabled: the cloud calls no function of this group"));
        error_set_hint(error, _("take functionsMode out of leanengine.yaml"));
        return error_set_rule(error, "P-106", NULL);
    }
    return 0;
}

static int ask(struct engine *engine, struct calling *calling, struct call_request *call,
               struct error *error)
{
    const char *bound = front_name(&engine->options.front, NULL);
    if (bound) { // others get P-117's answer
        strlist_addf(&call->headers, "Host: %s", bound);
    }
    struct in_addr address;
    inet_pton(AF_INET, engine->options.host, &address);
    bool any = address.s_addr == htonl(INADDR_ANY);
    const struct web_request request = {
        .address = any ? INADDR_LOOPBACK : ntohl(address.s_addr),
        .port = gateway_port(engine->gateway),
        .method = "POST",
        .target = call->target,
        .headers = (const char *const *)call->headers.items,
        .body = call->body,
        .body_len = strlen(call->body),
        .timeout_ms = calling->limit_ms,
        .answer_max = CALL_ANSWER_BYTES,
        .context = calling,
        .on_answer = on_answer,
    };
    return web_ask(engine->functions->web, &request, error) ? 0 : -1;
}

static int compose(struct engine *engine, const struct cJSON *arguments,
                   const struct function *function, const struct timer *timer,
                   struct call_request *ret_request, struct error *error)
{
    const char *data = timer ? timer->data : json_get_string(arguments, "data");
    struct function_keys keys = {0};
    if (functions_keys(engine, &keys, error) < 0) {
        return -1;
    }
    const struct call_wish wish = {
        .function = function,
        .data = data,
        .user = json_get_string(arguments, "user"),
        .session = json_get_string(arguments, "session"),
        .rpc = json_get_bool(arguments, "rpc", false),
        .master = json_get_bool(arguments, "master", false),
        .sign = json_get_bool(arguments, "sign", false),
    };
    const struct call_keys call_keys = {keys.app_id, keys.app_key, keys.master_key, keys.hook_key};
    int result = call_compose(&wish, &call_keys, clock_wall_ms(), ret_request, error);
    function_keys_release(&keys);
    if (result == 0) { // no bound name, no redirect: it comes from inside the cloud
        strlist_addf(&ret_request->headers, "X-Leanlocal-Inside: %s", engine->options.front.inside);
    }
    return result;
}

int calling_begin(struct engine *engine, const struct server_command *command, struct error *error)
{
    struct function function = {0};
    struct timer *timer = NULL;
    struct call_request request = {0};
    struct functions *functions = functions_get(engine, error);
    if (!functions || check_serving(engine, error) < 0 ||
        choose_function(engine, command->arguments, &function, &timer, error) < 0) {
        return -1;
    }
    if (compose(engine, command->arguments, &function, timer, &request, error) < 0) {
        function_release(&function);
        return -1;
    }
    struct calling *calling = mem_alloc(sizeof *calling);
    *calling = (struct calling){
        .engine = engine,
        .next = functions->callings,
        .link = &functions->callings,
        .function = function,
        .timer = timer,
        .client = command->client,
        .id = command->id,
        .limit_ms = limit_ms(engine, function.kind),
    };
    if (calling->next) {
        calling->next->link = &calling->next;
    }
    functions->callings = calling;
    int result = ask(engine, calling, &request, error);
    if (result < 0) {
        free_calling(calling);
    }
    call_request_release(&request);
    return result;
}
