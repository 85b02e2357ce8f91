// libcurl names the sockets and the time it waits for (SOCKETFUNCTION, TIMERFUNCTION); each becomes
// a source of the loop that calls curl_multi_socket_action(). What has finished is read after that
// call, outside libcurl, so that a callback may free everything.
#include "emulator/web/web.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "emulator/formats/http1.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/clock.h"
#include "sandbox/base/i18n.h"

struct web_call {
    struct web *web;
    struct web_call *next, **link; // of the web's list
    struct web_request request;    // its strings are the caller's and not looked at again
    CURL *easy;
    struct curl_slist *sent;
    struct strlist headers;
    struct buf head; // as it came
    struct buf body;
    bool is_cut;
    bool has_head; // the whole of it
    bool is_done;
    CURLcode result; // when done
    char message[CURL_ERROR_SIZE];
    int64_t started_us, duration_us;
};

struct web {
    struct loop *loop;
    CURLM *multi;
    struct loop_source *timer; // libcurl's
    struct loop_source **sockets;
    size_t socket_count;
    struct web_call *calls;
    bool *ret_freed; // of the frame that is calling back; NULL: none
};

// --- libcurl on the loop ----------------------------------------------------------------------

static void deliver(struct web *web);

static void on_socket_ready(void *context, int fd, uint32_t events)
{
    struct web *web = context;
    int mask = 0;
    mask |= events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0;
    mask |= events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    mask |= events & EPOLLERR ? CURL_CSELECT_ERR : 0;
    int running;
    curl_multi_socket_action(web->multi, fd, mask, &running);
    deliver(web);
}

