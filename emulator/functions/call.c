#include "emulator/functions/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/functions/json_text.h"
#include "emulator/functions/sign.h"
#include "emulator/limits/texts.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"
#include "sandbox/base/utf8.h"

// ---- the request ----

static int check_object(const char *text, const char *name, struct error *error)
{
    if (strlen(text) > CALL_DATA_BYTES) {
        return error_set(error, ERROR_USAGE, _("%s: more than %d KB"), name,
                         CALL_DATA_BYTES / 1024);
    }
    struct cJSON *tree = json_parse(text, strlen(text), name, error);
    if (!tree) {
        return error_set_hint(error,
                              _("write names and texts in double quotes: '{\"name\": \"Li\"}'"));
    }
    bool is_object = json_is_object(tree);
    json_free(tree);
    if (!json_text_is_strict(text, strlen(text))) {
        return error_set(error, ERROR_USAGE,
                         _("%s: not valid JSON: a control character or a bad escape"), name);
    }
    if (!is_object) {
        error_set(error, ERROR_USAGE, _("%s: not a JSON object"), name);
        error_set_hint(error, _("give names to what is sent: '{\"name\": \"Li\"}'"));
        return error_set_rule(error, "P-191", NULL);
    }
    return 0;
}

static int check_wish(const struct call_wish *wish, const char *data, struct error *error)
{
    enum function_kind kind = wish->function->kind;
    if (wish->rpc && kind != FUNCTION_PLAIN) {
        return error_set(error, ERROR_USAGE, _("--rpc: hooks have no typed form"));
    }
    if (wish->user && function_body(kind) != FUNCTION_BODY_OBJECT) {
        error_set(error, ERROR_USAGE, _("--user: only hooks of classes and users get one"));
        return error_set_hint(error, _("a function gets its user by --session TOKEN"));
    }
    if (wish->session && strpbrk(wish->session, "\r\n")) {
        return error_set(error, ERROR_USAGE, _("--session: one line"));
    }
    if (check_object(data, "--data", error) < 0) {
        return -1;
    }
    return wish->user ? check_object(wish->user, "--user", error) : 0;
}

// Everything but letters, digits and "-_.~" of a path's piece; a slash stays.
static char *encode_path(const char *path)
{
    struct buf out = {0};
    for (const char *at = path; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || strchr("-_.~/", *at);
        buf_addf(&out, plain ? "%c" : "%%%02X", (unsigned char)*at);
    }
    return buf_steal(&out);
}

// P-202: an object whose hook is being called says so, signed, so that saving it from within the
// hook does not call the hook again.
static char *mark_object(const struct call_wish *wish, const char *data,
                         const struct call_keys *keys, int64_t wall_ms)
{
    const char *mark = function_mark(wish->function->kind);
    const char *there;
    size_t len;
    if (!mark || json_text_member(data, strlen(data), mark, &there, &len)) {
        return str_dup(data);
    }
    const char *path = wish->function->path;
    auto_free char *name = str_printf("%s_for_%.*s", mark, (int)strcspn(path, "/"), path);
    auto_free char *sign = sign_hook(keys->master_key, name, wall_ms);
    auto_free char *value = str_printf("\"%s\"", sign);
    return json_text_with(data, mark, value);
}

static char *make_body(const struct call_wish *wish, const char *data, const struct call_keys *keys,
                       int64_t wall_ms)
{
    switch (function_body(wish->function->kind)) {
    case FUNCTION_BODY_OBJECT: {
        auto_free char *object = mark_object(wish, data, keys, wall_ms);
        auto_free char *body = str_printf("{\"object\":%s}", object);
        return wish->user ? json_text_with(body, "user", wish->user) : str_dup(body);
    }
    case FUNCTION_BODY_AUTH:
        return str_printf("{\"authData\":%s}", data);
    default:
        break;
    }
    const char *there;
    size_t len;
    if (wish->function->kind != FUNCTION_REALTIME ||
        json_text_member(data, strlen(data), "__sign", &there, &len)) {
        return str_dup(data);
    }
    auto_free char *sign = sign_hook(keys->master_key, wish->function->name, wall_ms);
    auto_free char *value = str_printf("\"%s\"", sign);
    return json_text_with(data, "__sign", value);
}

