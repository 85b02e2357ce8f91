// The gateway alone, in front of one app that somebody else plays: what the differential tests set
// beside nginx.
//   gateway_run ADDRESS UPSTREAM_ADDRESS UPSTREAM_PORT [--lenient-http]
// Prints "port N", then "notice RULE TEXT" as they come. Each line on stdin makes the instance a
// new one, so that every notice can come again, and is answered by "fresh"; the end of stdin is the
// end.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "emulator/gateway/gateway.h"

struct run {
    struct loop *loop;
    struct gateway *gateway;
    struct gateway_upstream upstream;
    unsigned number;
};

static void on_notice(void *context, const char *upstream_name, const char *rule, const char *text)
{
    (void)context;
    (void)upstream_name;
    printf("notice %s: %s\n", rule, text);
    fflush(stdout);
}

static void be_fresh(struct run *run)
{
    gateway_set_upstreams(run->gateway, NULL, 0);
    snprintf(run->upstream.name, sizeof run->upstream.name, "web%u", ++run->number);
    gateway_set_upstreams(run->gateway, &run->upstream, 1);
}

static void on_stdin(void *context, int fd, uint32_t events)
{
    struct run *run = context;
    char bytes[64];
    (void)events;
    if (read(fd, bytes, sizeof bytes) <= 0) {
        loop_exit(run->loop, 0);
        return;
    }
    be_fresh(run);
    printf("fresh\n");
    fflush(stdout);
}

static uint32_t address_of(const char *text)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) {
        fprintf(stderr, "gateway_run: %s: not an address\n", text);
        exit(2);
    }
    return ntohl(address.s_addr);
}

int main(int argc, char **argv)
{
    bool lenient = argc == 5 && strcmp(argv[4], "--lenient-http") == 0;
    if (argc != 4 && !lenient) {
        fprintf(stderr, "usage: gateway_run ADDRESS UPSTREAM_ADDRESS UPSTREAM_PORT"
                        " [--lenient-http]\n");
        return 2;
    }
    struct error error = {0};
    struct run run = {.loop = loop_new(&error)};
    const struct gateway_options options = {
        .address = address_of(argv[1]),
        .lenient = lenient,
        .context = &run,
        .on_notice = on_notice,
    };
    run.upstream.address = address_of(argv[2]);
    run.upstream.port = (uint16_t)atoi(argv[3]);
    run.gateway = run.loop ? gateway_new(run.loop, &options, &error) : NULL;
    if (!run.gateway) {
        fprintf(stderr, "gateway_run: %s\n", error.message);
        return 1;
    }
    be_fresh(&run);
    printf("port %u\n", gateway_port(run.gateway));
    fflush(stdout);
    struct loop_source *source = loop_add_fd(run.loop, STDIN_FILENO, EPOLLIN, on_stdin, &run);
    loop_run(run.loop);
    loop_source_free(source);
    gateway_free(run.gateway);
    loop_free(run.loop);
    return 0;
}
