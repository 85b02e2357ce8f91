// One connection, one request, one answer: the request's head is read to its end, the answer is
// written, and what the client still sends is drained, since closing with unread bytes would reset
// the connection and lose the answer.

#include "emulator/environment/offline_api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

#define OFFLINE_CLIENTS_MAX 64
#define OFFLINE_HEAD_MAX    16384
#define OFFLINE_CLIENT_MS   10000 // from the first byte to the last
#define OFFLINE_CALL_BYTES  200
#define OFFLINE_NETWORK     0x7f4dff00u // 127.77.255.0
#define OFFLINE_HOSTS       254

static const char body[] =
    "{\"code\":503,\"error\":\"offline: leanlocal has no app id, so it calls no API server. To "
    "use a real app: eval \\\"$(lean env)\\\", or set LEANCLOUD_APP_ID, LEANCLOUD_APP_KEY and "
    "LEANCLOUD_APP_MASTER_KEY in .env\"}\n";

struct offline_client {
    struct offline_api *api;
    struct offline_client *next;
    struct loop_source *source, *timer;
    struct buf head;
    int fd;
    bool answered;
};

struct offline_api {
    struct loop *loop;
    offline_api_fn on_call;
    void *context;
    struct loop_source *source;
    struct offline_client *clients;
    unsigned count;
    int fd;
    char url[48];
};

static void drop(struct offline_client *client)
{
    struct offline_client **slot = &client->api->clients;
    while (*slot != client) {
        slot = &(*slot)->next;
    }
    *slot = client->next;
    client->api->count--;
    loop_source_free(client->source);
    loop_source_free(client->timer);
    close(client->fd);
    buf_release(&client->head);
    free(client);
}

static void on_late(void *context)
{
    drop(context);
}

// "POST /1.1/call/hello" of the request line.
static void tell(const struct offline_client *client)
{
    const char *line = client->head.data;
    size_t method = strcspn(line, " \r\n");
    size_t len = method + 1 + strcspn(line + method + (line[method] != '\0'), " ?\r\n");
    size_t line_len = strcspn(line, "\r\n");
    auto_free char *valid = utf8_valid(line, len < line_len ? len : line_len);
    auto_free char *call = utf8_cut(valid, OFFLINE_CALL_BYTES);
    client->api->on_call(client->api->context, call);
}

static void answer(struct offline_client *client)
{
    bool head_only = str_starts_with(client->head.data, "HEAD ");
    auto_free char *text = str_printf("HTTP/1.1 503 Service Unavailable\r\n"
                                      "Content-Type: application/json; charset=utf-8\r\n"
                                      "Content-Length: %zu\r\n"
                                      "Connection: close\r\n\r\n%s",
                                      sizeof body - 1, head_only ? "" : body);
    client->answered = true;
    tell(client);
    // A new socket's buffer holds it; a client that resets meanwhile is dropped by the next read.
    send(client->fd, text, strlen(text), MSG_NOSIGNAL);
    shutdown(client->fd, SHUT_WR);
}

static void on_readable(void *context, int fd, uint32_t events)
{
    (void)events;
    struct offline_client *client = context;
    char chunk[16384];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        drop(client);
    } else if (!client->answered) {
        if (!buf_add(&client->head, chunk, (size_t)got)) {
            drop(client);
        } else if (strstr(client->head.data, "\r\n\r\n") || strstr(client->head.data, "\n\n")) {
            answer(client);
        }
    }
}

static void on_connection(void *context, int fd, uint32_t events)
{
    (void)events;
    struct offline_api *api = context;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0) {
        return;
    }
    if (api->count == OFFLINE_CLIENTS_MAX) {
        close(accepted);
        return;
    }
    struct offline_client *client = mem_alloc(sizeof *client);
    *client = (struct offline_client){
        .api = api, .next = api->clients, .fd = accepted, .head = {.max = OFFLINE_HEAD_MAX}};
    api->clients = client;
    api->count++;
    client->source = loop_add_fd(api->loop, accepted, EPOLLIN, on_readable, client);
    client->timer = loop_add_timer(api->loop, OFFLINE_CLIENT_MS, on_late, client);
}

// The port is any free one, so that several engines never meet.
static int listen_somewhere(struct offline_api *api, struct error *error)
{
    api->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (api->fd < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "socket");
    }
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(OFFLINE_NETWORK + 1 + (uint32_t)getpid() % OFFLINE_HOSTS)};
    socklen_t len = sizeof address;
    if (bind(api->fd, (const struct sockaddr *)&address, len) < 0 ||
        listen(api->fd, OFFLINE_CLIENTS_MAX) < 0 ||
        getsockname(api->fd, (struct sockaddr *)&address, &len) < 0) {
        return error_set_errno(error, ERROR_SYSTEM, errno, "127.77.255.x");
    }
    snprintf(api->url, sizeof api->url, "http://%s:%u", inet_ntoa(address.sin_addr),
             ntohs(address.sin_port));
    return 0;
}

struct offline_api *offline_api_new(struct loop *loop, offline_api_fn on_call, void *context,
                                    struct error *error)
{
    struct offline_api *api = mem_alloc(sizeof *api);
    *api = (struct offline_api){.loop = loop, .on_call = on_call, .context = context, .fd = -1};
    if (listen_somewhere(api, error) < 0) {
        offline_api_free(api);
        return NULL;
    }
    api->source = loop_add_fd(loop, api->fd, EPOLLIN, on_connection, api);
    return api;
}

const char *offline_api_url(const struct offline_api *api)
{
    return api->url;
}

void offline_api_free(struct offline_api *api)
{
    if (!api) {
        return;
    }
    while (api->clients) {
        drop(api->clients);
    }
    loop_source_free(api->source);
    if (api->fd >= 0) {
        close(api->fd);
    }
    free(api);
}
