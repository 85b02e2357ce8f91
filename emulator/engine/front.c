#include "emulator/engine/front.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "emulator/engine/internal.h"
#include "emulator/limits/limits.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

#define NAME_MAX_LEN 253 // RFC 1035 §2.3.4

static void read_domains(struct strlist *domains, const char *text)
{
    while (text && *text) {
        size_t len = strcspn(text, ", ");
        if (len) {
            strlist_addf(domains, "%.*s", (int)len, text);
            for (char *at = domains->items[domains->count - 1]; *at; at++) {
                *at = (char)tolower((unsigned char)*at);
            }
        }
        text += len + (text[len] != '\0');
    }
}

void front_read(struct front *front, const struct cJSON *options)
{
    const char *client_ip = json_get_string(options, "client-ip");
    *front = (struct front){
        .client_ip = client_ip ? str_dup(client_ip) : NULL,
        .https = str_equal(json_get_string(options, "proto"), "https"),
        .https_redirect = json_get_bool(options, "https-redirect", false),
        .edge = json_get_bool(options, "edge", false),
        .lenient = json_get_bool(options, "lenient-http", false),
    };
    read_domains(&front->domains, json_get_string(options, "domain"));
    uint64_t word = 0;
    getrandom(&word, sizeof word, GRND_NONBLOCK);
    snprintf(front->inside, sizeof front->inside, "%016" PRIx64, word);
}

static bool is_host_name(const char *name)
{
    size_t len = strlen(name);
    bool label = false; // something since the last dot
    for (size_t i = 0; i < len; i++) {
        bool dot = name[i] == '.';
        if ((dot && !label) ||
            (!dot && !isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')) {
            return false;
        }
        label = !dot;
    }
    return len && len <= NAME_MAX_LEN && label;
}

int front_check(const struct front *front, struct error *error)
{
    for (size_t i = 0; i < front->domains.count; i++) {
        if (!is_host_name(front->domains.items[i])) {
            error_set(error, ERROR_USAGE, _("--domain %s: not a host name"),
                      front->domains.items[i]);
            return error_set_hint(error, _("a name alone, without http:// and without a port"));
        }
    }
    struct in6_addr address;
    if (front->client_ip && inet_pton(AF_INET, front->client_ip, &address) != 1 &&
        inet_pton(AF_INET6, front->client_ip, &address) != 1) {
        return error_set(error, ERROR_USAGE, _("--client-ip %s: not an IP address"),
                         front->client_ip);
    }
    return 0;
}

void front_fill(const struct front *front, struct gateway_options *gateway)
{
    gateway->domains = front->domains.count ? &front->domains : NULL;
    gateway->client_ip = front->client_ip;
    gateway->https = front->https;
    gateway->https_redirect = front->https_redirect;
    gateway->edge = front->edge;
    gateway->lenient = front->lenient;
    gateway->inside = front->inside;
    const struct limit_word words[] = {
        {"response-ms=", &gateway->response_wait_ms, 1},
        {"websocket-ms=", &gateway->websocket_wait_ms, 1},
    };
    limits_read_words(getenv("LEANLOCAL_GATEWAY_LIMITS"), words, ARRAY_LEN(words));
}

const char *front_name(const struct front *front, const char *fallback)
{
    return front->domains.count ? front->domains.items[0] : fallback;
}

// Browsers and most resolvers know that *.localhost is this machine; other names have to be told.
static bool is_known_here(const char *name)
{
    static const char tail[] = ".localhost";
    size_t len = strlen(name), tail_len = sizeof tail - 1;
    return strcmp(name, "localhost") == 0 ||
           (len > tail_len && strcmp(name + len - tail_len, tail) == 0);
}

void front_announce(struct engine *engine)
{
    const struct front *front = &engine->options.front;
    for (size_t i = 0; i < front->domains.count; i++) {
        const char *name = front->domains.items[i];
        if (!is_known_here(name)) {
            announce_notice(
                engine, "note", "P-163", NULL, NULL,
                _("--domain %s: for a browser on this machine /etc/hosts needs the line "
                  "\"127.0.0.1 %s stg-%s\""),
                name, name, name);
        }
    }
    if (front->edge) {
        engine->deviations++;
        announce_notice(engine, "deviation", "P-159", NULL, NULL,
                        _("--edge: nothing is cached here; edge nodes cache by headers"));
    }
    if (front->edge && front->https_redirect) {
        announce_notice(engine, "warning", "P-154", NULL,
                        _("redirect in the app, by X-Forwarded-Proto"),
                        _("behind edge nodes the forced redirect to https does not work: "
                          "--https-redirect does nothing with --edge"));
    }
    if (front->lenient) {
        engine->deviations++;
        announce_notice(engine, "deviation", "RFC 9112 §2.2", NULL, NULL,
                        _("--lenient-http: lines of requests may end with LF alone"));
    }
}

void front_release(struct front *front)
{
    strlist_clear(&front->domains);
    free(front->client_ip);
}
