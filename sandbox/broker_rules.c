// The rules of the port broker, without any system call. See broker.h.
#include "sandbox/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static socklen_t set_v4(union broker_address *out, uint32_t address, uint16_t port)
{
    memset(out, 0, sizeof *out);
    out->v4.sin_family = AF_INET;
    out->v4.sin_addr.s_addr = htonl(address);
    out->v4.sin_port = htons(port);
    return sizeof out->v4;
}

// ::ffff:a.b.c.d
static socklen_t set_mapped(union broker_address *out, uint32_t address, uint16_t port)
{
    memset(out, 0, sizeof *out);
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    out->v6.sin6_addr.s6_addr[10] = 0xff;
    out->v6.sin6_addr.s6_addr[11] = 0xff;
    uint32_t network = htonl(address);
    memcpy(&out->v6.sin6_addr.s6_addr[12], &network, sizeof network);
    return sizeof out->v6;
}

static socklen_t set_v6_loopback(union broker_address *out, uint16_t port)
{
    memset(out, 0, sizeof *out);
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    out->v6.sin6_addr = in6addr_loopback;
    return sizeof out->v6;
}

static bool is_stream(const struct broker_socket *socket)
{
    return socket->type == SOCK_STREAM;
}

// Ping sockets have no ports; they are bound as asked.
static bool has_ports(const struct broker_socket *socket)
{
    switch (socket->protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
    case IPPROTO_MPTCP:
        return true;
    default:
        return false;
    }
}

static void place(const struct broker_rule *rule, const struct broker_socket *socket, uint16_t port,
                  struct broker_decision *decision)
{
    bool is_public = is_stream(socket) && port != 0 && port == rule->public_port;
    uint16_t actual = is_public ? rule->actual_port : port;
    decision->verdict = BROKER_PERFORM;
    if (socket->domain == AF_INET) {
        decision->len = set_v4(&decision->address, rule->address, actual);
        decision->spare_len = set_v4(&decision->spare, rule->address, 0);
        return;
    }
    decision->len = set_mapped(&decision->address, rule->address, actual);
    decision->clear_v6only = true;
    // A server with one socket for each family: the v4 one serves, this one may be anywhere
    // harmless.
    if (socket->v6only) {
        decision->spare_len = set_v6_loopback(&decision->spare, 0);
        decision->spare_v6only = true;
    }
}

static void refuse(struct broker_decision *decision, int errnum)
{
    decision->verdict = BROKER_REFUSE;
    decision->errnum = errnum;
}

static void as_asked(struct broker_decision *decision, const union broker_address *asked,
                     socklen_t asked_len)
{
    decision->verdict = BROKER_PERFORM;
    decision->address = *asked;
    decision->len = asked_len < sizeof *asked ? asked_len : (socklen_t)sizeof *asked;
}

// Old programs bind an IPv4 socket with the family left 0 and no address; the kernel lets them.
static bool family_fits(const struct broker_socket *socket, const union broker_address *asked)
{
    if (asked->any.sa_family == socket->domain) {
        return true;
    }
    return socket->domain == AF_INET && asked->any.sa_family == AF_UNSPEC &&
           asked->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

void broker_decide(const struct broker_rule *rule, const struct broker_socket *socket,
                   const union broker_address *asked, socklen_t asked_len,
                   struct broker_decision *ret_decision)
{
    struct broker_decision decision = {.verdict = BROKER_PASS};
    bool v6 = socket->domain == AF_INET6;
    // RFC 2133's sockaddr_in6 had no scope id; the kernel still takes it.
    size_t least = v6 ? offsetof(struct sockaddr_in6, sin6_scope_id) : sizeof asked->v4;
    if (socket->domain != AF_INET && !v6) {
        *ret_decision = decision;
        return;
    }
    if (asked_len < least) {
        refuse(&decision, EINVAL);
    } else if (!family_fits(socket, asked)) {
        refuse(&decision, EAFNOSUPPORT);
    } else {
        uint16_t port = ntohs(v6 ? asked->v6.sin6_port : asked->v4.sin_port);
        // A UDP socket without a port is a client; its datagrams must find their way out.
        bool client = !is_stream(socket) && port == 0;
        if (client || !has_ports(socket)) {
            as_asked(&decision, asked, asked_len);
        } else {
            place(rule, socket, port, &decision);
        }
    }
    *ret_decision = decision;
}

void broker_decide_unbound(const struct broker_rule *rule, const struct broker_socket *socket,
                           struct broker_decision *ret_decision)
{
    struct broker_decision decision = {.verdict = BROKER_PASS};
    if (socket->domain == AF_INET || socket->domain == AF_INET6) {
        place(rule, socket, 0, &decision);
    }
    *ret_decision = decision;
}

static bool leads_to_loopback(uint32_t address)
{
    return address == INADDR_ANY || address >> 24 == 127;
}

uint16_t broker_loopback_port(const union broker_address *asked, socklen_t asked_len)
{
    if (asked->any.sa_family == AF_INET && asked_len >= sizeof asked->v4) {
        return leads_to_loopback(ntohl(asked->v4.sin_addr.s_addr)) ? ntohs(asked->v4.sin_port) : 0;
    }
    if (asked->any.sa_family != AF_INET6 ||
        asked_len < offsetof(struct sockaddr_in6, sin6_scope_id)) {
        return 0;
    }
    const struct in6_addr *address = &asked->v6.sin6_addr;
    uint32_t mapped;
    memcpy(&mapped, &address->s6_addr[12], sizeof mapped);
    bool local = IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address) ||
                 (IN6_IS_ADDR_V4MAPPED(address) && leads_to_loopback(ntohl(mapped)));
    return local ? ntohs(asked->v6.sin6_port) : 0;
}

void broker_decide_connect(const struct broker_rule *rule, const struct broker_socket *socket,
                           uint16_t actual_port, struct broker_decision *ret_decision)
{
    struct broker_decision decision = {.verdict = BROKER_PASS};
    bool led = is_stream(socket) || socket->type == SOCK_DGRAM;
    if (led && socket->domain == AF_INET) {
        decision.verdict = BROKER_PERFORM;
        decision.len = set_v4(&decision.address, rule->address, actual_port);
    } else if (led && socket->domain == AF_INET6 && !socket->v6only) {
        decision.verdict = BROKER_PERFORM;
        decision.len = set_mapped(&decision.address, rule->address, actual_port);
    }
    *ret_decision = decision;
}

void broker_print_address(uint32_t address, char out[static 16])
{
    snprintf(out, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255);
}
