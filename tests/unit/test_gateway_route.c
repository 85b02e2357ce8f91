// What the gateway does by its options: names and sides, redirects, what it says of the client,
// edge nodes, lines that end with LF alone.
#include "emulator/gateway/internal.h"
#include "tests/unit/gateway_world.h"

#include <ctype.h>
#include <strings.h>

static int wanted;

static void on_staging_wanted(void *context)
{
    (void)context;
    wanted++;
}

// The world's gateway again, with other options.
static void remake(struct world *w, struct gateway_options options)
{
    gateway_free(w->gateway);
    options.address = ADDRESS;
    options.context = w;
    options.on_request = on_request;
    options.on_drained = on_drained;
    options.on_notice = on_notice;
    struct error error = {0};
    w->gateway = gateway_new(w->loop, &options, &error);
    if (!w->gateway) {
        fail_msg("%s", error.message);
    }
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    wanted = 0;
}

// What the app gets of this request.
static const char *forwarded(struct world *w, const char *request)
{
    gateway_set_upstreams(w->gateway, NULL, 0);
    gateway_set_upstreams(w->gateway, w->upstreams, 1);
    int c = client(w);
    say(w, c, request);
    int u = accept_upstream(w, 0);
    static char text[8192];
    snprintf(text, sizeof text, "%s", hear(w, u, "\r\n\r\n"));
    say(w, u, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    hear(w, c, "ok");
    shut(w, c);
    shut(w, u);
    step(w);
    return text;
}

// What the client gets of the gateway alone.
static const char *answered(struct world *w, const char *request)
{
    int c = client(w);
    say(w, c, request);
    static char text[8192];
    snprintf(text, sizeof text, "%s", hear(w, c, ")\n"));
    shut(w, c);
    assert_int_equal(accept(w->listeners[0], NULL, NULL), -1);
    return text;
}

// ---- names ----

static void test_names(void **state)
{
    struct world *w = *state;
    struct strlist domains = {0};
    strlist_add(&domains, "app.example.com");
    strlist_add(&domains, "stg-odd.example.com");
    remake(w, (struct gateway_options){.domains = &domains});
    const struct gateway_side *production = &w->gateway->production,
                              *staging = &w->gateway->staging;
    const struct {
        const char *host;
        const struct gateway_side *side;
    } rows[] = {
        {"app.example.com", production},
        {"APP.Example.COM:3000", production},
        {"app.example.com.", production},
        {"app.example.com.:80", production},
        {"stg-app.example.com", staging},
        {"STG-app.example.com:80", staging},
        {"stg-odd.example.com", staging}, // whatever is bound: P-160 goes by the name
        {"example.com", NULL},
        {"xapp.example.com", NULL},
        {"app.example.com.evil.com", NULL},
        {"stg-stg-app.example.com", NULL},
        {"stg-", NULL},
        {"localhost:3000", NULL},
        {"127.0.0.1", NULL},
        {"[::1]:3000", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (gateway_route(w->gateway, rows[i].host, strlen(rows[i].host)) != rows[i].side) {
            fail_msg("%s", rows[i].host);
        }
    }
    // P-117's words, by their rule, and nobody is held for it.
    const char *text = answered(w, GET);
    assert_has(text, "HTTP/1.1 404 Not Found\r\n");
    assert_has(text, "X-Leanlocal-Rule: P-163\r\n");
    assert_has(text, ": Application not found (P-163)\n");
    answered(w, "GET / HTTP/1.0\r\n\r\n");
    assert_has(forwarded(w, "GET http://app.example.com/x HTTP/1.0\r\n\r\n"),
               "Host: app.example.com\r\n");
    strlist_clear(&domains);
}

static void test_any_name_without_domains(void **state)
{
    struct world *w = *state;
    assert_has(forwarded(w, "GET / HTTP/1.1\r\nHost: stg-a.b\r\n\r\n"), "Host: stg-a.b\r\n");
    forwarded(w, "GET / HTTP/1.0\r\n\r\n");
}

#define STAGING "GET / HTTP/1.1\r\nHost: stg-a.b\r\n\r\n"

static void test_staging(void **state)
{
    struct world *w = *state;
    struct strlist domains = {0};
    strlist_add(&domains, "a.b");
    remake(w,
           (struct gateway_options){.domains = &domains, .on_staging_wanted = on_staging_wanted});
    int c = client(w), d = client(w);
    say(w, c, STAGING);
    say(w, d, STAGING);
    WAIT(w, wanted == 2); // held, and somebody is told
    gateway_set_staging(w->gateway, &w->upstreams[1], 1);
    for (int i = 0; i < 2; i++) {
        int u = accept_upstream(w, 1);
        hear(w, u, "\r\n\r\n");
        say(w, u, OK5);
    }
    hear(w, c, "hello");
    hear(w, d, "hello");
    WAIT(w, w->requests == 2);
    assert_string_equal(w->last_upstream, "web2");
    // Production has its own, and each is drained alone.
    forwarded(w, "GET / HTTP/1.1\r\nHost: a.b\r\n\r\n");
    say(w, c, "POST / HTTP/1.1\r\nHost: stg-a.b\r\nContent-Length: 0\r\n\r\n");
    int u = accept_upstream(w, 1);
    hear(w, u, "\r\n\r\n");
    gateway_set_upstreams(w->gateway, NULL, 0);
    say(w, u, OK5);
    hear(w, c, "hello");
    // It goes and is wanted again, or it will not come.
    gateway_set_staging(w->gateway, NULL, 0);
    say(w, c, STAGING);
    WAIT(w, wanted == 3);
    gateway_refuse_staging(w->gateway, "P-170", "trial instances have no staging");
    const char *text = hear(w, c, "\n");
    assert_has(text, "HTTP/1.1 503 ");
    assert_has(text, "no staging (P-170)");
    gateway_refuse_staging(w->gateway, NULL, NULL);
    say(w, c, STAGING);
    WAIT(w, wanted == 4);
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.lost, 0);
    assert_int_equal(stats.held, 1);
    strlist_clear(&domains);
}

// Without any version there will be no staging either.
static void test_staging_of_nothing(void **state)
{
    struct world *w = *state;
    struct strlist domains = {0};
    strlist_add(&domains, "a.b");
    remake(w,
           (struct gateway_options){.domains = &domains, .on_staging_wanted = on_staging_wanted});
    gateway_set_upstreams(w->gateway, NULL, 0);
    int c = client(w);
    say(w, c, STAGING);
    WAIT(w, wanted == 1);
    gateway_set_status_text(w->gateway, "install failed");
    gateway_refuse_held(w->gateway, true);
    assert_has(hear(w, c, "\n"), "install failed");
    strlist_clear(&domains);
}

static void test_staging_that_nobody_starts(void **state)
{
    struct world *w = *state;
    struct strlist domains = {0};
    strlist_add(&domains, "a.b");
    remake(w, (struct gateway_options){.domains = &domains});
    assert_has(answered(w, STAGING), "there is no staging instance (P-160)");
    strlist_clear(&domains);
}

// ---- https ----

static void test_redirect(void **state)
{
    struct world *w = *state;
    remake(w, (struct gateway_options){.https_redirect = true});
    static const char *const rows[][2] = {
        {"GET /a/b?c=%20d HTTP/1.1\r\nHost: x.y:3000\r\n\r\n",
         "Location: https://x.y/a/b?c=%20d\r\n"},
        {"GET http://x.y/z HTTP/1.1\r\nHost: x.y\r\n\r\n", "Location: https://x.y/z\r\n"},
        {"GET / HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n", "Location: https://[::1]/\r\n"},
        {"GET / HTTP/1.0\r\n\r\n", "Location: https://localhost/\r\n"},
        {"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", "Location: https://x/p\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *text = answered(w, rows[i][0]);
        assert_has(text, "HTTP/1.1 301 Moved Permanently\r\n");
        assert_has(text, rows[i][1]);
        assert_has(text, "X-Leanlocal-Rule: P-151\r\n");
    }
    struct gateway_stats stats;
    gateway_get_stats(w->gateway, &stats);
    assert_int_equal(stats.refused + stats.lost, 0);
    assert_has(answered(w, "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a\r\n\r\n"),
               "P-153");
    // It is https already; or behind an edge node, where it does not work (P-154).
    remake(w, (struct gateway_options){.https_redirect = true, .https = true});
    forwarded(w, GET);
    remake(w, (struct gateway_options){.https_redirect = true, .edge = true});
    forwarded(w, GET);
}

static void test_what_is_said_of_the_client(void **state)
{
    struct world *w = *state;
    remake(w, (struct gateway_options){.https = true, .client_ip = "203.0.113.9"});
    const char *text = forwarded(w, GET);
    assert_has(text, "X-Real-IP: 203.0.113.9\r\n");
    assert_has(text, "X-Forwarded-Proto: https\r\n");
    assert_has(text, "Forwarded: for=203.0.113.9;proto=https\r\n");
    assert_has_not(text, "X-Forwarded-For");
    remake(w, (struct gateway_options){.client_ip = "2001:db8::7"});
    text = forwarded(w, GET);
    assert_has(text, "X-Real-IP: 2001:db8::7\r\n");
    assert_has(text, "Forwarded: for=\"[2001:db8::7]\";proto=http\r\n");
}

// P-153, however the path is spelled.
static void test_certificate_checks(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *target;
        bool kept;
    } rows[] = {
        {"/.well-known/acme-challenge/x", true},
        {"/.well-known/acme-challenge/", true},
        {"//.well-known///acme-challenge//x", true},
        {"/./.well-known/./acme-challenge/x", true},
        {"/%2ewell-known/acme%2Dchallenge%2fx?y", true},
        {"/%2E/.well-known/acme-challenge/x", true},
        {"/.well-known/acme-challenge", false},
        {"/.well-known/acme-challenges/x", false},
        {"/.well-known/security.txt", false},
        {"/x/.well-known/acme-challenge/x", false},
        {"/?/.well-known/acme-challenge/x", false},
        {"/.well-known/acme-challenge%", false},
        {"/.", false},
        {"/%", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char request[256];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].target);
        if (rows[i].kept) {
            assert_has(answered(w, request), "(P-153)");
        } else {
            assert_has(forwarded(w, request), rows[i].target);
        }
    }
}

