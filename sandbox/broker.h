// What: the port broker: bind() and listen() of the app's IPv4 and IPv6 sockets, done by init on
//       the instance's own loopback address; connect() and sendto() to a loopback port that the
//       instance itself serves are led there.
// Why: several instances have port 3000 on one host, nothing is exposed on the LAN, the moment of
//       listen() is known, and what the app asked for is a fact (P-92, P-105; DESIGN 6).
// Order: the command's process installs the filter (filter.h) and hands init the listener;
//       broker_init(), then broker_handle() whenever the listener is readable.
// Owns: the listener. broker_decide() is pure: all rules are there.
// Not: other families. They are passed on to the kernel, see broker.c. sendmsg() is not led: the
//       filter does not see whether it names a place, and everything else would take the detour.
#ifndef SANDBOX_BROKER_H
#define SANDBOX_BROKER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct broker_rule {
    uint32_t address; // host byte order
    uint16_t public_port;
    uint16_t actual_port;
};

struct broker_socket { // what the kernel says of a socket
    int domain;
    int type;
    int protocol;
    bool v6only;
};

union broker_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum broker_verdict {
    BROKER_PASS,    // not an internet socket: the kernel goes on with the call
    BROKER_REFUSE,  // with errnum
    BROKER_PERFORM, // bind to `address`
};

struct broker_decision {
    enum broker_verdict verdict;
    int errnum;
    union broker_address address;
    socklen_t len;
    bool clear_v6only;
    union broker_address spare; // when `address` is taken by our other family's twin
    socklen_t spare_len;
    bool spare_v6only;
};

// What bind(socket, <asked, asked_len>) becomes. asked_len as given by the app, asked holds at most
// that.
void broker_decide(const struct broker_rule *rule, const struct broker_socket *socket,
                   const union broker_address *asked, socklen_t asked_len,
                   struct broker_decision *ret_decision);
// The same for listen() on a socket that was never bound: the kernel would choose 0.0.0.0 and any
// port.
void broker_decide_unbound(const struct broker_rule *rule, const struct broker_socket *socket,
                           struct broker_decision *ret_decision);
// The port of loopback, or of no address, that connect(<asked, asked_len>) is to reach; 0: another
// place.
uint16_t broker_loopback_port(const union broker_address *asked, socklen_t asked_len);
// What connect() of this socket becomes when the instance itself listens there, on actual_port.
void broker_decide_connect(const struct broker_rule *rule, const struct broker_socket *socket,
                           uint16_t actual_port, struct broker_decision *ret_decision);
void broker_print_address(uint32_t address, char out[static 16]); // "127.77.3.1"

#define BROKER_SOCKETS 256 // remembered; the oldest are forgotten, those of servers last
#define BROKER_REACHED 32  // services of the host that are told of

struct broker_known {
    uint64_t cookie; // SO_COOKIE: unique as long as the machine runs; 0 is free
    char asked_address[64];
    uint16_t asked_port;
    uint16_t actual_port;
    int domain;
    int type;
    bool serves;
};

struct broker {
    int listener_fd; // -1: not running
    int report_fd;   // BOUND, LISTENING and REACHED go here (wire.h)
    bool killable;   // the kernel does not restart a call that we have taken (5.19)
    struct broker_rule rule;
    struct broker_known known[BROKER_SOCKETS];
    unsigned next_known;
    uint16_t reached[BROKER_REACHED];
    unsigned reached_count;
    void *request; // sized as the kernel says
    void *response;
    uint16_t request_size;
    uint16_t response_size;
};

// Takes listener_fd. 0, or -1 with errno.
int broker_init(struct broker *broker, int listener_fd, bool killable,
                const struct broker_rule *rule, int report_fd);
// Takes one notification and answers it. -1 when the listener is dead (nobody has the filter any
// more).
int broker_handle(struct broker *broker);
void broker_release(struct broker *broker);

#endif