static void add_headers(const struct call_wish *wish, const struct call_keys *keys, int64_t wall_ms,
                        struct strlist *headers)
{
    strlist_add(headers, "User-Agent: leanlocal/" LEANLOCAL_VERSION " (call)");
    strlist_add(headers, "Content-Type: application/json; charset=utf-8");
    strlist_addf(headers, "X-LC-Id: %s", keys->app_id);
    if (wish->sign) {
        auto_free char *sign = sign_request(wish->master ? keys->master_key : keys->app_key,
                                            wall_ms, wish->master ? "master" : NULL);
        strlist_addf(headers, "X-LC-Sign: %s", sign);
    } else if (wish->master) {
        strlist_addf(headers, "X-LC-Key: %s,master", keys->master_key);
    } else {
        strlist_addf(headers, "X-LC-Key: %s", keys->app_key);
    }
    if (wish->session) {
        strlist_addf(headers, "X-LC-Session: %s", wish->session);
    }
    if (function_is_hook(wish->function->kind)) {
        strlist_addf(headers, "X-LC-Hook-Key: %s", keys->hook_key); // P-195
    }
}

int call_compose(const struct call_wish *wish, const struct call_keys *keys, int64_t wall_ms,
                 struct call_request *ret_request, struct error *error)
{
    const char *data = wish->data ? wish->data : "{}";
    if (check_wish(wish, data, error) < 0) {
        return -1;
    }
    auto_free char *path = encode_path(wish->function->path);
    *ret_request = (struct call_request){
        .target = str_printf("/1.1/%s/%s", wish->rpc ? "call" : "functions", path),
        .body = make_body(wish, data, keys, wall_ms),
    };
    add_headers(wish, keys, wall_ms, &ret_request->headers);
    return 0;
}

void call_request_release(struct call_request *request)
{
    free(request->target);
    free(request->body);
    strlist_clear(&request->headers);
    *request = (struct call_request){0};
}

// ---- the answer ----

static char *list_names(const struct metadata *list, bool hooks)
{
    struct buf names = {.max = 400};
    for (size_t i = 0; i < list->count; i++) {
        if (function_is_hook(list->functions[i].kind) == hooks) {
            buf_addf(&names, "%s%s", names.len ? ", " : "", list->functions[i].name);
        }
    }
    return buf_steal(&names);
}

void call_hint_at_names(const struct function *function, const struct metadata *list,
                        struct error *error)
{
    bool is_hook = function_is_hook(function->kind);
    const char *near = metadata_nearest(list, function->name);
    auto_free char *names = list_names(list, is_hook);
    if (near) {
        error_set_hint(error, _("did you mean %s?"), near);
    } else if (*names) {
        error_set_hint(error, is_hook ? _("it has the hooks %s") : _("it has the functions %s"),
                       names);
    } else {
        error_set_hint(error, _("it has none; define one with @engine.define"));
    }
}

static void explain_code(const struct function *function, int64_t code, const char *text,
                         const struct metadata *list, struct error *error)
{
    error_set_rule(error, "P-193", NULL);
    if (code == 404 && strstr(text, "not found")) {
        call_hint_at_names(function, list, error);
    } else if (code == 401 && strcmp(text, "Unauthorized.") == 0) {
        error_set_rule(error, function_is_hook(function->kind) ? "P-195" : "P-194", NULL);
        error_set_hint(error, _("the app has read other keys than leanlocal gave it; does it set "
                                "LEANCLOUD_APP_* itself?"));
    } else if (code == 141) {
        error_set_hint(error, _("it raised an exception: the traceback is in the log"));
    } else if (str_equal(function_mark(function->kind), "__before")) {
        error_set_hint(error, _("the hook has refused the object; that is what a client sees"));
    } else {
        error_set_hint(error, _("the function's own error; that is what a client sees"));
    }
}