// ---- from inside the cloud ----

static void test_from_inside(void **state)
{
    struct world *w = *state;
    struct strlist domains = {0};
    strlist_add(&domains, "a.b");
    remake(w,
           (struct gateway_options){.domains = &domains, .https_redirect = true, .inside = "x1"});
    const char *text = forwarded(w, "PATCH / HTTP/1.1\r\nHost: z\r\nX-Leanlocal-Inside: x1\r\n"
                                    "Content-Length: 0\r\n\r\n");
    assert_has(text, "Host: z\r\n");
    assert_has_not(text, "Inside");
    assert_has(answered(w, "GET / HTTP/1.1\r\nHost: z\r\nX-Leanlocal-Inside: x2\r\n\r\n"), "P-163");
    remake(w, (struct gateway_options){.edge = true, .inside = "x1"});
    text = forwarded(w, "PATCH / HTTP/1.1\r\nHost: z\r\nX-Leanlocal-Inside: x1\r\n"
                        "Content-Length: 0\r\n\r\n");
    assert_has_not(text, "Inside");
    assert_has(answered(w, "PATCH / HTTP/1.1\r\nHost: z\r\nX-Leanlocal-Inside: \r\n\r\n"), "P-158");
    strlist_clear(&domains);
}

// ---- edge nodes (P-152, P-158) ----

