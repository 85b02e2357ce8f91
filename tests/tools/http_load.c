// Both ends of a benchmark of balancers: an app that costs next to nothing, and clients that keep
// their connections and always have one request under way on each.
//   http_load serve ADDRESS PORT
// prints "listening ADDRESS PORT", as the kernel has it (PORT 0: any); GET /N is answered with N
// bytes
//   http_load ask ADDRESS PORT CONNECTIONS SECONDS PATH
// prints "requests=N errors=N seconds=F p50_us=N p90_us=N p99_us=N max_us=N"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX  256
#define BUFFER      65536
#define BODY_MAX    (1 << 20)
#define SAMPLES_MAX (1u << 24)

struct connection {
    int fd;
    char in[BUFFER];
    size_t in_len;
    const char *out; // what is left to be sent
    size_t out_len;
    int64_t begun_ns;    // client: when the request went
    int64_t answer_left; // client: bytes of the body; -1: the head is not complete
    char own[128];       // server: the head
    const char *next;    // server: the body after it
    size_t next_len;
};

static char body[BODY_MAX];

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in place(const char *address, const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        fprintf(stderr, "http_load: %s: not an address\n", address);
        exit(2);
    }
    return name;
}

static struct connection *watch(int epoll_fd, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    int on = 1;
    if (!connection) {
        die("memory");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
    return connection;
}

// False: the other side has gone.
static bool push(struct connection *connection)
{
    while (connection->out_len) {
        ssize_t sent = send(connection->fd, connection->out, connection->out_len,
                            MSG_NOSIGNAL | (connection->next_len ? MSG_MORE : 0));
        if (sent < 0) {
            return errno == EAGAIN;
        }
        connection->out += sent;
        connection->out_len -= (size_t)sent;
        if (connection->out_len == 0) {
            connection->out = connection->next;
            connection->out_len = connection->next_len;
            connection->next_len = 0;
        }
    }
    return true;
}

// ---- the app ----

static bool answer(struct connection *connection)
{
    char *end;
    while (connection->out_len == 0 &&
           (end = memmem(connection->in, connection->in_len, "\r\n\r\n", 4))) {
        size_t used = (size_t)(end + 4 - connection->in);
        const char *slash = memchr(connection->in, '/', used);
        size_t len = slash ? strtoul(slash + 1, NULL, 10) : 0;
        len = len < BODY_MAX ? len : BODY_MAX;
        connection->out = connection->own;
        connection->out_len = (size_t)snprintf(connection->own, sizeof connection->own,
                                               "HTTP/1.1 200 OK\r\nContent-Type: "
                                               "application/octet-stream\r\n"
                                               "Content-Length: %zu\r\n\r\n",
                                               len);
        connection->next = body;
        connection->next_len = len;
        memmove(connection->in, connection->in + used, connection->in_len - used);
        connection->in_len -= used;
        if (!push(connection)) {
            return false;
        }
    }
    return true;
}

// False: it has ended.
static bool pull(struct connection *connection)
{
    for (;;) {
        size_t room = BUFFER - connection->in_len;
        ssize_t got = room ? recv(connection->fd, connection->in + connection->in_len, room, 0) : 0;
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        connection->in_len += (size_t)got;
        if (!answer(connection)) {
            return false;
        }
    }
}

static void accept_all(int epoll_fd, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        watch(epoll_fd, fd);
    }
}

__attribute__((noreturn)) static void serve(const char *address, const char *port)
{
    struct sockaddr_in name = place(address, port);
    socklen_t len = sizeof name;
    int on = 1, epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&name, len) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&name, &len) < 0) {
        die("listen");
    }
    struct epoll_event events[EVENTS_MAX] = {{.events = EPOLLIN}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &events[0]); // data.ptr NULL
    printf("listening %s %u\n", inet_ntoa(name.sin_addr), ntohs(name.sin_port));
    fflush(stdout);
    memset(body, 'x', sizeof body);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) {
                accept_all(epoll_fd, listener);
            } else if (!push(connection) || !answer(connection) || !pull(connection)) {
                close(connection->fd);
                free(connection);
            }
        }
    }
}

// ---- the clients ----

struct load {
    char request[512];
    size_t request_len;
    uint32_t *samples;
    size_t sample_count, errors;
};

static void ask_again(struct load *load, struct connection *connection)
{
    connection->out = load->request;
    connection->out_len = load->request_len;
    connection->in_len = 0;
    connection->answer_left = -1;
    connection->begun_ns = now_ns();
    if (!push(connection)) {
        load->errors++;
    }
}

static void read_head(struct load *load, struct connection *connection)
{
    char *end = memmem(connection->in, connection->in_len, "\r\n\r\n", 4);
    if (!end) {
        return;
    }
    *end = '\0';
    const char *length = strcasestr(connection->in, "\r\nContent-Length:");
    load->errors += memcmp(connection->in, "HTTP/1.1 200", 12) != 0 || !length;
    int64_t head_len = end + 4 - connection->in;
    connection->answer_left =
        (length ? atoll(length + 17) : 0) - ((int64_t)connection->in_len - head_len);
}

// False: it has ended.
static bool read_answer(struct load *load, struct connection *connection)
{
    for (;;) {
        bool head = connection->answer_left < 0;
        char *at = head ? connection->in + connection->in_len : connection->in;
        ssize_t got = recv(connection->fd, at, (size_t)(connection->in + BUFFER - 1 - at), 0);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        if (head) {
            connection->in_len += (size_t)got;
            read_head(load, connection);
        } else {
            connection->answer_left -= got;
        }
        if (connection->answer_left == 0) {
            int64_t took_us = (now_ns() - connection->begun_ns) / 1000;
            if (load->sample_count < SAMPLES_MAX) {
                load->samples[load->sample_count++] = (uint32_t)took_us;
            }
            ask_again(load, connection);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct load *load, double seconds)
{
    size_t count = load->sample_count;
    qsort(load->samples, count, sizeof load->samples[0], compare);
    if (count == 0) {
        load->samples[count++] = 0;
    }
    printf("requests=%zu errors=%zu seconds=%.3f p50_us=%u p90_us=%u p99_us=%u max_us=%u\n",
           load->sample_count, load->errors, seconds, load->samples[count / 2],
           load->samples[count * 9 / 10], load->samples[count * 99 / 100],
           load->samples[count - 1]);
}

static int ask(char **words)
{
    struct sockaddr_in name = place(words[0], words[1]);
    int connections = atoi(words[2]);
    double seconds = atof(words[3]);
    struct load load = {.samples = malloc(SAMPLES_MAX * sizeof(uint32_t))};
    load.request_len = (size_t)snprintf(
        load.request, sizeof load.request,
        "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: http_load\r\nAccept: */*\r\n\r\n",
        words[4]);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&name, sizeof name) < 0) {
            die("connect");
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        ask_again(&load, watch(epoll_fd, fd));
    }
    int64_t begun_ns = now_ns(), until_ns = begun_ns + (int64_t)(seconds * 1e9);
    struct epoll_event events[EVENTS_MAX];
    while (now_ns() < until_ns) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!push(connection) || !read_answer(&load, connection)) {
                load.errors++;
                epoll_ctl(epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
            }
        }
    }
    report(&load, (double)(now_ns() - begun_ns) / 1e9);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        serve(argv[2], argv[3]);
    }
    if (argc == 7 && strcmp(argv[1], "ask") == 0) {
        return ask(argv + 2);
    }
    fprintf(stderr, "usage: http_load serve ADDRESS PORT\n"
                    "       http_load ask ADDRESS PORT CONNECTIONS SECONDS PATH\n");
    return 2;
}