// {"code": n, "error": "..."} (P-193). false: it is something else.
static bool read_failure(const struct function *function, const struct cJSON *tree,
                         const struct call_answer *answer, const struct metadata *list,
                         struct error *error)
{
    const char *text = json_is_object(tree) ? json_get_string(tree, "error") : NULL;
    if (!text) {
        return false;
    }
    int64_t code = json_get_int(tree, "code", 1);
    error_set(error, ERROR_APP, _("%s: %s (code %lld, status %d)"), function->name, text,
              (long long)code, answer->status);
    explain_code(function, code, text, list, error);
    return true;
}

static void explain_other(const struct function *function, const struct call_answer *answer,
                          struct error *error)
{
    auto_free char *body = utf8_valid(answer->body, answer->body_len);
    body[strcspn(body, "\r\n")] = '\0';
    auto_free char *begin = utf8_cut(body, 160);
    if (answer->location) {
        error_set(error, ERROR_APP, _("%s: status %d, to %s, and not an answer"), function->name,
                  answer->status, answer->location);
        error_set_hint(error, _("a redirect to https must be wrapped inside the Engine, so that it "
                                "leaves functions alone"));
        error_set_rule(error, "P-115", NULL);
        return;
    }
    error_set(error, ERROR_APP, _("%s: status %d without JSON: %s"), function->name, answer->status,
              begin);
    error_set_rule(error, "P-192", NULL);
    error_set_hint(error, answer->status >= 500
                              ? _("the log says more; with --session the SDK asks the API server "
                                  "for the user")
                              : _("is the SDK's Engine the application that the server runs?"));
}

static void explain_none(const struct function *function, const struct call_answer *answer,
                         struct error *error)
{
    if (answer->is_timeout) {
        error_set(error, ERROR_APP, _("%s did not answer within %.1f s"), function->name,
                  (double)answer->limit_ms / 1000);
        error_set_rule(error, "P-199", TEXT_FUNCTION_LATE);
        error_set_hint(error, _("answer at once and do the work in a background thread or a queue; "
                                "it goes on here, as it would in the cloud"));
    } else if (answer->is_cut) {
        error_set(error, ERROR_APP, _("%s answered with more than %d KB"), function->name,
                  CALL_ANSWER_BYTES / 1024);
        error_set_hint(error, _("ask over HTTP for so much"));
    } else {
        error_set(error, ERROR_APP, _("%s: no answer: %s"), function->name, answer->failure);
    }
}

static char *read_result(const struct function *function, const char *body,
                         const struct cJSON *tree)
{
    const char *result = body;
    size_t len = strlen(body);
    // before* answers with the object itself (P-192), which may have a member of that name.
    bool is_whole = str_equal(function_mark(function->kind), "__before");
    if (!json_text_is_strict(body, len)) {
        const struct cJSON *member =
            is_whole || !json_is_object(tree) ? NULL : json_get(tree, "result");
        return json_print(member ? member : tree);
    }
    if (!is_whole) {
        json_text_member(body, len, "result", &result, &len);
    }
    return json_text_readable(result, len);
}

char *call_read(const struct function *function, const struct call_answer *answer,
                const struct metadata *list, struct error *error)
{
    if (answer->is_timeout || answer->is_cut || answer->status == 0 || *answer->failure) {
        explain_none(function, answer, error);
        return NULL;
    }
    auto_free char *body = utf8_valid(answer->body, answer->body_len);
    struct cJSON *tree = json_parse(body, strlen(body), "answer", NULL);
    bool is_good = answer->status >= 200 && answer->status < 300 && tree;
    char *result = is_good ? read_result(function, body, tree) : NULL;
    if (!is_good && !read_failure(function, tree, answer, list, error)) {
        explain_other(function, answer, error);
    }
    json_free(tree);
    return result;
}