static void test_edge_headers(void **state)
{
    struct world *w = *state;
    remake(w, (struct gateway_options){.edge = true, .client_ip = "203.0.113.9"});
    const char *text = forwarded(w, GET);
    assert_has(text, "X-Forwarded-For: 203.0.113.9\r\n");
    assert_has(text, "X-Real-IP: 192.0.2.1\r\n"); // the node's
    assert_has(text, "Forwarded: for=192.0.2.1;proto=http\r\n");
    assert_has(text, "X-Forwarded-Proto: http\r\n");
    text = forwarded(
        w, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 7.7.7.7\r\n"
           "Forwarded: for=8.8.8.8\r\nX-Forwarded-Proto: gopher\r\n"
           "X-Forwarded-For: 9.9.9.9\r\n\r\n");
    assert_has(text, "X-Forwarded-For: 6.6.6.6, 9.9.9.9, 203.0.113.9\r\n");
    assert_has(text, "X-Real-IP: 7.7.7.7\r\n");
    assert_has(text, "Forwarded: for=8.8.8.8\r\n");
    assert_has(text, "X-Forwarded-Proto: gopher\r\n");
    assert_has_not(text, "192.0.2.1");
}

static void test_edge_limits(void **state)
{
    struct world *w = *state;
    remake(w, (struct gateway_options){.edge = true});
    const char *text = answered(w, "PATCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_has(text, "HTTP/1.1 405 ");
    assert_has(text, "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n");
    assert_has(text, "(P-158)");
    text = answered(
        w, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n");
    assert_has(text, "HTTP/1.1 501 ");
    assert_has(text, "(P-158)");
    text = forwarded(w, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    assert_has_not(text, "Upgrade");
    text = answered(w, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 62914561\r\n\r\n");
    assert_has(text, "HTTP/1.1 413 ");
    assert_has(text, "X-Leanlocal-Limit: EDGE_BODY_BYTES=62914560\r\n");
    assert_has(text, "larger than 60 MB (P-158)");
    int c = client(w);
    say(w, c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 62914560\r\n\r\n");
    int u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    shut(w, c);
    hear_end(w, u, NULL);
    c = client(w);
    say(w, c, GET);
    u = accept_upstream(w, 0);
    hear(w, u, "\r\n\r\n");
    struct gateway_deadline *first = w->gateway->queues[WAIT_RESPONSE].next;
    assert_in_range(first->at_ms - w->gateway->now_ms, 10000 - LIMIT_MS, 10000);
    first->at_ms = 1;
    gateway_deadlines_arm(w->gateway);
    text = hear(w, c, ")\n");
    assert_has(text, "HTTP/1.1 504 ");
    assert_has(text, "within 10 s (P-158)");
}

// ---- lines ----

static void test_lenient(void **state)
{
    struct world *w = *state;
    static const char request[] = "PUT / HTTP/1.1\nHost: a\nContent-Length: 2\n\nab";
    answered(w, request);
    remake(w, (struct gateway_options){.lenient = true});
    for (int i = 0; i < 2; i++) {
        int c = client(w);
        say(w, c, request);
        int u = accept_upstream(w, 0);
        assert_has(hear(w, u, "\r\n\r\nab"), "PUT / HTTP/1.1\r\nHost: a\r\n");
        say(w, u, OK5);
        hear(w, c, "hello");
    }
    assert_int_equal(w->notices, 2); // the refusal, and once that it was let through
    assert_has(w->notice, "|RFC 9112 §2.2|");
    // All else is as strict as ever.
    assert_has(answered(w, "GET / HTTP/1.1\nHost : a\n\n"), "HTTP/1.1 400 ");
}

// ---- any head ----

static unsigned pick(uint64_t *random, unsigned count)
{
    *random = *random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(*random >> 33) % count;
}

static void compose(uint64_t *random, const char *const *pieces, size_t count, char *out,
                    size_t size)
{
    out[0] = '\0';
    for (unsigned i = pick(random, 9); i > 0; i--) {
        const char *piece = pieces[pick(random, (unsigned)count)];
        if (strlen(out) + strlen(piece) + 1 < size) {
            strcat(out, piece);
        }
    }
}

static void cut(char *text, const char *part, size_t keep)
{
    for (char *at; (at = strstr(text, part));) {
        memmove(at + keep, at + strlen(part), strlen(at + strlen(part)) + 1);
    }
}

// The slow way: decode all of it, then take out what means nothing.
static bool is_check(const char *target)
{
    char path[512];
    size_t len = 0;
    for (const char *at = target; *at && *at != '?'; at++) {
        unsigned byte = 0;
        bool coded = *at == '%' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]);
        if (coded) {
            sscanf(at + 1, "%2x", &byte);
            at += 2;
        }
        path[len++] = coded ? (char)byte : *at;
    }
    path[len] = '\0';
    for (size_t before = len + 1; before != strlen(path);) {
        before = strlen(path);
        cut(path, "//", 1);
        cut(path, "/./", 1);
    }
    return strncmp(path, "/.well-known/acme-challenge/", 28) == 0;
}

// Words of a few pieces in any order, each head in memory of just its size.
static void test_any_head(void **state)
{
    struct world *w = *state;
    static const char *const codings[] = {"gzip", "x-gzip", "*", "br", ";q=0", ";q=", "0.",
                                          "1",    ",",      " ", "\t", ";",    "q",   "gzipx"};
    static const char *const paths[] = {"/",
                                        "//",
                                        "%2e",
                                        ".",
                                        "..",
                                        "%",
                                        "%2",
                                        "?",
                                        "%2F",
                                        ".well-known",
                                        "acme-challenge",
                                        "x",
                                        "acme%2Dchallenge",
                                        "/.well-known/acme-challenge/"};
    static const char *const names[] = {"a.b", "stg-", "A.B", ":", "80", ".", "[::1]", "x", "-"};
    struct strlist domains = {0};
    strlist_add(&domains, "a.b");
    w->gateway->options.domains = &domains;
    uint64_t random = 1;
    static struct http1_head head;
    for (int i = 0; i < 20000; i++) {
        char coding[128], path[256], name[128], text[640];
        compose(&random, codings, ARRAY_LEN(codings), coding, sizeof coding);
        compose(&random, paths, ARRAY_LEN(paths), path, sizeof path);
        compose(&random, names, ARRAY_LEN(names), name, sizeof name);
        int len = snprintf(text, sizeof text,
                           "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n", coding);
        char *bytes = malloc((size_t)len);
        memcpy(bytes, text, (size_t)len);
        http1_head_init(&head, HTTP1_CLIENT, false);
        assert_int_equal(http1_head_feed(&head, bytes, (size_t)len), HTTP1_DONE);
        if (gateway_gzip_accepted(&head, bytes) && !strstr(coding, "gzip") &&
            !strchr(coding, '*')) {
            fail_msg("\"%s\" is taken for gzip", coding);
        }
        free(bytes);
        size_t name_len = strlen(name);
        char *exact = malloc(name_len + 1); // never of no bytes
        memcpy(exact, name, name_len);
        const struct gateway_side *side = gateway_route(w->gateway, exact, name_len);
        if (side && !strcasestr(name, "a.b")) {
            fail_msg("\"%s\" is taken for a bound name", name);
        }
        free(exact);
        if (gateway_is_certificate_check(path) != is_check(path)) {
            fail_msg("\"%s\": %d", path, is_check(path));
        }
    }
    w->gateway->options.domains = NULL;
    strlist_clear(&domains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NONE(test_names),
        ONE(test_any_name_without_domains),
        NONE(test_staging),
        NONE(test_staging_of_nothing),
        NONE(test_staging_that_nobody_starts),
        NONE(test_redirect),
        NONE(test_what_is_said_of_the_client),
        ONE(test_certificate_checks),
        NONE(test_from_inside),
        NONE(test_edge_headers),
        NONE(test_edge_limits),
        ONE(test_lenient),
        ONE(test_any_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