static void on_transfer_time(void *context)
{
    struct web *web = context;
    int running;
    curl_multi_socket_action(web->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    deliver(web);
}

static void forget_socket(struct web *web, struct loop_source *source)
{
    for (size_t i = 0; source && i < web->socket_count; i++) {
        if (web->sockets[i] == source) {
            web->sockets[i] = web->sockets[--web->socket_count];
            loop_source_free(source);
            return;
        }
    }
}

static void add_socket(struct web *web, curl_socket_t fd, uint32_t events)
{
    struct loop_source *source = loop_add_fd(web->loop, fd, events, on_socket_ready, web);
    web->sockets = mem_resize(web->sockets, (web->socket_count + 1) * sizeof(struct loop_source *));
    web->sockets[web->socket_count++] = source;
    curl_multi_assign(web->multi, fd, source);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *per_socket)
{
    (void)easy;
    struct web *web = context;
    struct loop_source *source = per_socket;
    if (what == CURL_POLL_REMOVE) {
        forget_socket(web, source);
        return 0;
    }
    uint32_t events = 0;
    events |= what & CURL_POLL_IN ? EPOLLIN : 0;
    events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
    if (source) {
        loop_set_fd_events(source, events);
    } else {
        add_socket(web, fd, events);
    }
    return 0;
}

static int on_curl_timer(CURLM *multi, long after_ms, void *context)
{
    (void)multi;
    struct web *web = context;
    if (after_ms < 0) {
        loop_timer_stop(web->timer);
    } else {
        loop_timer_restart(web->timer, after_ms);
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

// --- one call ---------------------------------------------------------------------------------

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct web_call *call = context;
    size_t len = size * count;
    size_t room = call->request.answer_max - call->body.len;
    call->is_cut = call->is_cut || len > room;
    buf_add(&call->body, bytes, len < room ? len : room);
    return call->is_cut && call->request.stops_there ? 0 : len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct web_call *call = context;
    size_t len = size * count;
    size_t text_len = len;
    while (text_len > 0 && (unsigned char)bytes[text_len - 1] <= ' ') {
        text_len--;
    }
    call->has_head = call->has_head || text_len == 0; // trailers come here, too
    if (text_len > 5 && strncmp(bytes, "HTTP/", 5) == 0) {
        strlist_clear(&call->headers); // what came with a 1xx is not the answer's
        call->has_head = false;
        buf_release(&call->head);
    } else if (text_len > 0 && call->headers.count < WEB_HEADERS_MAX) {
        strlist_take(&call->headers, str_dup_len(bytes, text_len));
    }
    if (call->head.len < HTTP1_HEAD_MAX) {
        buf_add(&call->head, bytes, len);
    }
    return len;
}

static bool names_header(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

static void set_headers(struct web_call *call, const struct web_request *request)
{
    bool has_type = false;
    for (size_t i = 0; request->headers && request->headers[i]; i++) {
        call->sent = curl_slist_append(call->sent, request->headers[i]);
        has_type = has_type || names_header(request->headers[i], "Content-Type");
    }
    call->sent = curl_slist_append(call->sent, "Expect:"); // not sent by libcurl's own choice
    if (!has_type) {
        call->sent = curl_slist_append(call->sent, "Content-Type:");
    }
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->sent);
}

static void set_method(CURL *easy, const struct web_request *request)
{
    if (request->body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
    }
    if (request->method && strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    if (request->method) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

static void set_options(struct web_call *call, const struct web_request *request)
{
    CURL *easy = call->easy;
    char url[64];
    snprintf(url, sizeof url, "http://%u.%u.%u.%u:%u/", request->address >> 24 & 255,
             request->address >> 16 & 255, request->address >> 8 & 255, request->address & 255,
             request->port);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, request->target);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

static void unlink_call(struct web_call *call)
{
    *call->link = call->next;
    if (call->next) {
        call->next->link = call->link;
    }
}

static void free_call(struct web_call *call)
{
    if (call->easy) {
        curl_multi_remove_handle(call->web->multi, call->easy); // not added any more: no harm
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->sent);
    strlist_clear(&call->headers);
    buf_release(&call->head);
    buf_release(&call->body);
    free(call);
}

struct web_call *web_ask(struct web *web, const struct web_request *request, struct error *error)
{
    struct web_call *call = mem_alloc(sizeof *call);
    call->web = web;
    call->request = *request;
    call->body.max = request->answer_max;
    call->started_us = clock_now_us();
    call->easy = curl_easy_init();
    if (call->easy) {
        set_options(call, request);
        set_headers(call, request);
        set_method(call->easy, request);
    }
    if (!call->easy || curl_multi_add_handle(web->multi, call->easy) != CURLM_OK) {
        error_set(error, ERROR_SYSTEM, _("cannot prepare a request (libcurl)"));
        free_call(call);
        return NULL;
    }
    call->next = web->calls;
    call->link = &web->calls;
    if (call->next) {
        call->next->link = &call->next;
    }
    web->calls = call;
    return call;
}

void web_cancel(struct web_call *call)
{
    if (call) {
        unlink_call(call);
        free_call(call);
    }
}

// --- answers ----------------------------------------------------------------------------------

// libcurl tells a number for connections only.
static int failed_by(const struct web_call *call)
{
    long errnum = 0;
    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &errnum);
    return call->result == CURLE_COULDNT_CONNECT ? (int)errnum
           : call->result == CURLE_RECV_ERROR    ? ECONNRESET
                                                 : 0;
}

// In English whatever the language: "connect ECONNREFUSED" of P-109 is made from it.
static void describe_failure(const struct web_call *call, char *out, size_t size)
{
    CURLcode code = call->result;
    long errnum = 0;
    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &errnum);
    const char *cause = call->message[0] ? call->message : curl_easy_strerror(code);
    if (code == CURLE_OK) {
        *out = '\0';
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(out, size, "no answer within %lld ms", (long long)call->duration_us / 1000);
    } else if (code == CURLE_COULDNT_CONNECT && errnum != 0 && strerrordesc_np((int)errnum)) {
        snprintf(out, size, "%s", strerrordesc_np((int)errnum));
    } else {
        snprintf(out, size, "%s", cause);
    }
}

// libcurl bears with much; whether the balancer would is the lexer's to say.
static void read_head(const struct web_call *call, struct web_answer *answer)
{
    struct http1_head head;
    http1_head_init(&head, HTTP1_APP, false);
    http1_head_feed(&head, call->head.data ? call->head.data : "", call->head.len);
    answer->bent = head.reported;
    answer->unreadable = (int)head.error;
}

static void answer(struct web_call *call)
{
    char failure[CURL_ERROR_SIZE];
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    describe_failure(call, failure, sizeof failure);
    struct web_answer answer = {
        .status = call->has_head ? (int)status : 0,
        .is_complete = call->result == CURLE_OK,
        .is_timeout = call->result == CURLE_OPERATION_TIMEDOUT,
        .errnum = failed_by(call),
        .is_cut = call->is_cut,
        .failure = failure,
        .body = call->body.data ? call->body.data : "",
        .body_len = call->body.len,
        .headers = &call->headers,
        .duration_us = call->duration_us,
    };
    read_head(call, &answer);
    unlink_call(call); // first: the callback may ask, cancel and free as it likes
    call->request.on_answer(call->request.context, &answer);
}

static void read_results(struct web *web)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(web->multi, &left))) {
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct web_call *call = (struct web_call *)(void *)private;
        call->result = message->data.result; // gone once the handle is removed
        if (call->result == CURLE_WRITE_ERROR && call->is_cut && call->request.stops_there) {
            call->result = CURLE_OK; // that was us
        }
        call->duration_us = clock_now_us() - call->started_us;
        call->is_done = true;
    }
}

