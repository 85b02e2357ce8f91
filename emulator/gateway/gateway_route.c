// What can be said about a request before any app is asked: whether its name is bound, and to which
// side (P-160, P-163); whether it is to come again by https (P-151); what never reaches an app
// (P-153); what edge nodes do not carry (P-158); and that its body is too large.
#include "emulator/gateway/internal.h"

#include <string.h>
#include <strings.h>

#include "emulator/limits/texts.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

#define ACME_PATH      "/.well-known/acme-challenge/"
#define STAGING_PREFIX "stg-" // P-160

// ---- names ----

// Without the port, and without the dot that a complete name may end with.
static size_t name_len(const char *host, size_t len)
{
    if (len && host[0] == '[') {
        const char *end = memchr(host, ']', len);
        return end ? (size_t)(end - host) + 1 : len;
    }
    const char *colon = memchr(host, ':', len);
    len = colon ? (size_t)(colon - host) : len;
    return len && host[len - 1] == '.' ? len - 1 : len;
}

static bool is_bound(const struct strlist *domains, const char *name, size_t len)
{
    for (size_t i = 0; i < domains->count; i++) {
        if (http1_equal(name, len, domains->items[i])) {
            return true;
        }
    }
    return false;
}

struct gateway_side *gateway_route(struct gateway *gateway, const char *host, size_t len)
{
    const struct strlist *domains = gateway->options.domains;
    size_t prefix = strlen(STAGING_PREFIX);
    if (!domains) {
        return &gateway->production;
    }
    len = name_len(host, len);
    bool staging = len > prefix && strncasecmp(host, STAGING_PREFIX, prefix) == 0;
    if (staging &&
        (is_bound(domains, host + prefix, len - prefix) || is_bound(domains, host, len))) {
        return &gateway->staging;
    }
    return is_bound(domains, host, len) ? &gateway->production : NULL;
}

// ---- answers ----

struct name {
    const char *at;
    size_t len;
};

static struct name host_of(const struct gateway_exchange *exchange, const char *bytes)
{
    const struct http1_head *head = &exchange->head;
    const struct http1_field *host = http1_head_find(head, HTTP1_HOST);
    if (host) {
        return (struct name){bytes + host->value.at, host->value.len};
    }
    return (struct name){bytes + head->authority.at, head->authority.len};
}

static void redirect(struct gateway_exchange *exchange, struct name host)
{
    struct buf location = {0};
    size_t len = name_len(host.at, host.len);
    buf_addf(&location, "https://%.*s%s", len ? (int)len : 9, len ? host.at : "localhost",
             exchange->target);
    gateway_reply(exchange, &(struct gateway_reply){.status = 301,
                                                    .rule = "P-151",
                                                    .text = _("--https-redirect: use https"),
                                                    .location = location.data,
                                                    .keep = true});
    buf_release(&location);
}

static bool answer_as_edge(struct gateway_exchange *exchange)
{
    if (strcmp(exchange->method, "PATCH") == 0) {
        gateway_answer(exchange, 405, "P-158", _("edge nodes do not let PATCH through"), true);
        return true;
    }
    size_t len = strlen(exchange->upgrade);
    bool websocket = http1_list_has(exchange->upgrade, len, "websocket", strlen("websocket"));
    exchange->upgrade[0] = '\0';
    if (websocket) {
        gateway_answer(exchange, 501, "P-158", _("edge nodes do not carry WebSockets"), true);
    }
    return websocket;
}

static int hex(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

// One byte of a path as a server would read it: %2e is a dot. 0 at its end.
static char next_byte(const char **at)
{
    const char *text = *at;
    if (*text == '\0' || *text == '?') {
        return '\0';
    }
    if (*text == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0) {
        *at += 3;
        return (char)(hex(text[1]) * 16 + hex(text[2]));
    }
    *at += 1;
    return *text;
}

bool gateway_is_certificate_check(const char *target)
{
    const char *wanted = ACME_PATH;
    char previous = '\0', byte;
    while (*wanted && (byte = next_byte(&target))) {
        const char *after = target;
        bool dot = previous == '/' && byte == '.' && next_byte(&after) == '/';
        if ((byte == '/' && previous == '/') || dot) {
            continue;
        }
        if (byte != *wanted++) {
            return false;
        }
        previous = byte;
    }
    return *wanted == '\0';
}

static bool is_from_inside(const struct gateway_exchange *exchange, const char *bytes)
{
    const char *word = exchange->client->gateway->options.inside;
    const struct http1_field *field =
        word ? http1_head_find(&exchange->head, HTTP1_X_LEANLOCAL_INSIDE) : NULL;
    return field && http1_equal(bytes + field->value.at, field->value.len, word);
}

// P-154: behind edge nodes the redirect does not work.
static bool is_redirected(const struct gateway_options *options)
{
    return options->https_redirect && !options->https && !options->edge;
}

bool gateway_answer_before_app(struct gateway_exchange *exchange, const char *bytes)
{
    struct gateway *gateway = exchange->client->gateway;
    const struct gateway_options *options = &gateway->options;
    struct name host = host_of(exchange, bytes);
    bool inside = is_from_inside(exchange, bytes);
    exchange->side = inside ? &gateway->production : gateway_route(gateway, host.at, host.len);
    if (!exchange->side) {
        exchange->side = &gateway->production;
        gateway_answer(exchange, 404, "P-163", TEXT_NO_APPLICATION, true);
        return true;
    }
    if (gateway_is_certificate_check(exchange->target)) {
        gateway_answer(exchange, 404, "P-153",
                       _("paths under /.well-known/acme-challenge/ never reach the app"), true);
        return true;
    }
    if (!inside && is_redirected(options)) {
        redirect(exchange, host);
        return true;
    }
    if (!inside && options->edge && answer_as_edge(exchange)) {
        return true;
    }
    if (gateway_body_is_too_large(exchange, exchange->request_left)) {
        gateway_answer_too_large(exchange);
        return true;
    }
    return false;
}