// The eldest first.
static struct web_call *find_done(const struct web *web)
{
    struct web_call *found = NULL;
    for (struct web_call *call = web->calls; call; call = call->next) {
        found = call->is_done ? call : found;
    }
    return found;
}

static void deliver(struct web *web)
{
    bool freed = false;
    web->ret_freed = &freed;
    read_results(web);
    struct web_call *call;
    while (!freed && (call = find_done(web))) {
        curl_multi_remove_handle(web->multi, call->easy);
        answer(call);
        call->web = NULL;
        curl_easy_cleanup(steal(call->easy));
        free_call(call);
    }
    if (!freed) {
        web->ret_freed = NULL;
    }
}

bool web_finish(struct web_call *call)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || !call->has_head) {
        return false;
    }
    call->result = CURLE_OPERATION_TIMEDOUT;
    call->duration_us = clock_now_us() - call->started_us;
    call->is_done = true;
    deliver(call->web);
    return true;
}

const char *web_answer_header(const struct web_answer *answer, const char *name)
{
    for (size_t i = answer->headers->count; i > 0; i--) {
        const char *line = answer->headers->items[i - 1];
        if (names_header(line, name)) {
            const char *value = line + strlen(name) + 1;
            return value + strspn(value, " \t");
        }
    }
    return NULL;
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

struct web *web_new(struct loop *loop, struct error *error)
{
    struct web *web = mem_alloc(sizeof *web);
    web->loop = loop;
    web->timer = loop_add_timer(loop, 0, on_transfer_time, web);
    web->multi = start_libcurl() ? curl_multi_init() : NULL;
    if (!web->timer || !web->multi) {
        error_set(error, ERROR_SYSTEM, _("cannot prepare requests (libcurl, timer)"));
        web_free(web);
        return NULL;
    }
    loop_timer_stop(web->timer);
    curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web);
    curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web);
    return web;
}

void web_free(struct web *web)
{
    if (!web) {
        return;
    }
    if (web->ret_freed) {
        *web->ret_freed = true;
    }
    while (web->calls) {
        web_cancel(web->calls);
    }
    if (web->multi) {
        curl_multi_cleanup(web->multi); // names the sockets that it gives up
    }
    while (web->socket_count > 0) {
        loop_source_free(web->sockets[--web->socket_count]);
    }
    free(web->sockets);
    loop_source_free(web->timer);
    free(web);
}
